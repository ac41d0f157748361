//! Notes on their way to being signed: what is wrong with one, and how it reads in plain words.

use serde_json::Value;

use super::{Code, Context, Failure, display};
use crate::ledger::{Notification, Profile, Role, Treaty};

/// What would keep a party's node from logging a note, one sentence a fault; signatures are not looked at.
pub fn faults(note: &Notification, treaty: &Treaty, profile: &Profile) -> Vec<String> {
    let mut faults = Vec::new();
    if note.ledger != treaty.hash() {
        faults.push(format!(
            "it is for another ledger: it names a treaty file with SHA-256 {}, and the one here has {}",
            note.ledger.to_hex(),
            treaty.hash().to_hex()
        ));
    }
    match treaty.find(&note.from) {
        None => faults.push(format!("it is from {}, which is not a party to the treaty", note.from)),
        Some(at) if treaty.party(at).roles == [Role::Observer] => {
            faults.push(format!("it is from {}, an observer, which does not notify", note.from));
        }
        Some(_) => {}
    }
    let stranger = |code: &&String| *code != "*" && treaty.find(code).is_none();
    faults
        .extend(note.to.iter().filter(stranger).map(|code| format!("it is addressed to {code}, which is not a party")));
    let referred = note.re.iter().map(|reference| &reference.log).filter(stranger);
    faults.extend(referred.map(|code| format!("it refers to a note of {code}, which is not a party")));
    faults.extend(profile.faults(&note.kind, &note.body));
    faults
}

/// A refusal that lists all faults; `what` is a file or the draft in the making.
pub fn refuse(what: &str, faults: &[String]) -> Failure {
    let message = match faults {
        [one] => format!("{what}: {one}"),
        many => format!("{what} has {} faults:\n  - {}", many.len(), many.join("\n  - ")),
    };
    Failure::new(Code::Refused, message)
}

/// Prints a note in plain words.
pub fn present(note: &Notification, treaty: &Treaty, profile: &Profile, context: &Context) {
    let out = &context.out;
    let kind = profile.kind.get(&note.kind);
    let article = kind.map(|kind| kind.article.as_str()).filter(|article| !article.is_empty());
    let title = kind.map_or(note.kind.as_str(), |kind| kind.title.as_str());
    out.line(out.bold(&article.map_or(title.to_owned(), |article| format!("{title} ({article})"))));
    let line = |label: &str, text: &str| out.line(format!("{}: {text}", out.dim(label)));
    line("From", &display::party(treaty, &note.from));
    line("To", &display::addressees(treaty, &note.to));
    line("Issued", &display::time(note.issued));
    for reference in &note.re {
        line(
            "Refers to",
            &format!("number {} in the log of {}", reference.index, display::party(treaty, &reference.log)),
        );
    }
    for (name, value) in &note.body {
        let field = kind.and_then(|kind| kind.fields.iter().find(|field| field.name == *name));
        line(field.map_or(name.as_str(), |field| field.title.as_str()), &words(value));
    }
    for file in &note.attachments {
        let (size, hash) = (display::count(file.size.try_into().unwrap_or(usize::MAX), "byte", "bytes"), file.sha256);
        line("Attachment", &format!("{}, {}, {size}, SHA-256 {}", file.name, file.media, hash.to_hex()));
    }
}

fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    }
}
