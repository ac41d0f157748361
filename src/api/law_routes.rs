//! The routes that say what follows from the notes.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Json, Router, routing::get};
use serde::Deserialize;

use super::law::{Law, LawError};
use super::law_view::{DueList, PartiesView, TimelineView};
use super::routes::{Place, Refused, reading};
use crate::daemon::{self, Handle, now_ms};
use crate::ledger::Timestamp;

pub(super) fn router() -> Router<Handle> {
    Router::new()
        .route("/v1/due", get(due))
        .route("/v1/timeline/{party}/{index}", get(timeline))
        .route("/v1/parties", get(parties))
}

impl From<LawError> for Refused {
    fn from(error: LawError) -> Self {
        match error {
            LawError::Unknown(what) => Self::new(StatusCode::NOT_FOUND, "unknown", what),
            LawError::Read(error) => error.into(),
        }
    }
}

/// What is asked.
#[derive(Deserialize)]
struct Asked {
    /// As of when; now, unless it is given.
    as_of: Option<Timestamp>,
    /// Code of the party that owes, or to which it is owed.
    party: Option<String>,
    /// Also what is done or no longer due.
    #[serde(default)]
    all: bool,
    /// The year whose quotas are counted; that of `as_of`, unless it is given.
    year: Option<i16>,
}

impl Asked {
    fn as_of(&self) -> Timestamp {
        self.as_of.unwrap_or_else(|| Timestamp::from_posix(now_ms() / 1000))
    }
}

type Wanted = Result<Query<Asked>, QueryRejection>;

async fn due(State(handle): State<Handle>, asked: Wanted) -> Result<Json<DueList>, Refused> {
    let Query(asked) = asked?;
    reading(move || Ok(Json(law(&handle, |law| law.due(asked.as_of(), asked.party.as_deref(), asked.all))?))).await
}

async fn timeline(State(handle): State<Handle>, place: Place, asked: Wanted) -> Result<Json<TimelineView>, Refused> {
    let (Path((party, index)), Query(asked)) = (place?, asked?);
    reading(move || Ok(Json(law(&handle, |law| law.timeline(&party, index, asked.as_of()))?))).await
}

async fn parties(State(handle): State<Handle>, asked: Wanted) -> Result<Json<PartiesView>, Refused> {
    let Query(asked) = asked?;
    reading(move || Ok(Json(law(&handle, |law| law.parties(asked.as_of(), asked.year))?))).await
}

fn law<T>(handle: &Handle, question: impl FnOnce(&Law) -> Result<T, LawError>) -> Result<T, Refused> {
    let asked = handle.law(|docket| question(&Law { docket, read: &*handle.store }));
    match asked {
        Ok(answer) => Ok(answer?),
        Err(daemon::LawError::Read(error)) => Err(error.into()),
        Err(error) => Err(Refused::new(StatusCode::SERVICE_UNAVAILABLE, "not-yet", error)),
    }
}
