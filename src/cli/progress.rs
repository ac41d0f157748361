//! Progress of long work, on standard error: a bar on a terminal, a line now and then in a pipe, nothing with `--json`.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Time between two lines in a pipe. What is done sooner says nothing.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// A bar under a word for the work; none if `silent`.
pub fn bar(what: &'static str, silent: bool) -> ProgressBar {
    counted(what, "records", silent)
}

/// The same, for work that is counted in other things than records.
pub fn counted(what: &'static str, things: &str, silent: bool) -> ProgressBar {
    if silent {
        return ProgressBar::hidden();
    }
    styled(&format!("{{msg}} {{wide_bar}} {{pos}} of {{len}} {things}, {{eta}} left")).with_message(what)
}

fn styled(template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    // The templates are constants: where one could not be read, the plain bar does.
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Records of the ledger.
    Records,
    /// Bytes of files.
    Bytes,
}

impl Unit {
    fn template(self) -> &'static str {
        match self {
            Self::Records => "{msg} {wide_bar} {pos} of {len} records, {eta} left",
            Self::Bytes => "{msg} {wide_bar} {bytes} of {total_bytes}, {eta} left",
        }
    }
}

/// How far some work is, which may have several stages.
pub struct Progress {
    bar: ProgressBar,
    /// Whether lines are written instead of the bar.
    lines: bool,
    last: Instant,
    stage: &'static str,
}

impl Progress {
    /// Nothing is shown if `silent`.
    pub fn new(silent: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = if silent || !terminal { ProgressBar::hidden() } else { styled(Unit::Records.template()) };
        Self { bar, lines: !silent && !terminal, last: Instant::now(), stage: "" }
    }

    /// So much of a stage is done.
    pub fn show(&mut self, stage: &'static str, unit: Unit, done: u64, total: u64) {
        if self.stage != stage {
            self.stage = stage;
            self.bar.reset();
            self.bar.set_message(stage);
            if let Ok(style) = ProgressStyle::with_template(unit.template()) {
                self.bar.set_style(style);
            }
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
        if self.lines && self.last.elapsed() >= BETWEEN_LINES {
            self.last = Instant::now();
            let unit = if unit == Unit::Records { "records" } else { "bytes" };
            // Nobody may be reading.
            let _ = writeln!(std::io::stderr(), "{stage}: {done} of {total} {unit}");
        }
    }

    /// The work has ended, well or not.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}
