//! The layout of an export, and the lines of its lists of receipts.

use super::selection::Selection;
use crate::ledger::{Timestamp, Treaty};
use crate::tlog::Hash;

pub(super) const README: &str = "README.txt";
pub(super) const TREATY: &str = "treaty.toml";
pub(super) const PROFILE: &str = "profile.toml";
pub(super) const POLICY: &str = "policy.txt";
/// Stands in an export that is a part of the ledger, and says what was asked for.
pub(super) const PART: &str = "part.json";
/// Stands in an export that was interrupted; it is refused until it is finished.
pub(super) const UNFINISHED: &str = "UNFINISHED";
pub(super) const LOGS: &str = "logs";
pub(super) const FORKS: &str = "forks";
pub(super) const BRANCHES: &str = "branches";
pub(super) const RECORDS: &str = "records.txt";
pub(super) const KEYS: &str = "keys.txt";
pub(super) const CHECKPOINTS: &str = "checkpoints.txt";
pub(super) const RECEIPTS: &str = "receipts.txt";

/// The file of the branch that a log's certificate with this number, from 1, left.
pub(super) fn branch_file(code: &str, number: usize) -> String {
    format!("{BRANCHES}/{code}-{number}.txt")
}

/// The README, which follows from the treaty file and from what was asked for.
pub(super) fn readme(treaty: &Treaty, part: Option<&Selection>) -> String {
    let mut parties = String::new();
    for party in treaty.parties() {
        parties.push_str(&format!("  {:<8} {}\n", party.code, party.name));
    }
    let (what, how, file) = match part {
        None => (
            "everything that the parties to the treaty have sent to each\nother through it, with their signatures and their \
             receipts. It can be checked by anybody, offline:"
                .to_owned(),
            "every record of the log of party XX: a line `record NUMBER bytes LENGTH`, the record, a newline".to_owned(),
            String::new(),
        ),
        Some(part) => (
            format!(
                "a part of what the parties to the treaty have sent to each other\nthrough it. {}\nWhat is left out or \
                 withheld is counted and stands there as a hash, so that the proofs of the rest hold.\nIt can be checked by \
                 anybody, offline:",
                part.sentences().join("\n")
            ),
            "the log of party XX: a line `record NUMBER bytes LENGTH`, the record, a newline; `redacted NUMBER leaf HASH`\n    \
             for a note that is withheld; `omitted NUMBER count N` with the hashes of subtrees for what was not asked for"
                .to_owned(),
            format!("{PART}\n    what was asked for, and what was withheld\n"),
        ),
    };
    format!(
        "{title}\n\n\
         This folder is an export of the ledger `{name}`: {what}\n\n\
         \x20   verbale verify FOLDER --treaty treaty.toml\n\n\
         Take the treaty file from a source that you trust rather than from this folder. Its SHA-256 should be\n\n\
         \x20   {hash}\n\n\
         treaty.toml\n\
         \x20   the parties, their public keys, and the quorum of receipts that makes a note final\n\
         profile.toml\n\
         \x20   the kinds of notes that the treaty knows\n\
         policy.txt\n\
         \x20   the quorum in the form of C2SP tlog-policy\n\
         {file}logs/XX/records.txt\n\
         \x20   {how}\n\
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
