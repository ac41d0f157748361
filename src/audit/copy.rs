//! One log of an export folder, whole: for whoever has to name where two copies of it part.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::frame::{Frame, Reader};
use crate::ledger::Record;
use crate::note::SignedNote;
use crate::tlog::{Appender, Checkpoint, Hash, TileWrite, Tiles, leaf_hash};

/// A copy of a log, held in memory: its records chain and lead to its last signed head.
#[derive(Debug)]
pub struct LogCopy {
    /// The records' bytes.
    pub records: Vec<Vec<u8>>,
    /// The last head.
    pub head: SignedNote,
    /// What it says.
    pub checkpoint: Checkpoint,
    tiles: Vec<TileWrite>,
}

impl Tiles for LogCopy {
    type Error = std::convert::Infallible;
    fn tile(&self, level: u8, n: u64) -> Result<Vec<Hash>, Self::Error> {
        let found = self.tiles.iter().find(|tile| tile.level == level && tile.n == n);
        Ok(found.map(|tile| tile.hashes.clone()).unwrap_or_default())
    }
}

impl LogCopy {
    /// Reads a party's log from an export folder. Its head's signature is not verified here.
    pub fn read(folder: &Path, code: &str, origin: &str, first: Hash) -> Result<Self, String> {
        let path = |name: &str| folder.join("logs").join(code).join(name);
        let open = |name: &str| {
            let path = path(name);
            File::open(&path).map(BufReader::new).map_err(|e| format!("cannot read {}: {e}", path.display()))
        };
        let broken = |name: &str, what: String| format!("{}: {what}", path(name).display());
        let (mut records, mut edge, mut tiles, mut prev) = (Vec::new(), Appender::default(), Vec::new(), first);
        let mut reader = Reader::new(open("records.txt")?);
        while let Some(frame) = reader.next_record(false).map_err(|e| broken("records.txt", e.what()))? {
            let Frame::Record(number, bytes) = frame else { continue };
            Record::parse_at(&bytes, origin, records.len() as u64, &prev)
                .map_err(|e| broken("records.txt", format!("record {number}: {e}")))?;
            prev = leaf_hash(&bytes);
            edge.push(prev, &mut tiles);
            records.push(bytes);
        }
        tiles.extend(edge.partial_tiles());
        let mut reader = Reader::new(open("checkpoints.txt")?);
        let mut last = None;
        while let Some((_, bytes)) = reader.next_frame("checkpoint").map_err(|e| broken("checkpoints.txt", e.what()))? {
            last = Some(bytes);
        }
        let note = last.and_then(|bytes| SignedNote::parse(&bytes).ok());
        let head = note.and_then(|note| Checkpoint::parse(note.text()).ok().map(|checkpoint| (note, checkpoint)));
        let (head, checkpoint) = head.ok_or_else(|| broken("checkpoints.txt", "there is no head in it".to_owned()))?;
        if checkpoint.size != records.len() as u64 || checkpoint.root != edge.root() {
            return Err(broken("checkpoints.txt", "the records do not lead to the last head".to_owned()));
        }
        Ok(Self { records, head, checkpoint, tiles })
    }
}
