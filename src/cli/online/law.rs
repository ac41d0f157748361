//! What follows from the notes, asked of the running node, or computed here from the data of one that does not run.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::client::Client;
use super::data::{Data, damaged};
use crate::api::law::{Law, LawError};
use crate::api::law_view::{DueList, PartiesView, TimelineView};
use crate::cli::online::number::Number;
use crate::cli::{Code, Context, Failure, NodeConfig, clock};
use crate::ledger::Timestamp;
use crate::node::docket;
/// As of when: a time, or the first moment of a day, in UTC.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    Timestamp::parse(&whole).ok_or_else(|| {
        "a day is written as 2021-06-18, a time in UTC as 2021-06-18T09:00:00Z, from 1970 to 9998".into()
    })
}

/// What is due, from anybody or from one party.
pub fn due(as_of: Option<Timestamp>, party: Option<&str>, all: bool, ctx: &Context) -> Result<DueList, Failure> {
    let mut path = format!("/v1/due?all={all}{}", query(as_of));
    path.extend(party.map(|party| format!("&party={party}")));
    ask(&path, ctx, |law| law.due(as_of.unwrap_or_else(clock::now), party, all))
}

/// The thread of a note.
pub fn timeline(number: &Number, as_of: Option<Timestamp>, ctx: &Context) -> Result<TimelineView, Failure> {
    let path = format!("/v1/timeline/{number}?{}", query(as_of).trim_start_matches('&'));
    ask(&path, ctx, |law| law.timeline(&number.party, number.index, as_of.unwrap_or_else(clock::now)))
}

/// What every party is.
pub fn parties(as_of: Option<Timestamp>, year: Option<i16>, ctx: &Context) -> Result<PartiesView, Failure> {
    let mut path = format!("/v1/parties?{}", query(as_of).trim_start_matches('&'));
    path.extend(year.map(|year| format!("&year={year}")));
    ask(&path, ctx, |law| law.parties(as_of.unwrap_or_else(clock::now), year))
}

fn query(as_of: Option<Timestamp>) -> String {
    as_of.map_or(String::new(), |as_of| format!("&as_of={as_of}"))
}

/// Asks the node; where none runs, reads its data.
fn ask<T: DeserializeOwned>(
    path: &str,
    ctx: &Context,
    compute: impl FnOnce(&Law) -> Result<T, LawError>,
) -> Result<T, Failure> {
    let config = NodeConfig::load(&ctx.home)?;
    let none = match Client::new(&config.socket)?.get(path) {
        Err(failure) if failure.code == Code::NoNode && config.data.is_dir() => failure,
        answer => return answer,
    };
    let treaty = Arc::new(ctx.treaty()?);
    let profile = Arc::new(ctx.profile(&treaty)?);
    let data = Data::open(None, &treaty, ctx).map_err(|failure| match failure.code {
        // The node did not answer, and holds the data.
        Code::Locked => none,
        _ => failure,
    })?;
    let docket = docket(&data.store, &treaty, &profile).map_err(damaged)?;
    compute(&Law { docket: &docket, read: &data.store }).map_err(|error| match error {
        LawError::Unknown(what) => Failure::new(Code::Input, what),
        LawError::Read(error) => damaged(error),
    })
}
