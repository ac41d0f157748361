//! Notifications as the messages that a treaty's network carries: printed, and read into drafts.
//!
//! The form is that on which the Open Skies Consultative Commission agreed: five header lines, seven numbered items, the
//! content lettered and numbered below, the message's number once more at the end. The profile's `[message]` names the
//! treaty's mark and the pattern of a number.
//!
//! Reading is for text that people and other programs wrote: whatever the text is, it gives a draft, and says line by line
//! what is missing, what could not be taken, and what was unusual. For every notification that fits its kind, reading
//! what was written gives its fields again.
//!
//! # Layout
//!
//! - `sheet`: the parts of a message, and how they are printed
//! - `read`: from lines to parts
//! - `label`: `A.`, `(1)`, `(a)`
//! - `content`: a kind's fields as entries, and back
//! - `value`, `who`: one value, one party, in words
//! - `draft`: from parts to a draft
//! - `fault`: what there is to say about a message

mod content;
mod draft;
mod fault;
mod label;
mod read;
mod sheet;
mod value;
mod who;

pub use draft::{Draft, MAX_MESSAGE_BYTES, read};
pub use fault::{Fault, MAX_FAULTS, Weight};

use crate::ledger::profile::{Numbered, Pattern};
use crate::ledger::{Attachment, Notification, Profile, Timestamp, Treaty};
use sheet::{Item, Said, Sheet};
use value::{NONE, write_text};
use who::{ALL, Names};

/// Where a notification stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Its number in its sender's log.
    pub index: u64,
    /// When it was logged, by its sender's word.
    pub time: Timestamp,
}

/// How messages are written under a profile: its `[message]`, or what serves a treaty that has none.
struct Form {
    mark: String,
    number: Option<Pattern>,
    precedence: String,
}

impl Form {
    fn of(profile: &Profile) -> Self {
        match &profile.message {
            Some(message) => Self {
                mark: message.prefix.clone(),
                number: Pattern::parse(&message.number).ok(),
                precedence: message.precedence.clone(),
            },
            None => Self { mark: String::new(), number: None, precedence: String::new() },
        }
    }

    /// The number of a note; `US/12`, if the pattern asks for more than is known.
    fn number(&self, numbered: &Numbered) -> String {
        let plain =
            || format!("{}/{}", numbered.from.as_deref().unwrap_or_default(), numbered.number.unwrap_or_default());
        self.number.as_ref().and_then(|pattern| pattern.write(numbered)).unwrap_or_else(plain)
    }

    /// Reads a number in the treaty's form, or as `US/12`.
    fn read_number(&self, text: &str) -> Option<Numbered> {
        let plain = || {
            let (from, number) = text.trim().split_once('/')?;
            let number = number.parse().ok().filter(|_| number.bytes().all(|b| b.is_ascii_digit()))?;
            Some(Numbered { from: Some(from.to_ascii_uppercase()), number: Some(number), ..Numbered::default() })
        };
        self.number.as_ref().and_then(|pattern| pattern.read(text)).or_else(plain)
    }
}

/// What stands for the number of a note that no log holds yet.
const UNNUMBERED: &str = "NOT NUMBERED YET";

/// The message that says what a notification says. Without `logged` it is a draft's, and has no number.
///
/// Lines have at most 76 columns where words allow it, and end in a newline.
pub fn write(note: &Notification, logged: Option<Logged>, profile: &Profile, treaty: &Treaty) -> String {
    let form = Form::of(profile);
    let names = Names { treaty, profile };
    let kind = profile.kind.get(&note.kind);
    let mut sheet = Sheet::default();
    let number = logged.map_or_else(
        || UNNUMBERED.to_owned(),
        |logged| {
            form.number(&Numbered {
                from: Some(note.from.clone()),
                year: year(logged.time),
                kind: Some(note.kind.clone()),
                number: Some(logged.index),
            })
        },
    );
    let named: Vec<_> = note.to.iter().map(String::as_str).filter(|to| *to != "*").collect();
    let all = note.to.iter().any(|to| to == "*");
    let (to, info) = match (named.as_slice(), all) {
        ([], _) => (ALL.to_owned(), NONE),
        (named, true) => (names.write_all(named), ALL),
        (named, false) => (names.write_all(named), NONE),
    };
    let article = kind.map(|kind| kind.article.as_str()).filter(|article| !article.is_empty());
    let references: Vec<_> = note
        .re
        .iter()
        .map(|re| form.number(&Numbered { from: Some(re.log.clone()), number: Some(re.index), ..Numbered::default() }))
        .collect();
    sheet.set(Item::Precedence, if form.precedence.is_empty() { NONE } else { &form.precedence });
    sheet.set(Item::From, names.write(&note.from));
    sheet.set(Item::To, to);
    sheet.set(Item::Info, info);
    sheet.set(Item::Subject, kind.map_or(note.kind.as_str(), |kind| kind.title.as_str()));
    sheet.set(Item::Number, number.as_str());
    sheet.set(Item::Time, note.issued.display());
    sheet.set(Item::Treaty, article.unwrap_or(NONE));
    sheet.set(Item::References, if references.is_empty() { NONE.into() } else { references.join("; ") });
    let fields = kind.map_or(&[][..], |kind| &kind.fields);
    sheet.content = content::write(fields, &note.body, &names);
    sheet.set(Item::Content, if sheet.content.is_empty() { NONE } else { "" });
    let has_remarks = fields.iter().any(content::is_remarks);
    let remarks = note.body.get(content::REMARKS).and_then(|value| value.as_str()).filter(|_| has_remarks);
    sheet.set(Item::Remarks, remarks.map_or_else(|| NONE.to_owned(), write_text));
    sheet.attachments = note.attachments.iter().map(|file| Said { text: describe(file), line: 0 }).collect();
    sheet.set(Item::End, number);
    sheet.write(&form.mark)
}

fn year(time: Timestamp) -> Option<u16> {
    time.to_string().get(..4)?.parse().ok()
}

/// `9 bytes, application/pdf, SHA-256 0101…, note.pdf`: the name comes last, as it may hold anything.
fn describe(file: &Attachment) -> String {
    format!("{} bytes, {}, SHA-256 {}, {}", file.size, file.media, file.sha256.to_hex(), write_text(&file.name))
}
