//! Whether this node may sign.
//!
//! A node that was restored from a backup must not sign a second head of a size that it signed before. So after every
//! start it asks its peers for its own log, takes back what they have more of, and compares what it holds with its
//! high-water mark, before it signs anything.

use std::fmt;

use super::engine::{Engine, Event};
use super::storage::{Cosigned, Read, ReadError};

/// Whether a node signs, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case", tag = "mode")]
pub enum Mode {
    /// It signs.
    Signing,
    /// No peer has answered since the start which head of this log it holds.
    Unheard,
    /// Some peers have answered; others may still.
    Settling,
    /// Peers hold more of this log, and its records are being taken back.
    Behind {
        /// Records held.
        have: u64,
        /// Size of the largest head that was seen signed by this log.
        known: u64,
    },
    /// The high-water mark names a head that the records held, and those of all peers that answered, do not reach.
    BelowHighWater {
        /// Records held.
        have: u64,
        /// Size by the high-water mark.
        known: u64,
    },
    /// The keys that are in force for this log are not here.
    WithoutKey,
    /// Two contradictory heads of this log exist, or the records held contradict the high-water mark.
    Contradicted,
}

impl Mode {
    /// Whether a node in this mode signs.
    pub fn signs(&self) -> bool {
        *self == Self::Signing
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signing => f.write_str("it signs"),
            Self::Unheard => f.write_str(
                "since it started no other party's node has answered which part of this log it holds, \
                 and signing without knowing could contradict what was signed before",
            ),
            Self::Settling => f.write_str(
                "some parties' nodes have answered which part of this log they hold; it waits a moment for the others",
            ),
            Self::Behind { have, known } => {
                write!(
                    f,
                    "other parties hold {known} records of this log and it has {have}; it is taking its own records back"
                )
            }
            Self::BelowHighWater { have, known } => write!(
                f,
                "this log was signed up to {known} records, of which this node has {have}, \
                 and no party that answered has the missing ones"
            ),
            Self::WithoutKey => f.write_str(
                "the log key or the witness key that is in force by this party's log is not in the keys folder; \
                 if it is lost, the root key puts another one in its place",
            ),
            Self::Contradicted => f.write_str(
                "this log contradicts itself: two heads were signed that cannot both be of one log, \
                 or the data folder is not the one that belongs to this log",
            ),
        }
    }
}

impl Engine {
    /// Decides anew whether this node signs.
    pub(super) fn review_mode(&mut self, read: &dyn Read) -> Result<(), ReadError> {
        let mode = self.judge(read)?;
        if mode != self.mode {
            if !mode.signs() {
                self.take_back_unsigned(mode);
            }
            self.mode = mode;
            self.event(Event::Mode(mode));
            if mode.signs() {
                self.log_restart();
            }
        }
        Ok(())
    }

    fn judge(&mut self, read: &dyn Read) -> Result<Mode, ReadError> {
        let mode = self.judge_log(read)?;
        Ok(if mode.signs() && !self.has_its_keys() { Mode::WithoutKey } else { mode })
    }

    fn judge_log(&mut self, read: &dyn Read) -> Result<Mode, ReadError> {
        let me = self.config.me;
        let own = &mut self.logs[me];
        if own.fork.is_some() || self.mode == Mode::Contradicted {
            return Ok(Mode::Contradicted);
        }
        let (have, known) = (own.size(), own.known_size());
        if self.mode.signs() && known <= have {
            return Ok(Mode::Signing);
        }
        if known > have {
            return Ok(Mode::Behind { have, known });
        }
        // What was signed on a branch that the root has accepted binds this log no longer: it goes on with another.
        if let Some(mark) = self.config.high_water
            && !self.logs[me].restarts.is_empty()
            && self.own_root(me, mark.size, read)? != Some(mark.root)
            && self.on_branch(me, mark.size, &mark.root, read)? != Some(false)
        {
            (self.config.high_water, self.left_high_water) = (None, true);
        }
        if let Some(mark) = self.config.high_water {
            if mark.size > have {
                let heard = self.heard_enough();
                let known = mark.size;
                return Ok(if heard { Mode::BelowHighWater { have, known } } else { self.unheard() });
            }
            if self.own_root(me, mark.size, read)? != Some(mark.root) {
                return Ok(Mode::Contradicted);
            }
        }
        Ok(if self.heard_enough() || self.config.sign_without_peers { Mode::Signing } else { self.unheard() })
    }

    /// Notes the own log's new head for the high-water mark, which never falls: what peers give back of a lost log may
    /// reach less far than what was signed.
    pub(super) fn raise_high_water(&mut self, head: Cosigned) {
        if self.config.high_water.is_none_or(|before| before.size < head.size) {
            self.config.high_water = Some(head);
            self.batch.high_water = Some(head);
            self.batch.left_high_water |= std::mem::take(&mut self.left_high_water);
        }
    }

    fn unheard(&self) -> Mode {
        if self.first_answer_ms.is_some() { Mode::Settling } else { Mode::Unheard }
    }

    /// At least one party has answered, and all have or the others were given their time.
    fn heard_enough(&self) -> bool {
        let others = self.config.treaty.parties().len() - 1;
        self.answered.len() >= others
            || self.first_answer_ms.is_some_and(|first| self.passed_ms.saturating_sub(first) >= self.config.settle_ms)
    }
}
