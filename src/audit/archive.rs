//! The same files in one `.tar.zst`: packed so that the same files give the same bytes, and read without unpacking.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use super::amendments;
use super::layout::{
    CHECKPOINTS, FORKS, KEYS, LOGS, PART, POLICY, PROFILE, README, RECEIPTS, RECORDS, TREATY, branch_file,
};
use crate::ledger::{MAX_RESTARTS, Treaty};

/// The level at which archives are compressed.
const LEVEL: i32 = 9;
/// Largest window of the compression, as a power of two: what a reader sets aside for it is 8 MiB.
pub(super) const WINDOW_LOG: u32 = 23;
pub(super) const BLOCK: usize = 512;

/// Names of an export's files, in the order in which they stand in an archive: what a reader needs first comes first.
/// The second value tells whether the file has to be there.
pub(super) fn order(treaty: &Treaty) -> impl Iterator<Item = (String, bool)> + '_ {
    let first = [(README, true), (TREATY, true), (PROFILE, true), (POLICY, true), (PART, false)];
    let amendments = (1..=treaty.number()).map(|number| (amendments::name(number), true));
    let forks = treaty.parties().iter().map(|party| (format!("{FORKS}/{}.txt", party.code), false));
    let keys = treaty.parties().iter().map(|party| (format!("{LOGS}/{}/{KEYS}", party.code), false));
    let logs = treaty
        .parties()
        .iter()
        .flat_map(|party| [CHECKPOINTS, RECEIPTS, RECORDS].map(|name| (format!("{LOGS}/{}/{name}", party.code), true)));
    let branches = treaty
        .parties()
        .iter()
        .flat_map(|party| (1..=MAX_RESTARTS).map(|number| (branch_file(&party.code, number), false)));
    let first = first.map(|(name, due)| (name.to_owned(), due)).into_iter();
    first.chain(amendments).chain(forks).chain(keys).chain(logs).chain(branches)
}

/// The header of a file in the archive: everything but name and size is fixed.
pub(super) fn header(root: &str, name: &str, size: u64) -> io::Result<tar::Header> {
    let mut header = tar::Header::new_ustar();
    header.set_path(format!("{root}/{name}"))?;
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    Ok(header)
}

/// Packs an export's folder into a file, which is on disk on return.
pub(super) fn pack(
    folder: &Path,
    treaty: &Treaty,
    target: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> io::Result<()> {
    let mut files = Vec::new();
    for (name, due) in order(treaty) {
        match folder.join(&name).symlink_metadata() {
            Ok(meta) => files.push((name, meta.len())),
            Err(error) if due || error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) => {}
        }
    }
    let total = files.iter().map(|(_, size)| size).sum();
    let mut out = zstd::Encoder::new(BufWriter::new(File::create(target)?), LEVEL)?;
    out.include_checksum(true)?;
    out.window_log(WINDOW_LOG)?;
    let mut done = 0;
    let mut buffer = vec![0; 1 << 16];
    for (name, size) in files {
        out.write_all(header(&treaty.file().name, &name, size)?.as_bytes())?;
        let mut file = File::open(folder.join(&name))?.take(size);
        let mut copied = 0;
        loop {
            let length = file.read(&mut buffer)?;
            if length == 0 {
                break;
            }
            out.write_all(&buffer[..length])?;
            copied += length as u64;
            progress(done + copied, total);
        }
        if copied != size {
            return Err(io::Error::other(format!("{name} became shorter while it was packed")));
        }
        out.write_all(&vec![0; padding(size)])?;
        done += size;
    }
    out.write_all(&[0; 2 * BLOCK])?;
    let file = out.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()
}

pub(super) fn padding(size: u64) -> usize {
    (BLOCK - (size % BLOCK as u64) as usize) % BLOCK
}
