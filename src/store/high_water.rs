//! The high-water mark: the highest head that this party's log has signed, in a file outside the database and outside
//! its backups. A database restored from a backup is behind it, and the node sees that it must not sign yet.
//!
//! The file has two slots of 512 bytes, one sector each. Every update writes the slot that does not hold the newest
//! mark, in one write and one `fdatasync`: if the write is torn, the other slot still stands. A slot, numbers
//! big-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 24 | `verbale high-water v1` and zeroes |
//! | 32 | SHA-256 of the treaty file |
//! | 8 | the party's code and zeroes |
//! | 8 | number of the update |
//! | 8 | size of the head; 0 before the first one |
//! | 32 | its root |
//! | 32 | SHA-256 of the bytes before |
//! | 368 | zeroes |

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::sync_folder;
use crate::node::Cosigned;
use crate::tlog::{Hash, empty_root};

const SLOT: usize = 512;
const MAGIC: &[u8; 24] = b"verbale high-water v1\0\0\0";
const PREFIX: usize = 24 + 32 + 8;
const SIGNED: usize = PREFIX + 8 + 8 + 32;

/// Why the mark cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HighWaterError {
    /// The operating system refused it.
    #[error("{0}")]
    Io(String),
    /// Neither slot can be read.
    #[error(
        "the high-water mark {} is damaged. Nothing else on this machine says how far this party's log was signed. \
         Move the file away and start the node while other parties' nodes can be reached: it asks them how far its log \
         goes before it signs, and makes the file anew", .0.display()
    )]
    Damaged(PathBuf),
    /// It is of another treaty file or another party.
    #[error("the high-water mark {} belongs to another party or another treaty file", .0.display())]
    Foreign(PathBuf),
    /// Two heads of one size.
    #[error(
        "the high-water mark has another root at size {0} than the head that is to be signed: signing it would fork the log"
    )]
    Contradicts(u64),
}

/// The open file.
#[derive(Debug)]
pub struct HighWater {
    file: File,
    path: PathBuf,
    prefix: [u8; PREFIX],
    /// Number of the newest update, which stands in the slot of its parity.
    number: u64,
    mark: Cosigned,
    failed: Option<HighWaterError>,
}

impl HighWater {
    /// Opens a party's file, and makes it if there is none. `treaty` is the hash of the treaty file.
    pub fn open(path: &Path, treaty: &Hash, party: &str) -> Result<Self, HighWaterError> {
        let io = |what: &str, e: std::io::Error| HighWaterError::Io(format!("cannot {what} {}: {e}", path.display()));
        let mut prefix = [0; PREFIX];
        prefix[..24].copy_from_slice(MAGIC);
        prefix[24..56].copy_from_slice(&treaty.0);
        // Codes are at most eight bytes long.
        for (to, from) in prefix[56..].iter_mut().zip(party.bytes()) {
            *to = from;
        }
        let open = || OpenOptions::new().read(true).write(true).open(path);
        let file = match open() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                create(path, &prefix).map_err(|e| io("make", e))?;
                open()
            }
            other => other,
        };
        let file = file.map_err(|e| io("open", e))?;
        let mut newest: Option<(u64, Cosigned)> = None;
        let mut foreign = false;
        for at in 0..2 {
            let mut slot = [0; SLOT];
            match file.read_exact_at(&mut slot, at * SLOT as u64) {
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => continue,
                other => other.map_err(|e| io("read", e))?,
            }
            let Some((theirs, number, mark)) = parse(&slot) else { continue };
            foreign |= theirs != prefix;
            if newest.is_none_or(|(before, _)| before < number) {
                newest = Some((number, mark));
            }
        }
        if foreign {
            return Err(HighWaterError::Foreign(path.to_owned()));
        }
        let (number, mark) = newest.ok_or_else(|| HighWaterError::Damaged(path.to_owned()))?;
        Ok(Self { file, path: path.to_owned(), prefix, number, mark, failed: None })
    }

    /// The highest head; `None` before the first one.
    pub fn mark(&self) -> Option<Cosigned> {
        (self.mark.size > 0).then_some(self.mark)
    }

    /// Moves the mark up to a head, and returns once it is on disk. A lower head changes nothing: a node that takes
    /// its own log back passes by what it signed before. After a write error every later call fails.
    pub fn update(&mut self, head: Cosigned) -> Result<(), HighWaterError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if head.size == self.mark.size && head.root != self.mark.root {
            return Err(HighWaterError::Contradicts(head.size));
        }
        if head.size <= self.mark.size { Ok(()) } else { self.replace(head) }
    }

    /// Sets the mark to a head, also to a lower one: what it named before is on a branch of the log that does not go on,
    /// by a restart certificate.
    pub fn replace(&mut self, head: Cosigned) -> Result<(), HighWaterError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let number = self.number + 1;
        let slot = slot(&self.prefix, number, &head);
        let written = self.file.write_all_at(&slot, (number % 2) * SLOT as u64).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            let error = HighWaterError::Io(format!("cannot write {}: {error}", self.path.display()));
            self.failed = Some(error.clone());
            return Err(error);
        }
        (self.number, self.mark) = (number, head);
        Ok(())
    }
}

/// Makes the file whole under another name first: a file that is half there would look damaged.
fn create(path: &Path, prefix: &[u8; PREFIX]) -> std::io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let draft = PathBuf::from(name);
    let none = Cosigned { size: 0, root: empty_root() };
    let file = File::create(&draft)?;
    file.write_all_at(&slot(prefix, 0, &none), 0)?;
    file.write_all_at(&slot(prefix, 1, &none), SLOT as u64)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    sync_folder(folder.unwrap_or(Path::new(".")))
}

fn slot(prefix: &[u8; PREFIX], number: u64, head: &Cosigned) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    let text = [&prefix[..], &number.to_be_bytes(), &head.size.to_be_bytes(), &head.root.0].concat();
    slot[..SIGNED].copy_from_slice(&text);
    slot[SIGNED..SIGNED + 32].copy_from_slice(&Hash::digest(&text).0);
    slot
}

fn parse(slot: &[u8; SLOT]) -> Option<([u8; PREFIX], u64, Cosigned)> {
    let (text, rest) = slot.split_first_chunk::<SIGNED>()?;
    let (sum, rest) = rest.split_first_chunk::<32>()?;
    if Hash::digest(text).0 != *sum || rest.iter().any(|byte| *byte != 0) || !text.starts_with(MAGIC) {
        return None;
    }
    let (prefix, rest) = text.split_first_chunk::<PREFIX>()?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    let (size, rest) = rest.split_first_chunk::<8>()?;
    let root = Hash(*rest.first_chunk::<32>()?);
    Some((*prefix, u64::from_be_bytes(*number), Cosigned { size: u64::from_be_bytes(*size), root }))
}
