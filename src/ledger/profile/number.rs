//! A message's number, as a treaty's practice writes it: a pattern such as `OS/{party}/{year}/{index}`.

use std::fmt;

use crate::ledger::notification::is_kind_name;
use crate::ledger::treaty::is_party_code;

/// Longest pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 200;

/// How messages are numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    From,
    Year,
    Kind,
    /// With at least so many digits.
    Number(usize),
}

/// What a number says; what the pattern does not have is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Numbered {
    /// Code of the party that sends.
    pub from: Option<String>,
    /// The year in which it was logged.
    pub year: Option<u16>,
    /// The note's kind.
    pub kind: Option<String>,
    /// The note's number in its sender's log.
    pub number: Option<u64>,
}

impl Pattern {
    /// Reads a pattern: text with `{party}` (party code), `{index}` (place in the sender's log; `{index:4}` has at
    /// least four digits), and if wanted `{year}` and `{kind}`. The first two have to be there, no two touch.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_PATTERN_BYTES {
            return Err(format!("is longer than {MAX_PATTERN_BYTES} bytes"));
        }
        if text.trim() != text || text.contains(';') {
            return Err("begins or ends in white space, or has a semicolon, which separates numbers".into());
        }
        let mut pieces: Vec<Piece> = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let at = rest.find('{').unwrap_or(rest.len());
            if at > 0 {
                pieces.push(Piece::Literal(rest[..at].to_owned()));
                rest = &rest[at..];
                continue;
            }
            let end = rest.find('}').ok_or("has a `{` without its `}`")?;
            let piece = place(&rest[1..end])?;
            if pieces.iter().any(|other| std::mem::discriminant(other) == std::mem::discriminant(&piece)) {
                return Err(format!("has `{}` twice", &rest[..=end]));
            }
            if !matches!(pieces.last(), None | Some(Piece::Literal(_))) {
                return Err(format!("has no text before `{}` to tell it from what precedes it", &rest[..=end]));
            }
            pieces.push(piece);
            rest = &rest[end + 1..];
        }
        let has = |wanted: fn(&Piece) -> bool| pieces.iter().any(wanted);
        if !has(|piece| matches!(piece, Piece::From)) || !has(|piece| matches!(piece, Piece::Number(_))) {
            return Err("names no `{party}`, or no `{index}`: two notes would have one number".into());
        }
        Ok(Self(pieces))
    }

    /// The number of a note; `None` if the pattern needs what is not given.
    pub fn write(&self, of: &Numbered) -> Option<String> {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::From => out.push_str(of.from.as_ref()?),
                Piece::Year => out.push_str(&of.year?.to_string()),
                Piece::Kind => out.push_str(of.kind.as_ref()?),
                Piece::Number(digits) => out.push_str(&format!("{:0digits$}", of.number?)),
            }
        }
        Some(out)
    }

    /// Reads a number; letters may be of either case.
    pub fn read(&self, text: &str) -> Option<Numbered> {
        let mut out = Numbered::default();
        self.read_from(&self.0, text.trim(), &mut out).then_some(out)
    }

    /// Whether the text is what these pieces write. A piece ends at the first place from which the others go on.
    fn read_from(&self, pieces: &[Piece], text: &str, out: &mut Numbered) -> bool {
        let Some((piece, others)) = pieces.split_first() else { return text.is_empty() };
        if let Piece::Literal(literal) = piece {
            let head = text.get(..literal.len());
            return head.is_some_and(|head| head.eq_ignore_ascii_case(literal))
                && self.read_from(others, &text[literal.len()..], out);
        }
        let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
        let mut ends = ends.take(64);
        ends.any(|end| piece.take(&text[..end], out) && self.read_from(others, &text[end..], out))
    }
}

impl Piece {
    fn take(&self, text: &str, out: &mut Numbered) -> bool {
        match self {
            Self::Literal(_) => false,
            Self::From => {
                let code = text.to_ascii_uppercase();
                is_party_code(&code) && out.from.insert(code).len() > 1
            }
            Self::Year => {
                let year = (text.len() == 4).then(|| digits(text)).flatten();
                out.year = year.and_then(|year| u16::try_from(year).ok());
                out.year.is_some()
            }
            Self::Kind => {
                let kind = text.to_ascii_lowercase();
                is_kind_name(&kind) && !out.kind.insert(kind).is_empty()
            }
            Self::Number(_) => {
                out.number = digits(text);
                out.number.is_some()
            }
        }
    }
}

/// A number below 2^53, as notes are numbered.
fn digits(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|number| plain && *number < 1 << 53)
}

fn place(name: &str) -> Result<Piece, String> {
    let (name, width) = name.split_once(':').unwrap_or((name, "1"));
    let digits = width.parse().ok().filter(|digits| (1..=9).contains(digits));
    match (name, digits) {
        ("party", _) if width == "1" => Ok(Piece::From),
        ("year", _) if width == "1" => Ok(Piece::Year),
        ("kind", _) if width == "1" => Ok(Piece::Kind),
        ("index", Some(digits)) => Ok(Piece::Number(digits)),
        _ => {
            Err(format!("has `{{{name}}}`, which is none of {{party}}, {{year}}, {{kind}}, {{index}} and {{index:4}}"))
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Literal(text) => f.write_str(text),
            Piece::From => f.write_str("{party}"),
            Piece::Year => f.write_str("{year}"),
            Piece::Kind => f.write_str("{kind}"),
            Piece::Number(1) => f.write_str("{index}"),
            Piece::Number(digits) => write!(f, "{{index:{digits}}}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pattern_that_cannot_tell_notes_apart_is_refused() {
        for (text, part) in [
            ("OS", "no `{party}`"),
            ("{party}", "no `{index}`"),
            ("{party}{index}", "no text before `{index}`"),
            ("{party}/{index}/{party}", "has `{party}` twice"),
            ("{party}/{day}/{index}", "`{day}`"),
            ("{party}/{index:0}", "`{index}`"),
            ("{party:3}/{index}", "`{party}`"),
            ("{party}/{index", "without its `}`"),
            (" {party}/{index}", "white space"),
            ("{party};{index}", "semicolon"),
        ] {
            let error = Pattern::parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn numbers_are_read_in_either_case_and_nothing_else_is() {
        let pattern = Pattern::parse("OS/{party}/{year}/{index:4}").unwrap();
        assert_eq!(pattern.to_string(), "OS/{party}/{year}/{index:4}");
        let read = pattern.read(" os/ru/2021/0023 ").unwrap();
        assert_eq!((read.from.as_deref(), read.year, read.number), (Some("RU"), Some(2021), Some(23)));
        for text in [
            "",
            "OS/RU/2021/",
            "OS/RU/21/23",
            "OS/RU/2021/23x",
            "XS/RU/2021/23",
            "OS/R/2021/1",
            "OS/RU/2021/99999999999999999999",
        ] {
            assert_eq!(pattern.read(text), None, "{text}");
        }
        assert_eq!(pattern.write(&Numbered::default()), None);
    }

    proptest! {
        #[test]
        fn a_number_that_was_written_reads_back(from in "[A-Z][A-Z0-9]{1,7}", kind in "[a-z][a-z0-9-]{0,20}", year in 1970u16..9999, number in 0u64..1 << 53, which in 0usize..5) {
            let pattern = ["OS/{party}/{index}", "{party}-{index:6}", "{kind} {party}/{year}/{index}", "{index:3}.{party}", "X{index}/{party}/{year}"][which];
            let pattern = Pattern::parse(pattern).unwrap();
            let of = Numbered { from: Some(from), year: Some(year), kind: Some(kind), number: Some(number) };
            let text = pattern.write(&of).unwrap();
            let read = pattern.read(&text).unwrap_or_else(|| panic!("{text}"));
            prop_assert_eq!((read.from, read.number), (of.from, of.number));
        }
    }
}
