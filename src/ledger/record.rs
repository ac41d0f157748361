//! Records: the leaves of a party's log.
//!
//! A record is a first line of canonical JSON, a newline, and the payload verbatim:
//!
//! ```text
//! {"index":12,"log":"open-skies/RU","prev":"<leaf hash of record 11>","time":"…","type":"notification"}
//! ```

use super::time::Timestamp;
use crate::tlog::{Hash, leaf_hash};

/// Largest record, in bytes: the limit of an entry in C2SP tlog-tiles.
pub const MAX_RECORD_BYTES: usize = 65_535;

/// What a record carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordType {
    /// A note signed by the party's officials.
    Notification,
    /// Another party's checkpoint with this party's cosignature.
    Receipt,
    /// A note signed by the party's root key, about one of its keys.
    Credential,
    /// A proof that some log forked.
    Evidence,
    /// A note signed by parties' root keys, which amends the treaty file. A reader that does not know it refuses the
    /// record rather than count the quorum wrongly after it.
    Amendment,
}

impl RecordType {
    /// The word in the record's first line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notification => "notification",
            Self::Receipt => "receipt",
            Self::Credential => "credential",
            Self::Evidence => "evidence",
            Self::Amendment => "amendment",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        let all = [Self::Notification, Self::Receipt, Self::Credential, Self::Evidence, Self::Amendment];
        all.into_iter().find(|t| t.as_str() == word)
    }

    /// Whether others owe a receipt for it. Receipts are not receipted for their own sake.
    pub fn wants_receipt(self) -> bool {
        self != Self::Receipt
    }
}

/// Why bytes are not the record that should stand at their place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Over [`MAX_RECORD_BYTES`].
    #[error("a record is at most {MAX_RECORD_BYTES} bytes long; this one has {0}")]
    TooLong(usize),
    /// The first line is not the canonical header.
    #[error("the record's first line is not its canonical header (at {0})")]
    Header(&'static str),
    /// The payload is not UTF-8 text that ends in a newline.
    #[error("the record's payload is not UTF-8 text that ends in a newline")]
    Payload,
    /// It belongs to another log.
    #[error("the record belongs to the log {0}")]
    Log(String),
    /// It belongs to another place.
    #[error("the record says that it is number {found}, and stands at {expected}")]
    Index {
        /// Where it stands.
        expected: u64,
        /// Where it says to belong.
        found: u64,
    },
    /// It does not follow the record before it.
    #[error("the record does not chain to the one before it")]
    Chain,
}

/// A record, read in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Place in the log, from 0.
    pub index: u64,
    /// The log's origin.
    pub log: &'a str,
    /// Leaf hash of the record before; for the first one the SHA-256 of the treaty file.
    pub prev: Hash,
    /// When the party says it wrote the record.
    pub time: Timestamp,
    /// What the payload is.
    pub kind: RecordType,
    /// The payload's bytes.
    pub payload: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record's bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, RecordError> {
        let mut out = format!(
            "{{\"index\":{},\"log\":\"{}\",\"prev\":\"{}\",\"time\":\"{}\",\"type\":\"{}\"}}\n",
            self.index,
            self.log,
            self.prev.to_hex(),
            self.time,
            self.kind.as_str()
        )
        .into_bytes();
        out.extend_from_slice(self.payload);
        if out.len() > MAX_RECORD_BYTES {
            return Err(RecordError::TooLong(out.len()));
        }
        if !self.payload.ends_with(b"\n") {
            return Err(RecordError::Payload);
        }
        Ok(out)
    }

    /// Reads a record. The header has one canonical form, so it is read by position: nothing else passes.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RecordError> {
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(RecordError::TooLong(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| RecordError::Payload)?;
        let (header, payload) = text.split_once('\n').ok_or(RecordError::Header("its end"))?;
        if !payload.ends_with('\n') {
            return Err(RecordError::Payload);
        }
        let rest = header.strip_prefix("{\"index\":").ok_or(RecordError::Header("index"))?;
        let (index, rest) = rest.split_once(",\"log\":\"").ok_or(RecordError::Header("log"))?;
        let (log, rest) = rest.split_once("\",\"prev\":\"").ok_or(RecordError::Header("prev"))?;
        let (prev, rest) = rest.split_once("\",\"time\":\"").ok_or(RecordError::Header("time"))?;
        let (time, rest) = rest.split_once("\",\"type\":\"").ok_or(RecordError::Header("type"))?;
        let kind = rest.strip_suffix("\"}").ok_or(RecordError::Header("its end"))?;
        let canonical_number = index == "0" || (!index.starts_with('0') && index.bytes().all(|b| b.is_ascii_digit()));
        let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'/');
        if log.is_empty() || !log.bytes().all(plain) {
            return Err(RecordError::Header("log"));
        }
        Ok(Self {
            index: index.parse().ok().filter(|_| canonical_number).ok_or(RecordError::Header("index"))?,
            log,
            prev: Hash::from_hex(prev).ok_or(RecordError::Header("prev"))?,
            time: Timestamp::parse(time).ok_or(RecordError::Header("time"))?,
            kind: RecordType::parse(kind).ok_or(RecordError::Header("type"))?,
            payload: payload.as_bytes(),
        })
    }

    /// Reads the record that should stand at a place of a log, and checks that it does.
    pub fn parse_at(bytes: &'a [u8], log: &str, index: u64, prev: &Hash) -> Result<Self, RecordError> {
        let record = Self::parse(bytes)?;
        if record.log != log {
            return Err(RecordError::Log(record.log.to_owned()));
        }
        if record.index != index {
            return Err(RecordError::Index { expected: index, found: record.index });
        }
        if record.prev != *prev {
            return Err(RecordError::Chain);
        }
        Ok(record)
    }

    /// The leaf hash of a record's bytes.
    pub fn leaf(bytes: &[u8]) -> Hash {
        leaf_hash(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Record<'static> {
        Record {
            index: 12,
            log: "open-skies/RU",
            prev: Hash([0xab; 32]),
            time: Timestamp::from_posix(1_624_006_800),
            kind: RecordType::Notification,
            payload: b"text\n",
        }
    }

    #[test]
    fn a_record_reads_back_and_its_header_is_canonical_json() {
        let bytes = sample().to_bytes().unwrap();
        assert_eq!(Record::parse(&bytes).unwrap(), sample());
        let line = bytes.split(|b| *b == b'\n').next().unwrap();
        super::super::canon::parse(line, 1000, super::super::canon::Text::Plain).unwrap();
    }

    #[test]
    fn a_record_in_another_place_is_refused() {
        let bytes = sample().to_bytes().unwrap();
        let at = |log, index, prev| Record::parse_at(&bytes, log, index, &prev).map(|_| ());
        assert_eq!(at("open-skies/RU", 12, Hash([0xab; 32])), Ok(()));
        assert_eq!(at("open-skies/US", 12, Hash([0xab; 32])), Err(RecordError::Log("open-skies/RU".into())));
        assert_eq!(at("open-skies/RU", 13, Hash([0xab; 32])), Err(RecordError::Index { expected: 13, found: 12 }));
        assert_eq!(at("open-skies/RU", 12, Hash([0xaa; 32])), Err(RecordError::Chain));
    }

    #[test]
    fn too_long_a_record_is_neither_written_nor_read() {
        let long = vec![b'\n'; MAX_RECORD_BYTES];
        assert!(matches!(Record { payload: &long, ..sample() }.to_bytes(), Err(RecordError::TooLong(_))));
        assert_eq!(Record::parse(&[b'\n'; MAX_RECORD_BYTES + 1]), Err(RecordError::TooLong(MAX_RECORD_BYTES + 1)));
    }

    proptest! {
        #[test]
        fn what_is_read_rewrites_to_the_same_bytes(at in 0usize..160, byte in any::<u8>()) {
            let mut bytes = sample().to_bytes().unwrap();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(record) = Record::parse(&bytes) {
                prop_assert_eq!(record.to_bytes().unwrap(), bytes);
            }
        }
    }
}
