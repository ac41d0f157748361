//! What nobody can have without end: records that are written because somebody asked, and room on others' disks.

use crate::common::Ledger;

/// Parties of the ledger that the tests share.
const ALL: [usize; 4] = [0, 1, 2, 3];

fn sizes(ledger: &Ledger) -> Vec<Vec<u64>> {
    ledger.nodes.iter().map(|node| ALL.iter().map(|log| node.engine.size(*log)).collect()).collect()
}

#[test]
fn an_idle_ledger_stays_idle_however_often_its_nodes_are_asked_what_they_hold() {
    let mut ledger = Ledger::new();
    ledger.remark(0, 1);
    // Each log now ends with receipts, which nobody has receipted.
    let before = sizes(&ledger);
    for _ in 0..5 {
        for log in ALL {
            let given = ledger.attest(&ALL, log);
            assert_eq!(given.len(), ALL.len() - 1, "all but the log's own party say what they hold");
        }
        ledger.now += 3_600_000;
        ledger.settle();
    }
    assert_eq!(sizes(&ledger), before, "asking has written records");
    // What was cosigned on demand binds, also after a restart: it is on disk, and is what the node holds.
    for node in &ledger.nodes {
        use verbale::node::{LogTiles, Read};
        let others = ALL.into_iter().filter(|log| node.disk.cosigned(*log).unwrap().is_some());
        for log in others {
            let cosigned = node.disk.cosigned(log).unwrap().unwrap();
            assert_eq!(cosigned.size, node.disk.size(log).unwrap());
            let root = verbale::tlog::root_at(&LogTiles { read: &node.disk, log }, cosigned.size).unwrap();
            assert_eq!(root, Some(cosigned.root));
        }
    }
    ledger.restart();
    assert_eq!(ledger.attest(&[1], 0).len(), 1);
    assert_eq!(sizes(&ledger), before);
    // And a note gets its receipts as ever.
    ledger.remark(0, 2);
    assert!(ledger.nodes.iter().all(|node| node.engine.size(0) > before[0][0]));
    assert!(ledger.nodes[0].engine.final_size(0) > before[0][0], "the note is not final");
}
