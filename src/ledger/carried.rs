//! The keys that an evidence file carries: what the roots of parties signed to put keys in force that stand on heads
//! and cosignatures in the file and not in the treaty file.
//!
//! A root-signed note needs nobody's log to be believed: the root's key is in the treaty file. It does not say from
//! which place on the key counts; that only the party's log does.

use super::credential::{Credential, Job};
use super::evidence::{Evidence, EvidenceError, PartError};
use super::keyring::Keyring;
use super::record::{Record, RecordType};
use super::treaty::Treaty;
use crate::note::{Signature, SignedNote, VerifierKey};

/// The keys of the treaty file and those that the file carries, each of which must be needed in it.
pub(super) fn keyring(evidence: &Evidence, treaty: &Treaty) -> Result<Keyring, EvidenceError> {
    let mut keys = Keyring::new(treaty);
    for (at, note) in evidence.keys.iter().enumerate() {
        let fail = |fault| EvidenceError::Part { part: format!("keys[{at}]"), fault };
        let party = Credential::party_of(note.as_bytes()).and_then(|code| treaty.find(&code));
        let party = party.ok_or_else(|| fail(PartError::Misplaced("it is not a credential of a party")))?;
        let news = keys.party_mut(party).announce(note.as_bytes(), treaty).map_err(|e| fail(e.into()))?;
        if !news {
            return Err(fail(PartError::Misplaced("it puts no new key in force")));
        }
    }
    if carried_keys(evidence, &keys) != evidence.keys {
        let fault = PartError::Misplaced(
            "they are not just those that the file's heads and cosignatures need, by party and by their bytes",
        );
        return Err(EvidenceError::Part { part: "keys".into(), fault });
    }
    Ok(keys)
}

/// What a file with these parts has to carry, by all that is known of the parties' keys.
pub fn carried_keys(evidence: &Evidence, keys: &Keyring) -> Vec<String> {
    let mut later: Vec<(usize, &VerifierKey, &[u8])> = Vec::new();
    for at in 0..keys.len() {
        let history = keys.party(at);
        for key in [Job::Log, Job::Witness].into_iter().flat_map(|job| history.all_keys(job)) {
            later.extend(history.note_of(key).map(|note| (at, key, note)));
        }
    }
    if later.is_empty() {
        return Vec::new();
    }
    let mut carried: Vec<(usize, &[u8])> = Vec::new();
    let mut need = |lines: &[Signature]| {
        for line in lines {
            let found = later.iter().filter(|(_, key, _)| line.is_by(key)).map(|(at, _, note)| (*at, *note));
            carried.extend(found);
        }
    };
    need(evidence.checkpoint.signatures());
    evidence.heads.iter().for_each(|head| need(head.checkpoint.signatures()));
    evidence.outside.iter().for_each(|part| need(part.checkpoint.signatures()));
    let receipts = evidence.anchors.iter().map(|anchor| &anchor.receipt.record);
    let silence = evidence.silence.iter();
    let since = silence.clone().filter_map(|silence| silence.since.as_ref()).map(|item| &item.record);
    for record in receipts.chain(since) {
        need(receipt(record).as_ref().map_or(&[], SignedNote::signatures));
    }
    let origin = evidence.checkpoint.text().split('\n').next().unwrap_or_default();
    for part in silence {
        need(part.head.signatures());
        // Of the party's own receipts those for this log are looked at.
        let of_this_log = |note: &SignedNote| note.text().split('\n').next() == Some(origin);
        for note in part.records.iter().filter_map(|record| receipt(record)).filter(of_this_log) {
            need(note.signatures());
        }
    }
    carried.sort_unstable();
    carried.dedup();
    carried.into_iter().map(|(_, note)| String::from_utf8_lossy(note).into_owned()).collect()
}

fn receipt(record: &str) -> Option<SignedNote> {
    let record = Record::parse(record.as_bytes()).ok()?;
    (record.kind == RecordType::Receipt).then(|| SignedNote::parse(record.payload).ok()).flatten()
}
