//! Validity: what is to be said of a notification, as a pure function of the log, the treaty file and the profile.
//!
//! The ledger records facts and judges none away: a mark is shown beside a note, and the note stays. A party's own
//! node refuses to log a note that would carry a mark.

use super::amended::Place;
use super::credential::Grant;
use super::notification::{NoteId, Notification};
use super::officials::{Credentials, Passed, Standing};
use super::profile::Profile;
use super::record::Record;
use super::time::Timestamp;
use super::treaty::{Role, Treaty};
use crate::note::SignedNote;

/// Something to be said of a notification. `code` is stable, for scripts; `text` is for people.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Mark {
    /// Stable word.
    pub code: String,
    /// One sentence.
    pub text: String,
}

impl Mark {
    fn new(code: &str, text: impl Into<String>) -> Self {
        Self { code: code.to_owned(), text: text.into() }
    }
}

/// Who signed a notification with a key that the party's root had granted before.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Signer {
    /// The key's name.
    pub key: String,
    /// The official's title.
    pub title: String,
    /// Index of the credential that granted the key.
    pub granted_at: u64,
    /// Index of the record that revoked the grant later, as far as it is known. What was logged before stays signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<u64>,
}

/// What there is to say of one notification.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Validity {
    /// Officials whose signatures verify.
    pub signers: Vec<Signer>,
    /// What is not in order; empty if all is.
    pub marks: Vec<Mark>,
}

impl Validity {
    /// How many officials signed: keys with one name are one official's.
    pub fn officials(&self) -> usize {
        self.signers.iter().map(|signer| signer.key.as_str()).collect::<std::collections::BTreeSet<_>>().len()
    }

    /// Where signatures are missing: says in that mark who demands them, who has signed, and whose would count.
    pub fn name_who_is_missing(
        &mut self,
        kind: &str,
        profile: &Profile,
        index: u64,
        time: Timestamp,
        credentials: &Credentials,
    ) {
        let given = self.officials();
        let Some(mark) = self.marks.iter_mut().find(|mark| mark.code == "signatures") else { return };
        if let Some(kind) = profile.kind.get(kind).filter(|kind| !kind.article.is_empty()) {
            mark.text = format!(
                "{} demands the signatures of {} officials; {given} of this note's count.",
                kind.article, kind.signatures
            );
        }
        let mut titles = self.signers.iter().map(|signer| signer.title.as_str()).collect::<Vec<_>>();
        titles.dedup();
        if !titles.is_empty() {
            mark.text += &format!(" Signed so far: {}.", titles.join(", "));
        }
        let may = |(at, grant): &(u64, &Grant)| {
            grant.allows(kind) && grant.is_valid_at(time) && credentials.ended_before(*at, index).is_none()
        };
        let signed = |grant: &&Grant| self.signers.iter().any(|signer| signer.key == grant.key.name());
        let grants = credentials.before(index).filter(may).map(|(_, grant)| grant).filter(|grant| !signed(grant));
        let mut others: Vec<_> = grants.map(|grant| format!("{} ({})", grant.title, grant.key.name())).collect();
        others.sort_unstable();
        others.dedup();
        mark.text += &match others.is_empty() {
            true => " Nobody else's key may sign notes of this kind: the root has to grant one.".to_owned(),
            false => format!(" Still missing: a signature by {}.", others.join(" or ")),
        };
    }
}

/// Judges a notification record in the log of party `log`: its payload, at its place, logged at its time.
///
/// Without a profile the kind and the fields are not looked at. `logged` says in which earlier record of the log a note
/// with an id stands. A party's own node refuses a second one, but it takes the log key alone to log an old note once more,
/// with its officials' genuine signatures: nothing follows from that.
pub fn check_notification(
    record: &Record<'_>,
    log: usize,
    at: Place,
    treaty: &Treaty,
    profile: Option<&Profile>,
    credentials: &Credentials,
    logged: impl FnOnce(&NoteId) -> Option<u64>,
) -> Validity {
    let mut validity = Validity::default();
    let marks = &mut validity.marks;
    let (note, notification) = match Notification::of_note(record.payload) {
        Ok(read) => read,
        Err(error) => {
            marks.push(Mark::new("malformed", format!("It cannot be read as a notification: {error}.")));
            return validity;
        }
    };
    if notification.ledger != treaty.hash() {
        marks.push(Mark::new("other-ledger", "It was signed for another ledger (another treaty file)."));
    }
    let time = record.time.max(at.clock);
    let then = &*treaty.at_time(time, log);
    let party = then.party(log);
    if let Some(earlier) = logged(&notification.id) {
        let text = format!("A note with this id stands in the log already, as {}/{earlier}.", party.code);
        marks.push(Mark::new("repeated", text));
    }
    if notification.from != party.code {
        let text = format!("It says to be from {}, but stands in the log of {}.", notification.from, party.code);
        marks.push(Mark::new("other-sender", text));
    }
    if party.roles == [Role::Observer] {
        marks.push(Mark::new("observer", format!("{} is an observer, not a party that notifies.", party.code)));
    }
    marks.extend(former_party(log, time, treaty));
    // By what held in the log there: one that accedes later is no party yet.
    let parties = treaty.parties_at(at.number);
    let unknown = |code: &&String| *code != "*" && treaty.find(code).is_none_or(|party| party >= parties);
    for code in notification.to.iter().filter(unknown) {
        marks.push(Mark::new("unknown-addressee", format!("It is addressed to {code}, which is not a party.")));
    }
    if let Some(profile) = profile {
        if profile.kind.contains_key(&notification.kind) {
            for fault in profile.faults(&notification.kind, &notification.body) {
                marks.push(Mark::new("form", format!("Not in the treaty's form: {fault}.")));
            }
        } else {
            let text = format!("The treaty's profile does not know the kind `{}`.", notification.kind);
            marks.push(Mark::new("unknown-kind", text));
        }
    }
    check_signers(&note, &notification, record, credentials, &mut validity);
    if let Some(profile) = profile {
        let disorder = profile.disorder(&notification, log, validity.officials(), then);
        validity.marks.extend(disorder.into_iter().map(|(code, text)| Mark::new(code, text)));
    }
    validity
}

/// Why a note that stands in a party's log is not the party's word: whatever it says, nothing follows from it.
///
/// That is so whatever the profile says of the note's form. A note that is its party's and not in the treaty's form, or not
/// from whom the profile names, stays what the party said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disowned {
    /// It was signed for another ledger.
    OtherLedger,
    /// It says to be from another party.
    OtherSender,
    /// Fewer officials signed it than its kind demands, whose keys the party's root had granted for it.
    Unsigned,
}

impl Disowned {
    /// The same for people: what follows `XX/12 counts for nothing:`.
    pub fn words(self, party: &str) -> String {
        match self {
            Self::OtherLedger => "it was signed for another ledger".to_owned(),
            Self::OtherSender => "it says to be from another party than that in whose log it stands".to_owned(),
            Self::Unsigned => {
                format!("too few officials signed it whose keys the root of {party} had granted for that")
            }
        }
    }
}

/// Whether a note in a record of the log of party `log` is not the party's word, and why. Costs a signature or two; whether
/// it stands in the log before is not looked at.
pub fn disowned(
    record: &Record<'_>,
    (note, notification): (&SignedNote, &Notification),
    log: usize,
    treaty: &Treaty,
    profile: &Profile,
    credentials: &Credentials,
) -> Option<Disowned> {
    if notification.ledger != treaty.hash() {
        return Some(Disowned::OtherLedger);
    }
    if notification.from != treaty.party(log).code {
        return Some(Disowned::OtherSender);
    }
    let mut validity = Validity::default();
    check_signers(note, notification, record, credentials, &mut validity);
    let demanded = profile.kind.get(&notification.kind).map_or(1, |kind| kind.signatures.max(1));
    (validity.officials() < demanded as usize).then_some(Disowned::Unsigned)
}

/// That a party was none any more at a time, by some amendment that is known.
pub(super) fn former_party(log: usize, time: Timestamp, treaty: &Treaty) -> Option<Mark> {
    let change = treaty.former(treaty.number(), log, time)?;
    let (party, from, number) = (treaty.party(log), change.from.display(), change.number);
    Some(Mark::new(
        "former-party",
        format!("From {from} on, {} is no longer a party to the treaty (amendment {number}).", party.code),
    ))
}

fn check_signers(
    note: &SignedNote,
    of: &Notification,
    record: &Record<'_>,
    credentials: &Credentials,
    out: &mut Validity,
) {
    let mut refused = Vec::new();
    for signature in note.signatures() {
        let standing = credentials.standing(signature, record.index, record.time);
        let unauthorised = |text| Mark::new("unauthorised", text);
        match standing {
            Standing::Unknown => {
                let text = format!("{} signed it, whose key the party's root had not granted before.", signature.name);
                refused.push(unauthorised(text));
            }
            Standing::InForce(_, grant) | Standing::Outside(_, grant) | Standing::Revoked(_, grant)
                if note.verify(&grant.key).is_err() =>
            {
                refused
                    .push(Mark::new("bad-signature", format!("The signature by {} does not verify.", signature.name)));
            }
            Standing::Revoked(at, grant) => {
                let text = format!("The key of {} had been revoked in record {at} of the log.", grant.title);
                refused.push(unauthorised(text));
            }
            Standing::Outside(at, grant) if grant.is_valid_at(record.time) => {
                refused.push(unauthorised(past_its_end(grant, credentials.ended_before(at, record.index))));
            }
            Standing::Outside(_, grant) => {
                let (from, until) = (grant.from.map(|t| t.display()), grant.until.map(|t| t.display()));
                let (from, until) = (from.as_deref().unwrap_or("the grant"), until.as_deref().unwrap_or("revoked"));
                let (title, time) = (&grant.title, record.time.display());
                let text = format!("The key of {title} is valid from {from} until {until}; it was logged at {time}.");
                refused.push(unauthorised(text));
            }
            Standing::InForce(_, grant) if !grant.allows(&of.kind) => {
                let text = format!("{} may not sign notes of the kind `{}`.", grant.title, of.kind);
                refused.push(unauthorised(text));
            }
            Standing::InForce(at, grant) => out.signers.push(Signer {
                key: signature.name.clone(),
                title: grant.title.clone(),
                granted_at: at,
                revoked_at: credentials.revoked(at, grant, u64::MAX),
            }),
        }
    }
    out.marks.extend(refused);
}

/// Of a key that would be valid by the note's own time, and was not by what had come before it.
fn past_its_end(grant: &Grant, passed: Option<&Passed>) -> String {
    let (title, until) = (&grant.title, grant.until.map_or_else(String::new, |until| until.display()));
    let Some(Passed { index, time, by }) = passed else { return format!("The key of {title} is valid until {until}.") };
    let time = time.display();
    match by {
        None => format!(
            "The key of {title} is valid until {until}; the log had come to {time} before, by its own record {index}."
        ),
        Some([a, b]) => format!(
            "The key of {title} is valid until {until}; before this note its log held what {a} and {b} had logged at {time} or \
             later, each by its own clock."
        ),
    }
}
