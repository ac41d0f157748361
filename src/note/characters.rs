//! Which characters may stand in what people sign and in the names of keys: by one version of Unicode, for ever.
//!
//! A code point that a later version assigns might be invisible, or compose with its neighbours, to those who know that
//! version only. What is a note to one reader is so a note to all, in all years.

use std::sync::LazyLock;

/// Lengths of runs of code points by Unicode 14.0, in hexadecimal: may not stand (not assigned, or of the categories Cc,
/// Cf, Zl and Zp), may stand, and so on.
const RUNS: &str = include_str!("unicode-14.0.txt");

/// Where each run ends.
static ENDS: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let lengths = RUNS.split_ascii_whitespace().filter_map(|run| u32::from_str_radix(run, 16).ok());
    lengths
        .scan(0, |end, length| {
            *end += length;
            Some(*end)
        })
        .collect()
});

/// Whether a character is one that every reader sees alike.
pub fn is_visible(c: char) -> bool {
    matches!(c, ' '..='~') || ENDS.partition_point(|end| *end <= u32::from(c)) % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_general_category::{GeneralCategory, get_general_category};

    #[test]
    fn what_may_stand_is_assigned_and_neither_invisible_nor_a_break() {
        use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator, Unassigned};
        let runs = RUNS.split_ascii_whitespace().count();
        assert_eq!((ENDS.len(), ENDS.last()), (runs, Some(&0x11_0000)));
        let mut visible = 0;
        for c in '\0'..=char::MAX {
            let bad = [Control, Format, LineSeparator, ParagraphSeparator, Unassigned];
            if is_visible(c) {
                visible += 1;
                assert!(!bad.contains(&get_general_category(c)), "{:x}", c as u32);
            }
        }
        // Unicode 14.0 has 144,697 graphic and format characters and 137,468 for private use; 163 are of category Cf, 2
        // are breaks.
        assert_eq!(visible, 144_697 + 137_468 - 163 - 2);
        // Assigned later: two that are invisible since 15.0, and some that compose since 16.0.
        for c in ['\u{13439}', '\u{1343f}', '\u{105d2}', '\u{16d63}', '\u{16d67}', '\u{378}', '\u{e0001}', '\u{ffff}'] {
            assert!(!is_visible(c), "{:x}", c as u32);
        }
        for c in ['é', 'Ж', '中', '😀', '\u{1df0a}', '\u{e000}', '\u{a0}'] {
            assert!(is_visible(c), "{:x}", c as u32);
        }
    }
}
