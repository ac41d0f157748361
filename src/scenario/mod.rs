//! A scenario: what parties sent each other and when, as data; played through real engines in a simulated clock.
//!
//! A step is logged at its historical moment, and receipted when it arrives. What comes out are ordinary logs, whose
//! times are those of the history: whatever is computed from a ledger can be computed from them.

mod play;
mod rehearsal;
mod step;

pub use play::{Keys, Play, PlayError, Told};
pub use rehearsal::{Rehearsal, Written};
pub use step::{Away, Basis, Known, MAX_SCENARIO_BYTES, Player, Scenario, ScenarioError, Step};
