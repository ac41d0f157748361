//! Alarms: raised once when something begins, and told again once when it ends; kept across restarts, as are the
//! messages to a webhook that nobody has taken yet.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::witness::replace_synced;
use crate::ledger::Timestamp;

/// Most messages that wait for a webhook; the oldest is given up for a new one.
const MAX_WAITING: usize = 1000;
/// First and longest pause before a message is sent again, in seconds.
const FIRST_PAUSE: u64 = 5;
const LONGEST_PAUSE: u64 = 3600;

/// Something that somebody should look into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// A stable word: `fork`, `rollback`, `refused`, `unreachable`, `stale`, `no-quorum`, `no-receipt`, `deadline`.
    pub kind: String,
    /// Code of the party whose log it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    /// What makes it this alarm and no other.
    pub key: String,
    /// One sentence.
    pub text: String,
}

/// An alarm that is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Active {
    /// The alarm.
    pub alarm: Alarm,
    /// Since when.
    pub since: Timestamp,
}

/// An alarm that began or ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// `raised` or `cleared`.
    pub event: String,
    /// When.
    pub time: Timestamp,
    /// Since when the alarm is, or was, on.
    pub since: Timestamp,
    /// The alarm.
    pub alarm: Alarm,
}

/// A message that a webhook has not taken yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// What is to be told.
    pub change: Change,
    /// How often it was sent in vain.
    pub failed: u32,
    /// When to send it next, in POSIX seconds.
    pub next: u64,
}

/// What is remembered across restarts.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    active: BTreeMap<String, Active>,
    waiting: VecDeque<Waiting>,
}

/// All alarms that are on, and the messages about them.
pub struct Alarms {
    path: PathBuf,
    memory: Memory,
}

impl Alarms {
    /// Reads what is remembered; nothing, if the file is not there.
    pub fn open(path: &Path) -> io::Result<Self> {
        let memory = match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Memory::default(),
            Err(error) => return Err(error),
        };
        Ok(Self { path: path.to_owned(), memory })
    }

    /// What is on now.
    pub fn active(&self) -> impl Iterator<Item = &Active> {
        self.memory.active.values()
    }

    /// Takes in all that is the case now: what began, and what ended. With `tell`, messages wait for a webhook; they are
    /// on disk when this returns.
    pub fn update(&mut self, now: Timestamp, alarms: Vec<Alarm>, tell: bool) -> io::Result<Vec<Change>> {
        let current: BTreeMap<_, _> = alarms.into_iter().map(|alarm| (alarm.key.clone(), alarm)).collect();
        let mut changes = Vec::new();
        let change = |event: &str, active: &Active| Change {
            event: event.to_owned(),
            time: now,
            since: active.since,
            alarm: active.alarm.clone(),
        };
        self.memory.active.retain(|key, active| {
            let goes_on = current.contains_key(key);
            if !goes_on {
                changes.push(change("cleared", active));
            }
            goes_on
        });
        for (key, alarm) in current {
            match self.memory.active.get_mut(&key) {
                Some(active) => active.alarm = alarm,
                None => {
                    let active = Active { alarm, since: now };
                    changes.push(change("raised", &active));
                    self.memory.active.insert(key, active);
                }
            }
        }
        if tell {
            for change in &changes {
                if self.memory.waiting.len() == MAX_WAITING {
                    self.memory.waiting.pop_front();
                }
                self.memory.waiting.push_back(Waiting { change: change.clone(), failed: 0, next: now.posix() });
            }
        }
        self.save()?;
        Ok(changes)
    }

    /// The first message that is due at a time; they go in their order, so that nobody hears of an end before the
    /// beginning.
    pub fn due(&self, now: u64) -> Option<&Change> {
        self.memory.waiting.front().filter(|waiting| waiting.next <= now).map(|waiting| &waiting.change)
    }

    /// When the next message is to be sent, in POSIX seconds.
    pub fn next_due(&self) -> Option<u64> {
        self.memory.waiting.front().map(|waiting| waiting.next)
    }

    /// Messages that wait.
    pub fn waiting(&self) -> usize {
        self.memory.waiting.len()
    }

    /// The first message was taken.
    pub fn taken(&mut self) -> io::Result<()> {
        self.memory.waiting.pop_front();
        self.save()
    }

    /// The first message was not taken: it is due again later, and each time later.
    pub fn failed(&mut self, now: u64) -> io::Result<()> {
        if let Some(waiting) = self.memory.waiting.front_mut() {
            let pause = FIRST_PAUSE.saturating_mul(1 << waiting.failed.min(20)).min(LONGEST_PAUSE);
            waiting.failed += 1;
            waiting.next = now + pause;
        }
        self.save()
    }

    fn save(&self) -> io::Result<()> {
        replace_synced(&self.path, &serde_json::to_vec_pretty(&self.memory).map_err(io::Error::other)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(key: &str) -> Alarm {
        Alarm { kind: "stale".into(), party: None, key: key.into(), text: format!("about {key}") }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_posix(seconds)
    }

    #[test]
    fn an_alarm_is_told_once_when_it_begins_and_once_when_it_ends_also_across_restarts() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Alarms::open(&dir.path().join("alarms.json")).unwrap();
        let events = |changes: &[Change]| {
            changes.iter().map(|c| (c.event.clone(), c.alarm.key.clone(), c.since.posix())).collect::<Vec<_>>()
        };
        let raised = open().update(at(10), vec![alarm("a"), alarm("b"), alarm("a")], false).unwrap();
        assert_eq!(events(&raised), [("raised".into(), "a".into(), 10), ("raised".into(), "b".into(), 10)]);
        assert_eq!(open().update(at(20), vec![alarm("a"), alarm("b")], false).unwrap(), []);
        let cleared = open().update(at(30), vec![alarm("b")], false).unwrap();
        assert_eq!(events(&cleared), [("cleared".into(), "a".into(), 10)]);
        assert_eq!(open().active().count(), 1);
    }

    #[test]
    fn a_message_waits_until_it_is_taken_and_longer_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Alarms::open(&dir.path().join("alarms.json")).unwrap();
        open().update(at(10), vec![alarm("a")], true).unwrap();
        open().update(at(11), vec![], true).unwrap();
        assert_eq!(open().due(10).unwrap().event, "raised");
        let mut now = 10;
        for pause in [5, 10, 20] {
            open().failed(now).unwrap();
            assert_eq!(open().due(now + pause - 1), None, "the second message does not overtake the first");
            now += pause;
            assert_eq!(open().due(now).unwrap().event, "raised");
        }
        open().taken().unwrap();
        assert_eq!(open().due(now).unwrap().event, "cleared");
        (0..40).for_each(|_| open().failed(now).unwrap());
        assert_eq!(open().next_due(), Some(now + LONGEST_PAUSE));
        open().taken().unwrap();
        assert_eq!((open().waiting(), open().due(u64::MAX)), (0, None));
    }
}
