//! What the engine knows, published after each step for whoever asks.

use crate::node::{Engine, LogId, Mode, NoRoom};

/// One log, as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStatus {
    /// Records held.
    pub size: u64,
    /// Size of the largest head seen signed.
    pub known: u64,
    /// Up to here it has the quorum's receipts.
    pub final_size: u64,
    /// Up to which size each party has receipted it.
    pub receipted: Vec<u64>,
    /// So many amendments hold in it.
    pub amendments: usize,
    /// Its party is a former one, by this node's clock.
    pub former: bool,
    /// It was proved to have forked.
    pub forked: bool,
    /// Sizes of signed heads of it of which only missing records tell whether they contradict it: until then this node gives
    /// it no receipts.
    pub in_doubt: Vec<u64>,
    /// Why nothing more of it is fetched for the time being, although there is more.
    pub not_fetched: Option<NoRoom>,
    /// Whether the party's node is connected, and by how many milliseconds its clock is ahead.
    pub peer: Option<Option<i64>>,
}

/// The node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Whether it signs, and if not, why.
    pub mode: Mode,
    /// The logs, in the treaty file's order.
    pub logs: Vec<LogStatus>,
}

impl Status {
    pub(super) fn of(engine: &Engine) -> Self {
        let log = |log: LogId| LogStatus {
            amendments: engine.adoption(log).last().number,
            former: engine.is_former(log),
            size: engine.size(log),
            known: engine.known_size(log),
            final_size: engine.final_size(log),
            receipted: engine.receipted(log).to_vec(),
            forked: engine.fork(log).is_some(),
            in_doubt: engine.doubts(log),
            not_fetched: engine.not_fetched(log),
            peer: engine.peer(log),
        };
        Self { mode: engine.mode(), logs: (0..engine.treaty().parties().len()).map(log).collect() }
    }
}
