//! A note's fields: from a JSON file, from `--set`, and from the person at the terminal.

use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization;

use super::super::{Code, Failure, files, prompt};
use crate::ledger::{Kind, MAX_TEXT_BYTES, canon};

/// The fields that were given with the command. Faults are collected, so that all are told at once.
pub fn given(
    kind: &Kind,
    json: Option<&Path>,
    set: &[String],
    faults: &mut Vec<String>,
) -> Result<Map<String, Value>, Failure> {
    let mut body = match json {
        Some(path) => read_json(path)?,
        None => Map::new(),
    };
    for text in set {
        let Some((name, typed)) = text.split_once('=') else {
            faults.push(format!("--set {text:?} does not read FIELD=VALUE"));
            continue;
        };
        let Some(field) = kind.fields.iter().find(|field| field.name == name) else {
            faults.push(format!("the field `{name}` is not one of this kind"));
            continue;
        };
        let typed: String = typed.nfc().collect();
        // What is not of the field's type is kept as typed, for the profile's check to name it.
        let value = field.read(&typed).unwrap_or(Value::from(typed));
        if body.insert(name.to_owned(), value).is_some() {
            faults.push(format!("the field `{name}` is given twice"));
        }
    }
    Ok(body)
}

/// Asks for the fields that are not there yet, in the profile's order; an empty answer leaves a field out.
pub fn ask(kind: &Kind, body: &mut Map<String, Value>) -> Result<(), Failure> {
    for field in &kind.fields {
        if body.contains_key(&field.name) {
            continue;
        }
        let optional = if field.required { "" } else { ", may be left out" };
        let is_list = field.repeatable || field.kind == crate::ledger::FieldType::List;
        let list = if is_list { ", separated by semicolons" } else { "" };
        loop {
            let typed = prompt::ask(&format!("{} ({}{list}{optional}): ", field.title, field.expected()))?;
            if typed.is_empty() && !field.required {
                break;
            }
            let typed: String = typed.nfc().collect();
            if let Some(value) = field.read(&typed).filter(|_| !typed.is_empty()) {
                body.insert(field.name.clone(), value);
                break;
            }
            eprintln!("  This should be {}.", field.expected());
        }
    }
    Ok(())
}

/// Strings with characters that a reader cannot see, one sentence a fault.
pub fn invisible(body: &Map<String, Value>) -> Vec<String> {
    let texts = |value: &Value| -> Vec<String> {
        match value {
            Value::String(text) => vec![text.clone()],
            Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => vec![],
        }
    };
    let fault = |(name, value): (&String, &Value)| {
        let error = texts(value).iter().find_map(|text| canon::check_plain(text).err())?;
        Some(format!("the field `{name}`: {error}"))
    };
    body.iter().filter_map(fault).collect()
}

fn read_json(path: &Path) -> Result<Map<String, Value>, Failure> {
    let text = files::read_text(path, MAX_TEXT_BYTES)?;
    let Fields(body) = serde_json::from_str(&text)
        .map_err(|e| Failure::new(Code::Input, format!("{} is not a JSON object of fields: {e}", path.display())))?;
    Ok(body)
}

/// An object of which no field stands there twice; strings in normalisation form C.
struct Fields(Map<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Fields, A::Error> {
        let mut map = Map::new();
        while let Some((name, value)) = access.next_entry::<String, Value>()? {
            if map.contains_key(&name) {
                return Err(serde::de::Error::custom(format!("the field `{name}` stands there twice")));
            }
            map.insert(name, normal(value));
        }
        Ok(Fields(map))
    }
}

/// Brings strings to normalisation form C: what keyboards and other programs write is not always in it.
fn normal(value: Value) -> Value {
    match value {
        Value::String(text) => text.nfc().collect::<String>().into(),
        Value::Array(items) => items.into_iter().map(normal).collect(),
        other => other,
    }
}
