//! The evidence page: one HTML file that opens from disk, without a network, and verifies in the browser what it carries.
//!
//! A page is the files that it carries (an evidence file with its treaty file and profile, or those of an export folder), as
//! lines of base64, and a script that reads them, verifies them with WebCrypto and shows what follows. Nothing that it shows of them stands in
//! it before: who alters the page alters what is verified, or stops the script. The script is our own, whole and readable,
//! and the page's content security policy lets no other run and no request out.
//!
//! ```text
//! page.html       the page without what it carries
//! page.css        how it looks, on a screen and on paper
//! script/*.js     one subject a file; `bundle` joins them
//! ```
//!
//! docs/format.md, section 18, has the form in which a page carries files.

mod bundle;
mod carry;
mod compose;
mod folder;

pub use bundle::script;
pub use carry::{Carried, MAX_PAGE_BYTES, PageError};
pub use compose::{EVIDENCE, PROFILE, TREATY, evidence_page, is_page, is_written_so, ledger_page};
pub use folder::{FolderError, MAX_CARRIED_BYTES};
