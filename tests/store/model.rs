//! The store against the model: whatever batches come, it answers as [`Memory`] does, also after it was opened again.

use proptest::prelude::*;
use verbale::ledger::{NoteId, Notification, Record, RecordType, Timestamp};
use verbale::node::{Batch, Cosigned, Memory, NewRecord, Read, ReceiptEntry};
use verbale::store::{Arrival, Store};
use verbale::tlog::{Hash, TileWrite};

use crate::fixture::{self, Fixture};

const PARTIES: usize = 3;

/// One batch, in small numbers.
#[derive(Clone, Debug)]
enum Change {
    /// So many records of a log; the number decides what they are.
    Records(usize, Vec<u8>),
    Tile(usize, u8, u64, usize),
    Head(usize, u64, u8),
    Cosigned(usize, u64),
    Fork(usize, u8),
    Receipt(usize, usize, u64, u64),
}

fn change() -> impl Strategy<Value = Change> {
    let log = 0..PARTIES;
    prop_oneof![
        4 => (log.clone(), prop::collection::vec(any::<u8>(), 0..6)).prop_map(|(l, r)| Change::Records(l, r)),
        1 => (log.clone(), 0u8..3, 0u64..3, 1usize..256).prop_map(|(l, v, n, c)| Change::Tile(l, v, n, c)),
        1 => (log.clone(), 0u64..12, any::<u8>()).prop_map(|(l, s, b)| Change::Head(l, s, b)),
        1 => (log.clone(), 0u64..12).prop_map(|(l, s)| Change::Cosigned(l, s)),
        1 => (log.clone(), any::<u8>()).prop_map(|(l, b)| Change::Fork(l, b)),
        3 => (log.clone(), log, 0u64..8, 0u64..1000).prop_map(|(l, b, s, t)| Change::Receipt(l, b, s, t)),
    ]
}

/// A record: a notification with one of few ids, something that only looks like one, a credential or a receipt.
fn record(fixture: &Fixture, log: usize, index: u64, what: u8) -> (RecordType, Vec<u8>) {
    let number = u64::from(what % 4);
    let re = (what.is_multiple_of(3)).then_some((usize::from(what % 2), u64::from(what % 5)));
    let note = fixture.note_re(log, number, re);
    let (kind, payload) = match what % 7 {
        0..=3 => (RecordType::Notification, note),
        // The id stands where it should, and the text is no notification all the same.
        4 => (
            RecordType::Notification,
            String::from_utf8_lossy(&note).replace("\"kind\":\"", "\"kind\":\"A").into_bytes(),
        ),
        5 => (RecordType::Credential, fixture.grant(log)),
        _ => (RecordType::Receipt, b"nothing\n".to_vec()),
    };
    let time = Timestamp::from_posix(1_600_000_000 + index);
    let record = Record { index, log: "trial/PX", prev: Hash([what; 32]), time, kind, payload: &payload };
    (kind, record.to_bytes().unwrap())
}

/// What the model does not know: in which order records came, and who refers to whom.
#[derive(Default)]
struct Order {
    arrivals: Vec<Arrival>,
    replies: Vec<((usize, u64), (usize, u64))>,
}

impl Order {
    fn note(&mut self, fixture: &Fixture, record: &NewRecord, time_ms: u64) {
        let sequence = self.arrivals.len() as u64;
        self.arrivals.push(Arrival { sequence, log: record.log, index: record.index, time_ms });
        let parsed = Record::parse(&record.bytes).unwrap();
        if parsed.kind == RecordType::Notification
            && let Ok((_, notification)) = Notification::of_note(parsed.payload)
        {
            for re in notification.re {
                let log = fixture.treaty.find(&re.log).unwrap();
                self.replies.push(((log, re.index), (record.log, record.index)));
            }
        }
    }
}

fn compare(memory: &Memory, store: &Store, order: &Order) {
    for log in 0..=PARTIES {
        let size = memory.size(log).unwrap();
        assert_eq!(store.size(log).unwrap(), size);
        for index in 0..size + 2 {
            assert_eq!(store.record(log, index).unwrap(), memory.record(log, index).unwrap());
        }
        for (from, count, max) in
            [(0, 100, 1 << 20), (1, 2, 1 << 20), (0, 0, 10), (2, 9, 1), (0, 9, 700), (1, u64::MAX, 1 << 20)]
        {
            assert_eq!(store.records(log, from, count, max).unwrap(), memory.records(log, from, count, max).unwrap());
        }
        for (level, n) in [(0, 0), (0, 1), (1, 0), (2, 2), (9, 9)] {
            assert_eq!(store.tile(log, level, n).unwrap(), memory.tile(log, level, n).unwrap());
        }
        for size in (0..14).chain([u64::MAX]) {
            assert_eq!(store.head(log, size).unwrap(), memory.head(log, size).unwrap());
            assert_eq!(store.head_from(log, size).unwrap(), memory.head_from(log, size).unwrap());
            for by in 0..=PARTIES {
                assert_eq!(store.receipt_from(log, by, size).unwrap(), memory.receipt_from(log, by, size).unwrap());
            }
        }
        for by in 0..=PARTIES {
            assert_eq!(store.last_receipt(log, by).unwrap(), memory.last_receipt(log, by).unwrap());
        }
        for party in 0..PARTIES {
            for number in 0..5 {
                let id = fixture::note_id(party, number);
                assert_eq!(store.note(log, &id).unwrap(), memory.note(log, &id).unwrap());
            }
        }
        assert_eq!(store.note(log, &NoteId([0xff; 16])).unwrap(), None);
        assert_eq!(store.cosigned(log).unwrap(), memory.cosigned(log).unwrap());
        assert_eq!(store.fork(log).unwrap(), memory.fork(log).unwrap());
        assert_eq!(store.credentials(log).unwrap(), memory.credentials(log).unwrap());
        for index in 0..6 {
            let mut replies: Vec<_> = order.replies.iter().filter(|r| r.0 == (log, index)).map(|r| r.1).collect();
            replies.sort_unstable();
            assert_eq!(store.replies(log, index, usize::MAX).unwrap(), replies);
            assert_eq!(store.replies(log, index, 1).unwrap(), replies[..replies.len().min(1)]);
        }
    }
    let all = &order.arrivals;
    assert_eq!(store.arrivals_end(), all.len() as u64);
    for (from, count) in [(0, 1000), (0, 1), (3, 4), (all.len() / 2, 1000), (all.len(), 5)] {
        let expected: Vec<_> = all.iter().skip(from).take(count).copied().collect();
        assert_eq!(store.arrivals(from as u64, count).unwrap(), expected);
    }
    for arrival in all {
        assert_eq!(store.arrival(arrival.log, arrival.index).unwrap(), Some(*arrival));
        assert_eq!(store.arrival(arrival.log, memory.size(arrival.log).unwrap()).unwrap(), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_store_answers_as_the_model_does(steps in prop::collection::vec((prop::collection::vec(change(), 1..6), any::<bool>()), 1..8)) {
        let fixture = Fixture::new(PARTIES);
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path(), &fixture.treaty).unwrap();
        let (mut memory, mut order, mut sizes, mut receipts) = (Memory::default(), Order::default(), [0u64; PARTIES], 0);
        for (now, (changes, reopen)) in steps.into_iter().enumerate() {
            let mut batch = Batch::default();
            for change in changes {
                match change {
                    Change::Records(log, whats) => for what in whats {
                        let index = sizes[log];
                        let (kind, bytes) = record(&fixture, log, index, what);
                        batch.records.push(NewRecord { log, index, kind, bytes });
                        sizes[log] += 1;
                    },
                    Change::Tile(log, level, n, count) => {
                        let hashes = (0..count).map(|at| Hash::digest(&[at as u8, level])).collect();
                        batch.tiles.push((log, TileWrite { level, n, hashes }));
                    }
                    Change::Head(log, size, byte) => batch.heads.push((log, size, vec![byte; 99])),
                    Change::Cosigned(log, size) => {
                        batch.cosigned.push((log, Cosigned { size, root: Hash::digest(&size.to_be_bytes()) }));
                    }
                    Change::Fork(log, byte) => batch.forks.push((log, vec![byte; 9])),
                    Change::Receipt(log, by, size, time) => {
                        // Later receipts stand further down in the log of their party.
                        receipts += 1;
                        let time = Timestamp::from_posix(time);
                        batch.receipts.push(ReceiptEntry { log, by, size, index: receipts, time });
                    }
                }
            }
            let now_ms = 1_700_000_000_000 + now as u64;
            store.commit(&batch, now_ms).unwrap();
            memory.commit(&batch);
            batch.records.iter().for_each(|record| order.note(&fixture, record, now_ms));
            if reopen {
                drop(store);
                store = Store::open(dir.path(), &fixture.treaty).unwrap();
            }
            compare(&memory, &store, &order);
        }
        drop(store);
        compare(&memory, &Store::open_read_only(dir.path(), &fixture.treaty).unwrap(), &order);
    }
}
