//! A log with two branches, and the certificates that name them.

use verbale::ledger::{ForkProof, NoteId, Restart, Timestamp};
use verbale::node::{LogTiles, Memory, Read, load_keyring};
use verbale::note::SignedNote;
use verbale::tlog::{Checkpoint, Tiles, consistency_proof, root_at};

use super::{CA, HU, Ledger, PARTIES, RU, US, key};

/// Where a disk's copy of a log ends: its newest head.
pub fn head(disk: &Memory, log: usize) -> (SignedNote, Checkpoint) {
    head_up_to(disk, log, u64::MAX)
}

pub fn head_up_to(disk: &Memory, log: usize, size: u64) -> (SignedNote, Checkpoint) {
    let note = SignedNote::parse(&disk.head(log, size).unwrap().unwrap()).unwrap();
    let checkpoint = Checkpoint::parse(note.text()).unwrap();
    (note, checkpoint)
}

/// The certificate that names the ends of a log on two disks; the larger one goes on.
pub fn certificate(ledger: &Ledger, log: usize, kept: &Memory, other: &Memory) -> Restart {
    certificate_up_to(ledger, log, (kept, u64::MAX), (other, u64::MAX))
}

/// The same, with no larger heads than these.
pub fn certificate_up_to(
    ledger: &Ledger,
    log: usize,
    (kept, kept_size): (&Memory, u64),
    (other, other_size): (&Memory, u64),
) -> Restart {
    let ((larger, a), (smaller, b)) = (head_up_to(kept, log, kept_size), head_up_to(other, log, other_size));
    let tiles = LogTiles { read: kept, log };
    let root = root_at(&tiles, b.size).unwrap().unwrap();
    let proof = consistency_proof(&tiles, b.size, a.size).unwrap().unwrap();
    let fork = ForkProof::new(&load_keyring(&ledger.treaty, kept).unwrap(), &smaller, &larger, root, proof).unwrap();
    let common = (0..).find(|at| kept.record(log, *at).unwrap() != other.record(log, *at).unwrap()).unwrap();
    let leaf = |disk: &Memory| LogTiles { read: disk, log }.subtree(0, common).unwrap().unwrap();
    Restart {
        common,
        fork,
        issued: Timestamp::from_posix(ledger.now / 1000),
        keeps_smaller: false,
        kept_leaf: leaf(kept),
        ledger: ledger.treaty.hash(),
        other_leaf: Some(leaf(other)),
        party: PARTIES[log].0.into(),
        reason: Some("the disk was put back from an old copy".into()),
    }
}

pub fn signed(ledger: &Ledger, log: usize, kept: &Memory, other: &Memory) -> Vec<u8> {
    certificate(ledger, log, kept, other).sign(&key(log, "root")).unwrap().to_bytes()
}

/// Russia's log has two branches: one that Canada and Hungary hold, and one, shorter, that the United States hold. All are
/// connected again and know of it. Also says the notes' places, and the disk of the node that wrote the second branch.
pub fn forked() -> (Ledger, u64, u64, Memory) {
    forked_after(&[])
}

/// The same with so many remarks more on the first branch.
pub fn forked_after(more: &[u64]) -> (Ledger, u64, u64, Memory) {
    let mut ledger = Ledger::new();
    ledger.remark(RU, 1);
    let (kept, other, twin) = part_ways(&mut ledger, more);
    (ledger, kept, other, twin)
}

/// From here on Russia's log has two branches: places of a note on either, and the disk of the node that wrote the second.
pub fn part_ways(ledger: &mut Ledger, more: &[u64]) -> (u64, u64, Memory) {
    ledger.settle();
    let old = ledger.nodes[RU].disk.clone();
    ledger.only_online(&[CA, HU, RU]);
    let kept = ledger.remark(RU, 2);
    ledger.remark(RU, 3);
    for number in more {
        ledger.remark(RU, *number);
    }
    ledger.settle();
    ledger.only_online(&[]);
    // Another node of the same party, on a stale copy, with the United States as its only peer.
    let note = ledger.note(RU, 4, "minister");
    let twin = ledger.fork_with(RU, old.clone(), &[note, ledger.note(RU, 5, "minister")], US);
    ledger.kept_copy = Some(old);
    let other = twin.note(RU, &NoteId(ledger.id(RU, 4))).unwrap().unwrap();
    ledger.only_online(&[CA, HU, RU, US]);
    ledger.settle();
    (kept, other, twin)
}

/// Two branches of which the smaller one goes on: what the log signs then is no larger than what the other branch has.
pub fn keeping_the_smaller() -> (Ledger, Memory, Vec<u8>) {
    let (ledger, _, _, twin) = forked_after(&[20, 21, 22, 23]);
    let kept = &ledger.nodes[CA].disk;
    assert!(head(&twin, RU).1.size < head(kept, RU).1.size);
    let restart = certificate(&ledger, RU, kept, &twin);
    let (kept_leaf, other_leaf) = (restart.other_leaf.unwrap(), Some(restart.kept_leaf));
    let restart = Restart { keeps_smaller: true, kept_leaf, other_leaf, ..restart };
    let note = restart.sign(&key(RU, "root")).unwrap().to_bytes();
    (ledger, twin, note)
}
