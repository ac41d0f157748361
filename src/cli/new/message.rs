//! A draft from a message: what the text says, what the command adds to it, and what is still missing.

use std::path::Path;

use super::super::{Context, Failure, draft, files};
use super::Args;
use crate::ledger::{Field, Profile, Treaty};
use crate::message::{self, Draft, MAX_MESSAGE_BYTES, Weight};
use serde_json::{Map, Value};

/// Reads the message in a file. What the command gives itself is not missing; what is unusual is told and taken.
pub fn read(path: &Path, args: &Args, profile: &Profile, treaty: &Treaty, context: &Context) -> Result<Draft, Failure> {
    let text = files::read_text(path, MAX_MESSAGE_BYTES)?;
    let mut draft = message::read(&text, args.kind.as_deref(), profile, treaty);
    let given = |item: &str| match item {
        "FROM" => args.party.is_some(),
        "TO" => !args.to.is_empty(),
        "SUBJECT" => args.kind.is_some() && draft.kind.is_some(),
        field => args.set.iter().any(|set| set.split_once('=').is_some_and(|(name, _)| name == field)),
    };
    let place = |fault: &message::Fault| format!("{}, {}", path.display(), fault.sentence());
    let open: Vec<_> = draft
        .faults
        .iter()
        .filter(|fault| fault.weight != Weight::Noted && !fault.field.as_deref().is_some_and(given))
        .map(place)
        .collect();
    if !open.is_empty() {
        let hint = "nothing was written; mend the text, or give what is missing with --set FIELD=VALUE, --to, --party";
        return Err(draft::refuse("the message", &open).hint(hint));
    }
    if !context.out.json {
        for fault in draft.faults.iter().filter(|fault| fault.weight == Weight::Noted) {
            context.out.line(format!("Noted: {}", place(fault)));
        }
        if let Some(number) = &draft.number {
            context.out.line(format!("The message is numbered {number}; the log gives the note a number of its own."));
        }
    }
    // What the command sets again replaces what the text says.
    for (name, _) in args.set.iter().filter_map(|set| set.split_once('=')) {
        draft.body.remove(name);
    }
    Ok(draft)
}

/// The references of the message that were not given with the command, as they are typed.
pub fn references(draft: &Draft, typed: &[String]) -> Vec<String> {
    let written = draft.references.iter().map(|(log, index)| format!("{log}/{index}"));
    let is = |text: &String, typed: &String| typed == text || typed.starts_with(&format!("{text}@"));
    let mut all: Vec<_> = written.filter(|text| typed.iter().all(|typed| !is(text, typed))).collect();
    all.extend(typed.iter().cloned());
    all
}

/// Confidential fields that stand in a body, one sentence a fault: every party reads a body.
pub fn exposed(fields: &[Field], body: &Map<String, Value>) -> Vec<String> {
    let there = |field: &&Field| body.contains_key(&field.name);
    let mut out = Vec::new();
    for field in fields.iter().filter(there) {
        if field.confidential {
            out.push(format!(
                "the field `{}` ({}) is confidential, and every party reads a note's body: leave it out, and attach it \
                 encrypted to its recipients",
                field.name, field.title
            ));
        }
        let inner = match &body[&field.name] {
            Value::Array(items) => items.iter().filter_map(Value::as_object).collect(),
            Value::Object(inner) => vec![inner],
            _ => vec![],
        };
        inner.into_iter().for_each(|inner| out.extend(exposed(&field.fields, inner)));
    }
    out.dedup();
    out
}
