//! The content: a kind's fields as lettered entries, and back.
//!
//! Each field has its letter, in the profile's order, whether it is there or not; neighbours with the same `under` share
//! one. Items of a list are numbered below it, fields of a group lettered below that.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::fault::{Faults, Weight};
use super::label::Label;
use super::read::strip_words;
use super::sheet::{Entry, Said};
use super::value::{self, NONE, is_nothing, write_text};
use super::who::Names;
use crate::ledger::{Field, FieldType};

/// The field that stands under REMARKS instead of in the content.
pub(super) const REMARKS: &str = "remarks";

/// What shares a letter.
struct Slot<'a> {
    /// Their common heading; one field by itself has none.
    heading: Option<&'a str>,
    fields: Vec<&'a Field>,
}

impl Slot<'_> {
    fn title(&self) -> &str {
        self.heading.or_else(|| self.fields.first().map(|field| field.title.as_str())).unwrap_or_default()
    }
}

/// Whether a kind's field goes under REMARKS.
pub(super) fn is_remarks(field: &Field) -> bool {
    field.name == REMARKS && field.kind == FieldType::Text && !field.repeatable
}

fn slots<'a>(fields: impl Iterator<Item = &'a Field>) -> Vec<Slot<'a>> {
    let mut slots: Vec<Slot> = Vec::new();
    for field in fields.filter(|field| !is_remarks(field)) {
        match (slots.last_mut(), field.under.as_deref()) {
            (Some(last), Some(heading)) if last.heading == Some(heading) => last.fields.push(field),
            (_, heading) => slots.push(Slot { heading, fields: vec![field] }),
        }
    }
    slots
}

/// The entries that say what a body says. What the kind does not know follows, so that nothing is hidden.
pub(super) fn write(fields: &[Field], body: &Map<String, Value>, names: &Names) -> Vec<Entry> {
    write_fields(fields, body, 1, names)
}

fn write_fields(fields: &[Field], body: &Map<String, Value>, level: usize, names: &Names) -> Vec<Entry> {
    let slots = slots(fields.iter());
    let mut entries = Vec::new();
    for (at, slot) in slots.iter().enumerate() {
        let label = Label { level, ordinal: at + 1 };
        let there: Vec<_> =
            slot.fields.iter().enumerate().filter_map(|(at, f)| Some((at, *f, body.get(&f.name)?))).collect();
        match slot.heading {
            Some(heading) if !there.is_empty() => {
                let below = there.into_iter().map(|(at, field, value)| {
                    write_field(field, value, Label { level: level + 1, ordinal: at + 1 }, names)
                });
                entries.push(entry(label, format!("{heading}:"), below.collect()));
            }
            _ => entries.extend(there.into_iter().map(|(_, field, value)| write_field(field, value, label, names))),
        }
    }
    let known =
        |key: &String| fields.iter().any(|field| field.name == *key && (!is_remarks(field) || body[key].is_string()));
    for (at, (key, value)) in body.iter().filter(|(key, _)| !known(key)).enumerate() {
        let label = Label { level, ordinal: slots.len() + at + 1 };
        entries.push(entry(
            label,
            format!("{key}: {}", value.as_str().map_or_else(|| value.to_string(), write_text)),
            vec![],
        ));
    }
    entries
}

fn entry(label: Label, text: String, entries: Vec<Entry>) -> Entry {
    Entry { label, said: Said { text, line: 0 }, entries }
}

fn write_field(field: &Field, value: &Value, label: Label, names: &Names) -> Entry {
    let title = &field.title;
    let level = label.level + 1;
    let several = field.repeatable || field.kind == FieldType::List;
    match value {
        Value::Array(items) if several && items.is_empty() => entry(label, format!("{title}: {NONE}"), vec![]),
        Value::Array(items) if several => {
            let one = |(at, item): (usize, &Value)| write_item(field, item, Label { level, ordinal: at + 1 }, names);
            entry(label, format!("{title}:"), items.iter().enumerate().map(one).collect())
        }
        Value::Object(body) if field.kind == FieldType::Group && !several => {
            entry(label, format!("{title}:"), write_fields(&field.fields, body, level, names))
        }
        _ => entry(label, format!("{title}: {}", value::write(field, value, names)), vec![]),
    }
}

/// One of a field's several values.
fn write_item(field: &Field, value: &Value, label: Label, names: &Names) -> Entry {
    let level = label.level + 1;
    match value {
        Value::Object(body) if field.kind == FieldType::Group => {
            entry(label, String::new(), write_fields(&field.fields, body, level, names))
        }
        Value::Array(items) if field.kind == FieldType::List => {
            let one = |(at, item): (usize, &Value)| {
                entry(Label { level, ordinal: at + 1 }, value::write(field, item, names), vec![])
            };
            let text = if items.is_empty() { NONE.into() } else { String::new() };
            entry(label, text, items.iter().enumerate().map(one).collect())
        }
        _ => entry(label, value::write(field, value, names), vec![]),
    }
}

/// Reads entries into a body.
pub(super) struct Reader<'a> {
    pub names: Names<'a>,
    pub faults: &'a mut Faults,
    /// The line of each field that was read, by its way as the profile's check names it: `people[2].name`.
    pub lines: BTreeMap<String, usize>,
    /// The line after the content, before which what is missing at its end should stand.
    pub end: usize,
}

impl Reader<'_> {
    /// The body that these entries make.
    pub fn read(&mut self, fields: &[Field], entries: &[Entry]) -> Map<String, Value> {
        let mut body = Map::new();
        self.fields(&fields.iter().collect::<Vec<_>>(), entries, ("", ""), self.end, &mut body);
        body
    }

    /// Reads what stands below a label into an object. `way` and `above` lead to it: `people[2].`, `B.(2)`.
    fn fields(
        &mut self,
        fields: &[&Field],
        entries: &[Entry],
        (way, above): (&str, &str),
        end: usize,
        body: &mut Map<String, Value>,
    ) {
        let slots = slots(fields.iter().copied());
        let mut used: Vec<Option<usize>> = vec![None; slots.len()];
        for (position, entry) in entries.iter().enumerate() {
            let Some((at, rest)) = self.slot(&slots, entry, above) else { continue };
            if let Some(earlier) = used[at] {
                let text = format!("`{}` stands there twice; that on line {earlier} counts", slots[at].title());
                self.faults.wrong(entry.said.line, text);
                continue;
            }
            used[at] = Some(entry.said.line);
            let next = entries.get(position + 1).map_or(end, |next| next.said.line);
            let label = format!("{above}{}", entry.label.text());
            match (slots[at].heading, slots[at].fields.as_slice()) {
                (None, [field]) => self.field(field, rest, entry, (way, &label), next, body),
                (_, fields) => {
                    if !rest.is_empty() {
                        self.faults.wrong(
                            entry.said.line,
                            format!("`{rest}` was not taken: it stands under no number of `{label}`"),
                        );
                    }
                    let fields: Vec<Field> = fields.iter().map(|f| Field { under: None, ..(*f).clone() }).collect();
                    self.fields(&fields.iter().collect::<Vec<_>>(), &entry.entries, (way, &label), next, body);
                }
            }
        }
        for (at, slot) in slots.iter().enumerate().filter(|(at, _)| used[*at].is_none()) {
            let line = used[at..].iter().flatten().min().copied().unwrap_or(end);
            let level = entries.first().map_or(1, |entry| entry.label.level);
            let label = format!("{above}{}", Label { level, ordinal: at + 1 }.text());
            for field in slot.fields.iter().filter(|field| field.required) {
                let text = format!(
                    "the field `{way}{}` is missing: `{label} {}:` should stand before this line, with {}",
                    field.name,
                    field.title,
                    field.expected()
                );
                self.faults.add_for(Weight::Missing, line, Some(&format!("{way}{}", field.name)), text);
            }
        }
    }

    /// Which of the slots an entry is, and what stands beside its heading.
    fn slot<'t>(&mut self, slots: &[Slot], entry: &'t Entry, above: &str) -> Option<(usize, &'t str)> {
        let text = entry.said.text.as_str();
        let label = format!("{above}{}", entry.label.text());
        let by_label = slots.get(entry.label.ordinal - 1).map(|_| entry.label.ordinal - 1);
        if let Some(at) = by_label
            && let Some(rest) = strip_heading(text, slots[at].title())
        {
            return Some((at, rest));
        }
        let by_title = slots.iter().enumerate().find_map(|(at, slot)| Some((at, strip_heading(text, slot.title())?)));
        if let Some((at, rest)) = by_title {
            let title = slots[at].title();
            self.faults.noted(
                entry.said.line,
                format!("`{title}` stands as `{label}`, which the format gives to something else"),
            );
            return Some((at, rest));
        }
        let Some(at) = by_label else {
            self.faults
                .wrong(entry.said.line, format!("`{label} {text}` was not taken: there is no such item in this kind"));
            return None;
        };
        let title = slots[at].title();
        let (heading, rest) = match text.split_once(": ") {
            Some((heading, rest)) => (heading, rest.trim_start()),
            None => match text.strip_suffix(':') {
                Some(heading) => (heading, ""),
                None => ("", text),
            },
        };
        let heading = if heading.is_empty() { "what has no heading".into() } else { format!("`{heading}`") };
        self.faults.noted(entry.said.line, format!("{heading} was taken for `{title}` by its label `{label}`"));
        Some((at, rest))
    }

    fn field(
        &mut self,
        field: &Field,
        rest: &str,
        entry: &Entry,
        (way, label): (&str, &str),
        end: usize,
        body: &mut Map<String, Value>,
    ) {
        let way = format!("{way}{}", field.name);
        self.lines.insert(way.clone(), entry.said.line);
        let several = field.repeatable || field.kind == FieldType::List;
        let value = if several {
            self.several(field, rest, entry, (&way, label), end)
        } else if field.kind == FieldType::Group {
            if !rest.is_empty() {
                self.faults
                    .wrong(entry.said.line, format!("`{rest}` was not taken: it stands under no label of `{label}`"));
            }
            Some(self.group(field, &entry.entries, (&way, label), end))
        } else {
            let text = self.joined(rest, entry);
            self.scalar(field, &text, entry.said.line, &way)
        };
        match value {
            Some(value) => {
                body.insert(field.name.clone(), value);
            }
            None if field.required && !self.faults.is_about(&way) => {
                let text = format!("the field `{way}` ({}) is empty: it should be {}", field.title, field.expected());
                self.faults.add_for(Weight::Missing, entry.said.line, Some(&way), text);
            }
            None => {}
        }
    }

    fn group(&mut self, field: &Field, entries: &[Entry], (way, label): (&str, &str), end: usize) -> Value {
        let mut body = Map::new();
        self.fields(&field.fields.iter().collect::<Vec<_>>(), entries, (&format!("{way}."), label), end, &mut body);
        Value::Object(body)
    }

    /// The values of a list or a repeatable field: one below each number.
    fn several(
        &mut self,
        field: &Field,
        rest: &str,
        entry: &Entry,
        (way, label): (&str, &str),
        end: usize,
    ) -> Option<Value> {
        let (line, below) = (entry.said.line, &entry.entries);
        if below.is_empty() {
            if rest.is_empty() {
                return None;
            }
            if is_nothing(rest) {
                return Some(Value::Array(vec![]));
            }
            if field.kind == FieldType::Group {
                self.faults.add_for(
                    Weight::Wrong,
                    line,
                    Some(way),
                    format!("`{rest}` was not taken: `{label}` has items below it"),
                );
                return None;
            }
            self.faults.noted(line, format!("`{label}` was taken as a list whose items are separated by semicolons"));
            let items = rest.split(';').map(str::trim).enumerate();
            return items.map(|(at, item)| self.scalar(field, item, line, &format!("{way}[{at}]"))).collect();
        }
        if !rest.is_empty() {
            self.faults.wrong(line, format!("`{rest}` was not taken: it stands under no number of `{label}`"));
        }
        let deeper = |below: &Entry| below.label.level > entry.label.level + 1;
        if field.kind == FieldType::Group && below.iter().all(deeper) {
            self.faults.noted(line, format!("`{label}` was taken as one item, which has no number"));
            let way = format!("{way}[0]");
            return Some(Value::Array(vec![self.group(field, below, (&way, label), end)]));
        }
        let mut items = Vec::new();
        for (at, item) in below.iter().enumerate() {
            let way = format!("{way}[{at}]");
            let label = format!("{label}{}", item.label.text());
            let end = below.get(at + 1).map_or(end, |next| next.said.line);
            self.lines.insert(way.clone(), item.said.line);
            items.extend(match field.kind {
                FieldType::Group => {
                    if !item.said.text.is_empty() {
                        let text = format!("`{}` was not taken: it stands under no label of `{label}`", item.said.text);
                        self.faults.wrong(item.said.line, text);
                    }
                    Some(self.group(field, &item.entries, (&way, &label), end))
                }
                FieldType::List if field.repeatable => {
                    let mut texts = Vec::new();
                    for item in &item.entries {
                        let text = self.joined(&item.said.text, item);
                        texts.push(self.text(&text));
                    }
                    Some(Value::Array(texts))
                }
                _ => {
                    let text = self.joined(&item.said.text, item);
                    self.scalar(field, &text, item.said.line, &way)
                }
            });
        }
        Some(Value::Array(items))
    }

    /// A single value, or an item of a list, which may be empty.
    fn scalar(&mut self, field: &Field, text: &str, line: usize, way: &str) -> Option<Value> {
        if field.kind == FieldType::List {
            return Some(self.text(text));
        }
        let mut note = None;
        let read = value::read(field, text, &self.names, &mut note);
        if let Some(note) = note {
            self.faults.add_for(Weight::Noted, line, Some(way), note);
        }
        match read {
            Ok(value) => value,
            Err(expected) => {
                let text = format!("the field `{way}` ({}): `{text}` is not {expected}", field.title);
                self.faults.add_for(Weight::Wrong, line, Some(way), text);
                None
            }
        }
    }

    fn text(&self, text: &str) -> Value {
        value::read_text(text).unwrap_or_default().into()
    }

    /// What stands beside a label and, though nothing should, below it: lines of a text that looked like labels.
    fn joined(&mut self, text: &str, entry: &Entry) -> String {
        let mut out = text.to_owned();
        if let Some(first) = entry.entries.first() {
            let label = first.label.text();
            self.faults.noted(first.said.line, format!("`{label}` was taken as a part of the text before it"));
            append(&mut out, &entry.entries);
        }
        out
    }
}

fn append(out: &mut String, entries: &[Entry]) {
    for entry in entries {
        for part in [entry.label.text().as_str(), &entry.said.text] {
            if !out.is_empty() && !part.is_empty() {
                out.push(' ');
            }
            out.push_str(part);
        }
        append(out, &entry.entries);
    }
}

/// What follows a heading and its colon.
fn strip_heading<'a>(text: &'a str, heading: &str) -> Option<&'a str> {
    let rest = strip_words(text, heading)?;
    match rest.strip_prefix(':') {
        Some(rest) => Some(rest.trim_start()),
        None => rest.is_empty().then_some(rest),
    }
}
