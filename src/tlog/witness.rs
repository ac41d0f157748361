//! What a log sends a witness, and by which rules the witness answers
//! ([C2SP tlog-witness](https://c2sp.org/tlog-witness), "add-checkpoint", revision of 2026-07-22).

use super::checkpoint::{Checkpoint, CheckpointError, parse_size};
use super::hash::{Hash, empty_root};
use super::tree::verify_consistency;
use crate::note::{MAX_NOTE_BYTES, SignedNote, VerifierKey};

/// Most hashes in the consistency proof.
const MAX_PROOF: usize = 63;
/// Longest request, in bytes: the size, the proof and the checkpoint.
pub const MAX_ADD_CHECKPOINT_BYTES: usize = MAX_NOTE_BYTES + 45 * MAX_PROOF + 32;

/// The body of an `add-checkpoint` request. Reading one verifies nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the checkpoint that the witness cosigned last, as far as the log knows; 0 if none.
    pub old: u64,
    /// The consistency proof from there to the checkpoint.
    pub proof: Vec<Hash>,
    /// The checkpoint, signed by the log.
    pub checkpoint: SignedNote,
}

/// Why a witness does not cosign. Each has its HTTP status in the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotWitnessed {
    /// 400: the body is none, or the old size exceeds the checkpoint's.
    #[error("the request does not read as one: `old SIZE`, hashes, an empty line, a checkpoint of at least that size")]
    Malformed,
    /// 403: no signature by the log's key, or one that does not verify.
    #[error("the checkpoint is not signed by the log's key that this witness knows")]
    NotSigned,
    /// 409: the last checkpoint that this witness cosigned has this size.
    #[error("this witness cosigned a checkpoint of {0} leaves last")]
    Conflict(u64),
    /// 422: the proof does not lead from the last checkpoint to this one.
    #[error("the checkpoint does not extend the last one that this witness cosigned, as far as the proof shows")]
    Inconsistent,
}

impl AddCheckpoint {
    /// The body's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = format!("old {}\n", self.old);
        for hash in &self.proof {
            out.push_str(&hash.to_base64());
            out.push('\n');
        }
        out.push('\n');
        let mut out = out.into_bytes();
        out.extend(self.checkpoint.to_bytes());
        out
    }

    /// Reads a body.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_ADD_CHECKPOINT_BYTES {
            return None;
        }
        let (first, mut rest) = std::str::from_utf8(bytes).ok()?.split_once('\n')?;
        let old = parse_size(first.strip_prefix("old ")?).ok()?;
        let mut proof = Vec::new();
        loop {
            let (line, tail) = rest.split_once('\n')?;
            rest = tail;
            if line.is_empty() {
                break;
            }
            proof.push(Hash::from_base64(line).filter(|_| proof.len() < MAX_PROOF)?);
        }
        Some(Self { old, proof, checkpoint: SignedNote::parse(rest.as_bytes()).ok()? })
    }

    /// The log that the checkpoint says to be of.
    pub fn origin(&self) -> &str {
        self.checkpoint.text().split('\n').next().unwrap_or_default()
    }

    /// The standard's checks, in its order, for a log whose last cosigned head is `last`. What it returns is to be
    /// stored before a cosignature leaves.
    pub fn check(
        &self,
        origin: &str,
        log: &VerifierKey,
        last: Option<(u64, Hash)>,
    ) -> Result<Checkpoint, NotWitnessed> {
        self.checkpoint.verify(log).map_err(|_| NotWitnessed::NotSigned)?;
        let head = parse_extended(self.checkpoint.text()).map_err(|_| NotWitnessed::Malformed)?;
        if head.origin != origin || self.old > head.size {
            return Err(NotWitnessed::Malformed);
        }
        let (size, root) = last.unwrap_or_else(|| (0, empty_root()));
        if self.old != size {
            return Err(NotWitnessed::Conflict(size));
        }
        let is_empty = head.size > 0 || head.root == empty_root();
        let consistent = verify_consistency(size, &root, head.size, &head.root, &self.proof);
        if is_empty && consistent.is_ok() { Ok(head) } else { Err(NotWitnessed::Inconsistent) }
    }
}

/// A checkpoint of any log: after its three lines others may follow, about which a witness says nothing.
pub fn parse_extended(text: &str) -> Result<Checkpoint, CheckpointError> {
    match text.match_indices('\n').nth(2) {
        Some((at, _)) if !text[at + 1..].starts_with('\n') => Checkpoint::parse(&text[..=at]),
        _ => Err(CheckpointError::Shape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::{KeyType, SigningKey};
    use crate::tlog::Appender;

    // The standard's own example.
    const EXAMPLE: &str = "old 20852014\nPlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n\
        jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n\
        /6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n\nexample.com/behind-the-sofa\n20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

    fn key() -> SigningKey {
        SigningKey::from_seed("a/log", KeyType::Ed25519, &[1; 32]).unwrap()
    }

    fn leaf(n: u64) -> Hash {
        Hash::digest(&n.to_be_bytes())
    }

    fn root(size: u64) -> Hash {
        let mut edge = Appender::default();
        (0..size).for_each(|n| edge.push(leaf(n), &mut Vec::new()));
        edge.root()
    }

    fn request(old: u64, size: u64, root: Hash, proof: Vec<Hash>) -> AddCheckpoint {
        let checkpoint = Checkpoint { origin: "a/log".into(), size, root }.sign(&key()).unwrap();
        AddCheckpoint { old, proof, checkpoint }
    }

    #[test]
    fn the_standards_own_example_reads_and_reprints() {
        let read = AddCheckpoint::parse(EXAMPLE.as_bytes()).unwrap();
        assert_eq!((read.old, read.proof.len(), read.origin()), (20_852_014, 4, "example.com/behind-the-sofa"));
        assert_eq!(read.to_bytes(), EXAMPLE.as_bytes());
        for broken in ["old 0", "old 01", "old -1", "old  1", "new 1"] {
            let text = EXAMPLE.replacen("old 20852014", broken, 1);
            assert_eq!(AddCheckpoint::parse(text.as_bytes()).is_some(), broken == "old 0", "{broken}");
        }
        let many = EXAMPLE.replacen("\n\n", &format!("\n{}\n", format!("{}\n", leaf(0).to_base64()).repeat(60)), 1);
        assert_eq!(AddCheckpoint::parse(many.as_bytes()), None);
    }

    #[test]
    fn each_refusal_has_its_reason() {
        let check = |request: &AddCheckpoint, last| request.check("a/log", key().public(), last).map(|head| head.size);
        let first = request(0, 2, root(2), vec![]);
        assert_eq!(check(&first, None), Ok(2));
        let last = Some((2, root(2)));
        assert_eq!(check(&first, last), Err(NotWitnessed::Conflict(2)));
        // From two leaves to three, the proof is the third leaf.
        assert_eq!(check(&request(2, 3, root(3), vec![leaf(2)]), last), Ok(3));
        assert_eq!(check(&request(2, 3, root(3), vec![leaf(1)]), last), Err(NotWitnessed::Inconsistent));
        assert_eq!(check(&request(2, 3, root(3), vec![]), last), Err(NotWitnessed::Inconsistent));
        assert_eq!(check(&request(2, 2, root(2), vec![]), last), Ok(2));
        assert_eq!(check(&request(2, 2, root(3), vec![]), last), Err(NotWitnessed::Inconsistent));
        assert_eq!(check(&request(0, 3, root(3), vec![leaf(2)]), None), Err(NotWitnessed::Inconsistent));
        assert_eq!(check(&request(0, 0, root(1), vec![]), None), Err(NotWitnessed::Inconsistent));
        assert_eq!(check(&request(0, 0, root(0), vec![]), None), Ok(0));
        assert_eq!(check(&request(5, 3, root(3), vec![]), last), Err(NotWitnessed::Malformed));
        let other = SigningKey::from_seed("a/log", KeyType::Ed25519, &[2; 32]).unwrap();
        assert_eq!(first.check("a/log", other.public(), None), Err(NotWitnessed::NotSigned));
        let mut bent = first.clone();
        let mut signature = bent.checkpoint.signatures()[0].clone();
        signature.bytes[0] ^= 1;
        bent.checkpoint.add(signature);
        assert_eq!(check(&bent, None), Err(NotWitnessed::NotSigned));
    }

    #[test]
    fn lines_that_a_log_adds_are_no_concern_of_a_witness() {
        let root = root(1).to_base64();
        assert_eq!(parse_extended(&format!("o\n1\n{root}\nmore\n")).unwrap().size, 1);
        assert_eq!(parse_extended(&format!("o\n1\n{root}\n\nmore\n")), Err(CheckpointError::Shape));
        assert_eq!(parse_extended("o\n1\n"), Err(CheckpointError::Shape));
    }
}
