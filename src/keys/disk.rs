//! Creating and reading small files that matter.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use zeroize::Zeroizing;

use super::{KeyFileError, MAX_KEY_FILE_BYTES};

/// Creates a file with a mode; it and its folder's entry are on disk on return. Never overwrites.
pub(super) fn create_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), KeyFileError> {
    let fail = |e| KeyFileError::io(path, e);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(fail)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(fail)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| File::open(folder)?.sync_all());
    if let Err(error) = written {
        // Half a key is no key: whoever finds the file should not take it for one.
        let _ = fs::remove_file(path);
        return Err(fail(error));
    }
    Ok(())
}

/// Reads a file of at most [`MAX_KEY_FILE_BYTES`], and its permission bits.
pub(super) fn read(path: &Path) -> Result<(Zeroizing<Vec<u8>>, u32), KeyFileError> {
    let fail = |e| KeyFileError::io(path, e);
    // Looked at before it is opened: opening a named pipe would wait for its other end.
    if !fs::metadata(path).map_err(fail)?.is_file() {
        return Err(fail(io::Error::other("it is not a file")));
    }
    let file = File::open(path).map_err(fail)?;
    let mode = file.metadata().map_err(fail)?.permissions().mode() & 0o7777;
    // All the room at once: a buffer that grows leaves copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_KEY_FILE_BYTES + 1));
    file.take(MAX_KEY_FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() > MAX_KEY_FILE_BYTES {
        return Err(KeyFileError::too_long(path));
    }
    Ok((bytes, mode))
}

/// Refuses a plain secret that others than its owner can read or write.
pub(super) fn check_private(path: &Path, mode: u32) -> Result<(), KeyFileError> {
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(KeyFileError::Exposed { path: path.to_owned(), mode }),
    }
}
