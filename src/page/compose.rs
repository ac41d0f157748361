//! The page's text: the frame, the style, the script, and the files that it carries.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};

use super::bundle::script;
use super::carry::Carried;
use crate::tlog::Hash;

const FRAME: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
/// Name of the evidence file in a page.
pub const EVIDENCE: &str = "evidence.tlog-proof";
/// Name of the treaty file in a page.
pub const TREATY: &str = "treaty.toml";
/// Name of the profile in a page.
pub const PROFILE: &str = "profile.toml";

/// The page for an evidence file. The same files give the same bytes, in one version of this program.
///
/// Verifies nothing: the page does, whenever it is opened.
pub fn evidence_page(evidence: &[u8], treaty: &[u8], profile: Option<&[u8]>) -> String {
    let mut files = vec![(EVIDENCE.to_owned(), evidence.to_vec()), (TREATY.to_owned(), treaty.to_vec())];
    files.extend(profile.map(|bytes| (PROFILE.to_owned(), bytes.to_vec())));
    page(&Carried(files))
}

/// The page for the files of an export folder, whose names say what they are.
pub fn ledger_page(files: &Carried) -> String {
    page(files)
}

/// The page that carries these files.
pub(super) fn page(carried: &Carried) -> String {
    let (style, script) = (format!("\n{STYLE}"), format!("\n{}", script(true)));
    let digest = |text: &str| BASE64.encode(Hash::digest(text.as_bytes()).0);
    // What was put in last may say anything, and is not looked at again.
    FRAME
        .replace("{{version}}", env!("CARGO_PKG_VERSION"))
        .replace("{{style-hash}}", &digest(&style))
        .replace("{{script-hash}}", &digest(&script))
        .replacen("{{style}}", &style, 1)
        .replacen("{{files}}", &carried.to_html(), 1)
        .replacen("{{script}}", &script, 1)
}

/// Whether bytes are a page rather than an evidence file.
pub fn is_page(bytes: &[u8]) -> bool {
    bytes.get(..15).is_some_and(|head| head.eq_ignore_ascii_case(b"<!doctype html>"))
}

/// Whether a page is, byte for byte, the one that this version of the program writes for the files that it carries.
/// Another page may show something else than what those files prove.
pub fn is_written_so(bytes: &[u8], carried: &Carried) -> bool {
    page(carried).as_bytes() == bytes
}
