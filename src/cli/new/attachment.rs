//! Files that go with a note: name, media type, size and SHA-256.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::super::{Code, Failure};
use crate::ledger::{Attachment, canon};
use crate::tlog::Hash;

/// Describes a file, reading it in pieces.
pub fn describe(path: &Path) -> Result<Attachment, Failure> {
    let fail = |what: String| Failure::new(Code::Input, format!("the attachment {}: {what}", path.display()));
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name
        .filter(|name| name.len() <= 255 && !name.contains('\\') && canon::check_plain(name).is_ok())
        .ok_or_else(|| fail("its name is not visible text of at most 255 bytes in normalisation form C".into()))?;
    if !fs::metadata(path).map_err(|e| fail(e.to_string()))?.is_file() {
        return Err(fail("it is not a file".into()));
    }
    let mut file = File::open(path).map_err(|e| fail(e.to_string()))?;
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0u64, vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut buffer).map_err(|e| fail(e.to_string()))?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        size += read as u64;
    }
    Ok(Attachment { media: media(name).into(), name: name.into(), sha256: Hash(hash.finalize().into()), size })
}

/// The media type that goes with a file name's ending.
fn media(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "pdf" => "application/pdf",
        "json" => "application/json",
        "xml" => "application/xml",
        "zip" => "application/zip",
        "txt" => "text/plain",
        "csv" => "text/csv",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "tif" | "tiff" => "image/tiff",
        _ => "application/octet-stream",
    }
}
