//! The same records give the same bytes, in whatever order the logs came, and whatever was asked in between.

use proptest::prelude::*;
use serde_json::json;
use verbale::law::{Docket, Query, Registrar};
use verbale::ledger::Timestamp;

use super::fixture::*;

const KINDS: &str = "[group.union]\ntitle = \"Union\"\nmembers = [\"RU\", \"PL\"]\n\
    [kind.ask]\ntitle = \"Ask\"\nbehalf = \"for\"\nfield = [{ name = \"day\", title = \"Day\", type = \"date\", required = true },\n\
    { name = \"for\", title = \"For\", type = \"party\" }]\n\
    [[kind.ask.due]]\nid = \"a\"\ntitle = \"A\"\nby = [\"*\"]\nanswer = [\"answer\"]\nstart = \"received\"\nwithin = \"24 hours\"\n\
    [[kind.ask.due]]\nid = \"b\"\ntitle = \"B\"\nby = [\"any depositary\"]\nanswer = [\"answer\"]\nthread = true\n\
    start = \"received-by-depositary\"\nwindow = [\"1 day\", \"3 days\"]\nended_by = [{ kind = \"answer\", from = [\"sender\", \"CA\", \"PL\"] }]\n\
    [[kind.ask.due]]\nid = \"c\"\ntitle = \"C\"\nby = [\"sender\"]\nanswer = [\"end\", \"ask\"]\nstart = { nth = 2, of = \"answer\", at = \"received-by-each\" }\npromptly = true\n\
    [[kind.ask.due]]\nid = \"d\"\ntitle = \"D\"\nby = [\"state-party\"]\nanswer = [\"answer\"]\nact = \"field:day\"\n\
    answer_when = { yes = 1 }\nthread = true\nstart = \"received-by-each\"\nwithin = \"30 days\"\n\
    [[kind.ask.effect]]\nstated = [{ kind = \"answer\", effective = \"day\" }]\nid = \"e\"\ntitle = \"E\"\nstart = \"informed-by-depositary\"\nafter = \"6 months\"\nclaimed = \"day\"\n\
    [kind.leave]\ntitle = \"Leave\"\n[[kind.leave.effect]]\nid = \"l\"\ntitle = \"L\"\nstart = \"received-by-each\"\nafter = \"2 days\"\nmeanwhile = \"notice-given\"\nstanding = \"former-party\"\n\
    [kind.answer]\ntitle = \"Answer\"\nbehalf = \"for\"\ninforms = true\nfield = [{ name = \"day\", title = \"Day\", type = \"date\", required = true },\n\
    { name = \"yes\", title = \"Yes\", type = \"integer\", required = true }, { name = \"for\", title = \"For\", type = \"party\" }]\n\
    [kind.end]\ntitle = \"End\"\nrevokes = [\"*\"]\n";

/// A history of notes and receipts, from a seed. On its way a party accedes and another leaves.
fn history(seed: &[u8]) -> World {
    let mut w = World::with(observed(), profile(&format!("{AMENDABLE}{KINDS}")));
    let mut notes: Vec<verbale::law::Place> = Vec::new();
    let mut clock = time("2020-01-01T00:00:00Z").posix();
    let steps = seed.len() / 3;
    for (at_step, step) in seed.chunks_exact(3).enumerate() {
        clock += u64::from(step[0]) * 60;
        // By its own clock a party's note may be of a time that has not come.
        let at = Timestamp::from_posix(clock + if step[2] % 16 == 3 { 40 * 86_400 } else { 0 }).to_string();
        // No amendment is dated after the day from which it speaks, nor before the one that it builds on.
        let issued = Timestamp::from_posix(clock.min(time("2020-01-19T00:00:00Z").posix())).to_string();
        if at_step == steps / 3 {
            w.amend(vec![accession()], &issued);
        }
        if at_step == steps * 2 / 3 {
            w.amend(vec![departure(HU, "2020-01-20T00:00:00Z")], &issued);
        }
        let parties = if at_step < steps / 3 { 6 } else { 7 };
        let party = usize::from(step[1]) % parties;
        // Mostly one of the last few, so that exchanges grow.
        let back = usize::from(step[2]) % if step[0] % 8 == 0 { notes.len().max(1) } else { 6 };
        let earlier = notes.iter().rev().nth(back).or(notes.first()).copied();
        let own = notes.iter().rev().find(|note| note.0 == party).copied();
        let group = if step[0] % 2 == 0 { json!("union") } else { json!("US") };
        match (step[1] / 7 % 8, earlier) {
            (0, earlier) | (_, earlier @ None) => {
                let re: Vec<_> = earlier.into_iter().filter(|_| step[0] % 4 == 0).collect();
                notes.push(w.send(party, &at, "ask", &["CA", "*"], &re, json!({"day": "2020-08-01", "for": group})));
            }
            (1 | 2, Some(note)) => {
                let body = json!({"day": format!("2020-0{}-{:02}", 1 + step[2] % 2, 1 + step[0] % 28), "yes": step[0] % 3, "for": group});
                notes.push(w.send(party, &at, "answer", &["*"], &[note], body));
            }
            (3, Some(note)) => {
                // One's own, mostly.
                let note = own.filter(|_| step[0] % 4 > 0).unwrap_or(note);
                notes.push(w.send(party, &at, "end", &["*"], &[note], json!({})));
            }
            (4, Some(_)) if step[0] % 4 == 0 => notes.push(w.send(party, &at, "leave", &["*"], &[], json!({}))),
            (_, Some(note)) if note.0 != party => w.receipt(party, note, &at),
            _ => {}
        }
    }
    w
}

fn told(docket: &Docket) -> String {
    let mut told = String::new();
    for day in ["2020-01-02", "2020-01-10", "2020-01-20", "2020-09-01"] {
        let as_of = time(&format!("{day}T12:00:00Z"));
        let items = docket.items(as_of, &Query::default());
        told += &serde_json::to_string_pretty(&(items, docket.effects(as_of, None), docket.standings(as_of))).unwrap();
    }
    told
}

/// Another order of arrival: each log's records stay in their order, receipts with their record; amendments in theirs, and
/// a log comes only when the treaty has it.
fn shuffled(entries: &[Entry], picks: &[u8]) -> Vec<Entry> {
    const AMENDMENTS: usize = CODES.len();
    let mut queues: Vec<Vec<Entry>> = vec![Vec::new(); AMENDMENTS + 1];
    for entry in entries {
        let queue = match entry {
            Entry::Record(log, ..) | Entry::Receipt(_, log, _) => *log,
            Entry::Amend(_) => AMENDMENTS,
        };
        queues[queue].push(entry.clone());
    }
    let mut picks = picks.iter().cycle();
    let mut out = Vec::new();
    let mut is_amended = false;
    while queues.iter().any(|queue| !queue.is_empty()) {
        let pick = usize::from(*picks.next().unwrap());
        let may = |queue: &usize| !queues[*queue].is_empty() && (*queue != KG || is_amended);
        let open: Vec<usize> = (0..queues.len()).filter(may).collect();
        let queue = open[pick % open.len()];
        is_amended |= queue == AMENDMENTS;
        out.push(queues[queue].remove(0));
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn the_order_of_arrival_changes_no_byte(seed in prop::collection::vec(any::<u8>(), 30..300), picks in prop::collection::vec(any::<u8>(), 1..60)) {
        let world = history(&seed);
        let profile = std::sync::Arc::new(world.docket.profile().clone());
        let outstanding = Query { outstanding: true, ..Query::default() };
        let mut other = Docket::new(observed(), profile.clone());
        for (at, entry) in shuffled(&world.entries, &picks).into_iter().enumerate() {
            put(&mut other, &entry);
            // Whatever is asked in between leaves nothing behind.
            let day = ["2020-01-20", "2020-01-02", "2020-09-01"][usize::from(picks[at % picks.len()]) % 3];
            other.items(time(&format!("{day}T12:00:00Z")), &outstanding);
        }
        prop_assert_eq!(told(&world.docket), told(&other));
        // Who begins when all is known says the same.
        // Nothing follows from what no official signed, whatever it says of which note.
        let treaty = std::sync::Arc::new(world.docket.treaty().clone());
        let registrar = Registrar::new(treaty, profile.clone());
        for (at, entry) in world.entries.iter().enumerate().filter(|(at, _)| at % 3 < usize::from(picks[0]) % 4) {
            if let Entry::Record(log, index, bytes) = entry {
                other.enter(registrar.file(*log, index + 1_000_000 + at as u64, bytes));
            }
        }
        prop_assert_eq!(told(&world.docket), told(&other));
        let mut anew = Docket::new(std::sync::Arc::new(world.docket.treaty().clone()), profile);
        world.entries.iter().filter(|entry| !matches!(entry, Entry::Amend(_))).for_each(|entry| put(&mut anew, entry));
        prop_assert_eq!(told(&world.docket), told(&anew));
        // What is outstanding is what of all is outstanding, also when it was asked for before.
        for day in ["2020-01-10", "2020-03-01", "2020-02-01", "2020-01-05"] {
            let as_of = time(&format!("{day}T12:00:00Z"));
            let mut all = world.docket.items(as_of, &Query::default());
            all.retain(|item| item.state.is_outstanding());
            prop_assert_eq!(all, other.items(as_of, &outstanding));
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
    let seed: Vec<u8> = (0..2400).map(|_| next()).collect();
    let told = told(&history(&seed).docket);
    for state in ["met", "missed", "open", "waiting", "late", "not-applicable", "announced", "in-effect", "revoked"] {
        assert!(told.contains(&format!("\"{state}\"")), "no {state}");
    }
    for text in ["does not count", "came in the place of", "act as one", "former-party", "\"amendment\": 1", "ended it"]
    {
        assert!(told.contains(text), "no {text}");
    }
}
