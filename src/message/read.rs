//! Reading a message's lines into a sheet. People write these messages by hand and other programs wrap and indent them:
//! what can be understood is taken, and what was unusual about it is noted with its line.

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization;

use super::fault::Faults;
use super::label::{Label, MAX_LEVEL};
use super::sheet::{ATTACHMENT, Entry, Item, Said, Sheet};

/// Reads the lines. The text's length has been checked.
pub(super) fn sheet(text: &str, mark: &str, faults: &mut Faults) -> Sheet {
    let mut reader = Reader {
        mark,
        faults,
        sheet: Sheet::default(),
        flat: Vec::new(),
        place: Place::Before,
        last: None,
        ordinals: [0; MAX_LEVEL + 1],
    };
    let mut line = 0;
    for raw in lines(text) {
        line += 1;
        if raw.ends_with('\r') {
            reader.faults.noted_once(line, "lines end in carriage returns");
        }
        let clean = clean(raw.trim_end_matches('\r'), line, reader.faults);
        let clean = clean.trim();
        if !clean.is_empty() {
            reader.line(line, clean);
        }
    }
    reader.sheet.content = tree(&mut reader.flat.into_iter().peekable(), 0);
    reader.sheet
}

/// Whether a text would be taken for a label, an item or a file if it stood at the start of a line.
pub(super) fn begins_something(text: &str, mark: &str) -> bool {
    let digit = text.as_bytes().first().is_some_and(u8::is_ascii_digit);
    let numbered = digit && matches!(text.as_bytes().get(1), Some(b'.' | b')'));
    numbered || Label::read(text).is_some() || attachment(text).is_some() || item(text, mark).is_some()
}

/// The text's lines, whatever ends them: LF, CR LF, CR, form feed, or one of Unicode's own.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.split_inclusive(['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'])
        .scan(false, |after_cr, piece| {
            // The LF of a CR LF is no line of its own.
            let of_cr = *after_cr && piece == "\n";
            *after_cr = piece.ends_with('\r');
            Some((!of_cr).then(|| piece.trim_end_matches(['\n', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}'])))
        })
        .flatten()
}

/// The line in the characters of which a note may be made.
fn clean(raw: &str, line: usize, faults: &mut Faults) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.nfc() {
        if c == '\t' {
            faults.noted_once(line, "tabs were taken as spaces");
            out.push(' ');
        } else if matches!(get_general_category(c), GeneralCategory::Control | GeneralCategory::Format) {
            faults.noted(line, format!("the character U+{:04X} cannot be seen; it was left out", c as u32));
        } else {
            out.push(c);
        }
    }
    out
}

/// Where the next line goes if it begins nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    Item(Item),
    /// The content's last entry.
    Entry,
    /// The last file.
    Attachment,
    /// What stands there twice.
    Nowhere,
    After,
}

struct Reader<'a> {
    mark: &'a str,
    faults: &'a mut Faults,
    sheet: Sheet,
    flat: Vec<(Label, Said)>,
    place: Place,
    /// The item that was read last.
    last: Option<Item>,
    /// Of each level, the label that was read last below the current one.
    ordinals: [usize; MAX_LEVEL + 1],
}

impl Reader<'_> {
    fn line(&mut self, at: usize, text: &str) {
        if self.place == Place::After {
            self.faults.noted_once(at, "what follows the end of the message was not read");
        } else if let Some(found) = self.item_here(at, text) {
            self.start(at, found.0, found.1);
        } else if self.label_here(at, text) {
            self.place = Place::Entry;
        } else if let (Some(Item::Remarks), Some(rest)) = (self.last, attachment(text)) {
            self.sheet.attachments.push(said(rest, at));
            self.place = Place::Attachment;
        } else {
            self.go_on(at, text);
        }
    }

    /// The item that the line begins, if it may begin here, and the rest of the line.
    fn item_here<'t>(&mut self, at: usize, text: &'t str) -> Option<(Item, &'t str)> {
        let next = self.last.map_or(Item::Precedence as usize, |last| last as usize + 1);
        let found = item(text, self.mark);
        let Some(Named { item, number, rest }) = found else {
            let (number, rest) = number(text)?;
            let (words, rest) = rest.split_once(':')?;
            let next = Item::ALL.get(next).filter(|next| next.number() == Some(number))?;
            let name = next.name(self.mark);
            self.faults.noted(at, format!("`{number}. {}` was taken for `{name}`", words.trim()));
            return Some((*next, rest.trim()));
        };
        let header = item.number().is_none();
        let past_header = self.last.is_some_and(|last| last.number().is_some());
        // In the content and after it, the words of an item without its number may be just words.
        if (header && past_header) || (!header && number.is_none() && (item as usize) < next) {
            return None;
        }
        if number != item.number() {
            self.faults
                .noted(at, format!("`{}` stands there without its number, or with another", item.name(self.mark)));
        }
        Some((item, rest))
    }

    fn start(&mut self, at: usize, item: Item, rest: &str) {
        if let Some(earlier) = self.sheet.item(item) {
            let name = item.name(self.mark);
            self.faults.wrong(at, format!("`{name}` stands there twice; that on line {} counts", earlier.line));
            self.place = Place::Nowhere;
            return;
        }
        if self.last.is_some_and(|last| last > item) {
            self.faults.noted(at, format!("`{}` comes late", item.name(self.mark)));
        }
        self.sheet.items[item as usize] = Some(said(rest, at));
        self.place = Place::Item(item);
        self.last = Some(item);
        if item == Item::End && !rest.is_empty() {
            self.place = Place::After;
        }
    }

    /// Takes the label that the line begins with, if it may be one here.
    fn label_here(&mut self, at: usize, text: &str) -> bool {
        let Some(found) = Label::read(text) else { return false };
        let Label { level, ordinal } = found.label;
        let in_content = self.last == Some(Item::Content);
        let begins = !in_content
            && self.sheet.item(Item::Content).is_none()
            && self.last.is_some_and(|last| last >= Item::Number && last < Item::Content)
            && (level, ordinal, found.doubtful) == (1, 1, false);
        if !in_content && !begins {
            return false;
        }
        let is_next = ordinal == self.ordinals[level] + 1 && self.ordinals[1..level].iter().all(|above| *above > 0);
        if found.doubtful && !is_next {
            return false;
        }
        if begins {
            self.faults.noted(at, format!("`{}` was not announced", Item::Content.name(self.mark)));
            self.sheet.items[Item::Content as usize] = Some(said("", at));
            self.last = Some(Item::Content);
        }
        if !found.rest.is_empty() && !text[found.label.text().len()..].starts_with(' ') {
            self.faults.noted_once(at, "a label is not followed by a space");
        }
        if ordinal <= self.ordinals[level] {
            self.faults.noted(at, format!("`{}` is out of order", found.label.text()));
        }
        self.ordinals[level] = ordinal;
        self.ordinals[level + 1..].fill(0);
        self.flat.push((found.label, said(found.rest, at)));
        true
    }

    /// A line that begins nothing belongs to what was begun before.
    fn go_on(&mut self, at: usize, text: &str) {
        let target = match self.place {
            Place::Before => {
                self.faults.noted_once(at, "what precedes the first item was not read");
                return;
            }
            Place::Nowhere | Place::After => return,
            Place::Entry => self.flat.last_mut().map(|(_, said)| said),
            Place::Attachment => self.sheet.attachments.last_mut(),
            Place::Item(item) => self.sheet.items[item as usize].as_mut(),
        };
        let Some(target) = target else { return };
        if !target.text.is_empty() {
            target.text.push(' ');
        }
        target.text.push_str(text);
        if self.place == Place::Item(Item::End) {
            self.place = Place::After;
        }
    }
}

fn said(text: &str, line: usize) -> Said {
    Said { text: text.trim().to_owned(), line }
}

/// An item's words at the start of a line.
struct Named<'a> {
    item: Item,
    number: Option<usize>,
    rest: &'a str,
}

/// `5. CONTENT:` with or without its number and the treaty's mark, in letters of either case.
fn item<'a>(text: &'a str, mark: &str) -> Option<Named<'a>> {
    let (number, words) = match number(text) {
        Some((number, rest)) => (Some(number), rest),
        None => (None, text),
    };
    // Most lines begin no item, and most of those show it by their first words.
    let limit = mark.len() + 64;
    let named = words.bytes().take(limit).any(|b| b == b':');
    if !named && number.is_none() {
        return None;
    }
    let marks = if mark.is_empty() { vec![""] } else { vec![mark, ""] };
    let named = marks.into_iter().flat_map(|mark| Item::ALL.map(|item| (item, item.words(mark))));
    for (item, name) in named {
        let Some(rest) = strip_words(words, &name) else { continue };
        return match rest.strip_prefix(':') {
            Some(rest) => Some(Named { item, number, rest: rest.trim() }),
            None if rest.is_empty() && number.is_some() => Some(Named { item, number, rest }),
            None => None,
        };
    }
    None
}

/// `5.` or `5)` at the start of a line.
fn number(text: &str) -> Option<(usize, &str)> {
    let digit = text.bytes().next().filter(|b| (b'1'..=b'7').contains(b))?;
    let rest = text[1..].strip_prefix(['.', ')'])?;
    Some((usize::from(digit - b'0'), rest.trim_start()))
}

fn attachment(text: &str) -> Option<&str> {
    let head = text.get(..ATTACHMENT.len())?;
    head.eq_ignore_ascii_case(ATTACHMENT).then(|| text[ATTACHMENT.len()..].trim())
}

/// What follows these words at the start of a text, in letters of either case and with white space of any width.
pub(super) fn strip_words<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    let mut rest = text;
    for (at, word) in words.split_whitespace().enumerate() {
        let trimmed = rest.trim_start();
        if at > 0 && trimmed.len() == rest.len() {
            return None;
        }
        rest = strip_word(trimmed, word)?;
    }
    Some(rest.trim_start())
}

fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let mut rest = text.chars();
    for expected in word.chars() {
        let c = rest.next()?;
        if c != expected && !c.to_lowercase().eq(expected.to_lowercase()) {
            return None;
        }
    }
    Some(rest.as_str())
}

/// Puts entries below those of a higher level that precede them. Levels are at most [`MAX_LEVEL`] deep.
fn tree(flat: &mut std::iter::Peekable<std::vec::IntoIter<(Label, Said)>>, above: usize) -> Vec<Entry> {
    let mut entries = Vec::new();
    while let Some((label, said)) = flat.next_if(|(label, _)| label.level > above) {
        let below = tree(flat, label.level);
        entries.push(Entry { label, said, entries: below });
    }
    entries
}
