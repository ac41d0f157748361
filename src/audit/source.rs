//! Where an export is read from: a folder, or an archive.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::amendments;
use super::archive::order;
use super::layout::{BRANCHES, CHECKPOINTS, FORKS, LOGS, PART, POLICY, PROFILE, README, RECEIPTS, RECORDS, TREATY};
use super::report::Report;
use super::unpack::{Entry, Lane, Order};
use crate::ledger::{MAX_AMENDMENTS, Treaty};

/// A file of an export while it is read.
pub(super) enum Input {
    File(BufReader<File>),
    Entry(Box<Entry>),
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Entry(entry) => entry.read(buffer),
        }
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Self::File(file) => file.fill_buf(),
            Self::Entry(entry) => entry.fill_buf(),
        }
    }

    fn consume(&mut self, amount: usize) {
        match self {
            Self::File(file) => file.consume(amount),
            Self::Entry(entry) => entry.consume(amount),
        }
    }
}

/// An export.
pub(super) enum Source {
    /// A folder of files.
    Folder(PathBuf),
    /// An archive: read three times side by side, as the three files of a log are.
    Archive { path: PathBuf, lanes: Box<[Option<Lane>; 3]> },
}

/// The files of a log, in the order of the archive.
pub(super) const LOG_FILES: [&str; 3] = [CHECKPOINTS, RECEIPTS, RECORDS];

impl Source {
    pub fn open(path: &Path) -> io::Result<Self> {
        if path.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        let mut first: Order =
            [README, TREATY, PROFILE, POLICY, PART].map(|name| (name.to_owned(), name != PART)).into();
        first.extend((1..=MAX_AMENDMENTS).map(|number| (amendments::name(number), false)));
        let lane = || Lane::open(path, first.clone()).map(Some);
        Ok(Self::Archive { path: path.to_owned(), lanes: Box::new([lane()?, lane()?, lane()?]) })
    }

    /// A file that is read whole; `None` if it is not there. In an archive they are read in its order.
    pub fn small(&mut self, name: &str, most: usize) -> io::Result<Option<Vec<u8>>> {
        match self {
            Self::Folder(folder) => match read_file(&folder.join(name), most) {
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    Ok(None)
                }
                read => read.map(Some),
            },
            Self::Archive { lanes, .. } => match &mut lanes[2] {
                Some(lane) => lane.small(name, most),
                None => Err(gone()),
            },
        }
    }

    /// The treaty is known, and with it which files there can be. Reports an archive that says to be another ledger's.
    pub fn know(&mut self, treaty: &Treaty, report: &mut Report) {
        let Self::Archive { path, lanes } = self else { return };
        for lane in lanes.iter_mut().flatten() {
            lane.set_order(order(treaty).collect());
        }
        let root = lanes[2].as_ref().map(Lane::root).unwrap_or_default();
        if root != treaty.file().name {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let expected = format!("files in `{}/`", treaty.file().name);
            report.file_fault(&name, expected, format!("`{root}/`"), NOT_OURS);
        }
    }

    /// Reports files of a folder that do not belong there or are missing. Returns how many bytes there are to read.
    pub fn layout(&self, treaty: &Treaty, part: bool, report: &mut Report) -> u64 {
        match self {
            Self::Folder(folder) => Layout::check(folder, treaty, part, report),
            Self::Archive { path, .. } => fs::metadata(path).map_or(0, |meta| meta.len()),
        }
    }

    /// Opens a log's files, in the order of [`LOG_FILES`].
    pub fn log(&mut self, code: &str) -> [io::Result<Input>; 3] {
        let mut which = 0;
        LOG_FILES.map(|file| {
            let name = format!("{LOGS}/{code}/{file}");
            let at = which;
            which += 1;
            match self {
                Self::Folder(folder) => {
                    open(&folder.join(name)).map(|file| Input::File(BufReader::with_capacity(1 << 16, file)))
                }
                Self::Archive { lanes, .. } => {
                    let mut lane = lanes[at].take().ok_or_else(gone)?;
                    let size = lane.seek(&name)?.ok_or_else(gone)?;
                    Ok(Input::Entry(Box::new(Entry::new(lane, size))))
                }
            }
        })
    }

    /// Opens a log's records alone.
    pub fn records(&mut self, code: &str) -> io::Result<Input> {
        let name = format!("{LOGS}/{code}/{RECORDS}");
        match self {
            Self::Folder(folder) => {
                open(&folder.join(name)).map(|file| Input::File(BufReader::with_capacity(1 << 16, file)))
            }
            Self::Archive { lanes, .. } => {
                let mut lane = lanes[2].take().ok_or_else(gone)?;
                let size = lane.seek(&name)?.ok_or_else(gone)?;
                Ok(Input::Entry(Box::new(Entry::new(lane, size))))
            }
        }
    }

    /// Opens a file that need not be there. In an archive they are read in its order.
    pub fn file(&mut self, name: &str) -> io::Result<Option<Input>> {
        match self {
            Self::Folder(folder) => match open(&folder.join(name)) {
                Ok(file) => Ok(Some(Input::File(BufReader::with_capacity(1 << 16, file)))),
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    Ok(None)
                }
                Err(error) => Err(error),
            },
            Self::Archive { lanes, .. } => {
                let Some(lane) = &mut lanes[2] else { return Err(gone()) };
                let Some(size) = lane.seek(name)? else { return Ok(None) };
                let lane = lanes[2].take().ok_or_else(gone)?;
                Ok(Some(Input::Entry(Box::new(Entry::new(lane, size)))))
            }
        }
    }

    /// A log's files were read: the archive goes on behind them.
    pub fn give_back(&mut self, which: usize, input: Input) -> io::Result<()> {
        if let (Self::Archive { lanes, .. }, Input::Entry(entry)) = (self, input) {
            lanes[which] = Some(entry.finish()?);
        }
        Ok(())
    }

    /// All files were read.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::Folder(_) => Ok(()),
            Self::Archive { lanes, .. } => {
                let [.., last] = *lanes;
                last.map_or_else(|| Err(gone()), Lane::finish)
            }
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("the archive could not be read on")
}

/// What a file that is no part of an export means.
const NOT_OURS: &str = "Nothing of what it says was looked at.";

/// The check of a folder's files.
struct Layout<'a> {
    folder: &'a Path,
    folders: BTreeSet<String>,
    due: BTreeSet<String>,
    allowed: BTreeSet<String>,
    total: u64,
}

impl Layout<'_> {
    fn check(folder: &Path, treaty: &Treaty, part: bool, report: &mut Report) -> u64 {
        let mut layout = Layout {
            folder,
            folders: [LOGS, FORKS, BRANCHES, amendments::FOLDER].map(str::to_owned).into(),
            due: BTreeSet::new(),
            allowed: BTreeSet::new(),
            total: 0,
        };
        layout.folders.extend(treaty.parties().iter().map(|party| format!("{LOGS}/{}", party.code)));
        for (name, due) in order(treaty) {
            if due || (part && name == PART) {
                layout.due.insert(name);
            } else if name != PART {
                layout.allowed.insert(name);
            }
        }
        layout.list("", report);
        for name in std::mem::take(&mut layout.due) {
            let means = match name.starts_with(LOGS) {
                true => "Without it the export is not whole, and nothing of this log was looked at.",
                false => "Without it the export is not whole.",
            };
            report.file_fault(&name, "this file", "none", means);
        }
        layout.total
    }

    fn list(&mut self, within: &str, report: &mut Report) {
        let unreadable = |report: &mut Report, name: &str, error: String| {
            report.file_fault(name, "what can be read", error, "What is in it was not looked at.");
        };
        let entries = match fs::read_dir(self.folder.join(within)) {
            Ok(entries) => entries,
            Err(error) => return unreadable(report, within, error.to_string()),
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return unreadable(report, within, error.to_string()),
            };
            // Names of files that are none of ours are shown to people: nothing in them steers a terminal.
            let name = entry.file_name().to_string_lossy().replace(char::is_control, "\u{fffd}");
            let name = if within.is_empty() { name } else { format!("{within}/{name}") };
            // Links are not followed: what they lead to is not part of the export.
            let meta = match entry.path().symlink_metadata() {
                Ok(meta) => meta,
                Err(error) => {
                    unreadable(report, &name, error.to_string());
                    continue;
                }
            };
            if meta.is_dir() && self.folders.contains(&name) {
                self.list(&name, report);
            } else if meta.is_file() && (self.due.remove(&name) || self.allowed.contains(&name)) {
                self.total += meta.len();
            } else {
                report.file_fault(&name, "only what belongs to an export", "this", NOT_OURS);
            }
        }
    }
}

/// Opens a file; a pipe or a device, on which reading might never end, is refused.
pub(super) fn open(path: &Path) -> io::Result<File> {
    if path.symlink_metadata()?.is_file() {
        File::open(path)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a plain file"))
    }
}

/// Reads a file of at most so many bytes.
fn read_file(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is longer than {most} bytes")));
    }
    Ok(bytes)
}
