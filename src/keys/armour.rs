//! ASCII armour of age files ([C2SP age](https://c2sp.org/age), "ASCII armor"): strict PEM with lines of 64 characters.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

pub(super) const BEGIN: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
const END: &str = "-----END AGE ENCRYPTED FILE-----";
const COLUMNS: usize = 64;

/// Wraps an age file.
pub(super) fn wrap(bytes: &[u8]) -> String {
    let mut out = format!("{BEGIN}\n");
    let mut rest = BASE64.encode(bytes);
    while !rest.is_empty() {
        let tail = rest.split_off(rest.len().min(COLUMNS));
        out.push_str(&rest);
        out.push('\n');
        rest = tail;
    }
    out + END + "\n"
}

/// Unwraps an age file; says what is wrong with the armour.
pub(super) fn unwrap(text: &str) -> Result<Vec<u8>, &'static str> {
    let mut lines = text.lines();
    if lines.next() != Some(BEGIN) {
        return Err("its first line is not that of an age file");
    }
    let mut encoded = String::new();
    loop {
        match lines.next() {
            None => return Err("it was cut short: its last line is missing"),
            Some(END) => break,
            Some(line) => encoded.push_str(line),
        }
    }
    if lines.next().is_some() {
        return Err("something stands after its last line");
    }
    BASE64.decode(encoded).map_err(|_| "it was altered: its lines are not base64")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_length_unwraps_to_what_was_wrapped() {
        for length in 0..200 {
            let bytes = vec![0xa5; length];
            let text = wrap(&bytes);
            assert!(text.lines().all(|line| line.len() <= COLUMNS));
            assert_eq!(unwrap(&text), Ok(bytes), "{length}");
        }
    }

    #[test]
    fn what_is_cut_short_or_lengthened_is_refused() {
        let text = wrap(&[7; 100]);
        for end in 0..text.len() - 1 {
            assert!(unwrap(&text[..end]).is_err(), "cut after {end} bytes");
        }
        assert!(unwrap(&format!("{text}x\n")).is_err());
    }
}
