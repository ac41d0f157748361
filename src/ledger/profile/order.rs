//! Whether a note is in order beside its fields: its sender, its addressees, its signatures, what it refers to.
//!
//! Being late is no disorder: the ledger counts time, and marks nothing for it.

use super::address::{Address, Said, Who};
use super::{Kind, Profile};
use crate::ledger::notification::Notification;
use crate::ledger::treaty::{Role, Treaty};

/// Something that is not in order: a stable code, and one sentence.
pub type Disorder = (&'static str, String);

impl Profile {
    /// What the profile demands of a note of this kind and does not find in it, with so many official signatures.
    ///
    /// Codes: `wrong-sender`, `not-reached`, `signatures`, `no-predecessor`. Looks at nothing but the note; whether what
    /// it refers to is of the right kind is for [`Profile::predecessors`].
    pub fn disorder(&self, note: &Notification, from: usize, signatures: usize, treaty: &Treaty) -> Vec<Disorder> {
        let Some(kind) = self.kind.get(&note.kind) else { return Vec::new() };
        let said = Said { from, to: &note.to, body: &note.body };
        let mut out = Vec::new();
        out.extend(self.wrong_sender(kind, said, treaty));
        out.extend(kind.must_reach.iter().filter_map(|whom| self.not_reached(whom, said, treaty)));
        // One that nobody may sign for is marked as such already.
        if kind.signatures > 1 && signatures < kind.signatures as usize {
            let text = format!(
                "A note of this kind is signed by {} officials; of this one's signatures {signatures} hold.",
                kind.signatures
            );
            out.push(("signatures", text));
        }
        if note.re.len() < kind.after.len() {
            let after: Vec<_> = kind.after.iter().map(|one| format!("`{one}`")).collect();
            let text =
                format!("It has to refer to an earlier note of the kind {}.", after.join(", and to one of the kind "));
            out.push(("no-predecessor", text));
        }
        out
    }

    /// The same of the kinds of the notes that it refers to: `None` where that record is not held.
    pub fn predecessors(&self, kind: &str, referred: &[Option<String>]) -> Vec<Disorder> {
        let Some(known) = self.kind.get(kind) else { return Vec::new() };
        // What is not held may be anything.
        let unknown = referred.iter().filter(|kind| kind.is_none()).count();
        let missing: Vec<_> = known
            .after
            .iter()
            .filter(|one| !referred.iter().flatten().any(|kind| one.0.contains(kind)))
            .map(|one| format!("`{one}`"))
            .collect();
        if missing.len() <= unknown {
            return Vec::new();
        }
        let text = format!("It does not refer to an earlier note of the kind {}.", missing.join(" and "));
        vec![("no-predecessor", text)]
    }

    /// Whether a party may send a note of a kind, as it is said.
    pub fn may_send(&self, kind: &Kind, said: Said, treaty: &Treaty) -> bool {
        self.wrong_sender(kind, said, treaty).is_none()
    }

    fn wrong_sender(&self, kind: &Kind, said: Said, treaty: &Treaty) -> Option<Disorder> {
        let code = &treaty.party(said.from).code;
        if let Some(name) = kind.behalf.as_ref().and_then(|field| said.body.get(field)?.as_str())
            && !self.members(name, treaty).contains(&said.from)
        {
            return Some(("wrong-sender", format!("It is sent for {name}, of which {code} is no member.")));
        }
        let may = |who: &Address| match &who.who {
            Who::All => treaty.party(said.from).roles.iter().any(|role| *role != Role::Observer),
            _ => who.parties(said, self, treaty).contains(&said.from),
        };
        if kind.from.is_empty() || kind.from.iter().any(may) {
            return None;
        }
        let from: Vec<_> = kind.from.iter().map(|who| who.describe(self)).collect();
        Some(("wrong-sender", format!("A note of this kind is for {} to send, not for {code}.", from.join(" or "))))
    }

    fn not_reached(&self, whom: &Address, said: Said, treaty: &Treaty) -> Option<Disorder> {
        let to_all = said.to.iter().any(|to| to == "*");
        let wanted: Vec<_> = whom.parties(said, self, treaty).into_iter().filter(|party| *party != said.from).collect();
        let reached = |party: &usize| to_all || said.to.contains(&treaty.party(*party).code);
        let missing: Vec<_> = wanted.iter().filter(|party| !reached(party)).map(|p| &treaty.party(*p).code).collect();
        let enough = match whom.any {
            true => wanted.is_empty() || missing.len() < wanted.len(),
            false => missing.is_empty(),
        };
        if enough {
            return None;
        }
        let missing = missing.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        Some(("not-reached", format!("It has to be addressed to {}; it is not to {missing}.", whom.describe(self))))
    }
}

impl Address {
    /// For people: `all parties`, `a depositary`, `each depositary`, `the group “Benelux”`.
    pub fn describe(&self, profile: &Profile) -> String {
        let each = if self.any { "one" } else { "each" };
        match &self.who {
            Who::All if self.any => "another party".into(),
            Who::All => "all parties".into(),
            Who::Party(code) => code.clone(),
            Who::Role(Role::StateParty) => format!("{each} state party"),
            Who::Role(Role::Depositary) => format!("{each} depositary"),
            Who::Role(Role::Observer) => format!("{each} observer"),
            Who::Group(name) => {
                let title = profile.group.get(name).map_or(name, |group| &group.title);
                match self.any {
                    true => format!("a member of {title}"),
                    false => format!("the members of {title}"),
                }
            }
            Who::Field(name) => format!("whom the note names as `{name}`"),
            Who::Sender => "the sender".into(),
            Who::Addressee => format!("{each} addressee"),
        }
    }
}
