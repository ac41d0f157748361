//! From the parts of a message to a draft.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::content::{self, Reader};
use super::fault::{Fault, Faults, Weight};
use super::read::{sheet, strip_words};
use super::sheet::{Item, Sheet};
use super::value::{NONE, is_nothing, read_text, time};
use super::who::Names;
use super::{Form, UNNUMBERED};
use crate::ledger::{Attachment, Kind, Profile, Timestamp, Treaty, canon};
use crate::tlog::Hash;

/// Longest message that is read, in bytes; of a longer one nothing is.
pub const MAX_MESSAGE_BYTES: usize = 1 << 18;
/// Most references and attachments, as in a notification.
const MAX_ITEMS: usize = 256;

/// What a message says, as far as it could be understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// The kind.
    pub kind: Option<String>,
    /// Code of the party that sends.
    pub from: Option<String>,
    /// Addressees: codes, or `*` for all.
    pub to: Vec<String>,
    /// When it was issued.
    pub issued: Option<Timestamp>,
    /// The message's number, as it stands there. A note is numbered by its sender's log.
    pub number: Option<String>,
    /// Earlier notes that it refers to: code of the log's party and number in it.
    pub references: Vec<(String, u64)>,
    /// The fields of its kind.
    pub body: Map<String, Value>,
    /// Files that go with it.
    pub attachments: Vec<Attachment>,
    /// What is missing, wrong or unusual, by line.
    pub faults: Vec<Fault>,
}

impl Draft {
    /// Whether nothing is missing or wrong: what was unusual was understood.
    pub fn is_complete(&self) -> bool {
        self.faults.iter().all(|fault| fault.weight == Weight::Noted)
    }
}

/// Reads a message. `kind` is the note's kind, where the person says it; else its SUBJECT or TREATY REFERENCE tells.
pub fn read(text: &str, kind: Option<&str>, profile: &Profile, treaty: &Treaty) -> Draft {
    let mut faults = Faults::default();
    if text.len() > MAX_MESSAGE_BYTES {
        faults.wrong(1, format!("the message is longer than {MAX_MESSAGE_BYTES} bytes; nothing of it was read"));
        return Draft { faults: faults.finish(), ..Draft::default() };
    }
    let form = Form::of(profile);
    let sheet = sheet(text, &form.mark, &mut faults);
    let mut making = Making {
        text,
        form,
        profile,
        names: Names { treaty, profile },
        sheet: &sheet,
        faults: &mut faults,
        draft: Draft::default(),
    };
    making.absent();
    making.sender();
    making.addressees();
    making.kind(kind);
    making.number();
    making.time();
    making.references();
    making.content();
    making.attachments();
    let mut draft = making.draft;
    draft.faults = faults.finish();
    draft
}

struct Making<'a> {
    text: &'a str,
    form: Form,
    profile: &'a Profile,
    names: Names<'a>,
    sheet: &'a Sheet,
    faults: &'a mut Faults,
    draft: Draft,
}

impl<'a> Making<'a> {
    /// An item's line and words, unless they say that there is nothing.
    fn said(&self, item: Item) -> Option<(usize, &'a str)> {
        self.sheet.item(item).filter(|said| !is_nothing(&said.text)).map(|said| (said.line, said.text.as_str()))
    }

    fn name(&self, item: Item) -> String {
        item.name(&self.form.mark)
    }

    /// The line before which something that is missing should stand.
    fn line_for(&self, item: Item) -> usize {
        let later = Item::ALL.into_iter().filter(|other| *other > item);
        let line = later.filter_map(|other| self.sheet.item(other)).map(|said| said.line).min();
        line.unwrap_or_else(|| self.text.lines().count() + 1)
    }

    /// Items of which nothing else will be said.
    fn absent(&mut self) {
        for item in Item::ALL.into_iter().filter(|item| self.sheet.item(*item).is_none()) {
            let name = self.name(item);
            let text = match item {
                Item::From | Item::To | Item::Subject => continue,
                Item::Content => format!("`{name}:` is missing, and with it what is notified"),
                Item::End => format!("`{name}:` is missing: the message may have been cut off"),
                _ => {
                    self.faults.noted(self.line_for(item), format!("`{name}:` is missing before this line"));
                    continue;
                }
            };
            self.faults.missing(self.line_for(item), text);
        }
    }

    fn sender(&mut self) {
        let name = self.name(Item::From);
        let Some((line, text)) = self.said(Item::From) else {
            let what = format!("`{name}:` is missing or empty: who sends the note");
            return self.faults.add_for(Weight::Missing, self.line_for(Item::From), Some("FROM"), what);
        };
        let found = self.names.read(text).filter(|code| self.names.treaty.find(code).is_some());
        if found.is_none() {
            self.faults.add_for(
                Weight::Wrong,
                line,
                Some("FROM"),
                format!("`{name}: {text}` names no party to the treaty"),
            );
        }
        self.draft.from = found;
    }

    fn addressees(&mut self) {
        let mut to: Vec<String> = Vec::new();
        for item in [Item::To, Item::Info] {
            let Some((line, text)) = self.said(item) else { continue };
            let found = self.names.read_all(text);
            for word in found.unknown {
                let text = format!("`{}`: `{word}` names no party to the treaty", self.name(item));
                self.faults.add_for(Weight::Wrong, line, Some("TO"), text);
            }
            to.extend(found.codes);
        }
        if self.sheet.item(Item::To).is_none() && !to.is_empty() {
            let text = format!("`{}:` is missing before this line", self.name(Item::To));
            self.faults.noted(self.line_for(Item::To), text);
        }
        let mut each: Vec<String> = Vec::new();
        for code in to {
            if Some(&code) != self.draft.from.as_ref() && !each.contains(&code) {
                each.push(code);
            }
        }
        // All come last, as a message has its copies after its addressees.
        each.sort_by_key(|code| code == "*");
        if each.is_empty() {
            let text = format!("`{}:` is missing or names nobody: to whom the note goes", self.name(Item::To));
            let line = self.sheet.item(Item::To).map_or_else(|| self.line_for(Item::To), |said| said.line);
            self.faults.add_for(Weight::Missing, line, Some("TO"), text);
        }
        self.draft.to = each;
    }

    fn kind(&mut self, given: Option<&str>) {
        let subject = self.said(Item::Subject);
        let article = self.said(Item::Treaty);
        let found =
            self.by_subject(subject.map(|(_, text)| text)).or_else(|| self.by_article(article.map(|(_, text)| text)));
        let line = subject.map_or_else(|| self.line_for(Item::Subject), |(line, _)| line);
        let name = self.name(Item::Subject);
        if let Some((given, known)) = given.and_then(|given| self.profile.kind.get_key_value(given)) {
            if let Some(found) = found.filter(|found| *found != given) {
                self.faults.wrong(line, format!("`{name}:` makes it `{found}`, and not `{given}`"));
            }
            self.draft.kind = Some(given.clone());
            return self.article(known);
        }
        match found {
            Some(found) => {
                self.draft.kind = Some(found.to_owned());
                if let Some(known) = self.profile.kind.get(found) {
                    if subject.is_none_or(|(_, text)| !is_title(text, known)) {
                        self.faults.noted(line, format!("taken for `{}` (`{found}`)", known.title));
                    }
                    self.article(known);
                }
            }
            None => {
                let what = match subject {
                    Some((_, text)) => format!("`{name}: {text}` is not the title of one of the treaty's kinds"),
                    None => format!("`{name}:` is missing or empty"),
                };
                self.faults.add_for(
                    Weight::Missing,
                    line,
                    Some("SUBJECT"),
                    format!("{what}: which kind of note it is"),
                );
            }
        }
    }

    fn by_subject(&self, subject: Option<&str>) -> Option<&'a str> {
        let subject = subject?;
        let mut exact = self.profile.kind.iter().filter(|(_, kind)| is_title(subject, kind));
        let named = || self.profile.kind.keys().find(|name| name.eq_ignore_ascii_case(subject.trim()));
        if let Some((name, _)) = exact.next() {
            return Some(name);
        }
        // A title with further words: `NOTICE OF WITHDRAWAL FROM THE TREATY ON OPEN SKIES`. The longest title counts.
        let begun = || {
            let begins = self.profile.kind.iter().filter(|(_, kind)| strip_words(subject, &kind.title).is_some());
            begins.max_by_key(|(_, kind)| kind.title.len()).map(|(name, _)| name)
        };
        named().or_else(begun).map(String::as_str)
    }

    /// The one kind of which the treaty speaks in that article.
    fn by_article(&self, article: Option<&str>) -> Option<&'a str> {
        let article = plain_article(article?);
        let mut there = self.profile.kind.iter().filter(|(_, kind)| plain_article(&kind.article) == article);
        let first = there.next()?;
        there.next().is_none().then_some(first.0.as_str())
    }

    fn article(&mut self, kind: &Kind) {
        let Some((line, text)) = self.said(Item::Treaty) else { return };
        if plain_article(text) != plain_article(&kind.article) {
            let article = if kind.article.is_empty() { NONE } else { &kind.article };
            let text = format!("`{}: {text}`; the profile has {article} for `{}`", self.name(Item::Treaty), kind.title);
            self.faults.noted(line, text);
        }
    }

    fn number(&mut self) {
        let (first, last) = (self.said(Item::Number), self.said(Item::End));
        if let (Some((_, first)), Some((line, last))) = (first, last)
            && !first.eq_ignore_ascii_case(last)
        {
            self.faults.wrong(line, format!("the message begins as `{first}` and ends as `{last}`: it may be two"));
        }
        let Some((line, text)) = first.or(last) else { return };
        if text.eq_ignore_ascii_case(UNNUMBERED) {
            return;
        }
        self.draft.number = Some(text.to_owned());
        let Some(read) = self.form.read_number(text) else {
            let pattern = self.form.number.as_ref().map_or("{party}/{index}".into(), ToString::to_string);
            return self.faults.noted(line, format!("the number `{text}` is not of the form {pattern}"));
        };
        if let (Some(from), Some(by)) = (&self.draft.from, &read.from)
            && from != by
        {
            self.faults.wrong(line, format!("the number `{text}` is one of {by}, and the message is from {from}"));
        }
    }

    fn time(&mut self) {
        let Some((line, text)) = self.said(Item::Time) else { return };
        let name = self.name(Item::Time);
        match time(text) {
            Ok(Some(time)) => {
                if time.display() != text {
                    self.faults.noted(line, format!("`{text}` was taken as {}", time.display()));
                }
                self.draft.issued = Some(time);
            }
            Ok(None) => self.faults.wrong(line, format!("`{name}: {text}` is not a time as 2021-06-18 09:00:00 UTC")),
            Err(expected) => self.faults.wrong(line, format!("`{name}: {text}` is not {expected}")),
        }
    }

    fn references(&mut self) {
        let Some((line, text)) = self.said(Item::References) else { return };
        for number in text.split([';', ',']).map(str::trim).filter(|number| !number.is_empty()) {
            let read = self.form.read_number(number);
            let known = read.and_then(|read| Some((read.from?, read.number?)));
            let known = known.filter(|(from, _)| self.names.treaty.find(from).is_some());
            match known {
                Some(known) if !self.draft.references.contains(&known) && self.draft.references.len() < MAX_ITEMS => {
                    self.draft.references.push(known);
                }
                Some(_) => {}
                None => {
                    let text =
                        format!("`{}`: `{number}` is not the number of a party's note", self.name(Item::References));
                    self.faults.wrong(line, text);
                }
            }
        }
    }

    fn content(&mut self) {
        let remarks = self.sheet.item(Item::Remarks);
        let end = self.line_for(Item::Content);
        let Some(known) = self.draft.kind.as_ref().and_then(|kind| self.profile.kind.get(kind)) else { return };
        if let Some((line, text)) = self.said(Item::Content) {
            let text = format!("`{}: {text}` was not taken: it stands under no letter", self.name(Item::Content));
            self.faults.wrong(line, text);
        }
        let mut reader = Reader { names: self.names, faults: self.faults, lines: BTreeMap::new(), end };
        let mut body = reader.read(&known.fields, &self.sheet.content);
        let mut lines = reader.lines;
        let field = known.fields.iter().find(|field| content::is_remarks(field));
        match (remarks.and_then(|said| Some((said.line, read_text(&said.text)?))), field) {
            (Some((line, text)), Some(field)) => {
                lines.insert(field.name.clone(), line);
                body.insert(field.name.clone(), text.into());
            }
            (Some((line, text)), None) => {
                let text =
                    format!("`{}: {text}` was not taken: this kind has no field for remarks", self.name(Item::Remarks));
                self.faults.wrong(line, text);
            }
            (None, Some(field)) if field.required => {
                let line = remarks.map_or_else(|| self.line_for(Item::Remarks), |said| said.line);
                self.faults.add_for(
                    Weight::Missing,
                    line,
                    Some(&field.name),
                    format!("the remarks ({}) are missing", field.title),
                );
            }
            (None, _) => {}
        }
        self.check(&body, &lines, end);
        self.draft.body = body;
    }

    /// What the profile's own check finds beyond what reading found.
    fn check(&mut self, body: &Map<String, Value>, lines: &BTreeMap<String, usize>, end: usize) {
        let Some(kind) = self.draft.kind.clone() else { return };
        for what in self.profile.faults(&kind, body) {
            let way = what.split('`').nth(1).unwrap_or_default();
            if self.faults.is_about(way) {
                continue;
            }
            let outer = way.rsplit_once(['.', '[']).map_or(way, |(outer, _)| outer);
            let line = lines.get(way).or_else(|| lines.get(outer)).copied().unwrap_or(end);
            self.faults.add_for(Weight::Wrong, line, Some(way), what.clone());
        }
        for (key, value) in body {
            if let Some(fault) = value.as_str().and_then(|text| canon::check_plain(text).err()) {
                let line = lines.get(key).copied().unwrap_or(end);
                self.faults.add_for(Weight::Wrong, line, Some(key), format!("the field `{key}`: {fault}"));
            }
        }
    }

    fn attachments(&mut self) {
        for said in &self.sheet.attachments {
            match attachment(&said.text) {
                Some(file) if self.draft.attachments.len() < MAX_ITEMS => self.draft.attachments.push(file),
                _ => {
                    let text =
                        format!("the attachment `{}` does not read SIZE bytes, TYPE, SHA-256 HASH, NAME", said.text);
                    self.faults.wrong(said.line, text);
                }
            }
        }
    }
}

fn is_title(text: &str, kind: &Kind) -> bool {
    strip_words(text, &kind.title).is_some_and(|rest| rest.trim_end_matches('.').is_empty())
}

/// An article without what people put around it: `Article XV, paragraph 2` is `XV.2`.
fn plain_article(text: &str) -> String {
    let upper = text.to_uppercase();
    let words = upper.split(|c: char| !c.is_alphanumeric());
    let words = words.filter(|word| {
        !["", "ART", "ARTICLE", "ARTICLES", "PARA", "PARAGRAPH", "SECTION", "OF", "THE", "TREATY", NONE].contains(word)
    });
    words.collect::<Vec<_>>().join(".")
}

fn attachment(text: &str) -> Option<Attachment> {
    let (size, rest) = text.split_once(" bytes, ")?;
    let (media, rest) = rest.split_once(", SHA-256 ")?;
    let (hash, name) = rest.split_once(", ")?;
    Some(Attachment {
        media: media.to_owned(),
        name: read_text(name)?,
        sha256: Hash::from_hex(hash)?,
        size: size.parse().ok().filter(|size| *size <= 1 << 53)?,
    })
}
