//! What became of each key of a party: from which place of its log to which, and why it ended.
//!
//! For people and scripts. What a verifier goes by is the [key history](super::KeyHistory) itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::carried;
use super::check::check;
use super::credential::{Job, NewKey, Revocation};
use super::evidence::{Evidence, EvidenceError};
use super::keyring::KeyHistory;
use super::profile::Profile;
use super::record::Record;
use super::time::Timestamp;
use super::treaty::Treaty;

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyUse {
    /// Signs credentials and amendments.
    Root,
    /// Signs the log's heads.
    Log,
    /// Cosigns others' heads.
    Witness,
    /// The node's libp2p identity.
    Transport,
    /// An official's: signs notifications.
    Official,
}

/// The record that began or ended a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyEvent {
    /// Its place in the party's log; `null` if only the root's word is known, and not where it was logged.
    pub record: Option<u64>,
    /// When the party logged it, by its own clock.
    pub logged: Option<Timestamp>,
    /// When the root says to have signed it.
    pub issued: Timestamp,
    /// Why, in the root's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How a key ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyEnd {
    /// Another one took its place, and it had a part in that.
    Retired,
    /// Another one took its place, as it was lost or stolen.
    Lost,
    /// The root revoked the grant.
    Revoked,
}

/// One key of a party, or one grant of an official's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLife {
    /// Code of the party.
    pub party: String,
    /// What it does.
    #[serde(rename = "use")]
    pub job: KeyUse,
    /// The verifier key (`name+hash+base64`), or the libp2p peer id.
    pub key: String,
    /// The official's title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Kinds that the official may sign; `*` for all.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub kinds: Vec<String>,
    /// The first moment at which a note may be logged with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// The last moment, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// What put it in force, for what comes after; `null` for the keys in the party's entry in the treaty file.
    pub began: Option<KeyEvent>,
    /// What ended it, for what comes after; `null` if nothing has.
    pub ended: Option<KeyEvent>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<KeyEnd>,
}

impl KeyHistory {
    /// Every key of the party, as far as its log is known: by use, and in the order in which they came.
    pub fn lives(&self) -> Vec<KeyLife> {
        let party = self.party();
        let first = |job, key: String| KeyLife {
            party: party.code.clone(),
            job,
            key,
            title: None,
            kinds: Vec::new(),
            valid_from: None,
            valid_until: None,
            began: None,
            ended: None,
            end: None,
        };
        let mut lives = vec![first(KeyUse::Root, party.root.to_string())];
        for (job, of, key) in [
            (KeyUse::Log, Job::Log, party.log.to_string()),
            (KeyUse::Witness, Job::Witness, party.witness.to_string()),
            (KeyUse::Transport, Job::Transport, party.peer.clone()),
        ] {
            lives.push(first(job, key));
            let placed = self.changes().iter().map(|change| (Some(change.index), &change.rotation));
            let rotations = placed.chain(self.announced().map(|rotation| (None, rotation)));
            for (record, rotation) in rotations.filter(|(_, rotation)| rotation.key.job() == of) {
                let event = KeyEvent {
                    record,
                    logged: record.and_then(|at| self.logged_at(at)),
                    issued: rotation.issued,
                    reason: rotation.reason.clone(),
                };
                // Of what has no place it is not known what it follows.
                if record.is_some()
                    && let Some(before) = lives.last_mut()
                {
                    before.ended = Some(event.clone());
                    before.end = Some(if rotation.lost { KeyEnd::Lost } else { KeyEnd::Retired });
                }
                let key = match &rotation.key {
                    NewKey::Log(key) | NewKey::Witness(key) => key.to_string(),
                    NewKey::Transport(peer) => peer.clone(),
                };
                lives.push(KeyLife { began: Some(event), ..first(job, key) });
            }
        }
        let mut revocations: BTreeMap<&[u8; 32], Vec<(u64, &Revocation)>> = BTreeMap::new();
        for (at, revocation) in self.officials().revocations() {
            revocations.entry(revocation.key.public()).or_default().push((at, revocation));
        }
        for (at, grant) in self.officials().all() {
            let of_key = revocations.get(grant.key.public()).map_or(&[][..], Vec::as_slice);
            let revocation = of_key.iter().find(|(place, _)| *place > at);
            let ended = revocation.map(|(at, revocation)| KeyEvent {
                record: Some(*at),
                logged: self.logged_at(*at),
                issued: revocation.issued,
                reason: revocation.reason.clone(),
            });
            let began = KeyEvent { record: Some(at), logged: self.logged_at(at), issued: grant.issued, reason: None };
            lives.push(KeyLife {
                title: Some(grant.title.clone()),
                kinds: grant.kinds.clone(),
                valid_from: grant.from,
                valid_until: grant.until,
                began: Some(began),
                end: ended.as_ref().map(|_| KeyEnd::Revoked),
                ended,
                ..first(KeyUse::Official, grant.key.to_string())
            });
        }
        lives
    }
}

/// The keys that an evidence file speaks of, once all of it has verified: those of the treaty file, the grants of its
/// note's signers, and those that roots put in force later and that stand on its heads and cosignatures.
pub fn keys_of_evidence(
    bytes: &[u8],
    treaty: &Treaty,
    profile: Option<&Profile>,
) -> Result<Vec<KeyLife>, EvidenceError> {
    let evidence = Evidence::parse(bytes, &treaty.hash())?;
    check(&evidence, treaty, profile)?;
    let stated = Record::parse(evidence.record.record.as_bytes());
    let stated = stated.map_err(|e| EvidenceError::Part { part: "the record".into(), fault: e.into() })?;
    let treaty = evidence.treaty(treaty, profile)?;
    let mut keys = carried::keyring(&evidence, &treaty)?;
    if let Some(log) = keys.log_of_origin(stated.log) {
        for item in &evidence.credentials {
            if let Ok(record) = Record::parse(item.record.as_bytes()) {
                keys.party_mut(log).apply(&record, &treaty);
            }
        }
    }
    Ok((0..keys.len()).flat_map(|party| keys.party(party).lives()).collect())
}
