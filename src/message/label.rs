//! The labels of a message's content: `A.`, below it `(1)`, below that `(a)`. What nests deeper goes on with `1)`, `a)`,
//! `((1))`, `((a))`, `(((1)))` and so on.

/// Deepest nesting of a content's entries: more than a profile can ask for.
pub const MAX_LEVEL: usize = 13;
/// Most brackets around a label.
const MAX_BRACKETS: usize = 5;
/// Longest label in letters: `(a)` to `(zzz)`, 18,278 of them.
const MAX_LETTERS: usize = 3;
/// Longest label in digits.
const MAX_DIGITS: usize = 5;

/// An entry's place among its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// How deep it stands, from 1 for `A.` to [`MAX_LEVEL`].
    pub level: usize,
    /// Which of its level, from 1.
    pub ordinal: usize,
}

/// A label that was read at the start of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// The label.
    pub label: Label,
    /// What follows it on the line, without the space between.
    pub rest: &'a str,
    /// Whether it could as well be the beginning of a sentence: no space follows, or it has three letters. It is a
    /// label only if it is the next one of its level.
    pub doubtful: bool,
}

impl Label {
    /// As it is printed. A level past [`MAX_LEVEL`] is printed as that.
    pub fn text(self) -> String {
        match self.level {
            0 | 1 => format!("{}.", letters(self.ordinal).to_uppercase()),
            2 => format!("({})", self.ordinal),
            3 => format!("({})", letters(self.ordinal)),
            4 => format!("{})", self.ordinal),
            5 => format!("{})", letters(self.ordinal)),
            level => {
                let brackets = (level.min(MAX_LEVEL) - 2) / 2;
                let name = if level % 2 == 0 { self.ordinal.to_string() } else { letters(self.ordinal) };
                format!("{}{name}{}", "(".repeat(brackets), ")".repeat(brackets))
            }
        }
    }

    /// Reads the label at the start of a line that has no white space before it.
    pub fn read(line: &str) -> Option<Found<'_>> {
        let brackets = line.bytes().take(MAX_BRACKETS).take_while(|b| *b == b'(').count();
        let line = &line[brackets..];
        let end = line.find([')', '.'])?;
        let (name, rest) = (&line[..end], &line[end..]);
        let rest = if brackets > 1 { rest.strip_prefix(&")".repeat(brackets))? } else { &rest[1..] };
        let point = line[end..].starts_with('.');
        let digits = (1..=MAX_DIGITS).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_digit());
        let (level, ordinal) = match (brackets, point, digits) {
            (0, true, false) => (1, ordinal(name, u8::is_ascii_uppercase)?),
            (0, false, true) => (4, number(name)?),
            (0, false, false) => (5, ordinal(name, u8::is_ascii_lowercase)?),
            (1, false, true) => (2, number(name)?),
            (1, false, false) => (3, ordinal(name, u8::is_ascii_lowercase)?),
            (2.., false, true) => (2 * brackets + 2, number(name)?),
            (2.., false, false) => (2 * brackets + 3, ordinal(name, u8::is_ascii_lowercase)?),
            _ => return None,
        };
        let doubtful = (!digits && name.len() == MAX_LETTERS) || !(rest.is_empty() || rest.starts_with(' '));
        Some(Found { label: Self { level, ordinal }, rest: rest.trim_start(), doubtful })
    }
}

fn number(digits: &str) -> Option<usize> {
    digits.parse().ok().filter(|number| *number > 0 && !digits.starts_with('0'))
}

/// 1 is `a`, 26 is `z`, 27 is `aa`.
fn letters(ordinal: usize) -> String {
    let mut rest = ordinal.max(1);
    let mut out = Vec::new();
    while rest > 0 {
        rest -= 1;
        out.push(char::from(b'a' + (rest % 26) as u8));
        rest /= 26;
    }
    out.iter().rev().collect()
}

fn ordinal(name: &str, fits: fn(&u8) -> bool) -> Option<usize> {
    if !(1..=MAX_LETTERS).contains(&name.len()) || !name.bytes().all(|b| fits(&b)) {
        return None;
    }
    Some(name.bytes().fold(0, |sum, b| sum * 26 + usize::from(b.to_ascii_lowercase() - b'a') + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_label_reads_back() {
        for level in 1..=MAX_LEVEL {
            for ordinal in (1..1_000).chain([18_278]) {
                let label = Label { level, ordinal };
                let line = format!("{} Rest", label.text());
                let found = Label::read(&line).unwrap_or_else(|| panic!("{line}"));
                assert_eq!((found.label, found.rest), (label, "Rest"), "{line}");
            }
        }
        let names: Vec<_> = [1, 26, 27, 702, 703].map(|ordinal| Label { level: 1, ordinal }.text()).into();
        assert_eq!(names, ["A.", "Z.", "AA.", "ZZ.", "AAA."]);
    }

    #[test]
    fn what_is_no_label_is_none_and_what_may_be_a_sentence_is_doubtful() {
        for line in
            ["", "A", "(1", "()", "(0) x", "(01) x", "1. x", "(A) x", "a. x", "(ab1) x", "(note) x", "É. x", ")"]
        {
            assert_eq!(Label::read(line), None, "{line}");
        }
        for line in ["A.B", "(1)x", "(the) x", "U.S. aircraft"] {
            assert!(Label::read(line).unwrap().doubtful, "{line}");
        }
        assert!(!Label::read("A.").unwrap().doubtful);
        assert_eq!(Label::read("(b)   x").unwrap().rest, "x");
    }
}
