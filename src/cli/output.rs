//! What a command prints: tables and colour on a terminal, plain text in a pipe, JSON where asked for.

use std::io::{IsTerminal, Write};

use unicode_general_category::GeneralCategory;

/// How to print.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// JSON instead of text.
    pub json: bool,
    /// Whether standard output is a terminal.
    pub terminal: bool,
}

impl Output {
    /// For this process's standard output.
    pub fn new(json: bool) -> Self {
        Self { json, terminal: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }

    /// Prints a line of text. A reader that went away (`| head`) is no failure.
    ///
    /// Much of what is printed was written by others: whatever it says, it steers no terminal.
    pub fn line(&self, text: impl AsRef<str>) {
        let _ = writeln!(std::io::stdout(), "{}", printable(text.as_ref()));
    }

    /// Prints a file's text as it is, with its own line ends: whoever made it has seen to what is in it.
    pub fn raw(&self, text: &str) {
        let _ = std::io::stdout().write_all(text.as_bytes());
    }

    /// Prints a value as indented JSON.
    pub fn value(&self, value: &impl serde::Serialize) {
        let text = serde_json::to_string_pretty(value).unwrap_or_else(|e| format!("{{\"error\":\"{e}\"}}"));
        self.line(escaped(&text));
    }

    /// Prints a value as JSON on one line.
    pub fn value_line(&self, value: &impl serde::Serialize) {
        self.line(escaped(&serde_json::to_string(value).unwrap_or_default()));
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.terminal { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Bold on a terminal.
    pub fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Green on a terminal.
    pub fn good(&self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Red on a terminal.
    pub fn bad(&self, text: &str) -> String {
        self.paint("31;1", text)
    }

    /// Dim on a terminal.
    pub fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }
}

/// What [`Output::paint`] writes around a text.
const PAINT: [&str; 5] = ["\x1b[1m", "\x1b[32m", "\x1b[31;1m", "\x1b[2m", "\x1b[0m"];

/// The text with a replacement for each character that a terminal would obey or a reader would not see; line ends,
/// tabs and our own colours stay.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let paint = PAINT.iter().find(|paint| rest.starts_with(**paint));
        match paint {
            Some(paint) => out.push_str(paint),
            None => out.push(if steers(c) { char::REPLACEMENT_CHARACTER } else { c }),
        }
        rest = &rest[paint.map_or(c.len_utf8(), |paint| paint.len())..];
    }
    out
}

/// A JSON text that says the same, with an escape for each such character.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if steers(c) {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

fn steers(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || unicode_general_category::get_general_category(c) == GeneralCategory::Format
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_steers_no_terminal_and_our_colours_stay() {
        let terminal = Output { json: false, terminal: true };
        let painted =
            format!("{} {} {}\tx\n", terminal.bold("a"), terminal.good("b"), terminal.bad(&terminal.dim("c")));
        assert_eq!(printable(&painted), painted);
        let hostile = "a\x1b[2J\x1b]0;title\x07\u{9b}31m\u{202e}b\x1b[32";
        let shown = printable(hostile);
        assert!(shown.chars().all(|c| !c.is_control()), "{shown:?}");
        assert!(!shown.contains('\u{202e}'));
        assert!(shown.starts_with("a\u{fffd}[2J"));
        let json = serde_json::to_string(&[hostile, "\u{e0001}é"]).unwrap();
        assert!(escaped(&json).chars().all(|c| !steers(c)));
        let read: Vec<String> = serde_json::from_str(&escaped(&json)).unwrap();
        assert_eq!(read, [hostile, "\u{e0001}é"]);
    }
}
