//! How times, parties and lists look on screen: the same words in every command.

use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};

use super::Output;
use crate::ledger::{Role, Timestamp, Treaty};

/// A time with its zone: `2020-05-22 14:00:00 UTC`.
pub fn time(time: Timestamp) -> String {
    time.display()
}

/// A party by name and code: `Canada (CA)`; a code that the treaty does not know stands alone.
pub fn party(treaty: &Treaty, code: &str) -> String {
    match treaty.find(code) {
        Some(at) => format!("{} ({code})", treaty.party(at).name),
        None => code.to_owned(),
    }
}

/// Addressees by name; `*` is every party but the sender.
pub fn addressees(treaty: &Treaty, to: &[String]) -> String {
    let name = |code: &String| if code == "*" { "all parties".to_owned() } else { party(treaty, code) };
    to.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// Roles in words: `state party, depositary`.
pub fn roles(roles: &[Role]) -> String {
    let word = |role: &Role| match role {
        Role::StateParty => "state party",
        Role::Depositary => "depositary",
        Role::Observer => "observer",
    };
    roles.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// A list of words as in a sentence: `a, b and c`.
pub fn join(words: &[String], and: &str) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} {and} {last}", most.join(", ")),
    }
}

/// So many of something: `1 party`, `3 parties`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Prints rows under headers: a table on a terminal, tab-separated lines in a pipe.
pub fn table(out: &Output, headers: &[&str], rows: &[Vec<String>]) {
    if !out.terminal {
        out.line(headers.join("\t"));
        rows.iter().for_each(|row| out.line(row.join("\t").replace('\n', " ")));
        return;
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    // A terminal that does not tell its width, or next to none, gets whole lines.
    if table.width().is_none_or(|width| width < 60) {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    table.set_header(headers.to_vec());
    rows.iter().for_each(|row| {
        table.add_row(row);
    });
    out.line(table.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_show_their_zone_and_lists_read_as_sentences() {
        assert_eq!(time(Timestamp::from_posix(1_590_156_000)), "2020-05-22 14:00:00 UTC");
        let words = |n: usize| ["a", "b", "c"][..n].iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        assert_eq!(join(&words(3), "and"), "a, b and c");
        assert_eq!(join(&words(2), "or"), "a or b");
        assert_eq!(join(&words(1), "and"), "a");
        assert_eq!(join(&[], "and"), "");
    }
}
