//! The files in a page: how they are written, and how they are taken out again.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

/// Longest page that is read, in bytes: 128 MiB.
pub const MAX_PAGE_BYTES: usize = 128 << 20;
/// Most files in a page.
const MAX_FILES: usize = 4096;
/// Characters on a line of base64.
const WIDTH: usize = 76;
const OPEN: &str = "<script type=\"text/plain\" data-name=\"";
const CLOSE: &str = "</script>\n";

/// Why a page's files were not taken out.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PageError {
    /// Over [`MAX_PAGE_BYTES`].
    #[error("a page is at most {MAX_PAGE_BYTES} bytes long")]
    TooLong,
    /// Not UTF-8.
    #[error("the page is not UTF-8 text")]
    NotText,
    /// It carries nothing.
    #[error("the page carries no files")]
    Nothing,
    /// Over the limit.
    #[error("a page carries at most {MAX_FILES} files")]
    TooMany,
    /// A name that is missing, unfit or there twice.
    #[error("line {0}: the name of a file that the page carries is unfit, or there twice")]
    Name(usize),
    /// A file is not written as files are in a page.
    #[error("line {line}: {name} is not carried as lines of base64")]
    Content {
        /// The line of its name, from 1.
        line: usize,
        /// The file.
        name: String,
    },
}

/// The files that a page carries, in the page's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried(pub Vec<(String, Vec<u8>)>);

impl Carried {
    /// A file by its name.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, bytes)| bytes.as_slice())
    }

    /// Names are paths in an export folder, or the three names in an evidence page; they lead nowhere else.
    pub(super) fn is_name(name: &str) -> bool {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
        let part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain);
        name.len() <= 200 && name.split('/').all(part)
    }

    /// As they stand in a page: blocks of text that a browser neither runs nor shows.
    pub(super) fn to_html(&self) -> String {
        let mut out = String::new();
        for (name, bytes) in &self.0 {
            out.push_str(OPEN);
            out.push_str(name);
            out.push_str("\">\n");
            let text = BASE64.encode(bytes);
            for at in (0..text.len()).step_by(WIDTH) {
                out.push_str(&text[at..text.len().min(at + WIDTH)]);
                out.push('\n');
            }
            out.push_str(CLOSE);
        }
        out
    }

    /// Takes the files out of a page. Says nothing about the rest of it.
    pub fn read(page: &[u8]) -> Result<Self, PageError> {
        if page.len() > MAX_PAGE_BYTES {
            return Err(PageError::TooLong);
        }
        let page = std::str::from_utf8(page).map_err(|_| PageError::NotText)?;
        let mut carried = Self::default();
        let mut lines = page.split_inclusive('\n').enumerate();
        while let Some((at, line)) = lines.next() {
            let Some(rest) = line.strip_prefix(OPEN) else { continue };
            let name = rest.strip_suffix("\">\n").filter(|name| Self::is_name(name) && carried.file(name).is_none());
            let name = name.ok_or(PageError::Name(at + 1))?;
            if carried.0.len() == MAX_FILES {
                return Err(PageError::TooMany);
            }
            let mut text = String::new();
            let whole = lines.by_ref().map(|(_, line)| line).any(|line| {
                let end = line == CLOSE;
                if !end {
                    text.push_str(line.trim_end_matches('\n'));
                }
                end
            });
            let bytes = BASE64.decode(&text).ok().filter(|_| whole);
            let bytes = bytes.ok_or_else(|| PageError::Content { line: at + 1, name: name.to_owned() })?;
            carried.0.push((name.to_owned(), bytes));
        }
        if carried.0.is_empty() { Err(PageError::Nothing) } else { Ok(carried) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Carried {
        Carried(vec![("treaty.toml".into(), vec![7; 100]), ("logs/CA/records.txt".into(), Vec::new())])
    }

    #[test]
    fn what_is_carried_is_taken_out_as_it_was() {
        let page = format!("<!doctype html>\n<p>\n{}</p>\n", sample().to_html());
        assert_eq!(Carried::read(page.as_bytes()), Ok(sample()));
    }

    #[test]
    fn pages_that_carry_badly_are_refused_with_their_line() {
        let good = sample().to_html();
        let name = good.replace("treaty.toml", "tre aty.toml");
        assert_eq!(Carried::read(name.as_bytes()), Err(PageError::Name(1)));
        for name in ["../treaty.toml", "/treaty.toml", "logs//CA", ""] {
            let away = good.replace("treaty.toml", name);
            assert_eq!(Carried::read(away.as_bytes()), Err(PageError::Name(1)), "{name}");
        }
        let twice = format!("{good}{good}");
        assert_eq!(Carried::read(twice.as_bytes()), Err(PageError::Name(7)));
        for bent in [good.replacen("BwcH", "B!cH", 1), good.trim_end().replace("</script>", "")] {
            let error = Carried::read(bent.as_bytes()).unwrap_err();
            assert!(matches!(&error, PageError::Content { line: 1, name } if name == "treaty.toml"), "{error}");
        }
        assert_eq!(Carried::read(b"<!doctype html>"), Err(PageError::Nothing));
        assert_eq!(Carried::read(b"\xff"), Err(PageError::NotText));
    }
}
