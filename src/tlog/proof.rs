//! A proof that an entry was logged, in one text file
//! ([C2SP tlog-proof](https://c2sp.org/tlog-proof), revision of 2026-07-22).

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

use super::checkpoint::parse_size;
use super::hash::Hash;
use crate::note::{NoteError, SignedNote};

/// Longest extra data accepted, in decoded bytes: 16 MiB.
pub const MAX_EXTRA_BYTES: usize = 16 << 20;
const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// Why a text is not a proof. Lines count from 1.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProofError {
    /// The first line is another one.
    #[error("line 1 should read `{FIRST_LINE}`: this is not a .tlog-proof file")]
    FirstLine,
    /// The text ends early or is not UTF-8.
    #[error("the file is not complete")]
    Incomplete,
    /// Over the limit.
    #[error("the extra data is over {MAX_EXTRA_BYTES} bytes")]
    TooLong,
    /// A line does not read as it should.
    #[error("line {line}: expected {expected}")]
    Line {
        /// The line's number.
        line: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// The checkpoint is not a signed note.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] NoteError),
}

/// The parts of a `.tlog-proof` file. Reading one verifies nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Application data, not authenticated by the format; empty if the file has none.
    pub extra: Vec<u8>,
    /// The entry's index in the log, from 0.
    pub index: u64,
    /// Audit path from the leaf's sibling up.
    pub path: Vec<Hash>,
    /// The log's checkpoint with its cosignatures.
    pub checkpoint: SignedNote,
}

impl TlogProof {
    /// The file's text.
    pub fn to_text(&self) -> String {
        let mut out = format!("{FIRST_LINE}\n");
        if !self.extra.is_empty() {
            out.push_str(&format!("extra {}\n", BASE64.encode(&self.extra)));
        }
        out.push_str(&format!("index {}\n", self.index));
        for hash in &self.path {
            out.push_str(&hash.to_base64());
            out.push('\n');
        }
        out.push('\n');
        out.push_str(&String::from_utf8_lossy(&self.checkpoint.to_bytes()));
        out
    }

    /// Reads a file's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        let text = std::str::from_utf8(bytes).map_err(|_| ProofError::Incomplete)?;
        let (first, mut rest) = text.split_once('\n').ok_or(ProofError::FirstLine)?;
        if first != FIRST_LINE {
            return Err(ProofError::FirstLine);
        }
        let mut number = 1;
        let mut next = || -> Result<(usize, &str), ProofError> {
            let (line, tail) = rest.split_once('\n').ok_or(ProofError::Incomplete)?;
            rest = tail;
            number += 1;
            Ok((number, line))
        };
        let (mut at, mut line) = next()?;
        let mut extra = Vec::new();
        if let Some(encoded) = line.strip_prefix("extra ") {
            if encoded.len() > MAX_EXTRA_BYTES / 3 * 4 + 4 {
                return Err(ProofError::TooLong);
            }
            let expected = "`extra` and base64 data";
            extra = BASE64.decode(encoded).map_err(|_| ProofError::Line { line: at, expected })?;
            if extra.is_empty() {
                return Err(ProofError::Line { line: at, expected });
            }
            (at, line) = next()?;
        }
        let index = line
            .strip_prefix("index ")
            .and_then(|n| parse_size(n).ok())
            .ok_or(ProofError::Line { line: at, expected: "`index` and the entry's number" })?;
        let mut path = Vec::new();
        loop {
            let (at, line) = next()?;
            if line.is_empty() {
                break;
            }
            let hash = Hash::from_base64(line).filter(|_| path.len() < 63);
            path.push(hash.ok_or(ProofError::Line { line: at, expected: "a base64 hash, or the empty line" })?);
        }
        Ok(Self { extra, index, path, checkpoint: SignedNote::parse(rest.as_bytes())? })
    }
}
