//! Canonical JSON on one line ([RFC 8785](https://www.rfc-editor.org/rfc/rfc8785)), enforced on reading.
//!
//! Only objects, arrays, strings, booleans and integers within ±2^53 exist: on these, every RFC 8785 library agrees.
//! The reader accepts a text only if writing its value again would give the same bytes, and says at which byte it
//! does not. Text must be in Unicode normalisation form C, without control, invisible (category Cf) or line-breaking
//! characters and without any that Unicode 14.0 does not know, so that what a person reads is all that was signed.

use serde_json::{Map, Value};
use unicode_normalization::is_nfc;

use crate::note::is_visible;

/// Deepest nesting accepted.
pub const MAX_DEPTH: usize = 32;
/// Largest magnitude of an integer: 2^53.
pub const MAX_INTEGER: i64 = 1 << 53;

/// Which characters strings may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// What officials sign: NFC, no control, invisible or line-breaking characters.
    Plain,
    /// Any characters: strings that carry whole documents (signed notes in evidence).
    Any,
}

/// Why a text is not canonical JSON, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {kind}")]
pub struct CanonError {
    /// Offset from the start of the text.
    pub at: usize,
    /// What is wrong there.
    pub kind: CanonErrorKind,
}

/// What is wrong with a text that is not canonical JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CanonErrorKind {
    /// Longer than the caller allows.
    #[error("the text is longer than {0} bytes")]
    TooLong(usize),
    /// Not UTF-8.
    #[error("the text is not UTF-8")]
    Utf8,
    /// Nested too deeply.
    #[error("nested more than {MAX_DEPTH} levels deep")]
    Depth,
    /// The text ends before the value does.
    #[error("the text ends too early")]
    End,
    /// Something else should stand here (white space between items counts).
    #[error("expected {0}")]
    Expected(&'static str),
    /// One key twice in one object.
    #[error("the key {0:?} stands twice in one object")]
    DuplicateKey(String),
    /// Keys out of order (by UTF-16 code units).
    #[error("the key {0:?} is out of order")]
    KeyOrder(String),
    /// A number with a fraction or an exponent.
    #[error("a number with a fraction or an exponent; only integers are allowed")]
    Float,
    /// An integer past ±2^53, with leading zeroes, or minus zero.
    #[error("an integer that is past ±2^53 or not in its shortest form")]
    Integer,
    /// `null`.
    #[error("`null` is not allowed: leave the field out")]
    Null,
    /// An escape where the character itself should stand, or in another form than the standard's.
    #[error("an escape sequence that canonical JSON does not use")]
    Escape,
    /// A character that a reader cannot see, that breaks the line, or that Unicode 14.0 does not know.
    #[error("the character U+{0:04X} is invisible, a control character, or none of Unicode 14.0")]
    Character(u32),
    /// Not in normalisation form C.
    #[error("the string is not in Unicode normalisation form C")]
    NotNfc,
}

/// Writes a value in canonical form. Values come from [`parse`] or are built by this crate: no floats, no nulls.
pub fn write(value: &Value) -> String {
    let mut out = String::new();
    write_value(value, &mut out);
    out
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
            out.push('{');
            for (at, (key, value)) in entries.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_string(key, out);
                out.push(':');
                write_value(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Value::String(text) => write_string(text, out),
        other => out.push_str(&other.to_string()),
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Reads a text that must be the canonical form of its value.
pub fn parse(bytes: &[u8], max_bytes: usize, text: Text) -> Result<Value, CanonError> {
    let fail = |at, kind| Err(CanonError { at, kind });
    if bytes.len() > max_bytes {
        return fail(max_bytes, CanonErrorKind::TooLong(max_bytes));
    }
    let source = match std::str::from_utf8(bytes) {
        Ok(source) => source,
        Err(e) => return fail(e.valid_up_to(), CanonErrorKind::Utf8),
    };
    let mut reader = Reader { source, at: 0, text };
    let value = reader.value(0)?;
    if reader.at != source.len() {
        return fail(reader.at, CanonErrorKind::Expected("the end of the text"));
    }
    Ok(value)
}

/// Checks that a text may stand in a string that an official signs.
pub fn check_plain(text: &str) -> Result<(), CanonErrorKind> {
    if text.is_ascii() {
        // What most text is: none of it is invisible but its control characters, and all of it is in form C.
        let control = text.bytes().find(u8::is_ascii_control);
        return control.map_or(Ok(()), |control| Err(CanonErrorKind::Character(control.into())));
    }
    if let Some(c) = text.chars().find(|c| !is_visible(*c)) {
        return Err(CanonErrorKind::Character(c as u32));
    }
    if is_nfc(text) { Ok(()) } else { Err(CanonErrorKind::NotNfc) }
}

struct Reader<'a> {
    source: &'a str,
    at: usize,
    text: Text,
}

impl Reader<'_> {
    fn fail<T>(&self, kind: CanonErrorKind) -> Result<T, CanonError> {
        Err(CanonError { at: self.at, kind })
    }

    fn peek(&self) -> Result<u8, CanonError> {
        match self.source.as_bytes().get(self.at) {
            Some(byte) => Ok(*byte),
            None => self.fail(CanonErrorKind::End),
        }
    }

    fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), CanonError> {
        if self.peek()? != byte {
            return self.fail(CanonErrorKind::Expected(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Value, CanonError> {
        if depth > MAX_DEPTH {
            return self.fail(CanonErrorKind::Depth);
        }
        let rest = &self.source[self.at..];
        match self.peek()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => Ok(Value::String(self.string()?)),
            b'-' | b'0'..=b'9' => self.integer(),
            b't' if rest.starts_with("true") => self.word(4, true),
            b'f' if rest.starts_with("false") => self.word(5, false),
            b'n' if rest.starts_with("null") => self.fail(CanonErrorKind::Null),
            _ => self.fail(CanonErrorKind::Expected("a value")),
        }
    }

    fn word(&mut self, length: usize, value: bool) -> Result<Value, CanonError> {
        self.at += length;
        Ok(Value::Bool(value))
    }

    fn object(&mut self, depth: usize) -> Result<Value, CanonError> {
        self.at += 1;
        let mut map = Map::new();
        let mut last: Option<String> = None;
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(Value::Object(map));
        }
        loop {
            let start = self.at;
            let key = self.string()?;
            if let Some(last) = &last {
                let kind = match key.encode_utf16().cmp(last.encode_utf16()) {
                    std::cmp::Ordering::Greater => None,
                    std::cmp::Ordering::Equal => Some(CanonErrorKind::DuplicateKey(key.clone())),
                    // A key that stood before, further up, is a duplicate as well as out of order.
                    std::cmp::Ordering::Less if map.contains_key(&key) => {
                        Some(CanonErrorKind::DuplicateKey(key.clone()))
                    }
                    std::cmp::Ordering::Less => Some(CanonErrorKind::KeyOrder(key.clone())),
                };
                if let Some(kind) = kind {
                    return Err(CanonError { at: start, kind });
                }
            }
            self.take(b':', "`:`")?;
            let value = self.value(depth + 1)?;
            map.insert(key.clone(), value);
            last = Some(key);
            if self.peek()? == b'}' {
                self.at += 1;
                return Ok(Value::Object(map));
            }
            self.take(b',', "`,` or `}`")?;
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, CanonError> {
        self.at += 1;
        let mut items = Vec::new();
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.peek()? == b']' {
                self.at += 1;
                return Ok(Value::Array(items));
            }
            self.take(b',', "`,` or `]`")?;
        }
    }

    fn integer(&mut self) -> Result<Value, CanonError> {
        let rest = &self.source[self.at..];
        let length = rest.bytes().skip(1).take_while(u8::is_ascii_digit).count() + 1;
        let digits = &rest[..length];
        if matches!(rest.as_bytes().get(length), Some(b'.' | b'e' | b'E')) {
            return self.fail(CanonErrorKind::Float);
        }
        let magnitude = digits.strip_prefix('-').unwrap_or(digits);
        let shortest = magnitude == "0" && digits == "0" || !magnitude.starts_with('0');
        match digits.parse::<i64>() {
            Ok(n) if shortest && n.abs() <= MAX_INTEGER => {
                self.at += length;
                Ok(Value::from(n))
            }
            _ => self.fail(CanonErrorKind::Integer),
        }
    }

    fn string(&mut self) -> Result<String, CanonError> {
        self.take(b'"', "a string")?;
        let start = self.at;
        let mut out = String::new();
        loop {
            let rest = &self.source[self.at..];
            let Some(c) = rest.chars().next() else { return self.fail(CanonErrorKind::End) };
            match c {
                '"' => break,
                '\\' => {
                    let (c, length) = unescape(rest).ok_or(CanonError { at: self.at, kind: CanonErrorKind::Escape })?;
                    out.push(c);
                    self.at += length;
                }
                c if c < ' ' => return self.fail(CanonErrorKind::Character(c as u32)),
                c => {
                    out.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        if self.text == Text::Plain {
            check_plain(&out).map_err(|kind| CanonError { at: start, kind })?;
        }
        self.at += 1;
        Ok(out)
    }
}

/// One escape sequence in the only form that RFC 8785 writes it in, and its length.
fn unescape(rest: &str) -> Option<(char, usize)> {
    let c = match rest.as_bytes().get(1)? {
        b'"' => '"',
        b'\\' => '\\',
        b'b' => '\u{8}',
        b't' => '\t',
        b'n' => '\n',
        b'f' => '\u{c}',
        b'r' => '\r',
        b'u' => {
            let digits = rest.get(2..6)?;
            let canonical = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            let short = matches!(c, '\u{8}' | '\t' | '\n' | '\u{c}' | '\r');
            return (canonical && c < ' ' && !short).then_some((c, 6));
        }
        _ => return None,
    };
    Some((c, 2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn kind(text: &str) -> CanonErrorKind {
        parse(text.as_bytes(), 1000, Text::Plain).unwrap_err().kind
    }

    #[test]
    fn each_deviation_has_its_own_error() {
        use CanonErrorKind::*;
        assert_eq!(kind(r#"{"a":1,"a":2}"#), DuplicateKey("a".into()));
        assert_eq!(kind(r#"{"a":1,"b":2,"a":3}"#), DuplicateKey("a".into()));
        assert_eq!(kind(r#"{"b":1,"a":2}"#), KeyOrder("a".into()));
        assert_eq!(kind(r#"{"a":1.5}"#), Float);
        assert_eq!(kind(r#"{"a":1e3}"#), Float);
        assert_eq!(kind(r#"{"a":01}"#), Integer);
        assert_eq!(kind(r#"{"a":-0}"#), Integer);
        assert_eq!(kind(r#"{"a":9007199254740993}"#), Integer);
        assert_eq!(kind(r#"{"a":-}"#), Integer);
        assert_eq!(kind(r#"{"a":null}"#), Null);
        assert_eq!(kind(r#"{"a": 1}"#), Expected("a value"));
        assert_eq!(kind(r#"{"a":1} "#), Expected("the end of the text"));
        assert_eq!(kind(r#"{"a":1"#), End);
        assert_eq!(kind(r#"["\u0041"]"#), Escape);
        assert_eq!(kind(r#"["\/"]"#), Escape);
        assert_eq!(kind(r#"["\u000A"]"#), Escape);
        assert_eq!(kind("[\"a\u{200d}b\"]"), Character(0x200d));
        assert_eq!(kind("[\"a\u{202e}b\"]"), Character(0x202e));
        assert_eq!(kind("[\"a\u{2028}b\"]"), Character(0x2028));
        assert_eq!(kind(r#"["\n"]"#), Character(10));
        assert_eq!(kind("[\"e\u{301}\"]"), NotNfc);
        assert_eq!(kind(&"[".repeat(50)), Depth);
        assert_eq!(kind(&format!("\"{}\"", "a".repeat(999))), TooLong(1000));
        assert_eq!(parse(b"\"\xff\"", 9, Text::Any).unwrap_err().kind, Utf8);
    }

    #[test]
    fn keys_are_ordered_by_utf16_as_the_standard_has_it() {
        // RFC 8785, section 3.2.3: an astral character sorts before U+FB33 in UTF-16, after it in UTF-8.
        let text = "{\"\u{20ac}\":1,\"\u{1f600}\":2,\"\u{ff21}\":3}";
        let value = parse(text.as_bytes(), 1000, Text::Plain).unwrap();
        assert_eq!(write(&value), text);
    }

    fn arbitrary_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (-MAX_INTEGER..=MAX_INTEGER).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 30, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..5).prop_map(|m| json!(m)),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in arbitrary_value()) {
            let text = write(&value);
            prop_assert_eq!(parse(text.as_bytes(), usize::MAX, Text::Any).unwrap(), value);
        }

        #[test]
        fn what_is_read_rewrites_to_the_same_bytes(bytes in prop::collection::vec(prop::sample::select(b"{}[]\",:\\u0019aen-.tru \xc3\xa9".to_vec()), 0..24)) {
            if let Ok(value) = parse(&bytes, 1000, Text::Any) {
                prop_assert_eq!(write(&value).into_bytes(), bytes);
            }
        }
    }
}
