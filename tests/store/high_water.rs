//! The high-water mark: torn writes, damage, other people's files.

use std::path::Path;

use verbale::node::Cosigned;
use verbale::store::high_water::{HighWater, HighWaterError};
use verbale::tlog::Hash;

const TREATY: Hash = Hash([3; 32]);

fn head(size: u64) -> Cosigned {
    Cosigned { size, root: Hash::digest(&size.to_be_bytes()) }
}

fn open(path: &Path) -> Result<HighWater, HighWaterError> {
    HighWater::open(path, &TREATY, "CA")
}

#[test]
fn the_highest_head_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("high-water");
    let mut mark = open(&path).unwrap();
    assert_eq!(mark.mark(), None);
    for size in [1, 2, 5, 4, 5, 9] {
        mark.update(head(size)).unwrap();
    }
    assert_eq!(mark.mark(), Some(head(9)));
    assert_eq!(open(&path).unwrap().mark(), Some(head(9)));
    let other = Cosigned { size: 9, root: Hash([0; 32]) };
    assert_eq!(mark.update(other), Err(HighWaterError::Contradicts(9)));
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 1024);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "the draft is gone");
}

#[test]
fn a_torn_update_leaves_the_mark_before_or_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("high-water");
    let mut mark = open(&path).unwrap();
    for size in 1..6 {
        let before = std::fs::read(&path).unwrap();
        mark.update(head(size)).unwrap();
        let after = std::fs::read(&path).unwrap();
        let slot = if before[..512] == after[..512] { 512 } else { 0 };
        assert_eq!(before[512 - slot..1024 - slot], after[512 - slot..1024 - slot], "only one slot was written");
        for torn in 0..=512 {
            // The beginning is new and the rest old, or the other way round.
            for (first, rest) in [(&after, &before), (&before, &after)] {
                let mut bytes = before.clone();
                bytes[slot..slot + torn].copy_from_slice(&first[slot..slot + torn]);
                bytes[slot + torn..slot + 512].copy_from_slice(&rest[slot + torn..slot + 512]);
                std::fs::write(&path, &bytes).unwrap();
                let found = open(&path).unwrap().mark();
                let whole = bytes == after;
                let expected = if whole { Some(head(size)) } else { (size > 1).then(|| head(size - 1)) };
                assert_eq!(found, expected, "torn after {torn} bytes at size {size}");
            }
        }
        std::fs::write(&path, after).unwrap();
    }
}

#[test]
fn each_damaged_byte_of_a_slot_is_noticed_and_both_slots_damaged_stop_the_node() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("high-water");
    let mut mark = open(&path).unwrap();
    mark.update(head(6)).unwrap();
    mark.update(head(7)).unwrap();
    let sound = std::fs::read(&path).unwrap();
    let newest = usize::from(u64::from_be_bytes(sound[64..72].try_into().unwrap()) < 3) * 512;
    for at in 0..512 {
        let mut bytes = sound.clone();
        bytes[newest + at] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(open(&path).unwrap().mark(), Some(head(6)), "byte {at}");
        bytes[512 - newest + at] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();
        let error = open(&path).unwrap_err();
        assert_eq!(error, HighWaterError::Damaged(path.clone()));
        assert!(error.to_string().contains("Move the file away"), "{error}");
    }
    for length in [0, 1, 511] {
        std::fs::write(&path, &sound[..length]).unwrap();
        assert_eq!(open(&path).unwrap_err(), HighWaterError::Damaged(path.clone()), "{length} bytes");
    }
}

#[test]
fn a_file_of_another_party_or_treaty_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("high-water");
    open(&path).unwrap().update(head(3)).unwrap();
    let foreign = HighWaterError::Foreign(path.clone());
    assert_eq!(HighWater::open(&path, &TREATY, "HU").unwrap_err(), foreign);
    assert_eq!(HighWater::open(&path, &Hash([4; 32]), "CA").unwrap_err(), foreign);
    assert_eq!(open(&path).unwrap().mark(), Some(head(3)));
}

#[test]
fn a_folder_that_is_not_there_is_an_error_and_not_a_new_mark() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(open(&dir.path().join("nowhere/high-water")), Err(HighWaterError::Io(_))));
}
