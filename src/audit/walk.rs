//! One log's three files, read side by side.

use std::fs::File;
use std::io::BufReader;

use super::folder::{Broken, CHECKPOINTS, RECEIPTS, Reader, ReceiptLine};
use super::report::LogReport;
use crate::ledger::{Adoption, KeyHistory, Keyring, Treaty};
use crate::note::SignedNote;
use crate::tlog::{Appender, Checkpoint, Hash};

/// One of a log's files while it is read.
pub(super) type Source = Reader<BufReader<File>>;

/// One log while its files are read.
pub(super) struct Walk {
    pub log: usize,
    pub records: Source,
    pub checkpoints: Source,
    pub receipts: Source,
    /// The next head, verified, and its line.
    pub checkpoint: Option<(Checkpoint, u64)>,
    /// The next line of `receipts.txt`.
    pub receipt: Option<ReceiptLine>,
    pub edge: Appender,
    pub last_leaf: Hash,
    last_receipt: Option<ReceiptLine>,
    pub receipted: Vec<u64>,
    /// Size of the last head to which the records led.
    pub good: u64,
    /// Size of the largest head that is known to be signed.
    pub signed: u64,
    pub adoption: Adoption,
    /// The log's keys, by the records that were read.
    pub keys: KeyHistory,
    pub out: LogReport,
}

impl Walk {
    pub fn new(treaty: &Treaty, log: usize, [records, checkpoints, receipts]: [Source; 3]) -> Self {
        Self {
            log,
            records,
            checkpoints,
            receipts,
            checkpoint: None,
            receipt: None,
            edge: Appender::default(),
            last_leaf: treaty.hash(),
            last_receipt: None,
            receipted: vec![0; treaty.parties().len()],
            good: 0,
            signed: 0,
            adoption: Adoption::default(),
            keys: Keyring::new(treaty).party(log).clone(),
            out: LogReport { party: treaty.party(log).code.clone(), ..LogReport::default() },
        }
    }

    pub fn bytes(&self) -> u64 {
        self.records.bytes + self.checkpoints.bytes + self.receipts.bytes
    }

    pub fn next_checkpoint(&mut self, keys: &KeyHistory) -> Result<(), (&'static str, Broken)> {
        let line = self.checkpoints.line;
        let fail = |what: String| (CHECKPOINTS, Broken { line, what });
        let Some((number, bytes)) = self.checkpoints.next_frame("checkpoint").map_err(|b| (CHECKPOINTS, b))? else {
            return Ok(());
        };
        let note = SignedNote::parse(&bytes).map_err(|e| fail(e.to_string()))?;
        let checkpoint = keys.verify_head(&note).map_err(|e| fail(e.to_string()))?;
        let bare = keys.bare(&note, checkpoint.size, u64::MAX).map_err(|e| fail(e.to_string()))?;
        if checkpoint.size != number || bare.to_bytes() != bytes {
            return Err(fail("expected this head with the log's own signature and nothing else".into()));
        }
        self.signed = self.signed.max(number);
        self.checkpoint = Some((checkpoint, line));
        Ok(())
    }

    pub fn next_receipt(&mut self, treaty: &Treaty) -> Result<(), (&'static str, Broken)> {
        let fail = |line, what: &str| (RECEIPTS, Broken { line, what: what.to_owned() });
        let at = self.receipts.line;
        self.receipt = None;
        let Some(text) = self.receipts.next_line().map_err(|b| (RECEIPTS, b))? else { return Ok(()) };
        let line = ReceiptLine::parse(&text, treaty).filter(|line| line.by != self.log);
        let line = line.ok_or_else(|| fail(at, "not a line `size … root … by … record … time …`"))?;
        if self.last_receipt.is_some_and(|last| last >= line) {
            return Err(fail(at, "receipts should stand by size, party and record, each once"));
        }
        (self.last_receipt, self.receipt) = (Some(line), Some(line));
        Ok(())
    }
}
