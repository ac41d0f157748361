//! Notifications: what an official signs, on any machine, offline if need be.

use std::fmt;

use serde_json::{Map, Value, json};

use super::canon::{self, Text};
use super::fields::{FieldError, Fields};
use super::time::Timestamp;
use super::treaty::is_party_code;
use crate::note::{NoteError, SignedNote};
use crate::tlog::Hash;

/// Longest text of a notification, in bytes; the rest of a record's 65,535 is left to header and signatures.
pub const MAX_TEXT_BYTES: usize = 60_000;
/// Most addressees, references and attachments.
const MAX_ITEMS: usize = 256;
/// The version of the text's format.
const VERSION: u64 = 1;

/// The 128 random bits that make a notification one and the same, however often it is submitted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoteId(pub [u8; 16]);

impl NoteId {
    /// Reads 32 lowercase hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 {
            return None;
        }
        let wide = Hash::from_hex(&format!("{text}{}", "0".repeat(32)))?;
        wide.0.first_chunk::<16>().map(|id| Self(*id))
    }
}

impl fmt::Display for NoteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for NoteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A reference to a record in some party's log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reference {
    /// Index of the record.
    pub index: u64,
    /// Its leaf hash.
    pub leaf: Hash,
    /// Code of the party whose log it is in.
    pub log: String,
}

/// A file that goes with a notification; the notification fixes its bytes by hash.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Attachment {
    /// Media type, as `application/pdf`.
    pub media: String,
    /// File name, without a path.
    pub name: String,
    /// SHA-256 of the file.
    pub sha256: Hash,
    /// Size in bytes.
    pub size: u64,
}

/// Why a note is not a notification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotificationError {
    /// A field is wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The envelope is wrong.
    #[error("not a signed note: {0}")]
    Note(String),
}

impl From<NoteError> for NotificationError {
    fn from(error: NoteError) -> Self {
        Self::Note(error.to_string())
    }
}

/// The signed text's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Files that go with it.
    pub attachments: Vec<Attachment>,
    /// What is notified: the fields of its kind.
    pub body: Map<String, Value>,
    /// Code of the party that sends.
    pub from: String,
    /// Identity.
    pub id: NoteId,
    /// When the official says it was issued.
    pub issued: Timestamp,
    /// Kind, as the treaty's profile names it.
    pub kind: String,
    /// SHA-256 of the treaty file.
    pub ledger: Hash,
    /// Earlier notes that it refers to.
    pub re: Vec<Reference>,
    /// Addressees: party codes, or `*` for all.
    pub to: Vec<String>,
}

impl Notification {
    /// The text to be signed: one line of canonical JSON and a newline.
    pub fn to_text(&self) -> String {
        let mut map = json!({
            "body": self.body, "from": self.from, "id": self.id.to_string(), "issued": self.issued,
            "kind": self.kind, "ledger": self.ledger, "re": self.re, "to": self.to, "v": VERSION,
        });
        if !self.attachments.is_empty() {
            map["attachments"] = json!(self.attachments);
        }
        canon::write(&map) + "\n"
    }

    /// Reads a note's text.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let mut fields = Fields::of_text(text, MAX_TEXT_BYTES, Text::Plain)?;
        let attachments = match fields.optional("attachments") {
            None => Vec::new(),
            Some(Value::Array(items)) if !items.is_empty() && items.len() <= MAX_ITEMS => {
                items.into_iter().map(attachment).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(FieldError::Wrong { field: "attachments", expected: "an array of 1 to 256 files" }),
        };
        let body = match fields.value("body")? {
            Value::Object(map) => map,
            _ => return Err(FieldError::Wrong { field: "body", expected: "an object" }),
        };
        let wrong_to =
            FieldError::Wrong { field: "to", expected: "an array of 1 to 256 party codes or `*`, none twice" };
        let to = fields.array("to", MAX_ITEMS, "an array of 1 to 256 party codes or `*`, none twice", |v| {
            v.as_str().filter(|c| *c == "*" || is_party_code(c)).map(str::to_owned).ok_or(wrong_to.clone())
        })?;
        if to.is_empty() || to.iter().enumerate().any(|(at, code)| to[..at].contains(code)) {
            return Err(wrong_to);
        }
        let notification = Self {
            attachments,
            body,
            from: fields.text("from", "a party code", |c| is_party_code(c).then(|| c.to_owned()))?,
            id: fields.text("id", "32 lowercase hex digits", NoteId::parse)?,
            issued: fields.time("issued")?,
            kind: fields.text("kind", "a kind's name", |k| is_kind_name(k).then(|| k.to_owned()))?,
            ledger: fields.hash("ledger")?,
            re: fields.array("re", MAX_ITEMS, "an array of at most 256 references", reference)?,
            to,
        };
        fields.version(VERSION)?;
        fields.finish()?;
        Ok(notification)
    }

    /// Reads a signed note and the notification in it. Verifies no signature.
    pub fn of_note(bytes: &[u8]) -> Result<(SignedNote, Self), NotificationError> {
        let note = SignedNote::parse(bytes)?;
        let notification = Self::parse(note.text())?;
        Ok((note, notification))
    }

    /// Whether it is addressed to a party, by name or to all.
    pub fn is_to(&self, party: &str) -> bool {
        self.to.iter().any(|to| to == party || (to == "*" && self.from != party))
    }
}

/// Kinds are lower-case words with hyphens, at most 64 bytes.
pub fn is_kind_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && text.as_bytes()[0].is_ascii_lowercase()
}

fn attachment(value: Value) -> Result<Attachment, FieldError> {
    let mut fields = Fields::of_value(value, "attachments")?;
    let name = |n: &str| {
        let fits = (1..=255).contains(&n.len()) && !n.contains(['/', '\\']) && n != "." && n != "..";
        fits.then(|| n.to_owned())
    };
    let media = |m: &str| {
        let fits = m.len() <= 127 && m.is_ascii() && m.split('/').count() == 2 && !m.contains(' ');
        fits.then(|| m.to_owned())
    };
    let attachment = Attachment {
        media: fields.text("media", "a media type as application/pdf", media)?,
        name: fields.text("name", "a file name without a path, at most 255 bytes", name)?,
        sha256: fields.hash("sha256")?,
        size: fields.integer("size")?,
    };
    fields.finish()?;
    Ok(attachment)
}

fn reference(value: Value) -> Result<Reference, FieldError> {
    let mut fields = Fields::of_value(value, "re")?;
    let reference = Reference {
        index: fields.integer("index")?,
        leaf: fields.hash("leaf")?,
        log: fields.text("log", "a party code", |c| is_party_code(c).then(|| c.to_owned()))?,
    };
    fields.finish()?;
    Ok(reference)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Notification {
        Notification {
            attachments: vec![Attachment {
                media: "application/pdf".into(),
                name: "note.pdf".into(),
                sha256: Hash([1; 32]),
                size: 9,
            }],
            body: Map::from_iter([("effective".into(), json!("2021-12-18"))]),
            from: "RU".into(),
            id: NoteId([7; 16]),
            issued: Timestamp::from_posix(1_624_006_800),
            kind: "withdrawal".into(),
            ledger: Hash([2; 32]),
            re: vec![Reference { index: 3, leaf: Hash([3; 32]), log: "US".into() }],
            to: vec!["CA".into(), "HU".into(), "*".into()],
        }
    }

    #[test]
    fn a_notification_reads_back_from_its_canonical_text() {
        let text = sample().to_text();
        assert!(text.starts_with(r#"{"attachments":[{"media":"application/pdf","name":"note.pdf","sha256":"0101"#));
        assert_eq!(Notification::parse(&text).unwrap(), sample());
    }

    #[test]
    fn each_wrong_field_is_named() {
        let text = sample().to_text();
        let cases = [
            (r#""from":"RU""#, r#""from":"ru""#, "`from`"),
            (r#""from":"RU","#, "", "`from` is missing"),
            (r#""kind":"withdrawal""#, r#""kind":"With drawal""#, "`kind`"),
            (r#""id":"07"#, r#""id":"7"#, "`id`"),
            (r#""issued":"2021-06-18T09:00:00Z""#, r#""issued":"2021-06-18""#, "`issued`"),
            (r#""to":["CA","HU","*"]"#, r#""to":[]"#, "`to`"),
            (r#""to":["CA","HU","*"]"#, r#""to":["CA","CA"]"#, "`to`"),
            (r#""name":"note.pdf""#, r#""name":"../pdf""#, "`name`"),
            (r#""size":9"#, r#""size":-9"#, "`size`"),
            (r#""v":1"#, r#""v":2"#, "`v`"),
            (r#""v":1"#, r#""v":1,"x":1"#, "`x` is not known"),
            (r#""re":[{"#, r#""re":[{"a":1,"#, "`a` is not known"),
        ];
        for (from, to, expected) in cases {
            assert!(text.contains(from), "{from}");
            let error = Notification::parse(&text.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error:?} should mention {expected:?}");
        }
        assert_eq!(Notification::parse(text.trim_end()), Err(FieldError::OneLine));
    }
}
