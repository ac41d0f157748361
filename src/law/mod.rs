//! The treaty's law applied: what is due, from whom and by when; what has taken effect; what a party is; what was used.
//!
//! Results are a pure function of the parties' records, the treaty file, the profile and the time asked about: the same
//! at every node that holds the same records, byte for byte. *Received* is the time of the addressee's receipt in the
//! ledger. Nothing here judges: it counts, says how it counted, and gives the other reading where there is one.
//!
//! # Layout
//!
//! - [`calendar`]: hours, days, calendar months, in a zone; a floor further down, as a profile is checked by it too
//! - `registrar`: whose word a record is; `docket`: the facts, kept up record by record
//! - `aside`: branches that a restart certificate set aside
//! - `live`: which of them may still be outstanding
//! - `roles`: which roles the parties had when
//! - `used`: which fields of a note are kept
//! - `moment`: when something happened
//! - `due`, `periodic`, `effect`, `quota`: what follows
//! - `act`: what did it, or ended it; `ender`: which notes count for that
//! - `silence`: the rule behind a proof of silence
//! - `view`: how it is told

mod act;
mod aside;
mod docket;
mod due;
mod effect;
mod ender;
mod live;
mod moment;
mod periodic;
mod quota;
mod registrar;
mod roles;
mod silence;
mod used;
mod view;

pub use crate::ledger::calendar;
pub use docket::{Docket, Place, Seen};
pub use due::Query;
pub use effect::Bound;
pub use registrar::{Filing, Registrar};
pub use silence::{SilenceRules, silence_rules};
pub use view::{Act, Change, EffectView, Force, Item, Other, OverView, PartyStanding, QuotaView, State, Step};
