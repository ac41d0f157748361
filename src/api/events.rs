//! What happens, as it happens: server-sent events.

use std::convert::Infallible;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event as Sent, KeepAlive};
use futures::{Stream, StreamExt, stream};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use super::notes::Notes;
use super::routes::party_view;
use super::view::EventView;
use crate::daemon::Handle;
use crate::node::Event;

/// Most notes that one stored page is told as single events; a node that catches up stores many more.
const MAX_NOTES_TOLD: u64 = 256;

pub(super) async fn events(State(handle): State<Handle>) -> Sse<impl Stream<Item = Result<Sent, Infallible>>> {
    let views = BroadcastStream::new(handle.events()).flat_map(move |event| {
        let views = match event {
            Ok(event) => views(&handle, event),
            Err(BroadcastStreamRecvError::Lagged(events)) => vec![EventView::Missed { events }],
        };
        stream::iter(views)
    });
    Sse::new(views.filter_map(|view| async move { Sent::default().json_data(view).ok().map(Ok) }))
        .keep_alive(KeepAlive::default())
}

fn views(handle: &Handle, event: Event) -> Vec<EventView> {
    // The treaty may have grown since.
    let handle = &handle.clone();
    let party = |log| party_view(handle, log);
    let view = match event {
        Event::Stored { log, from, to } => {
            let from = from.max(to.saturating_sub(MAX_NOTES_TOLD));
            let notes = Notes::new(handle);
            let notes = (from..to).filter_map(|index| notes.view(log, index).ok().flatten());
            return notes.map(|note| EventView::Note { note: Box::new(note) }).collect();
        }
        Event::Receipt { log, by, size, time } => EventView::Receipt {
            log: party(log).code,
            by: party(by),
            records: size,
            time,
            final_records: handle.status().logs[log].final_size,
        },
        Event::Fork(log) => EventView::Fork { party: party(log) },
        Event::Restarted(log) => EventView::Restarted { party: party(log) },
        Event::Amended(amendments) => EventView::Amended { amendments },
        Event::Contested(number) => EventView::Contested { number },
        Event::Mode(mode) => EventView::Mode { signs: mode.signs(), text: mode.to_string() },
        Event::Fault { peer, what } => EventView::Fault { party: party(peer), what },
        Event::OtherTreaty(peer) => EventView::OtherTreaty { party: party(peer) },
    };
    vec![view]
}
