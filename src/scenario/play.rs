//! A scenario's steps, one after the other, at their moments.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rehearsal::Rehearsal;
use super::step::{Scenario, Step};
use crate::ledger::{Grant, NoteId, Notification, Profile, Reference, Timestamp, Treaty};
use crate::node::{Accepted, LogId, ReadError, Refusal};
use crate::note::{NoteError, SignedNote, SigningKey};
use crate::tlog::Hash;

/// How long before the first step the parties grant their officials' keys, in seconds.
const BEFORE: u64 = 86_400;

/// One party's keys.
#[derive(Clone)]
pub struct Keys {
    /// Signs the grant of the official's key.
    pub root: SigningKey,
    /// Signs heads.
    pub log: SigningKey,
    /// Cosigns.
    pub witness: SigningKey,
    /// Signs the notes.
    pub official: SigningKey,
    /// The official's title.
    pub title: String,
}

/// A step that was played: where its note stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// In whose log.
    pub log: LogId,
    /// Code of the party whose log it is.
    pub party: String,
    /// Its number there.
    pub index: u64,
    /// Its leaf hash.
    pub leaf: Hash,
}

/// Why a scenario could not be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlayError {
    /// The treaty's parties are not those of the scenario.
    #[error("the treaty's parties and their keys are not those of the scenario, in its order")]
    Parties,
    /// A node refused the note.
    #[error("`{step}`: the node of {party} refuses it: {why}")]
    Refused {
        /// The step.
        step: String,
        /// The sender.
        party: String,
        /// Why.
        why: Refusal,
    },
    /// A text cannot be signed as it is.
    #[error("`{step}`: {why}")]
    Note {
        /// The step.
        step: String,
        /// Why.
        why: NoteError,
    },
    /// A node did not answer.
    #[error("`{0}`: the node did not answer")]
    Unanswered(String),
    /// What a node had stored could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// A scenario under way.
pub struct Play<'a> {
    scenario: &'a Scenario,
    keys: &'a [Keys],
    treaty: Arc<Treaty>,
    /// The nodes.
    pub nodes: Rehearsal,
    /// The steps that were played, by their ids.
    pub told: BTreeMap<String, Told>,
    next: usize,
    /// Who goes out of reach (`false`) or comes back at which POSIX milliseconds, in order.
    turns: Vec<(u64, LogId, bool)>,
}

impl<'a> Play<'a> {
    /// Starts all parties' nodes a day before the first step, and lets each party grant its official's key.
    pub fn begin(
        scenario: &'a Scenario,
        treaty: &Arc<Treaty>,
        profile: &Arc<Profile>,
        keys: &'a [Keys],
    ) -> Result<Self, PlayError> {
        let codes = scenario.parties.iter().map(|party| &party.code);
        if !codes.eq(treaty.parties().iter().map(|party| &party.code)) || keys.len() != treaty.parties().len() {
            return Err(PlayError::Parties);
        }
        let start = Timestamp::from_posix(scenario.steps.first().map_or(0, |step| step.at.posix() - BEFORE));
        let pairs: Vec<_> = keys.iter().map(|keys| (keys.log.clone(), keys.witness.clone())).collect();
        let nodes = Rehearsal::start(treaty, profile, &pairs, start.posix() * 1000)?;
        let mut play = Self {
            scenario,
            keys,
            treaty: treaty.clone(),
            nodes,
            told: BTreeMap::new(),
            next: 0,
            turns: turns(scenario, treaty),
        };
        for (log, own) in keys.iter().enumerate() {
            play.grant(log, start, &own.official, &own.title)?;
        }
        Ok(play)
    }

    fn grant(&mut self, log: LogId, issued: Timestamp, key: &SigningKey, title: &str) -> Result<(), PlayError> {
        let grant = Grant {
            from: None,
            issued,
            key: key.public().clone(),
            kinds: vec!["*".into()],
            ledger: self.treaty.hash(),
            party: self.treaty.party(log).code.clone(),
            title: title.to_owned(),
            until: None,
        };
        let id = format!("grant of {}", grant.party);
        self.log(&id, log, &grant.to_text(), &self.keys[log].root).map(|_| ())
    }

    /// Plays the next step; `None` if there is none.
    pub fn step(&mut self) -> Result<Option<&'a Step>, PlayError> {
        let Some(step) = self.scenario.steps.get(self.next) else { return Ok(None) };
        self.next += 1;
        self.go_to(step.at)?;
        let Some(log) = self.treaty.find(&step.from) else { return Err(PlayError::Parties) };
        let text = self.notification(step).to_text();
        let (index, leaf) = self.log(&step.id, log, &text, &self.keys[log].official)?;
        self.told.insert(step.id.clone(), Told { log, party: step.from.clone(), index, leaf });
        Ok(Some(step))
    }

    /// Plays all steps that are left.
    pub fn finish(&mut self) -> Result<(), PlayError> {
        while self.step()?.is_some() {}
        Ok(())
    }

    fn log(&mut self, id: &str, log: LogId, text: &str, signer: &SigningKey) -> Result<(u64, Hash), PlayError> {
        let note = SignedNote::new(text.to_owned());
        let mut note = note.map_err(|why| PlayError::Note { step: id.to_owned(), why })?;
        note.sign(signer);
        match self.nodes.submit(log, note.to_bytes())? {
            Some(Ok(Accepted { index, leaf: Some(leaf), .. })) => Ok((index, leaf)),
            // Only a restart certificate has none, and no step is one.
            Some(Ok(_)) => Err(PlayError::Unanswered(id.to_owned())),
            Some(Err(why)) => {
                let party = self.treaty.party(log).code.clone();
                Err(PlayError::Refused { step: id.to_owned(), party, why })
            }
            None => Err(PlayError::Unanswered(id.to_owned())),
        }
    }

    /// The note of a step. Its id follows from the ledger and the step, so that playing it twice gives the same.
    fn notification(&self, step: &Step) -> Notification {
        let ledger = self.treaty.hash();
        let digest = Hash::digest(format!("{}\n{}\n", ledger.to_hex(), step.id).as_bytes());
        let mut id = [0; 16];
        id.copy_from_slice(&digest.0[..16]);
        let told = step.re.iter().filter_map(|id| self.told.get(id));
        Notification {
            attachments: Vec::new(),
            body: step.body.clone(),
            from: step.from.clone(),
            id: NoteId(id),
            issued: step.at,
            kind: step.kind.clone(),
            ledger,
            re: told.map(|at| Reference { index: at.index, leaf: at.leaf, log: at.party.clone() }).collect(),
            to: step.to.clone(),
        }
    }

    /// Lets time pass up to a moment; on the way parties go out of reach and come back.
    pub fn go_to(&mut self, moment: Timestamp) -> Result<(), PlayError> {
        let to = moment.posix() * 1000;
        let due = self.turns.iter().take_while(|(at, ..)| *at <= to).count();
        for (at, party, within) in self.turns.drain(..due).collect::<Vec<_>>() {
            self.nodes.advance(at);
            self.nodes.reach(party, within)?;
        }
        self.nodes.advance(to);
        Ok(())
    }
}

fn turns(scenario: &Scenario, treaty: &Treaty) -> Vec<(u64, LogId, bool)> {
    let mut turns = Vec::new();
    for away in &scenario.away {
        let Some(party) = treaty.find(&away.party) else { continue };
        turns.push((away.from.posix() * 1000, party, false));
        turns.extend(away.until.map(|until| (until.posix() * 1000, party, true)));
    }
    turns.sort_unstable();
    turns
}
