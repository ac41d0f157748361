//! What nodes say to each other, and its bytes.
//!
//! Plain length-prefixed bytes, integers big-endian. Nothing here is signed: the checkpoints and records inside are,
//! so that it does not matter who passes them on. Every length is checked before anything is allocated for it.

use super::storage::LogId;
use crate::note::MAX_NOTE_BYTES;
use crate::tlog::Hash;

/// Largest request, in bytes.
pub const MAX_REQUEST_BYTES: usize = 1 << 10;
/// Largest response, in bytes: a page of records (4 MiB), a checkpoint and a proof.
pub const MAX_RESPONSE_BYTES: usize = (4 << 20) + (256 << 10);
/// Largest gossiped message, in bytes.
pub const MAX_GOSSIP_BYTES: usize = 256 << 10;
/// Most bytes of records in one page.
pub const MAX_PAGE_BYTES: usize = 4 << 20;
/// Most records in one page.
pub const MAX_PAGE_RECORDS: u64 = 4096;
/// Most heads in one message.
const MAX_HEADS: usize = 512;
/// Most rotations in one message.
pub const MAX_KEYS: usize = crate::ledger::MAX_ANNOUNCED;
/// Most hashes in a proof: two for each level of a tree of 2^63 leaves.
const MAX_PROOF: usize = 128;

/// Bytes that are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a message of this protocol: {0}")]
pub struct MessageError(&'static str);

/// A question to one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Which heads do you hold? Says by which treaty file the question is asked.
    Heads {
        /// SHA-256 of the asker's treaty file.
        treaty: Hash,
    },
    /// Records of a log, from an index on.
    Records {
        /// Which log.
        log: LogId,
        /// First index.
        from: u64,
        /// Most records.
        count: u64,
    },
    /// The root that your tree of a log has at a size, and the proof that your head extends it.
    Proof {
        /// Which log.
        log: LogId,
        /// The size asked about.
        old: u64,
    },
    /// Your cosignature, as of now, on the head of a log that you hold.
    Attest {
        /// Which log.
        log: LogId,
    },
    /// Which restart certificates of a log do you know?
    Restarts {
        /// Which log.
        log: LogId,
    },
    /// Records of a branch that does not go on.
    Branch {
        /// Which log.
        log: LogId,
        /// The branch's name: the size of the head that its restart certificate keeps.
        kept: u64,
        /// First index.
        from: u64,
        /// Most records.
        count: u64,
    },
    /// What has the log's root signed about the keys that sign its heads?
    Keys {
        /// Which log.
        log: LogId,
    },
}

/// The answer of one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// All heads that the peer holds.
    Heads {
        /// The peer's clock, in POSIX milliseconds.
        time_ms: u64,
        /// Signed checkpoints.
        heads: Vec<Vec<u8>>,
    },
    /// A page of records, a head that covers them, and the proof that it does.
    Records {
        /// Which log.
        log: LogId,
        /// Index of the first one.
        from: u64,
        /// The records' bytes.
        records: Vec<Vec<u8>>,
        /// A signed checkpoint of at least their end.
        checkpoint: Vec<u8>,
        /// Consistency proof from their end to that checkpoint.
        proof: Vec<Hash>,
    },
    /// Root and proof.
    Proof {
        /// Which log.
        log: LogId,
        /// The size asked about.
        old: u64,
        /// The root of the peer's tree there.
        root: Hash,
        /// The peer's signed head.
        checkpoint: Vec<u8>,
        /// Consistency proof from `old` to that head.
        proof: Vec<Hash>,
    },
    /// A head with the peer's cosignature as of now.
    Attested {
        /// Which log.
        log: LogId,
        /// The signed checkpoint with the cosignature.
        note: Vec<u8>,
    },
    /// The rotations of a log's key, as its root signed them.
    Keys {
        /// Which log.
        log: LogId,
        /// Root-signed notes, the latest last.
        notes: Vec<Vec<u8>>,
    },
    /// Restart certificates of a log.
    Restarts {
        /// Which log.
        log: LogId,
        /// Root-signed notes, by the size of the kept head.
        notes: Vec<Vec<u8>>,
    },
    /// Records of a branch that does not go on.
    Branch {
        /// Which log.
        log: LogId,
        /// The branch's name.
        kept: u64,
        /// Index of the first one.
        from: u64,
        /// The records' bytes.
        records: Vec<Vec<u8>>,
    },
    /// The peer has another treaty file: there is nothing to exchange.
    OtherTreaty {
        /// SHA-256 of the peer's treaty file.
        treaty: Hash,
    },
    /// The peer does not have what was asked for.
    Nothing,
}

/// A head, with the records before it where they are small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadUpdate {
    /// Signed checkpoint.
    pub checkpoint: Vec<u8>,
    /// Index of the first record that comes with it.
    pub from: u64,
    /// Records up to the checkpoint's size, or none.
    pub records: Vec<Vec<u8>>,
}

/// What is gossiped: one new head with its records, or all heads that a node knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gossip {
    /// The heads.
    pub heads: Vec<HeadUpdate>,
}

impl Request {
    /// The request's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Self::Heads { treaty } => out.byte(1).hash(treaty),
            Self::Records { log, from, count } => out.byte(2).log(*log).long(*from).long(*count),
            Self::Proof { log, old } => out.byte(3).log(*log).long(*old),
            Self::Attest { log } => out.byte(4).log(*log),
            Self::Keys { log } => out.byte(5).log(*log),
            Self::Restarts { log } => out.byte(6).log(*log),
            Self::Branch { log, kept, from, count } => out.byte(7).log(*log).long(*kept).long(*from).long(*count),
        };
        out.0
    }

    /// Reads a request.
    pub fn parse(bytes: &[u8]) -> Result<Self, MessageError> {
        let mut reader = Reader(bytes);
        let request = match reader.byte()? {
            1 => Self::Heads { treaty: reader.hash()? },
            2 => Self::Records { log: reader.log()?, from: reader.long()?, count: reader.long()? },
            3 => Self::Proof { log: reader.log()?, old: reader.long()? },
            4 => Self::Attest { log: reader.log()? },
            5 => Self::Keys { log: reader.log()? },
            6 => Self::Restarts { log: reader.log()? },
            7 => Self::Branch { log: reader.log()?, kept: reader.long()?, from: reader.long()?, count: reader.long()? },
            _ => return Err(MessageError("unknown request")),
        };
        reader.end(request)
    }
}

impl Response {
    /// The response's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Self::Heads { time_ms, heads } => out.byte(1).long(*time_ms).list(heads),
            Self::Records { log, from, records, checkpoint, proof } => {
                out.byte(2).log(*log).long(*from).list(records).bytes(checkpoint).hashes(proof)
            }
            Self::Proof { log, old, root, checkpoint, proof } => {
                out.byte(3).log(*log).long(*old).hash(root).bytes(checkpoint).hashes(proof)
            }
            Self::OtherTreaty { treaty } => out.byte(4).hash(treaty),
            Self::Nothing => out.byte(5),
            Self::Attested { log, note } => out.byte(6).log(*log).bytes(note),
            Self::Keys { log, notes } => out.byte(7).log(*log).list(notes),
            Self::Restarts { log, notes } => out.byte(8).log(*log).list(notes),
            Self::Branch { log, kept, from, records } => out.byte(9).log(*log).long(*kept).long(*from).list(records),
        };
        out.0
    }

    /// Reads a response.
    pub fn parse(bytes: &[u8]) -> Result<Self, MessageError> {
        let mut reader = Reader(bytes);
        let response = match reader.byte()? {
            1 => Self::Heads { time_ms: reader.long()?, heads: reader.list(MAX_HEADS)? },
            2 => Self::Records {
                log: reader.log()?,
                from: reader.long()?,
                records: reader.list(MAX_PAGE_RECORDS as usize)?,
                checkpoint: reader.bytes()?,
                proof: reader.hashes()?,
            },
            3 => Self::Proof {
                log: reader.log()?,
                old: reader.long()?,
                root: reader.hash()?,
                checkpoint: reader.bytes()?,
                proof: reader.hashes()?,
            },
            4 => Self::OtherTreaty { treaty: reader.hash()? },
            5 => Self::Nothing,
            6 => Self::Attested { log: reader.log()?, note: reader.bytes()? },
            7 => Self::Keys { log: reader.log()?, notes: reader.list(MAX_KEYS)? },
            8 => Self::Restarts { log: reader.log()?, notes: reader.list(crate::ledger::MAX_RESTARTS)? },
            9 => Self::Branch {
                log: reader.log()?,
                kept: reader.long()?,
                from: reader.long()?,
                records: reader.list(MAX_PAGE_RECORDS as usize)?,
            },
            _ => return Err(MessageError("unknown response")),
        };
        reader.end(response)
    }
}

impl Gossip {
    /// The message's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.byte(1).count(self.heads.len());
        for head in &self.heads {
            out.bytes(&head.checkpoint).long(head.from).list(&head.records);
        }
        out.0
    }

    /// Reads a message.
    pub fn parse(bytes: &[u8]) -> Result<Self, MessageError> {
        let mut reader = Reader(bytes);
        if reader.byte()? != 1 {
            return Err(MessageError("unknown gossip"));
        }
        let mut heads = Vec::new();
        for _ in 0..reader.count(MAX_HEADS)? {
            heads.push(HeadUpdate {
                checkpoint: reader.bytes()?,
                from: reader.long()?,
                records: reader.list(MAX_PAGE_RECORDS as usize)?,
            });
        }
        reader.end(Self { heads })
    }
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn byte(&mut self, byte: u8) -> &mut Self {
        self.0.push(byte);
        self
    }
    fn long(&mut self, n: u64) -> &mut Self {
        self.0.extend_from_slice(&n.to_be_bytes());
        self
    }
    /// Treaties have at most 256 parties, so that a log fits two bytes.
    fn log(&mut self, log: LogId) -> &mut Self {
        self.0.extend_from_slice(&(log as u16).to_be_bytes());
        self
    }
    /// Counts and lengths fit four bytes: messages are a few MiB at most.
    fn count(&mut self, n: usize) -> &mut Self {
        self.0.extend_from_slice(&(n as u32).to_be_bytes());
        self
    }
    fn hash(&mut self, hash: &Hash) -> &mut Self {
        self.0.extend_from_slice(&hash.0);
        self
    }
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
        self
    }
    fn list(&mut self, items: &[Vec<u8>]) -> &mut Self {
        self.count(items.len());
        for item in items {
            self.bytes(item);
        }
        self
    }
    fn hashes(&mut self, hashes: &[Hash]) -> &mut Self {
        self.count(hashes.len());
        for hash in hashes {
            self.hash(hash);
        }
        self
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], MessageError> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(MessageError("it ends too early"))?;
        self.0 = tail;
        Ok(*head)
    }
    fn byte(&mut self) -> Result<u8, MessageError> {
        Ok(self.take::<1>()?[0])
    }
    fn long(&mut self) -> Result<u64, MessageError> {
        Ok(u64::from_be_bytes(self.take()?))
    }
    fn log(&mut self) -> Result<LogId, MessageError> {
        Ok(usize::from(u16::from_be_bytes(self.take()?)))
    }
    fn hash(&mut self) -> Result<Hash, MessageError> {
        Ok(Hash(self.take()?))
    }
    fn count(&mut self, max: usize) -> Result<usize, MessageError> {
        let count = u32::from_be_bytes(self.take()?) as usize;
        if count > max { Err(MessageError("a count over its limit")) } else { Ok(count) }
    }
    /// A note or a record: both have the same limit.
    fn bytes(&mut self) -> Result<Vec<u8>, MessageError> {
        let length = self.count(MAX_NOTE_BYTES)?;
        let (head, tail) = self.0.split_at_checked(length).ok_or(MessageError("it ends too early"))?;
        self.0 = tail;
        Ok(head.to_vec())
    }
    fn list(&mut self, max: usize) -> Result<Vec<Vec<u8>>, MessageError> {
        // Grows with what really arrives, not with what the count claims.
        (0..self.count(max)?).map(|_| self.bytes()).collect()
    }
    fn hashes(&mut self) -> Result<Vec<Hash>, MessageError> {
        (0..self.count(MAX_PROOF)?).map(|_| self.hash()).collect()
    }
    fn end<T>(self, value: T) -> Result<T, MessageError> {
        if self.0.is_empty() { Ok(value) } else { Err(MessageError("bytes after its end")) }
    }
}
