//! What `verbale verify` is given: an evidence file or a page that carries one, and the treaty file to check it with.

use std::path::{Path, PathBuf};

use super::{Code, Context, Failure, read_profile, read_treaty};
use crate::ledger::{MAX_EVIDENCE_BYTES, Profile, Treaty};
use crate::page::{Carried, EVIDENCE, PROFILE, TREATY, is_page, is_written_so};
use crate::tlog::Hash;

/// An evidence file with what it is checked against.
pub struct Source {
    /// The evidence file's bytes.
    pub evidence: Vec<u8>,
    /// The treaty file.
    pub treaty: Treaty,
    /// The treaty's profile.
    pub profile: Option<Profile>,
    /// Where the evidence stood in a page: what there is to say of the page.
    pub page: Option<PageFacts>,
}

/// What there is to say of a page, beside its evidence.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct PageFacts {
    /// Whether it is, byte for byte, what this version of the program writes for its files.
    pub as_written: bool,
    /// Whether the treaty file inside the page was used, for want of another one.
    pub own_treaty: bool,
}

/// The files of an export that a page carries, written into a folder that goes when this does.
pub struct Unpacked {
    /// The folder.
    pub folder: PathBuf,
    /// Whether the page is, byte for byte, what this version of the program writes for its files.
    pub as_written: bool,
}

impl Unpacked {
    /// Takes them out of a page; `None` if the file is none that carries an export.
    pub fn of(path: &Path, bytes: &[u8]) -> Result<Option<Self>, Failure> {
        if !is_page(bytes) {
            return Ok(None);
        }
        let carried = carried(path, bytes)?;
        if !carried.0.iter().any(|(name, _)| name.starts_with("logs/")) {
            return Ok(None);
        }
        let fail =
            |error: std::io::Error| Failure::new(Code::Disk, format!("{} was not unpacked: {error}", path.display()));
        let mut suffix = [0; 8];
        getrandom::fill(&mut suffix).map_err(|e| Failure::new(Code::Disk, format!("no random numbers: {e}")))?;
        let name = format!("verbale-page-{:016x}", u64::from_be_bytes(suffix));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).map_err(fail)?;
        let unpacked = Self { folder, as_written: is_written_so(bytes, &carried) };
        carried.write_to(&unpacked.folder).map_err(fail)?;
        Ok(Some(unpacked))
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        // What stays behind is a copy of what the page holds.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Source {
    /// Takes the file's bytes, and finds the treaty file: the one that is named, the home folder's, or the page's own.
    pub fn open(
        path: &Path,
        bytes: Vec<u8>,
        treaty: Option<&PathBuf>,
        profile: Option<&PathBuf>,
        context: &Context,
    ) -> Result<Self, Failure> {
        let carried = if is_page(&bytes) { Some(carried(path, &bytes)?) } else { None };
        let home = context.treaty_path();
        let chosen = treaty.cloned().or_else(|| (carried.is_none() || home.exists()).then_some(home));
        let inside = |name| carried.as_ref().and_then(|carried| carried.file(name));
        let trusted = match (&chosen, inside(TREATY)) {
            (Some(path), _) => read_treaty(path)?,
            (None, Some(bytes)) => Treaty::parse(bytes).map_err(|e| in_page(path, TREATY, e))?,
            (None, None) => {
                let text = format!("{} carries no treaty file", path.display());
                return Err(Failure::new(Code::Input, text).hint("name yours with --treaty"));
            }
        };
        let profile = match beside(profile, chosen.as_deref(), &trusted)? {
            None => inside(PROFILE)
                .filter(|bytes| Hash::digest(bytes) == trusted.file().profile_sha256)
                .map(|bytes| Profile::parse(bytes).map_err(|e| in_page(path, PROFILE, e)))
                .transpose()?,
            found => found,
        };
        let page = carried
            .as_ref()
            .map(|carried| PageFacts { as_written: is_written_so(&bytes, carried), own_treaty: chosen.is_none() });
        let evidence = match &carried {
            None => bytes,
            Some(carried) => carried.file(EVIDENCE).map(<[u8]>::to_vec).ok_or_else(|| {
                Failure::new(Code::NotVerified, format!("{} carries no evidence file", path.display()))
            })?,
        };
        if evidence.len() > MAX_EVIDENCE_BYTES {
            let text = format!("{} is longer than {MAX_EVIDENCE_BYTES} bytes", path.display());
            return Err(Failure::new(Code::Input, text));
        }
        Ok(Self { evidence, treaty: trusted, profile, page })
    }
}

fn carried(path: &Path, bytes: &[u8]) -> Result<Carried, Failure> {
    Carried::read(bytes).map_err(|error| {
        Failure::new(Code::NotVerified, format!("{} does not verify: {error}", path.display()))
            .hint("Nothing in this page may be relied on. Ask for it again.")
    })
}

fn in_page(path: &Path, name: &str, error: impl std::fmt::Display) -> Failure {
    Failure::new(Code::NotVerified, format!("{}: {name}: {error}", path.display()))
}

/// The profile that was named; otherwise the one beside the treaty file, if there is one.
fn beside(named: Option<&PathBuf>, treaty_path: Option<&Path>, treaty: &Treaty) -> Result<Option<Profile>, Failure> {
    let near = treaty_path.map(|path| path.with_file_name("profile.toml")).filter(|path| path.exists());
    let Some(path) = named.cloned().or(near) else { return Ok(None) };
    let (profile, hash) = read_profile(&path)?;
    if hash != treaty.file().profile_sha256 {
        let text = format!("{} is not the profile that the treaty file names by its SHA-256", path.display());
        return Err(Failure::new(Code::Input, text).hint("name the right one with --profile"));
    }
    Ok(Some(profile))
}
