//! Copies of one note that officials signed in different places: what they hold, and their signatures on one note.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::{Code, Context, Failure, files};
use super::is_official;
use crate::keys::{self, Public, PublicKey};
use crate::ledger::{Notification, Profile};
use crate::note::{MAX_NOTE_BYTES, SignedNote};

/// A draft or a signed note in a file.
pub(super) struct Copy {
    pub path: PathBuf,
    pub note: SignedNote,
    pub notification: Notification,
}

/// A signature line on a note that was brought here.
pub(super) struct Known {
    /// The key's name.
    pub name: String,
    /// The home folder has its public key, and it verifies.
    pub verified: bool,
}

impl Copy {
    /// Reads a draft (one line of canonical JSON) or a signed note.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let fail = |what: &dyn std::fmt::Display| {
            Failure::new(Code::Input, format!("{} is neither a draft nor a signed note: {what}", path.display()))
                .hint("make a draft with `verbale new`; a draft that was edited by hand is no longer one")
        };
        let text = files::read_text(path, MAX_NOTE_BYTES)?;
        let note = match text.contains("\n\n") {
            true => SignedNote::parse(text.as_bytes()),
            false => SignedNote::new(text),
        };
        let note = note.map_err(|e| fail(&e))?;
        let notification = Notification::parse(note.text()).map_err(|e| fail(&e))?;
        Ok(Self { path: path.to_owned(), note, notification })
    }
}

/// The note with the signature lines of all copies, each once, in the copies' order. Refused where a text differs: an
/// official's signature is for one text, byte for byte.
pub(super) fn merge(first: &Copy, others: &[Copy], profile: &Profile) -> Result<SignedNote, Failure> {
    let mut merged = first.note.clone();
    for other in others {
        if other.note.text() != first.note.text() {
            let text = format!(
                "{} and {} are not the same note: {}; nothing was written",
                first.path.display(),
                other.path.display(),
                difference(first, other, profile)
            );
            return Err(Failure::new(Code::Refused, text)
                .hint("a signature is for one text: have the officials sign copies of one and the same draft"));
        }
        for line in other.note.signatures() {
            match merged.signatures().iter().find(|have| have.name == line.name && have.id == line.id) {
                Some(have) if have == line => {}
                Some(_) => {
                    let text = format!(
                        "{} has another signature by {} than the copies before it: one of them does not hold; nothing \
                         was written",
                        other.path.display(),
                        line.name
                    );
                    return Err(Failure::new(Code::Refused, text));
                }
                None => merged.add(line.clone()),
            }
        }
    }
    Ok(merged)
}

/// Whose signature lines a note has, and which of them can be verified with the public keys in the home folder.
pub(super) fn known_signers(note: &SignedNote, path: &Path, context: &Context) -> Result<Vec<Known>, Failure> {
    let mut known = Vec::new();
    for line in note.signatures() {
        let short = line.name.rsplit('/').next().filter(|short| is_official(short));
        let public = short.and_then(|short| keys::load_public(&keys::public_path(&context.official_path(short))).ok());
        let key = match public {
            Some(Public { key: PublicKey::Verifier(key), .. }) if line.is_by(&key) => Some(key),
            _ => None,
        };
        if key.as_ref().is_some_and(|key| note.verify(key).is_err()) {
            let text = format!(
                "{}: the signature by {} does not verify with its public key here; nothing was written",
                path.display(),
                line.name
            );
            return Err(Failure::new(Code::Refused, text));
        }
        known.push(Known { name: line.name.clone(), verified: key.is_some() });
    }
    Ok(known)
}

/// The first difference of two texts, in words.
fn difference(a: &Copy, b: &Copy, profile: &Profile) -> String {
    let value = |copy: &Copy| serde_json::from_str::<Value>(copy.note.text()).unwrap_or_default();
    let mut way = Vec::new();
    let Some((ours, theirs)) = differ(&value(a), &value(b), &mut way) else {
        return "their texts differ".into();
    };
    let title = match way.as_slice() {
        [body, name, ..] if body == "body" => {
            let kind = profile.kind.get(&a.notification.kind);
            kind.and_then(|kind| kind.field(name)).map(|field| format!(" ({})", field.title))
        }
        _ => None,
    };
    let says = |copy: &Copy, value: Option<Value>| match value {
        Some(value) => format!("{} in {}", shortened(&value), copy.path.display()),
        None => format!("missing in {}", copy.path.display()),
    };
    let (way, title) = (way.join("."), title.unwrap_or_default());
    format!("the field `{way}`{title} is {}, and {}", says(a, ours), says(b, theirs))
}

/// The first place where two values differ, fields by name, and what stands there.
fn differ(a: &Value, b: &Value, way: &mut Vec<String>) -> Option<(Option<Value>, Option<Value>)> {
    let mut into = |step: String, a: Option<&Value>, b: Option<&Value>| {
        way.push(step);
        let found = match (a, b) {
            (Some(a), Some(b)) => differ(a, b, way),
            (None, None) => None,
            (a, b) => Some((a.cloned(), b.cloned())),
        };
        if found.is_none() {
            way.pop();
        }
        found
    };
    match (a, b) {
        _ if a == b => None,
        (Value::Object(a), Value::Object(b)) => {
            let mut names: Vec<_> = a.keys().chain(b.keys()).collect();
            names.sort_unstable();
            names.into_iter().find_map(|name| into(name.clone(), a.get(name), b.get(name)))
        }
        (Value::Array(a), Value::Array(b)) => {
            (0..a.len().max(b.len())).find_map(|at| into((at + 1).to_string(), a.get(at), b.get(at)))
        }
        _ => Some((Some(a.clone()), Some(b.clone()))),
    }
}

/// A value in at most so many characters.
fn shortened(value: &Value) -> String {
    const MAX: usize = 60;
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.char_indices().nth(MAX) {
        Some((end, _)) => format!("“{}…”", &text[..end]),
        None => format!("“{text}”"),
    }
}
