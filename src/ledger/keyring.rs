//! Keys over the years: which key of a party is in force where in its log.
//!
//! The treaty file names each party's first keys; records in the party's own log, signed by its root, put others in
//! their place. A party's key history is a pure function of those records, and every change has its place in the log:
//!
//! - A head of a log is signed with the log key in force for its size. The rotation in record *i* is the last record
//!   under the head of size *i* + 1, the *changeover*; that head both keys sign (the new one alone, if the old one is
//!   lost). Smaller heads need the old key, larger ones the new.
//! - A receipt that stands in record *j* of a party's log is cosigned with the witness key in force there.
//!
//! As far as a log is known, a key out of force verifies nothing. Beyond that, its latest key counts, and such as the
//! root is known to have put in force at a place not yet known.

use super::credential::{Credential, CredentialError, Grant, Job, NewKey, Rotation};
use super::officials::Credentials;
use super::record::{Record, RecordType};
use super::time::Timestamp;
use super::treaty::{Party, Treaty};
use crate::note::{NoteError, Signature, SignedNote, VerifierKey};
use crate::tlog::{Checkpoint, CheckpointError, Cosignature, CosignatureError, Hash};

/// Rotations of one party that are kept before their place is known.
pub const MAX_ANNOUNCED: usize = 64;

/// A rotation in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// The record that holds it.
    pub index: u64,
    /// What it says.
    pub rotation: Rotation,
    /// The root-signed note.
    pub note: Vec<u8>,
}

/// The keys of one party, as far as its log is known.
#[derive(Clone, Debug)]
pub struct KeyHistory {
    origin: String,
    party: Party,
    ledger: Hash,
    changes: Vec<KeyChange>,
    announced: Vec<(Rotation, Vec<u8>)>,
    officials: Credentials,
    /// When each credential that counts was logged, by its place.
    logged: Vec<(u64, Timestamp)>,
    size: u64,
}

/// The key histories of all parties, in the treaty's order.
#[derive(Clone, Debug)]
pub struct Keyring(Vec<KeyHistory>);

/// Where a party's node is to be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// libp2p peer ids under which it may come, the one in force last.
    pub peers: Vec<String>,
    /// libp2p addresses at which it listens.
    pub addresses: Vec<String>,
}

impl KeyHistory {
    /// A party's first keys.
    fn new(party: &Party, origin: &str, ledger: Hash) -> Self {
        Self {
            origin: origin.to_owned(),
            party: party.clone(),
            ledger,
            changes: Vec::new(),
            announced: Vec::new(),
            officials: Credentials::default(),
            logged: Vec::new(),
            size: 0,
        }
    }

    /// Takes in the next record of the log that is known; what is not a valid credential changes nothing.
    pub fn apply(&mut self, record: &Record<'_>, treaty: &Treaty) {
        self.size = self.size.max(record.index + 1);
        self.officials.pass(record.index, record.time);
        if record.kind != RecordType::Credential {
            return;
        }
        match Credential::verify(record.payload, &self.party, &self.origin, &self.ledger) {
            Ok(Credential::Rotate(rotation)) if self.is_new(&rotation.key, treaty) => {
                self.changes.push(KeyChange { index: record.index, rotation, note: record.payload.to_vec() });
            }
            Ok(Credential::Rotate(_)) | Err(_) => return,
            Ok(Credential::Grant(grant)) if self.is_own(&grant) => return,
            Ok(credential) => {
                if !self.officials.take(record.index, credential, treaty) {
                    return;
                }
            }
        }
        self.logged.push((record.index, record.time));
    }

    /// Takes in the time of a record that is no credential: the log's clock, by which officials' keys end.
    pub fn pass(&mut self, index: u64, time: Timestamp) {
        self.officials.pass(index, time);
    }

    /// The log is known up to this size; between the records that were taken in there is no credential.
    pub fn known_to(&mut self, size: u64) {
        self.size = self.size.max(size);
    }

    /// Takes back what was taken in of the records from `index` on.
    pub fn forget_from(&mut self, index: u64) {
        self.changes.retain(|change| change.index < index);
        self.officials.forget_from(index);
        self.logged.retain(|(at, _)| *at < index);
        self.size = self.size.min(index);
    }

    /// Takes in a rotation whose place in the log is not known; whether it says anything new.
    pub fn announce(&mut self, note: &[u8], treaty: &Treaty) -> Result<bool, CredentialError> {
        let Credential::Rotate(rotation) = Credential::verify(note, &self.party, &self.origin, &self.ledger)? else {
            return Ok(false);
        };
        if !self.is_new(&rotation.key, treaty) || self.announced.iter().any(|(other, _)| other.key == rotation.key) {
            return Ok(false);
        }
        if self.announced.len() == MAX_ANNOUNCED {
            self.announced.remove(0);
        }
        self.announced.push((rotation, note.to_vec()));
        Ok(true)
    }

    /// Whether a grant's key is one that a rotation put in force.
    pub fn is_own(&self, grant: &Grant) -> bool {
        let mut own = self.changes.iter().filter_map(|change| change.rotation.key.verifier());
        own.any(|key| key.public() == grant.key.public())
    }

    /// One key, one job, once: a key that stands in the treaty file or in this history does not come again.
    pub fn is_new(&self, key: &NewKey, treaty: &Treaty) -> bool {
        let before = self.changes.iter().map(|change| &change.rotation.key);
        match key {
            NewKey::Transport(peer) => {
                treaty.parties().iter().all(|party| party.peer != *peer)
                    && !before.into_iter().any(|other| other == key)
            }
            NewKey::Log(key) | NewKey::Witness(key) => {
                let first = treaty.parties().iter().flat_map(|p| [&p.root, &p.log, &p.witness]);
                let granted = self.officials.all().map(|(_, grant)| &grant.key);
                let mut used = first.chain(before.filter_map(NewKey::verifier)).chain(granted);
                used.all(|other| other.public() != key.public())
            }
        }
    }

    /// Number of records up to which the log is known.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The party's entry, with its first keys.
    pub fn party(&self) -> &Party {
        &self.party
    }

    /// When the credential at a place was logged, by the party's own clock.
    pub fn logged_at(&self, index: u64) -> Option<Timestamp> {
        let at = self.logged.binary_search_by_key(&index, |(at, _)| *at).ok()?;
        self.logged.get(at).map(|(_, time)| *time)
    }

    /// Rotations whose place in the log is not known, but for those that were found in it since.
    pub fn announced(&self) -> impl Iterator<Item = &Rotation> {
        let placed = |key: &NewKey| self.changes.iter().any(|change| change.rotation.key == *key);
        self.announced.iter().map(|(rotation, _)| rotation).filter(move |rotation| !placed(&rotation.key))
    }

    /// Rotations in their places.
    pub fn changes(&self) -> &[KeyChange] {
        &self.changes
    }

    /// Officials' keys.
    pub fn officials(&self) -> &Credentials {
        &self.officials
    }

    fn of(&self, job: Job) -> impl DoubleEndedIterator<Item = &KeyChange> {
        self.changes.iter().filter(move |change| change.rotation.key.job() == job)
    }

    /// The log key that signs heads of this size.
    pub fn log_key(&self, size: u64) -> &VerifierKey {
        let change = self.of(Job::Log).rfind(|change| change.index < size);
        change.and_then(|change| change.rotation.key.verifier()).unwrap_or(&self.party.log)
    }

    /// The old log key that signs a head of this size as well: it is a changeover, and the old key is at hand.
    pub fn leaving_log_key(&self, size: u64) -> Option<&VerifierKey> {
        let change = self.of(Job::Log).find(|change| change.index + 1 == size)?;
        (!change.rotation.lost).then(|| self.log_key(change.index))
    }

    /// The witness key for a receipt that stands in the record at `index` of this log.
    pub fn witness_key(&self, index: u64) -> &VerifierKey {
        let change = self.of(Job::Witness).rfind(|change| change.index < index);
        change.and_then(|change| change.rotation.key.verifier()).unwrap_or(&self.party.witness)
    }

    /// The peer id in force for a log of this size.
    pub fn peer(&self, size: u64) -> &str {
        match self.of(Job::Transport).rfind(|change| change.index < size).map(|change| &change.rotation.key) {
            Some(NewKey::Transport(peer)) => peer,
            _ => &self.party.peer,
        }
    }

    /// Where the party's node is to be reached: under its peer id, and under the one before, as long as it is not lost.
    pub fn endpoint(&self) -> Endpoint {
        let mut peers = Vec::new();
        if let Some(last) = self.of(Job::Transport).next_back()
            && !last.rotation.lost
        {
            peers.push(self.peer(last.index).to_owned());
        }
        peers.push(self.peer(u64::MAX).to_owned());
        Endpoint { peers, addresses: self.party.addresses.clone() }
    }

    fn announced_keys(&self, job: Job) -> impl Iterator<Item = &VerifierKey> {
        self.announced.iter().filter(move |(r, _)| r.key.job() == job).filter_map(|(r, _)| r.key.verifier())
    }

    /// All keys that ever had a job, as far as they are known: the first one, then the others.
    pub fn all_keys(&self, job: Job) -> impl Iterator<Item = &VerifierKey> {
        let first = match job {
            Job::Log => Some(&self.party.log),
            Job::Witness => Some(&self.party.witness),
            Job::Transport => None,
        };
        let placed = self.of(job).filter_map(|change| change.rotation.key.verifier());
        first.into_iter().chain(placed).chain(self.announced_keys(job))
    }

    /// The root-signed note that put a key in force; none for the first key of a job.
    pub fn note_of(&self, key: &VerifierKey) -> Option<&[u8]> {
        let is = |rotation: &Rotation| rotation.key.verifier() == Some(key);
        let placed = self.changes.iter().find(|change| is(&change.rotation)).map(|change| change.note.as_slice());
        placed.or_else(|| self.announced.iter().find(|(r, _)| is(r)).map(|(_, note)| note.as_slice()))
    }

    /// Where a log key was replaced by another one: index of that record.
    pub fn replaced_at(&self, key: &VerifierKey) -> Option<u64> {
        self.of(Job::Log).find(|change| self.log_key(change.index) == key).map(|change| change.index)
    }

    /// Whether a head that is signed with these keys says nothing against the log.
    ///
    /// This is the one rule for every contradiction, wherever it is found. Whoever has a key that was replaced since can
    /// sign what the log might have said before. That is held against the log only where another party's log shows it
    /// before that party's first receipt for the changeover or more. `receipted` says whether that party had given a
    /// receipt for a head of at least a size by then; `None` if nobody's log shows the head.
    pub fn is_late<'a, E>(
        &self,
        signed: impl IntoIterator<Item = &'a VerifierKey>,
        mut receipted: Option<&mut dyn FnMut(u64) -> Result<bool, E>>,
    ) -> Result<bool, E> {
        let mut late = false;
        for key in signed {
            let Some(change) = self.replaced_at(key) else { return Ok(false) };
            if let Some(receipted) = &mut receipted
                && !receipted(change + 1)?
            {
                return Ok(false);
            }
            late = true;
        }
        Ok(late)
    }

    /// Whether a log key is known to be the root's, and not from which record on it is in force.
    pub fn is_unplaced(&self, key: &VerifierKey) -> bool {
        let placed = self.of(Job::Log).any(|change| change.rotation.key.verifier() == Some(key));
        *key != self.party.log && !placed
    }

    /// Keys that may sign a head of this size; beyond what is known of the log, any one of them does.
    fn candidates(&self, size: u64, known: u64) -> Vec<&VerifierKey> {
        if size <= known {
            return vec![self.log_key(size)];
        }
        std::iter::once(self.log_key(u64::MAX)).chain(self.announced_keys(Job::Log)).collect()
    }

    /// Verifies that this log signed a head, with the key in force for its size.
    pub fn verify_head(&self, note: &SignedNote) -> Result<Checkpoint, CheckpointError> {
        self.verify_head_at(note, self.size)
    }

    /// The same, where the log is known up to a size, with no credential beyond what was taken in.
    pub fn verify_head_at(&self, note: &SignedNote, known: u64) -> Result<Checkpoint, CheckpointError> {
        let checkpoint = Checkpoint::parse(note.text())?;
        if checkpoint.origin != self.origin {
            return Err(CheckpointError::Origin { expected: self.origin.clone(), found: checkpoint.origin });
        }
        let size = checkpoint.size;
        let mut signed = false;
        for key in self.candidates(size, known) {
            signed |= is_signed(note, key)?;
        }
        if !signed {
            return Err(self.foreign(note, size));
        }
        if size <= known
            && let Some(old) = self.leaving_log_key(size)
            && !is_signed(note, old)?
        {
            return Err(CheckpointError::Changeover { size });
        }
        Ok(checkpoint)
    }

    /// Why none of the keys that could sign a head did.
    fn foreign(&self, note: &SignedNote, size: u64) -> CheckpointError {
        let by_known = |line: &Signature| self.all_keys(Job::Log).any(|key| line.is_by(key));
        if note.signatures().iter().any(by_known) {
            CheckpointError::NotInForce { origin: self.origin.clone(), size }
        } else if note.signatures().iter().any(|line| line.name == self.origin) {
            CheckpointError::UnknownKey(self.origin.clone())
        } else {
            NoteError::NotSigned(self.origin.clone()).into()
        }
    }

    /// The head with the log's own lines only: at a changeover the old key's first. The rest is not ours to vouch for.
    pub fn bare(&self, note: &SignedNote, size: u64, known: u64) -> Result<SignedNote, NoteError> {
        let mut bare = SignedNote::new(note.text().to_owned())?;
        let leaving = self.leaving_log_key(size).filter(|_| size <= known);
        for key in leaving.into_iter().chain(self.candidates(size, known)) {
            note.signatures().iter().filter(|line| line.is_by(key)).for_each(|line| bare.add(line.clone()));
        }
        Ok(bare)
    }

    /// The line on a verified head with which the log signed it.
    pub fn log_line<'a>(&self, note: &'a SignedNote, size: u64) -> Option<&'a Signature> {
        self.candidates(size, self.size)
            .into_iter()
            .find_map(|key| note.signatures().iter().find(|line| line.is_by(key)))
    }

    fn witnesses(&self, index: u64) -> Vec<&VerifierKey> {
        if index < self.size {
            return vec![self.witness_key(index)];
        }
        std::iter::once(self.witness_key(u64::MAX)).chain(self.announced_keys(Job::Witness)).collect()
    }

    /// The party's cosignature on a head, as it stands in the record at `index` of its log: with the witness key in
    /// force there.
    pub fn verify_cosignature(&self, note: &SignedNote, index: u64) -> Result<Cosignature, CosignatureError> {
        cosigned_with_one(note, self.witnesses(index).into_iter(), &self.party.witness)
    }

    /// The party's cosignature on a head that stands for itself, with any witness key that the party ever had.
    pub fn verify_any_cosignature(&self, note: &SignedNote) -> Result<Cosignature, CosignatureError> {
        cosigned_with_one(note, self.all_keys(Job::Witness), &self.party.witness)
    }

    /// The line on a verified receipt with which the party cosigned it.
    pub fn witness_line<'a>(&self, note: &'a SignedNote, index: u64) -> Option<&'a Signature> {
        self.witnesses(index).into_iter().find_map(|key| note.signatures().iter().find(|line| line.is_by(key)))
    }
}

/// Whether a key signed the note. A line by the key that does not verify is a fault.
fn is_signed(note: &SignedNote, key: &VerifierKey) -> Result<bool, NoteError> {
    match note.verify(key) {
        Ok(()) => Ok(true),
        Err(NoteError::NotSigned(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

fn cosigned_with_one<'a>(
    note: &SignedNote,
    keys: impl Iterator<Item = &'a VerifierKey>,
    first: &VerifierKey,
) -> Result<Cosignature, CosignatureError> {
    for key in keys {
        match Cosignature::verify(note, key) {
            Err(CosignatureError::Missing(_)) => {}
            found => return found,
        }
    }
    Err(CosignatureError::Missing(first.name().to_owned()))
}

impl Keyring {
    /// The keys in the treaty file.
    pub fn new(treaty: &Treaty) -> Self {
        let history = |at| KeyHistory::new(treaty.party(at), treaty.origin(at), treaty.hash());
        Self((0..treaty.parties().len()).map(history).collect())
    }

    /// The treaty was amended: there may be further parties, and others may be found elsewhere.
    pub fn amend(&mut self, treaty: &Treaty) {
        for at in 0..treaty.parties().len() {
            match self.0.get_mut(at) {
                Some(history) => history.party.addresses.clone_from(&treaty.party(at).addresses),
                None => self.0.push(KeyHistory::new(treaty.party(at), treaty.origin(at), treaty.hash())),
            }
        }
    }

    /// Number of parties.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The history of a party, by its place, which must be one of the treaty's.
    pub fn party(&self, at: usize) -> &KeyHistory {
        &self.0[at]
    }

    /// The same, to be added to.
    pub fn party_mut(&mut self, at: usize) -> &mut KeyHistory {
        &mut self.0[at]
    }

    /// The place of the party whose log has this origin.
    pub fn log_of_origin(&self, origin: &str) -> Option<usize> {
        self.0.iter().position(|history| history.origin == origin)
    }

    /// Every log is known to its end: a key out of force verifies nothing, wherever.
    pub fn settled(mut self) -> Self {
        self.0.iter_mut().for_each(|history| history.known_to(u64::MAX));
        self
    }

    /// Verifies a head of any of the logs; says which log it is of.
    pub fn verify_head(&self, note: &SignedNote) -> Result<(usize, Checkpoint), CheckpointError> {
        let stated = Checkpoint::parse(note.text())?;
        let log = self.log_of_origin(&stated.origin).ok_or(CheckpointError::UnknownLog(stated.origin))?;
        self.0[log].verify_head(note).map(|checkpoint| (log, checkpoint))
    }
}
