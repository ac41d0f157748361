//! The same records give the same bytes, in whatever order the logs came.

use proptest::prelude::*;
use serde_json::json;
use verbale::law::{Docket, Query};

use super::fixture::*;

const KINDS: &str = "[kind.ask]\ntitle = \"Ask\"\nfield = [{ name = \"day\", title = \"Day\", type = \"date\" }]\n\
    [[kind.ask.due]]\nid = \"a\"\ntitle = \"A\"\nby = [\"*\"]\nanswer = [\"answer\"]\nstart = \"received\"\nwithin = \"24 hours\"\n\
    [[kind.ask.due]]\nid = \"b\"\ntitle = \"B\"\nby = [\"any depositary\"]\nanswer = [\"answer\"]\nthread = true\n\
    start = \"received-by-depositary\"\nwindow = [\"1 day\", \"3 days\"]\nended_by = [{ kind = \"end\", from = [\"sender\", \"CA\", \"PL\"] }]\n\
    [[kind.ask.due]]\nid = \"c\"\ntitle = \"C\"\nby = [\"sender\"]\nanswer = [\"end\"]\nstart = { nth = 2, of = \"answer\", at = \"received-by-each\" }\npromptly = true\n\
    [[kind.ask.effect]]\nstated = [{ kind = \"answer\", effective = \"day\" }]\nid = \"e\"\ntitle = \"E\"\nstart = \"informed-by-depositary\"\nafter = \"6 months\"\nclaimed = \"day\"\nmeanwhile = \"notice-given\"\nstanding = \"former-party\"\n\
    [kind.answer]\ntitle = \"Answer\"\ninforms = true\nfield = [{ name = \"day\", title = \"Day\", type = \"date\" }]\n[kind.end]\ntitle = \"End\"\n[kind.back]\ntitle = \"Back\"\nrevokes = [\"*\"]\n";

/// A history of notes and receipts, from a seed.
fn history(seed: &[u8]) -> World {
    let mut w = World::new(KINDS);
    let mut notes = Vec::new();
    let mut clock = time("2020-01-01T00:00:00Z").posix();
    for step in seed.chunks_exact(3) {
        clock += u64::from(step[0]) * 60;
        let at = verbale::ledger::Timestamp::from_posix(clock).to_string();
        let party = usize::from(step[1]) % 5;
        let earlier = notes.get(usize::from(step[2]) % notes.len().max(1)).copied();
        match (step[1] / 5 % 5, earlier) {
            (0, _) | (_, None) => {
                notes.push(w.send(party, &at, "ask", &["CA", "*"], &[], json!({"day": "2020-08-01"})));
            }
            (1, Some(note)) => notes.push(w.send(party, &at, "answer", &["*"], &[note], json!({"day": "2020-07-01"}))),
            (2, Some(note)) if step[0] % 3 == 0 => notes.push(w.send(party, &at, "end", &["*"], &[note], json!({}))),
            // Its own note, or what its own note ended is due again.
            (2, Some(note)) if step[0] % 3 == 1 => notes.push(w.send(note.0, &at, "back", &["*"], &[note], json!({}))),
            (_, Some(note)) if note.0 != party => w.receipt(party, note, &at),
            _ => {}
        }
    }
    w
}

fn told(docket: &Docket) -> String {
    let mut told = String::new();
    for day in ["2020-01-02", "2020-01-20", "2020-09-01"] {
        let as_of = time(&format!("{day}T12:00:00Z"));
        let items = docket.items(as_of, &Query::default());
        told += &serde_json::to_string_pretty(&(items, docket.effects(as_of, None), docket.standings(as_of))).unwrap();
    }
    told
}

/// Another order of arrival: each log's records stay in their order, receipts with their record.
fn shuffled(entries: &[Entry], picks: &[u8]) -> Vec<Entry> {
    let mut queues: Vec<Vec<Entry>> = vec![Vec::new(); 5];
    for entry in entries {
        let log = match entry {
            Entry::Record(log, ..) | Entry::Receipt(_, log, _) => *log,
        };
        queues[log].push(entry.clone());
    }
    let mut picks = picks.iter().cycle();
    let mut out = Vec::new();
    while queues.iter().any(|queue| !queue.is_empty()) {
        let pick = usize::from(*picks.next().unwrap());
        let open: Vec<usize> = (0..5).filter(|log| !queues[*log].is_empty()).collect();
        out.push(queues[open[pick % open.len()]].remove(0));
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn the_order_of_arrival_changes_no_byte(seed in prop::collection::vec(any::<u8>(), 30..240), picks in prop::collection::vec(any::<u8>(), 1..60)) {
        let world = history(&seed);
        let mut other = Docket::new(treaty(), std::sync::Arc::new(world.docket.profile().clone()));
        for entry in shuffled(&world.entries, &picks) {
            put(&mut other, &entry);
            // Whatever is asked in between leaves nothing behind.
            other.items(time("2020-01-20T12:00:00Z"), &Query { outstanding: true, ..Query::default() });
        }
        prop_assert_eq!(told(&world.docket), told(&other));
        // What is outstanding is what of all is outstanding, also when it was asked for before.
        for day in ["2020-01-10", "2020-03-01", "2020-02-01"] {
            let as_of = time(&format!("{day}T12:00:00Z"));
            let mut all = world.docket.items(as_of, &Query::default());
            all.retain(|item| item.state.is_outstanding());
            prop_assert_eq!(all, other.items(as_of, &Query { outstanding: true, ..Query::default() }));
        }
    }
}

#[test]
fn histories_are_not_empty() {
    let mut state = 7u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let seed: Vec<u8> = (0..600).map(|_| next()).collect();
    let told = told(&history(&seed).docket);
    for state in ["\"met\"", "\"missed\"", "\"open\"", "\"waiting\"", "\"late\"", "\"not-applicable\""] {
        assert!(told.contains(state), "no {state}");
    }
}
