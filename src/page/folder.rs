//! The files of an export folder, carried by a page, and written out again to be audited.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::carry::Carried;

/// Most bytes of files that a page carries: a browser holds them in memory, as text and as bytes.
pub const MAX_CARRIED_BYTES: usize = 64 << 20;

/// Why a folder was not put into a page.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// A file or folder.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Over [`MAX_CARRIED_BYTES`].
    #[error("a page carries at most {} MiB, and this is more", MAX_CARRIED_BYTES >> 20)]
    TooLarge,
    /// The name is none that a page carries.
    #[error("{} has a name that does not belong into an export", .0.display())]
    Name(PathBuf),
}

impl Carried {
    /// Reads all files of a folder, by name.
    pub fn of_folder(folder: &Path) -> Result<Self, FolderError> {
        let mut carried = Self::default();
        let mut left = MAX_CARRIED_BYTES;
        let mut open = vec![folder.to_owned()];
        while let Some(at) = open.pop() {
            let fail = |source| FolderError::Io { path: at.clone(), source };
            for entry in fs::read_dir(&at).map_err(fail)? {
                let path = entry.map_err(fail)?.path();
                if path.is_dir() {
                    open.push(path);
                    continue;
                }
                let name = path.strip_prefix(folder).ok().and_then(Path::to_str).filter(|name| Self::is_name(name));
                let name = name.ok_or_else(|| FolderError::Name(path.clone()))?.to_owned();
                let mut bytes = Vec::new();
                let read = File::open(&path).and_then(|file| file.take(left as u64 + 1).read_to_end(&mut bytes));
                read.map_err(|source| FolderError::Io { path: path.clone(), source })?;
                left = left.checked_sub(bytes.len()).ok_or(FolderError::TooLarge)?;
                carried.0.push((name, bytes));
            }
        }
        carried.0.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Ok(carried)
    }

    /// Writes all files below a folder that exists. Names lead nowhere else.
    pub fn write_to(&self, folder: &Path) -> io::Result<()> {
        for (name, bytes) in &self.0 {
            let path = folder.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(path, bytes)?;
        }
        Ok(())
    }
}
