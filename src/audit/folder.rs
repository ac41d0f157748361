//! The folder's layout and the framing of its files.

use std::io::{self, BufRead, Read, Write};

use crate::ledger::{MAX_RECORD_BYTES, Timestamp, Treaty};
use crate::tlog::Hash;

pub(super) const README: &str = "README.txt";
pub(super) const TREATY: &str = "treaty.toml";
pub(super) const PROFILE: &str = "profile.toml";
pub(super) const POLICY: &str = "policy.txt";
pub(super) const LOGS: &str = "logs";
pub(super) const FORKS: &str = "forks";
pub(super) const RECORDS: &str = "records.txt";
pub(super) const KEYS: &str = "keys.txt";
pub(super) const CHECKPOINTS: &str = "checkpoints.txt";
pub(super) const RECEIPTS: &str = "receipts.txt";
/// Longest line that is not a record's or a checkpoint's own, in bytes.
const MAX_LINE_BYTES: u64 = 256;

/// The README, which follows from the treaty file alone.
pub(super) fn readme(treaty: &Treaty) -> String {
    let mut parties = String::new();
    for party in treaty.parties() {
        parties.push_str(&format!("  {:<8} {}\n", party.code, party.name));
    }
    format!(
        "{title}\n\n\
         This folder is an export of the ledger `{name}`: everything that the parties to the treaty have sent to each\n\
         other through it, with their signatures and their receipts. It can be checked by anybody, offline:\n\n\
         \x20   verbale verify FOLDER --treaty treaty.toml\n\n\
         Take the treaty file from a source that you trust rather than from this folder. Its SHA-256 should be\n\n\
         \x20   {hash}\n\n\
         treaty.toml\n\
         \x20   the parties, their public keys, and the quorum of receipts that makes a note final\n\
         profile.toml\n\
         \x20   the kinds of notes that the treaty knows\n\
         policy.txt\n\
         \x20   the quorum in the form of C2SP tlog-policy\n\
         logs/XX/records.txt\n\
         \x20   every record of the log of party XX: a line `record NUMBER bytes LENGTH`, the record, a newline\n\
         logs/XX/checkpoints.txt\n\
         \x20   the heads that XX signed: a line `checkpoint SIZE bytes LENGTH`, the signed note, a newline\n\
         logs/XX/receipts.txt\n\
         \x20   who received the log of XX up to which size; the signed receipt is the named record of the receiver's log\n\
         forks/XX.txt\n\
         \x20   if the log of XX forked: two heads that contradict each other, and the proof\n\n\
         Parties:\n{parties}",
        title = treaty.file().title,
        name = treaty.file().name,
        hash = treaty.hash().to_hex(),
    )
}

/// A line of `receipts.txt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ReceiptLine {
    /// Size of the receipted head.
    pub size: u64,
    /// Place in the treaty file of the party that receipts.
    pub by: usize,
    /// Index of the receipt's record in that party's log.
    pub index: u64,
    /// Root of the receipted head.
    pub root: Hash,
    /// Time of the cosignature.
    pub time: Timestamp,
}

impl ReceiptLine {
    /// The line, with its newline.
    pub fn to_text(self, treaty: &Treaty) -> String {
        let (code, root) = (&treaty.party(self.by).code, self.root.to_base64());
        format!("size {} root {root} by {code} record {} time {}\n", self.size, self.index, self.time)
    }

    pub fn parse(line: &str, treaty: &Treaty) -> Option<Self> {
        let words: Vec<_> = line.strip_suffix('\n')?.split(' ').collect();
        let ["size", size, "root", root, "by", code, "record", index, "time", time] = words.as_slice() else {
            return None;
        };
        let read = Self {
            size: size.parse().ok()?,
            by: treaty.find(code)?,
            index: index.parse().ok()?,
            root: Hash::from_base64(root)?,
            time: Timestamp::parse(time)?,
        };
        // One way of writing it only.
        (read.to_text(treaty) == line).then_some(read)
    }
}

/// Writes an item in its frame.
pub(super) fn write_frame(out: &mut impl Write, word: &str, number: u64, bytes: &[u8]) -> io::Result<()> {
    writeln!(out, "{word} {number} bytes {}", bytes.len())?;
    out.write_all(bytes)?;
    out.write_all(b"\n")
}

/// What is wrong with a file at a line.
#[derive(Debug)]
pub(super) struct Broken {
    pub line: u64,
    pub what: String,
}

/// Reads a file of lines or frames, one at a time, and counts lines.
pub(super) struct Reader<R> {
    source: R,
    /// Number of the next line, from 1.
    pub line: u64,
    /// Bytes read so far.
    pub bytes: u64,
}

impl<R: BufRead> Reader<R> {
    pub fn new(source: R) -> Self {
        Self { source, line: 1, bytes: 0 }
    }

    pub fn broken(&self, what: impl Into<String>) -> Broken {
        Broken { line: self.line, what: what.into() }
    }

    fn count(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.line += bytes.iter().filter(|b| **b == b'\n').count() as u64;
    }

    /// The next line with its newline; `None` at the end of the file.
    pub fn next_line(&mut self) -> Result<Option<String>, Broken> {
        let mut bytes = Vec::new();
        let read = (&mut self.source).take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes);
        read.map_err(|e| self.broken(format!("cannot be read: {e}")))?;
        if bytes.is_empty() {
            return Ok(None);
        }
        if !bytes.ends_with(b"\n") {
            return Err(self.broken("a line that is too long, or cut off"));
        }
        let line = String::from_utf8(bytes).map_err(|_| self.broken("a line that is not text"))?;
        self.count(line.as_bytes());
        Ok(Some(line))
    }

    /// The next framed item with its number; `None` at the end of the file.
    pub fn next_frame(&mut self, word: &str) -> Result<Option<(u64, Vec<u8>)>, Broken> {
        let start = self.line;
        let Some(line) = self.next_line()? else { return Ok(None) };
        let fail = |what: String| Broken { line: start, what };
        let number = |text: &str| text.parse::<u64>().ok().filter(|n| n.to_string() == text);
        let parts: Vec<_> = line.trim_end_matches('\n').split(' ').collect();
        let (number, length) = match parts.as_slice() {
            [w, n, "bytes", length] if *w == word => number(n).zip(number(length)),
            _ => None,
        }
        .ok_or_else(|| fail(format!("expected a line `{word} NUMBER bytes LENGTH`")))?;
        if length > MAX_RECORD_BYTES as u64 {
            return Err(fail(format!("{length} bytes are more than the {MAX_RECORD_BYTES} that are allowed")));
        }
        let mut bytes = vec![0; length as usize + 1];
        self.source.read_exact(&mut bytes).map_err(|e| fail(format!("its bytes cannot be read: {e}")))?;
        self.count(&bytes);
        if bytes.pop() != Some(b'\n') {
            return Err(fail("its bytes should be followed by a newline".into()));
        }
        Ok(Some((number, bytes)))
    }
}
