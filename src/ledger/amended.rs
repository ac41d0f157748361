//! The treaty as it stands: the treaty file and a chain of amendments, as a whole and at a place of a log.
//!
//! Which amendments hold at a place is a function of that log alone. Every party logs each amendment as a record of its
//! own log, as soon as it knows it; in that log it holds from this very record on. So a reader needs no other log to
//! judge a record, an evidence file carries amendments as it carries credentials, and nobody's clock or network decides.

use std::borrow::Cow;
use std::sync::Arc;

use super::amendment::{Amendment, AmendmentError, AmendmentRule, Change, MAX_AMENDMENTS, Signatures};
use super::profile::Profile;
use super::time::Timestamp;
use super::treaty::{MAX_PARTIES, Role, Treaty, TreatyError, check_addresses, check_parties, policy_text};
use crate::note::SignedNote;
use crate::tlog::{Hash, Policy};

/// The treaty with so many amendments.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub policy: Policy,
    /// How many parties there are; later ones come after these.
    pub parties: usize,
}

/// What a party is from a date on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    /// By which amendment.
    pub number: usize,
    /// The party's place.
    pub party: usize,
    /// Its roles.
    pub roles: Vec<Role>,
    /// Since when.
    pub from: Timestamp,
}

/// An amendment that was taken up.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    hash: Hash,
    note: Vec<u8>,
    amendment: Amendment,
}

/// What an amendment is to a treaty at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The next one.
    Next,
    /// In the chain already.
    Known,
    /// One that the parties signed as well, in the place of that with its number.
    Competes(usize),
}

impl Treaty {
    /// Amendments are judged by a profile's rule; without it, none can be taken up.
    pub fn governed_by(mut self, profile: &Profile) -> Self {
        self.rule.clone_from(&profile.amendment);
        self
    }

    /// Who has to sign an amendment, if the profile says so.
    pub fn amendment_rule(&self) -> Option<&AmendmentRule> {
        self.rule.as_ref()
    }

    /// How many amendments are known.
    pub fn number(&self) -> usize {
        self.taken.len()
    }

    /// The amendments by number, from 1: each as it was signed, and what it says.
    pub fn amendments(&self) -> impl Iterator<Item = (&[u8], &Amendment)> {
        self.taken.iter().map(|taken| (taken.note.as_slice(), &taken.amendment))
    }

    /// What the next amendment has to name: its number and the hash of the one before.
    pub fn next_amendment(&self) -> (u64, Hash) {
        (self.taken.len() as u64 + 1, self.taken.last().map_or(self.hash(), |taken| taken.hash))
    }

    /// The number of parties with so many amendments.
    pub fn parties_at(&self, number: usize) -> usize {
        self.state(number).parties
    }

    fn state(&self, number: usize) -> &State {
        // There is always the treaty file's own.
        &self.states[number.min(self.states.len() - 1)]
    }

    /// The quorum's text with all known amendments.
    pub fn quorum_text(&self) -> String {
        let changed = self.taken.iter().rev().flat_map(|taken| taken.amendment.changes.iter().rev());
        let lines = changed.into_iter().find_map(|change| match change {
            Change::Quorum(lines) => Some(lines.join("\n") + "\n"),
            _ => None,
        });
        lines.unwrap_or_else(|| self.file.quorum.clone())
    }

    /// The change of status that holds for a party at a time, with so many amendments: the one with the latest date, and
    /// of those the one of the latest amendment. `None` if it is what it was when it became a party.
    pub fn status(&self, number: usize, party: usize, time: Timestamp) -> Option<&StatusChange> {
        let holds = |change: &&StatusChange| change.number <= number && change.party == party && change.from <= time;
        self.statuses.iter().filter(holds).max_by_key(|change| (change.from, change.number))
    }

    /// A party's roles at a time, with so many amendments.
    pub fn roles(&self, number: usize, party: usize, time: Timestamp) -> &[Role] {
        self.status(number, party, time).map_or(&self.party(party).roles, |change| &change.roles)
    }

    /// By which change a party is a former party at a time, with so many amendments.
    pub fn former(&self, number: usize, party: usize, time: Timestamp) -> Option<&StatusChange> {
        self.status(number, party, time).filter(|change| !binds(&change.roles))
    }

    /// The treaty with the roles that each party has at a time, by all amendments that are known. A sender that has left
    /// keeps the roles that it had last: that it has left is said by itself.
    pub fn at_time(&self, time: Timestamp, sender: usize) -> Cow<'_, Self> {
        if self.statuses.iter().all(|change| change.from > time) {
            return Cow::Borrowed(self);
        }
        let mut out = self.clone();
        for (at, party) in out.parties.iter_mut().enumerate() {
            let binding = |change: &&StatusChange| change.party == at && change.from <= time && binds(&change.roles);
            let last = match self.former(self.number(), at, time).filter(|_| at == sender) {
                Some(_) => self.statuses.iter().filter(binding).max_by_key(|change| (change.from, change.number)),
                None => self.status(self.number(), at, time),
            };
            if let Some(change) = last {
                party.roles.clone_from(&change.roles);
            }
        }
        Cow::Owned(out)
    }

    /// Whether the receipts of these parties make the quorum, as the treaty stands at a place: former parties are not
    /// counted, neither among those who gave receipts nor among those who should.
    pub fn is_quorum(&self, at: Place, by: &dyn Fn(usize) -> bool) -> bool {
        let Place { number, clock } = at;
        let gone = |code: &str| self.find(code).is_some_and(|at| self.former(number, at, clock).is_some());
        let by = |code: &str| self.find(code).is_some_and(by);
        self.state(number).policy.is_satisfied_without(&by, &gone)
    }

    /// Changes of status that are known, in the order of their amendments.
    pub fn statuses(&self) -> &[StatusChange] {
        &self.statuses
    }

    /// The treaty with the first so many of its amendments. What a later one made of addresses stays.
    pub fn with_first(&self, number: usize) -> Self {
        let mut out = self.clone();
        out.contested = None;
        out.states.truncate(number + 1);
        out.taken.truncate(number);
        out.statuses.retain(|change| change.number <= number);
        out.parties.truncate(out.state(number).parties);
        out.origins.truncate(out.parties.len());
        out
    }

    /// Who has signed a note as the next amendment, and who still has to.
    pub fn amendment_signatures(&self, note: &SignedNote, amendment: &Amendment) -> Result<Signatures, AmendmentError> {
        let rule = self.rule.as_ref().ok_or(AmendmentError::NoRule)?;
        let may_sign = self.parties.iter().enumerate().filter_map(|(at, party)| {
            let roles = self.roles(self.number(), at, amendment.issued);
            let (depositary, state) = (roles.contains(&Role::Depositary), roles.contains(&Role::StateParty));
            (depositary || state).then_some((party.code.as_str(), &party.root, depositary, state))
        });
        Ok(rule.count(note, amendment, may_sign)?)
    }

    /// The treaty with the next amendment, if the note is that, and signed as the profile asks.
    pub fn amended(&self, note: &[u8]) -> Result<Self, AmendmentError> {
        let (signed, amendment) = Amendment::of_note(note)?;
        let amended = self.draft(&amendment)?;
        let signatures = self.amendment_signatures(&signed, &amendment)?;
        if !signatures.needed.is_empty() {
            let text = format!("signatures are missing: {}", signatures.needed.join("; "));
            return Err(AmendmentError::Signatures(text));
        }
        Ok(amended.taking(signed, note, amendment))
    }

    /// The treaty with the next amendment, whoever signed it: to see what it would be.
    pub fn draft(&self, amendment: &Amendment) -> Result<Self, AmendmentError> {
        if amendment.ledger != self.hash() {
            return Err(AmendmentError::Ledger(amendment.ledger));
        }
        let next = self.number() + 1;
        if self.next_amendment() != (amendment.number, amendment.prev) {
            return Err(AmendmentError::Order { next, found: amendment.number });
        }
        if let Some((number, _)) = &self.contested {
            return Err(AmendmentError::Contested(*number));
        }
        // Who may sign follows from it: nobody makes himself a party again, or others none, by its date.
        if self.taken.last().is_some_and(|before| amendment.issued < before.amendment.issued) {
            return Err(AmendmentError::Issued);
        }
        if next > MAX_AMENDMENTS {
            return Err(AmendmentError::TooMany);
        }
        let mut out = self.clone();
        for (at, change) in amendment.changes.iter().enumerate() {
            out.change(change, next, amendment).map_err(|what| AmendmentError::Change { at: at + 1, what })?;
        }
        let policy = Policy::parse(&policy_text(&out.parties, &changed_quorum(self, amendment)));
        let at = amendment.changes.iter().position(|change| matches!(change, Change::Quorum(_))).map_or(1, |at| at + 1);
        let policy = policy.map_err(|e| AmendmentError::Change { at, what: format!("the quorum: {e}") })?;
        out.states.push(State { policy, parties: out.parties.len() });
        Ok(out)
    }

    fn taking(mut self, signed: SignedNote, note: &[u8], amendment: Amendment) -> Self {
        let hash = Hash::digest(signed.text().as_bytes());
        self.taken.push(Taken { hash, note: note.to_vec(), amendment });
        self
    }

    fn change(&mut self, change: &Change, number: usize, amendment: &Amendment) -> Result<(), String> {
        let known = |treaty: &Self, code: &str| treaty.find(code).ok_or_else(|| format!("{code} is not a party"));
        match change {
            Change::Accede(party) => {
                if self.parties.len() == MAX_PARTIES {
                    return Err(format!("a treaty has at most {MAX_PARTIES} parties, former ones included"));
                }
                let from = self.parties.len();
                self.origins.push(format!("{}/{}", self.file.name, party.code));
                self.parties.push((**party).clone());
                check_parties(&self.file.name, &self.parties, from).map_err(|error| match error {
                    TreatyError::Party { what, .. } => format!("party {}: {what}", party.code),
                    other => other.to_string(),
                })
            }
            Change::Addresses { party, addresses } => {
                let at = known(self, party)?;
                check_addresses(addresses).map_err(|what| format!("party {party}: {what}"))?;
                self.parties[at].addresses.clone_from(addresses);
                Ok(())
            }
            Change::Quorum(_) if amendment.changes.iter().filter(|c| matches!(c, Change::Quorum(_))).count() > 1 => {
                Err("the quorum is changed twice".into())
            }
            Change::Quorum(lines) if lines.iter().any(|line| !is_quorum_line(line)) => {
                Err("a quorum has lines `group …` and `quorum …` only".into())
            }
            Change::Quorum(_) => Ok(()),
            Change::Status { party, roles, from } => {
                let party_at = known(self, party)?;
                if *from < amendment.issued {
                    return Err(format!("the status of {party} is to change before the amendment was written"));
                }
                let roles = roles.clone();
                self.statuses.push(StatusChange { number, party: party_at, roles, from: *from });
                Ok(())
            }
        }
    }

    /// What a note is to this treaty; `None` if it is no amendment of it at all.
    fn standing(&self, note: &[u8]) -> Option<(Standing, u64)> {
        let (signed, amendment) = Amendment::of_note(note).ok()?;
        let number = usize::try_from(amendment.number).ok()?;
        let hash = Hash::digest(signed.text().as_bytes());
        match self.taken.get(number.checked_sub(1)?) {
            Some(taken) if taken.hash == hash => Some((Standing::Known, amendment.number)),
            // It builds on what this one builds on, so that both cannot be: if the parties signed it as well, that shows.
            Some(taken) if taken.amendment.prev == amendment.prev => {
                let before = self.with_first(number - 1);
                before.amended(note).ok().map(|_| (Standing::Competes(number), amendment.number))
            }
            Some(_) => None,
            None => self.amended(note).ok().map(|_| (Standing::Next, amendment.number)),
        }
    }

    /// The number of which two amendments are known that the parties signed, and the second one: no further one is taken
    /// up.
    pub fn contested(&self) -> Option<(usize, &[u8])> {
        self.contested.as_ref().map(|(number, note)| (*number, note.as_slice()))
    }

    /// How many parties there are of whom no two amendments say different things.
    pub fn settled_parties(&self) -> usize {
        self.contested().map_or(self.parties.len(), |(number, _)| self.parties_at(number - 1))
    }
}

/// Whether these roles bind: those of a state party or a depositary.
fn binds(roles: &[Role]) -> bool {
    roles.iter().any(|role| *role != Role::Observer)
}

fn is_quorum_line(line: &str) -> bool {
    let first = line.split([' ', '\t']).find(|item| !item.is_empty());
    !line.contains('\n') && matches!(first, Some("group" | "quorum"))
}

fn changed_quorum(before: &Treaty, amendment: &Amendment) -> String {
    let changed = amendment.changes.iter().find_map(|change| match change {
        Change::Quorum(lines) => Some(lines.join("\n") + "\n"),
        _ => None,
    });
    changed.unwrap_or_else(|| before.quorum_text())
}

/// How the treaty stands at a place of one log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// So many amendments hold.
    pub number: usize,
    /// What the log's own clock had shown before: dates up to then have come.
    pub clock: Timestamp,
}

/// How far one log has taken up the amendments: by place.
///
/// An amendment holds from its record on if it is the next one there. A date in it has come for this log with the first
/// record from there on that was logged at that date or later, by its own word, also if its clock goes back after that.
///
/// A second, different amendment of one number, signed by as many, shows that parties signed both: from its record on
/// neither holds in this log, nor anything that was built on them, and no other is taken up. People have to agree then
/// on a new treaty file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adoption {
    /// From which record on what holds, ascending.
    points: Vec<(u64, Place)>,
    contested: Option<usize>,
}

impl Adoption {
    /// Takes in an amendment record of the log. `treaty` grows, if the note is the next amendment of all that is known.
    /// Whether anything changed in this log.
    pub fn take(&mut self, index: u64, time: Timestamp, note: &[u8], treaty: &mut Arc<Treaty>) -> bool {
        self.pass(index, time, treaty);
        if self.contested.is_some() {
            return false;
        }
        let Place { number, clock } = self.last();
        let clock = clock.max(time);
        match treaty.standing(note) {
            Some((Standing::Next, found)) => {
                let Ok(amended) = treaty.amended(note) else { return false };
                *treaty = Arc::new(amended);
                self.take_next(index, found, Place { number, clock })
            }
            Some((Standing::Known, found)) => self.take_next(index, found, Place { number, clock }),
            Some((Standing::Competes(found), _)) => {
                self.contested = Some(found);
                let mut contested = (**treaty).clone();
                contested.contested.get_or_insert_with(|| (found, note.to_vec()));
                *treaty = Arc::new(contested);
                self.points.push((index, Place { number: number.min(found - 1), clock }));
                true
            }
            None => false,
        }
    }

    fn take_next(&mut self, index: u64, found: u64, Place { number, clock }: Place) -> bool {
        let is_next = found == number as u64 + 1;
        if is_next {
            self.points.push((index, Place { number: number + 1, clock }));
        }
        is_next
    }

    /// Takes in that a record of the log was logged at a time: dates up to then have come.
    pub fn pass(&mut self, index: u64, time: Timestamp, treaty: &Treaty) {
        let Place { number, clock } = self.last();
        if treaty.statuses.iter().any(|s| s.number <= number && s.from > clock && s.from <= time) {
            self.points.push((index, Place { number, clock: time }));
        }
    }

    /// Whether dates are still to come: the times of further records matter.
    pub fn waits(&self, treaty: &Treaty) -> bool {
        let Place { number, clock } = self.last();
        treaty.statuses.iter().any(|s| s.number <= number && s.from > clock)
    }

    /// What holds at the log's end.
    pub fn last(&self) -> Place {
        self.points.last().map_or(Place::default(), |(_, place)| *place)
    }

    /// What holds for the record at an index.
    pub fn at(&self, index: u64) -> Place {
        self.points.iter().rev().find(|(from, _)| *from <= index).map_or(Place::default(), |(_, place)| *place)
    }

    /// What holds for a log of so many records: at its last one.
    pub fn of_size(&self, size: u64) -> Place {
        size.checked_sub(1).map_or(Place::default(), |last| self.at(last))
    }

    /// The number of which this log has two amendments that the parties signed.
    pub fn contested(&self) -> Option<usize> {
        self.contested
    }

    /// From which record on so many amendments hold, if they do.
    pub fn place_of(&self, number: usize) -> Option<u64> {
        self.points.iter().find(|(_, place)| place.number >= number).map(|(from, _)| *from)
    }

    /// The last record before `size` with which something changed.
    pub fn last_change(&self, size: u64) -> Option<u64> {
        self.points.iter().rev().map(|(from, _)| *from).find(|from| *from < size)
    }

    /// Takes back what was taken in of the records from `index` on.
    pub fn forget_from(&mut self, index: u64) {
        let before = self.points.len();
        self.points.retain(|(from, _)| *from < index);
        if self.points.len() < before {
            self.contested = None;
        }
    }
}
