//! A message as a sheet: header lines, seven numbered items, the content's entries. What they mean stands elsewhere.

use super::label::Label;
use super::read::begins_something;

/// Columns of a printed line. A word that is longer stays whole.
const WIDTH: usize = 76;
/// Columns by which each level is set in.
const STEP: usize = 3;

/// A line of a message that has a name: one of the five header lines, or of the seven numbered items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// How urgent the network takes it to be.
    Precedence,
    /// Who sends.
    From,
    /// Whom it is addressed to.
    To,
    /// Who gets a copy.
    Info,
    /// What it is.
    Subject,
    /// Item 1.
    Number,
    /// Item 2.
    Time,
    /// Item 3.
    Treaty,
    /// Item 4.
    References,
    /// Item 5.
    Content,
    /// Item 6.
    Remarks,
    /// Item 7: the number of item 1 once more.
    End,
}

impl Item {
    /// All, in their order.
    pub const ALL: [Self; 12] = [
        Self::Precedence,
        Self::From,
        Self::To,
        Self::Info,
        Self::Subject,
        Self::Number,
        Self::Time,
        Self::Treaty,
        Self::References,
        Self::Content,
        Self::Remarks,
        Self::End,
    ];

    /// Its number, if it has one.
    pub fn number(self) -> Option<usize> {
        (self as usize).checked_sub(Self::Subject as usize).filter(|number| *number > 0)
    }

    /// Its words, where `OS` stands for the treaty's mark.
    pub fn words(self, mark: &str) -> String {
        let mark = if mark.is_empty() { String::new() } else { format!("{mark} ") };
        match self {
            Self::Precedence => "PRECEDENCE".into(),
            Self::From => "FROM".into(),
            Self::To => "TO".into(),
            Self::Info => "INFO".into(),
            Self::Subject => "SUBJECT".into(),
            Self::Number => format!("{mark}MESSAGE NUMBER"),
            Self::Time => format!("{mark}MESSAGE DATE AND TIME"),
            Self::Treaty => "TREATY REFERENCE".into(),
            Self::References => "MESSAGE REFERENCE".into(),
            Self::Content => "CONTENT".into(),
            Self::Remarks => "REMARKS".into(),
            Self::End => format!("END OF {mark}MESSAGE NUMBER"),
        }
    }

    /// As a person calls it: `FROM`, `5. CONTENT`.
    pub fn name(self, mark: &str) -> String {
        match self.number() {
            Some(number) => format!("{number}. {}", self.words(mark)),
            None => self.words(mark),
        }
    }
}

/// Words and the line that they begin on, from 1; 0 if they were not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The words, on one line.
    pub text: String,
    /// The line.
    pub line: usize,
}

/// An entry of the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its label.
    pub label: Label,
    /// What stands beside it.
    pub said: Said,
    /// The entries below it.
    pub entries: Vec<Entry>,
}

/// A message's parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// What stands beside each item, in [`Item::ALL`]'s order; `None` if the item is not there.
    pub items: [Option<Said>; 12],
    /// The content's entries.
    pub content: Vec<Entry>,
    /// Files that go with it, one a line below the remarks.
    pub attachments: Vec<Said>,
}

/// How a line below the remarks begins that names a file.
pub const ATTACHMENT: &str = "ATTACHMENT:";

impl Sheet {
    /// What stands beside an item.
    pub fn item(&self, item: Item) -> Option<&Said> {
        self.items[item as usize].as_ref()
    }

    /// Sets what stands beside an item.
    pub fn set(&mut self, item: Item, text: impl Into<String>) {
        self.items[item as usize] = Some(Said { text: text.into(), line: 0 });
    }

    /// The text, ready to print: lines of at most 76 columns where words allow it, each ending in a newline.
    pub fn write(&self, mark: &str) -> String {
        let mut out = String::new();
        for item in Item::ALL {
            let Some(said) = self.item(item) else { continue };
            wrap(&mut out, 0, &format!("{}:", item.name(mark)), &said.text, mark);
            match item {
                Item::Content => write_entries(&mut out, &self.content, mark),
                Item::Remarks => {
                    self.attachments.iter().for_each(|file| wrap(&mut out, STEP, ATTACHMENT, &file.text, mark));
                }
                _ => {}
            }
        }
        out
    }
}

fn write_entries(out: &mut String, entries: &[Entry], mark: &str) {
    for entry in entries {
        wrap(out, STEP * entry.label.level, &entry.label.text(), &entry.said.text, mark);
        write_entries(out, &entry.entries, mark);
    }
}

/// Writes a labelled text over as many lines as it takes. A line is broken at a single space only, and never where the
/// next line would look like the beginning of something else: so the text reads back as it was.
fn wrap(out: &mut String, indent: usize, label: &str, text: &str, mark: &str) {
    let hanging = indent + STEP.max(label.chars().count() + 1).min(STEP * 2);
    out.push_str(&" ".repeat(indent));
    out.push_str(label);
    let mut column = indent + label.chars().count();
    let mut rest = text;
    let mut first = true;
    while !rest.is_empty() {
        // A piece is what no line break may divide.
        let end = breaks(rest, mark).next().unwrap_or(rest.len());
        let (piece, after) = (&rest[..end], &rest[end..]);
        let width = piece.chars().count();
        if !first && column + 1 + width > WIDTH {
            out.push('\n');
            out.push_str(&" ".repeat(hanging));
            column = hanging;
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(piece);
        column += width;
        first = false;
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    out.push('\n');
}

/// The places where a line may end: single spaces between words, of which the second begins nothing else.
fn breaks<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(' ').map(|(at, _)| at).filter(move |at| {
        let (before, after) = (text[..*at].chars().next_back(), text[at + 1..].chars().next());
        let between_words = |c: Option<char>| c.is_some_and(|c| !c.is_whitespace());
        between_words(before) && between_words(after) && !begins_something(&text[at + 1..], mark)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_numbered_as_the_format_has_them() {
        let names: Vec<_> = Item::ALL.iter().map(|item| item.name("OS")).collect();
        assert_eq!(names[4..7], ["SUBJECT", "1. OS MESSAGE NUMBER", "2. OS MESSAGE DATE AND TIME"]);
        assert_eq!(names[9..], ["5. CONTENT", "6. REMARKS", "7. END OF OS MESSAGE NUMBER"]);
        assert_eq!(Item::Number.name(""), "1. MESSAGE NUMBER");
    }

    #[test]
    fn lines_are_broken_between_words_and_never_before_a_label() {
        let mut out = String::new();
        let text = format!("{} (a) stays, and so does  this gap", "word ".repeat(14).trim_end());
        wrap(&mut out, 3, "A.", &text, "OS");
        let lines: Vec<_> = out.lines().collect();
        assert_eq!(lines.len(), 2, "{out}");
        assert!(lines[0].ends_with("word") && lines[1].starts_with("      word (a) stays"), "{out}");
    }
}
