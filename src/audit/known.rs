//! Heads whose signatures were verified once: each party's receipt repeats the head that it is for.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::ledger::KeyHistory;
use crate::note::SignedNote;
use crate::tlog::{Checkpoint, CheckpointError};

/// Most heads that are remembered, by 32 bytes each; any more are verified as often as they come.
const MAX_KNOWN: usize = 1 << 18;

/// What was verified of all logs of a ledger, whose keys are known to their end.
#[derive(Default)]
pub(super) struct KnownHeads(Mutex<HashSet<[u8; 32]>>);

impl KnownHeads {
    /// [`KeyHistory::verify_head`]: what it says follows from the text and the lines by the log's keys in force at that size. If
    /// these very bytes were verified before, they are not verified again.
    pub fn verify(&self, keys: &KeyHistory, note: &SignedNote) -> Result<Checkpoint, CheckpointError> {
        let stated = Checkpoint::parse(note.text())?;
        let mut digest = Sha256::new();
        let mut field = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        };
        field(keys.log_key(u64::MAX).name().as_bytes());
        field(note.text().as_bytes());
        let in_force = [Some(keys.log_key(stated.size)), keys.leaving_log_key(stated.size)];
        for line in note.signatures().iter().filter(|line| in_force.iter().flatten().any(|key| line.is_by(key))) {
            field(line.name.as_bytes());
            field(&line.id);
            field(&line.bytes);
        }
        let digest: [u8; 32] = digest.finalize().into();
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&digest) {
            return Ok(stated);
        }
        let checkpoint = keys.verify_head(note)?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MAX_KNOWN {
            known.insert(digest);
        }
        Ok(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Keyring, Treaty};
    use crate::note::{KeyType, SigningKey};

    fn key(party: &str, job: &str, kind: KeyType) -> SigningKey {
        let name = if job.is_empty() { format!("t/{party}") } else { format!("t/{party}/{job}") };
        SigningKey::from_seed(&name, kind, &crate::tlog::Hash::digest(name.as_bytes()).0).unwrap()
    }

    fn treaty() -> Treaty {
        let mut text = format!(
            "version = 1\nname = \"t\"\ntitle = \"T\"\nprofile_sha256 = \"{}\"\nquorum = \"quorum none\\n\"\n",
            "0".repeat(64)
        );
        for party in ["AA", "BB"] {
            let (root, log) = (key(party, "root", KeyType::Ed25519), key(party, "", KeyType::Ed25519));
            let witness = key(party, "witness", KeyType::Cosignature);
            text += &format!(
                "[[party]]\ncode = \"{party}\"\nname = \"{party}\"\nroles = [\"state-party\"]\nroot = \"{}\"\nlog = \"{}\"\n\
                 witness = \"{}\"\npeer = \"12D3KooWTriedOut{}{}\"\naddresses = []\n",
                root.public(),
                log.public(),
                witness.public(),
                "x".repeat(28),
                if party == "AA" { "11" } else { "22" }
            );
        }
        Treaty::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_was_verified_once_vouches_for_nothing_else() {
        let treaty = treaty();
        let keys = Keyring::new(&treaty).settled();
        let (known, of) = (KnownHeads::default(), keys.party(0));
        let head = Checkpoint { origin: "t/AA".into(), size: 3, root: crate::tlog::Hash([5; 32]) };
        let mut note = SignedNote::new(head.text()).unwrap();
        note.sign(&key("AA", "", KeyType::Ed25519));
        for _ in 0..2 {
            assert_eq!(known.verify(of, &note), of.verify_head(&note));
        }
        let line = note.signatures()[0].clone();
        // A bit of the signature, another line by the same key beside it, another text, another log, none at all.
        let mut bent = line.clone();
        bent.bytes[20] ^= 1;
        let mut altered = SignedNote::new(head.text()).unwrap();
        altered.add(bent.clone());
        let twice =
            SignedNote::parse(&[note.to_bytes(), altered.to_bytes()[head.text().len() + 1..].to_vec()].concat())
                .unwrap();
        let mut other = SignedNote::new(Checkpoint { size: 4, ..head.clone() }.text()).unwrap();
        other.add(line.clone());
        let bare = SignedNote::new(head.text()).unwrap();
        for forged in [altered, twice, other, bare] {
            assert!(of.verify_head(&forged).is_err());
            assert_eq!(known.verify(of, &forged), of.verify_head(&forged));
        }
        assert_eq!(known.verify(keys.party(1), &note), keys.party(1).verify_head(&note));
    }
}
