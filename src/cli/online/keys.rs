//! The keys of all parties, by what this party's node has stored.

use std::sync::Arc;

use super::data::{Data, damaged};
use crate::cli::{Context, Failure};
use crate::ledger::{KeyLife, Treaty};
use crate::node::load_keyring;

/// Every key in stored data, the node running or not, and the treaty as it is known there.
pub fn stored_keys(context: &Context) -> Result<(Arc<Treaty>, Vec<KeyLife>), Failure> {
    let data = Data::open(None, &context.treaty()?, context)?;
    let treaty = data.store.treaty();
    let keys = load_keyring(&treaty, &data.store).map_err(damaged)?;
    let lives = (0..keys.len()).flat_map(|party| keys.party(party).lives()).collect();
    Ok((treaty, lives))
}
