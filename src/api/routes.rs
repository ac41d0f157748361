//! The routes, each with what it answers. `docs/protocol.md` lists them for users.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::Deserialize;

use super::events::events;
use super::notes::{Folder, Notes};
use super::view::{
    AcceptedView, ErrorView, LogView, NoteDetail, NoteView, PartyView, ReceiptedView, RecordView, SnapshotView,
    StatusView,
};
use crate::daemon::{Handle, Stopped, now_ms};
use crate::ledger::{Record, Timestamp};
use crate::node::{
    BranchRead, LogId, Mode, ProveError, Read, ReadError, Refusal, SilenceQuery, prove, prove_silence, seen_head,
};
use crate::note::MAX_NOTE_BYTES;
use crate::public::outside::{Outside, attach};
use crate::store::StoreError;
use crate::tlog::leaf_hash;

/// Most notes in one answer.
const MAX_NOTES: usize = 1000;

pub(super) fn router(handle: Handle) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/notes", get(list).post(submit))
        .route("/v1/notes/{party}/{index}", get(show))
        .route("/v1/records/{party}/{index}", get(record))
        .route("/v1/proof/{party}/{index}", get(proof))
        .route("/v1/silence/{party}/{index}", get(silence))
        .route("/v1/events", get(events))
        .merge(super::law_routes::router())
        .route("/v1/snapshot", post(snapshot))
        .layer(DefaultBodyLimit::max(MAX_NOTE_BYTES))
        .fallback(|| async { Refused::new(StatusCode::NOT_FOUND, "unknown", "there is no such thing here") })
        .method_not_allowed_fallback(|| async {
            Refused::new(StatusCode::METHOD_NOT_ALLOWED, "request", "this is not what can be done with it")
        })
        .with_state(handle)
}

/// An answer other than the one hoped for.
pub(super) struct Refused(StatusCode, ErrorView);

impl Refused {
    pub(super) fn new(status: StatusCode, code: &str, error: impl ToString) -> Self {
        Self(status, ErrorView { code: code.to_owned(), error: error.to_string() })
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

impl From<ReadError> for Refused {
    fn from(error: ReadError) -> Self {
        tracing::error!(%error, "stored data could not be read");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "reading", error)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "reading", error)
    }
}

impl From<BytesRejection> for Refused {
    fn from(rejection: BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(rejection.status(), "too-long", Refusal::TooLong),
            status => Self::new(status, "request", rejection.body_text()),
        }
    }
}

impl From<PathRejection> for Refused {
    fn from(rejection: PathRejection) -> Self {
        Self::new(rejection.status(), "request", rejection.body_text())
    }
}

impl From<QueryRejection> for Refused {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(rejection.status(), "request", rejection.body_text())
    }
}

impl From<Stopped> for Refused {
    fn from(stopped: Stopped) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", stopped)
    }
}

/// Reading takes its time on a disk: it is kept off the threads that serve.
pub(super) async fn reading<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "reading", error)))
}

fn find(handle: &Handle, party: &str, index: u64) -> Result<(LogId, Vec<u8>), Refused> {
    let missing = |what: String| Refused::new(StatusCode::NOT_FOUND, "unknown", what);
    let log = handle.treaty.find(party).ok_or_else(|| missing(format!("no party has the code {party}")))?;
    let bytes = handle.store.record(log, index)?.ok_or_else(|| {
        let size = handle.store.size(log).unwrap_or(0);
        missing(format!("this node holds no record {party}/{index}; of {party}'s log it holds {size} records"))
    })?;
    Ok((log, bytes))
}

/// A party's log and the number of one of its branches, as in `US~1`.
fn branch(handle: &Handle, name: &str) -> Result<(LogId, usize), Refused> {
    let parts = name.split_once('~').and_then(|(code, number)| Some((handle.treaty.find(code)?, number.parse().ok()?)));
    parts.ok_or_else(|| no_branch(name))
}

fn no_branch(name: &str) -> Refused {
    let text = format!("this node holds no such record on a branch {name}");
    Refused::new(StatusCode::NOT_FOUND, "unknown", text)
}

pub(super) fn party_view(handle: &Handle, log: LogId) -> PartyView {
    let party = handle.treaty.party(log);
    PartyView { code: party.code.clone(), name: party.name.clone() }
}

async fn status(State(handle): State<Handle>) -> Json<StatusView> {
    let status = handle.status();
    let file = handle.treaty.file();
    let log = |(log, view): (LogId, &crate::daemon::LogStatus)| LogView {
        party: party_view(&handle, log),
        own: log == handle.me,
        connected: view.peer.is_some(),
        clock_ahead_ms: view.peer.flatten(),
        records: view.size,
        known: view.known,
        final_records: view.final_size,
        amendments: view.amendments,
        former: view.former,
        forked: view.forked,
        in_doubt: view.in_doubt.clone(),
        not_fetched: view.not_fetched.map(|why| why.as_str().to_owned()),
        not_fetched_text: view.not_fetched.map(|why| why.to_string()),
        receipts: (0..view.receipted.len())
            .filter(|by| *by != log)
            .map(|by| ReceiptedView { party: handle.treaty.party(by).code.clone(), records: view.receipted[by] })
            .collect(),
    };
    Json(StatusView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        party: party_view(&handle, handle.me),
        treaty: file.title.clone(),
        ledger: file.name.clone(),
        amendments: handle.treaty.number(),
        treaty_sha256: handle.treaty.hash().to_hex(),
        time: Timestamp::from_posix(now_ms() / 1000),
        started: Timestamp::from_posix(handle.started_ms / 1000),
        signs: status.mode.signs(),
        mode: mode_word(status.mode).to_owned(),
        mode_text: status.mode.to_string(),
        connected: status.logs.iter().filter(|log| log.peer.is_some()).count(),
        logs: status.logs.iter().enumerate().map(log).collect(),
    })
}

fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Signing => "signing",
        Mode::Unheard => "unheard",
        Mode::Settling => "settling",
        Mode::Behind { .. } => "behind",
        Mode::BelowHighWater { .. } => "below-high-water",
        Mode::WithoutKey => "without-key",
        Mode::Contradicted => "contradicted",
    }
}

async fn submit(
    State(handle): State<Handle>,
    note: Result<Bytes, BytesRejection>,
) -> Result<Json<AcceptedView>, Refused> {
    match handle.submit(note?.to_vec()).await? {
        Ok(accepted) => {
            let party = handle.treaty.party(handle.me).code.clone();
            Ok(Json(AcceptedView {
                number: format!("{party}/{}", accepted.index),
                party,
                index: accepted.index,
                leaf: accepted.leaf.map(|leaf| leaf.to_hex()),
                already: accepted.already,
            }))
        }
        Err(refusal) => {
            let (status, code) = match &refusal {
                Refusal::NotSigning(_) => (StatusCode::SERVICE_UNAVAILABLE, "not-signing"),
                Refusal::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, "too-long"),
                Refusal::IdTaken(_) => (StatusCode::CONFLICT, "id-taken"),
                _ => (StatusCode::UNPROCESSABLE_ENTITY, "refused"),
            };
            Err(Refused::new(status, code, refusal))
        }
    }
}

/// A party's code and the number of a record in its log.
pub(super) type Place = Result<Path<(String, u64)>, PathRejection>;

/// Which notes are wanted.
#[derive(Deserialize)]
struct Wanted {
    /// `inbox`, `sent` or `all`.
    r#box: Folder,
    /// Only those that came before this place in the order of arrival.
    before: Option<u64>,
    /// At most so many.
    limit: Option<usize>,
}

async fn list(
    State(handle): State<Handle>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Vec<NoteView>>, Refused> {
    let Query(wanted) = wanted?;
    let limit = wanted.limit.unwrap_or(50).min(MAX_NOTES);
    reading(move || Ok(Json(Notes::new(&handle).newest(wanted.r#box, wanted.before, limit)?))).await
}

async fn show(State(handle): State<Handle>, place: Place) -> Result<Json<NoteDetail>, Refused> {
    let Path((party, index)) = place?;
    reading(move || {
        if party.contains('~') {
            let text = format!("{party}/{index} stands on a branch that does not go on");
            return Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, "not-a-notification", text));
        }
        let (log, bytes) = find(&handle, &party, index)?;
        let detail = Notes::new(&handle).detail(log, index, &bytes)?;
        let other = || {
            let text = format!("{party}/{index} is not a notification that can be read");
            Refused::new(StatusCode::UNPROCESSABLE_ENTITY, "not-a-notification", text)
        };
        detail.map(Json).ok_or_else(other)
    })
    .await
}

async fn record(State(handle): State<Handle>, place: Place) -> Result<Json<RecordView>, Refused> {
    let Path((party, index)) = place?;
    reading(move || {
        let bytes = match party.contains('~') {
            true => {
                let (log, number) = branch(&handle, &party)?;
                let read = BranchRead::open(&*handle.store, &handle.store.treaty(), log, number)?;
                read.ok_or_else(|| no_branch(&party))?.record(log, index)?.ok_or_else(|| no_branch(&party))?
            }
            false => find(&handle, &party, index)?.1,
        };
        let damaged = |error| ReadError(format!("record {party}/{index}: {error}"));
        let record = Record::parse(&bytes).map_err(damaged)?;
        Ok(Json(RecordView {
            number: format!("{party}/{index}"),
            kind: record.kind.as_str().to_owned(),
            time: record.time,
            leaf: leaf_hash(&bytes).to_hex(),
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }))
    })
    .await
}

/// Cosignatures of outside witnesses, to go with evidence.
type OutsideSeen = Extension<Option<Arc<Outside>>>;

async fn proof(
    State(handle): State<Handle>,
    Extension(outside): OutsideSeen,
    place: Place,
) -> Result<impl IntoResponse, Refused> {
    let Path((party, index)) = place?;
    reading(move || {
        if party.contains('~') {
            let (log, number) = branch(&handle, &party)?;
            let treaty = handle.store.treaty();
            let read = BranchRead::open(&*handle.store, &treaty, log, number)?.ok_or_else(|| no_branch(&party))?;
            return match prove(&read, &treaty, log, index)? {
                Ok(proof) => Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], proof)),
                Err(why) => Err(Refused::new(StatusCode::CONFLICT, "not-evidence", why)),
            };
        }
        let (log, _) = find(&handle, &party, index)?;
        let proof = prove(&*handle.store, &handle.treaty, log, index)?;
        match with_outside(proof, outside.as_deref(), &handle, log, index)? {
            Ok(proof) => Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], proof)),
            Err(why) => Err(Refused::new(StatusCode::CONFLICT, "not-evidence", why)),
        }
    })
    .await
}

/// Whose silence is to be shown.
#[derive(Deserialize)]
struct Silent {
    /// Code of the party.
    by: String,
    /// The profile's rule by which an answer was due.
    due: Option<String>,
    /// Only what others saw of the party's log after this time counts; the note's own time, unless it is given.
    after: Option<Timestamp>,
    /// Only the head of the party's log with others' cosignatures, for use beside an export.
    #[serde(default)]
    head: bool,
}

fn with_outside(
    proof: Result<Vec<u8>, ProveError>,
    outside: Option<&Outside>,
    handle: &Handle,
    log: LogId,
    index: u64,
) -> Result<Result<Vec<u8>, ProveError>, ReadError> {
    match (proof, outside) {
        (Ok(proof), Some(outside)) => attach(outside, proof, &*handle.store, &handle.treaty, log, index).map(Ok),
        (proof, _) => Ok(proof),
    }
}

async fn silence(
    State(handle): State<Handle>,
    Extension(outside): OutsideSeen,
    place: Place,
    silent: Result<Query<Silent>, QueryRejection>,
) -> Result<impl IntoResponse, Refused> {
    let (Path((party, index)), Query(silent)) = (place?, silent?);
    let unknown = || {
        let text = format!("no party has the code {}", silent.by);
        Refused::new(StatusCode::NOT_FOUND, "unknown", text)
    };
    let by = handle.treaty.find(&silent.by).ok_or_else(unknown)?;
    let attested = handle.attested(by).await;
    reading(move || {
        let (log, bytes) = find(&handle, &party, index)?;
        let damaged = |error| ReadError(format!("record {party}/{index}: {error}"));
        let sent = Record::parse(&bytes).map_err(damaged)?.time;
        let query = SilenceQuery { party: by, due: silent.due, after: silent.after.unwrap_or(sent), attested };
        let proof = match silent.head {
            true => seen_head(&*handle.store, &handle.treaty, log, &query)?,
            false => prove_silence(&*handle.store, &handle.treaty, log, index, &query)?,
        };
        let outside = outside.filter(|_| !silent.head);
        match with_outside(proof, outside.as_deref(), &handle, log, index)? {
            Ok(proof) => Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], proof)),
            Err(why) => Err(Refused::new(StatusCode::CONFLICT, "not-evidence", why)),
        }
    })
    .await
}

async fn snapshot(State(handle): State<Handle>) -> Result<Json<SnapshotView>, Refused> {
    reading(move || {
        let name = format!("snapshot-{}-{}", std::process::id(), now_ms());
        // Beside the database, so that its files can be linked instead of copied.
        let path = handle.store.path().with_file_name(name);
        handle.store.snapshot(&path)?;
        Ok(Json(SnapshotView { path }))
    })
    .await
}
