//! The framing of an export's files: records, heads, and what stands for records that are not shown.

use std::io::{self, BufRead, Read, Write};

use crate::ledger::MAX_RECORD_BYTES;
use crate::tlog::{Hash, subtrees};

/// Longest line that is not a record's or a checkpoint's own, in bytes.
const MAX_LINE_BYTES: u64 = 256;

/// One item of `records.txt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// A record, by its number.
    Record(u64, Vec<u8>),
    /// A note that is withheld: its number and its leaf hash.
    Redacted(u64, Hash),
    /// Records that were not asked for: the first one's number, how many, and the roots of the complete subtrees that they
    /// make up, from the left.
    Omitted(u64, u64, Vec<Hash>),
}

/// Writes an item in its frame.
pub(super) fn write_frame(out: &mut impl Write, word: &str, number: u64, bytes: &[u8]) -> io::Result<()> {
    writeln!(out, "{word} {number} bytes {}", bytes.len())?;
    out.write_all(bytes)?;
    out.write_all(b"\n")
}

/// Writes what stands for a note that is withheld.
pub(super) fn write_redacted(out: &mut impl Write, number: u64, leaf: Hash) -> io::Result<()> {
    writeln!(out, "redacted {number} leaf {}", leaf.to_base64())
}

/// Writes what stands for records that were not asked for.
pub(super) fn write_omitted(out: &mut impl Write, from: u64, count: u64, roots: &[Hash]) -> io::Result<()> {
    writeln!(out, "omitted {from} count {count}")?;
    roots.iter().try_for_each(|root| writeln!(out, "{}", root.to_base64()))
}

/// What is wrong with a file at a place.
#[derive(Clone, Debug)]
pub(super) struct Broken {
    /// The line, from 1.
    pub line: u64,
    /// The byte at which the item begins, from 0.
    pub byte: u64,
    pub expected: String,
    pub found: String,
}

impl Broken {
    /// In one sentence.
    pub fn what(&self) -> String {
        format!("line {}: expected {}; found {}", self.line, self.expected, self.found)
    }
}

/// Reads a file of lines or frames, one at a time, and counts lines and bytes.
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

    /// What it reads from.
    pub fn into_inner(self) -> R {
        self.source
    }

    /// A fault at the place where the reader stands.
    pub fn broken(&self, expected: impl Into<String>, found: impl Into<String>) -> Broken {
        Broken { line: self.line, byte: self.bytes, expected: expected.into(), found: found.into() }
    }

    fn count(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.line += bytes.iter().filter(|b| **b == b'\n').count() as u64;
    }

    /// The next line with its newline; `None` at the end of the file.
    pub fn next_line(&mut self) -> Result<Option<String>, Broken> {
        let mut bytes = Vec::new();
        let read = (&mut self.source).take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes);
        read.map_err(|e| self.broken("bytes that can be read", e.to_string()))?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let short = "a line of at most 256 bytes that ends in a newline";
        if !bytes.ends_with(b"\n") {
            return Err(self.broken(short, "a line that is longer, or cut off"));
        }
        let line = String::from_utf8(bytes).map_err(|_| self.broken(short, "bytes that are not UTF-8 text"))?;
        self.count(line.as_bytes());
        Ok(Some(line))
    }

    /// The bytes of an item whose first line was read.
    fn item(&mut self, length: u64, start: &Broken) -> Result<Vec<u8>, Broken> {
        let fail = |found: String| Broken { found, ..start.clone() };
        if length > MAX_RECORD_BYTES as u64 {
            return Err(Broken {
                expected: format!("at most {MAX_RECORD_BYTES} bytes"),
                found: format!("a length of {length}"),
                ..start.clone()
            });
        }
        let mut bytes = vec![0; length as usize + 1];
        self.source.read_exact(&mut bytes).map_err(|e| fail(format!("its {length} bytes cannot be read: {e}")))?;
        self.count(&bytes);
        if bytes.pop() != Some(b'\n') {
            return Err(fail(format!("no newline after its {length} bytes")));
        }
        Ok(bytes)
    }

    /// The next framed item with its number; `None` at the end of the file.
    pub fn next_frame(&mut self, word: &str) -> Result<Option<(u64, Vec<u8>)>, Broken> {
        let start = self.broken(format!("a line `{word} NUMBER bytes LENGTH` and so many bytes"), "");
        let Some(line) = self.next_line()? else { return Ok(None) };
        let parts: Vec<_> = line.trim_end_matches('\n').split(' ').collect();
        let numbers = match parts.as_slice() {
            [w, n, "bytes", length] if *w == word => number(n).zip(number(length)),
            _ => None,
        };
        let Some((number, length)) = numbers else { return Err(Broken { found: quoted(&line), ..start }) };
        Ok(Some((number, self.item(length, &start)?)))
    }

    /// The next item of `records.txt`; `None` at the end of the file. In an export of everything only records stand.
    pub fn next_record(&mut self, part: bool) -> Result<Option<Frame>, Broken> {
        let expected =
            if part { "`record …`, `redacted …` or `omitted …`" } else { "a line `record NUMBER bytes LENGTH`" };
        let start = self.broken(expected, "");
        let Some(line) = self.next_line()? else { return Ok(None) };
        let fail = |found: String| Broken { found, ..start.clone() };
        let parts: Vec<_> = line.trim_end_matches('\n').split(' ').collect();
        let frame = match parts.as_slice() {
            ["record", n, "bytes", length] => match number(n).zip(number(length)) {
                Some((number, length)) => Some(Frame::Record(number, self.item(length, &start)?)),
                None => None,
            },
            ["redacted", n, "leaf", leaf] if part => {
                number(n).zip(Hash::from_base64(leaf)).map(|(number, leaf)| Frame::Redacted(number, leaf))
            }
            ["omitted", n, "count", count] if part => match number(n).zip(number(count).filter(|count| *count > 0)) {
                Some((from, count)) => {
                    let to = from.checked_add(count).ok_or_else(|| fail(quoted(&line)))?;
                    let mut roots = Vec::new();
                    for _ in subtrees(from, to) {
                        let at = self.broken("a hash in base64", "");
                        let hash = self.next_line()?.unwrap_or_default();
                        let read = hash.strip_suffix('\n').and_then(Hash::from_base64);
                        roots.push(read.ok_or_else(|| Broken { found: quoted(&hash), ..at })?);
                    }
                    Some(Frame::Omitted(from, count, roots))
                }
                None => None,
            },
            _ => None,
        };
        frame.map(Some).ok_or_else(|| fail(quoted(&line)))
    }
}

fn number(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().filter(|n| n.to_string() == text)
}

/// A line as it is shown to people: short, and nothing in it steers a terminal.
pub(super) fn quoted(line: &str) -> String {
    let line = line.trim_end_matches('\n');
    let short: String = line.chars().take(80).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if short.is_empty() { "nothing".into() } else { format!("`{short}`") }
}
