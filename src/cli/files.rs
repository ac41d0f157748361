//! Reading and writing the commands' files: limits before allocation, whole files or none, failures in words.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::{Code, Failure};
use crate::keys::KeyFileError;

/// Reads a file of at most `max` bytes.
pub fn read(path: &Path, max: usize) -> Result<Vec<u8>, Failure> {
    let fail = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => Failure::new(Code::Input, format!("there is no file {}", path.display())),
        _ => Failure::new(Code::Input, format!("{} cannot be read: {error}", path.display())),
    };
    // Looked at before it is opened: opening a named pipe would wait for its other end.
    if !fs::metadata(path).map_err(fail)?.is_file() {
        return Err(Failure::new(Code::Input, format!("{} is not a file", path.display())));
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(fail)?.take(max as u64 + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() > max {
        return Err(Failure::new(Code::Input, format!("{} is longer than {max} bytes", path.display())));
    }
    Ok(bytes)
}

/// Reads a UTF-8 file of at most `max` bytes.
pub fn read_text(path: &Path, max: usize) -> Result<String, Failure> {
    String::from_utf8(read(path, max)?).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Failure::new(Code::Input, format!("{} is not UTF-8 text (byte {at})", path.display()))
    })
}

/// Writes a new file, whole or not at all; refuses where one stands already.
pub fn create(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    absent(path)?;
    replace(path, bytes)
}

/// Refuses where a file stands already.
pub fn absent(path: &Path) -> Result<(), Failure> {
    match fs::symlink_metadata(path) {
        Err(_) => Ok(()),
        Ok(_) => Err(Failure::new(Code::Input, format!("{} exists already; nothing was written", path.display()))
            .hint("move it away, or name another file")),
    }
}

/// Writes a file, whole or not at all, over what stood there; on disk on return.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let Some(name) = path.file_name() else {
        return Err(Failure::new(Code::Input, format!("{} is not a file name", path.display())));
    };
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}", std::process::id()));
    let temporary: PathBuf = folder.join(temporary);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(folder)?.sync_all()
    })();
    written.map_err(|error: io::Error| {
        let _ = fs::remove_file(&temporary);
        let code = match error.kind() {
            ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::IsADirectory => Code::Input,
            _ => Code::Disk,
        };
        Failure::new(code, format!("{} cannot be written: {error}", path.display()))
    })
}

impl From<KeyFileError> for Failure {
    fn from(error: KeyFileError) -> Self {
        let code = match &error {
            KeyFileError::Io { source, .. }
                if matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) =>
            {
                Code::Disk
            }
            _ => Code::Key,
        };
        Self { code, message: error.to_string(), hint: error.hint() }
    }
}
