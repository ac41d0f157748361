//! The ledger as tables for analysts: notifications, receipts, deadlines and events, as JSON Lines, CSV and Parquet.
//!
//! What is written follows from the records, what was asked for, and the time as of which deadlines are computed: the
//! same ledger gives the same bytes. Tables prove nothing; the export that they were made from does.
//!
//! # Layout
//!
//! - [`schema`]: the tables' columns, and what each means
//! - `gather`: the first reading: receipts, and what bears on deadlines
//! - `rows`: the second reading: records into rows
//! - [`sink`]: rows into files

mod gather;
mod rows;
pub mod schema;
pub mod sink;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::audit::{Reading, ReadingError};
use crate::ledger::Timestamp;
use crate::tlog::Hash;

use gather::Gathered;
use rows::Rows;
use schema::{TABLES, Table};
use sink::{Cell, Format, Sink};

/// The file that describes the columns.
const DESCRIPTION: &str = "columns.json";
/// Stands in a folder that is not finished.
const UNFINISHED: &str = "UNFINISHED";
/// What it says.
const EXPLANATION: &str = "These tables were not finished. The same command begins them anew.\n";

/// Why no tables were written. The target does not exist, as it did not before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TablesError {
    /// Nothing is ever overwritten.
    #[error("{} exists already, and tables overwrite nothing", .0.display())]
    Exists(PathBuf),
    /// What lies where the tables would be written is not what is left of earlier tables.
    #[error("{} is in the way: it is not what is left of tables that were interrupted", .0.display())]
    InTheWay(PathBuf),
    /// Records could not be read.
    #[error(transparent)]
    Reading(#[from] ReadingError),
    /// A file could not be written.
    #[error("{} cannot be written: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What is being done. Each stage counts records for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Receipts, and what bears on deadlines, are gathered.
    Gathering,
    /// Rows are written.
    Writing,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Written {
    /// Rows of the table of notifications.
    pub notifications: u64,
    /// Rows of the table of receipts.
    pub receipts: u64,
    /// Rows of the table of deadlines.
    pub deadlines: u64,
    /// Rows of the table of events.
    pub events: u64,
    /// As of when deadlines were computed.
    pub as_of: Timestamp,
}

/// Writes the tables into a new folder, a file for each table and format. It appears whole or not at all. What an
/// interruption left under the name that ends in `.partial` is done away with, and the tables are begun anew: each of them
/// depends on all records.
///
/// `as_of`: the time as of which deadlines are computed; without it, the latest that the clocks of more than half of the
/// parties had reached when they logged or receipted anything.
///
/// Memory: a page of records and a group of rows, and for as long as it takes 48 bytes a receipt; where the profile has
/// rules, what of each note bears on them as well.
pub fn write_tables(
    reading: &Reading<'_>,
    formats: &[Format],
    as_of: Option<Timestamp>,
    target: &Path,
    progress: &mut dyn FnMut(Stage, u64, u64),
) -> Result<Written, TablesError> {
    let target_is_free = || match target.symlink_metadata() {
        Ok(_) => Err(TablesError::Exists(target.to_owned())),
        Err(_) => Ok(()),
    };
    target_is_free()?;
    let folder = crate::audit::partial(target);
    clear(&folder)?;
    let gathered = Gathered::read(reading, &mut |done, total| progress(Stage::Gathering, done, total))?;
    let as_of = as_of.unwrap_or_else(|| gathered.as_of());
    let fail = |source| TablesError::Io { path: folder.clone(), source };
    fs::create_dir(&folder).map_err(fail)?;
    fs::write(folder.join(UNFINISHED), EXPLANATION).map_err(fail)?;
    let about = About { ledger: reading.treaty.file().name.clone(), treaty: reading.treaty.hash(), as_of };
    let mut files = Files::create(&folder, formats, &about).map_err(fail)?;
    let mut rows = Rows::new(reading, &gathered, as_of);
    rows.write(&mut files, &mut |done, total| progress(Stage::Writing, done, total))?;
    let written = files.finish(as_of).map_err(fail)?;
    put(&folder, DESCRIPTION, about.description(reading).as_bytes()).map_err(fail)?;
    fs::remove_file(folder.join(UNFINISHED)).map_err(fail)?;
    target_is_free()?;
    fs::rename(&folder, target).map_err(|source| TablesError::Io { path: target.to_owned(), source })?;
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|folder| folder.sync_all()).map_err(fail)?;
    Ok(written)
}

/// Does away with what an earlier attempt left; an interrupted export, say, is kept.
fn clear(folder: &Path) -> Result<(), TablesError> {
    let fail = |source| TablesError::Io { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(fail)?,
    };
    let is_ours = |name: &str| match name {
        UNFINISHED => fs::read(folder.join(name)).is_ok_and(|bytes| EXPLANATION.as_bytes().starts_with(&bytes)),
        _ => {
            name == DESCRIPTION
                || name.split_once('.').is_some_and(|(table, extension)| {
                    TABLES.iter().any(|known| known.name() == table) && Format::parse(extension).is_some()
                })
        }
    };
    for entry in entries {
        if !entry.map_err(fail)?.file_name().to_str().is_some_and(is_ours) {
            return Err(TablesError::InTheWay(folder.to_owned()));
        }
    }
    fs::remove_dir_all(folder).map_err(fail)
}

/// Writes a small file, on disk on return.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let path = folder.join(name);
    fs::write(&path, bytes)?;
    File::open(&path)?.sync_all()
}

/// What the tables are of.
#[derive(Clone, Debug)]
pub struct About {
    /// The ledger's name.
    pub ledger: String,
    /// SHA-256 of the treaty file.
    pub treaty: Hash,
    /// As of when deadlines were computed.
    pub as_of: Timestamp,
}

impl About {
    /// `columns.json`: what stands in which column.
    fn description(&self, reading: &Reading<'_>) -> String {
        let tables: serde_json::Map<_, _> =
            TABLES.iter().map(|table| (table.name().to_owned(), serde_json::json!(table.columns()))).collect();
        let part = (!reading.selection.is_whole()).then_some(&reading.selection);
        let value = serde_json::json!({
            "as_of": self.as_of, "ledger": self.ledger, "part": part, "tables": tables,
            "treaty_sha256": self.treaty.to_hex(),
        });
        format!("{value:#}\n")
    }
}

/// The files of all tables in all formats.
struct Files {
    tables: Vec<(u64, Vec<Box<dyn Sink>>)>,
    folder: PathBuf,
}

impl Files {
    fn create(folder: &Path, formats: &[Format], about: &About) -> io::Result<Self> {
        let mut formats = formats.to_vec();
        formats.sort();
        formats.dedup();
        let open = |table: &Table| {
            formats
                .iter()
                .map(|format| {
                    let path = folder.join(format!("{}.{}", table.name(), format.extension()));
                    sink::create(*format, *table, about, File::create_new(path)?)
                })
                .collect::<io::Result<Vec<_>>>()
        };
        let tables = TABLES.iter().map(|table| Ok((0, open(table)?))).collect::<io::Result<_>>()?;
        Ok(Self { tables, folder: folder.to_owned() })
    }

    fn row(&mut self, table: Table, row: &[Cell]) -> Result<(), TablesError> {
        let (count, sinks) = &mut self.tables[table as usize];
        *count += 1;
        sinks
            .iter_mut()
            .try_for_each(|sink| sink.row(row))
            .map_err(|source| TablesError::Io { path: self.folder.join(table.name()), source })
    }

    fn finish(self, as_of: Timestamp) -> io::Result<Written> {
        let counts: Vec<u64> = self.tables.iter().map(|(count, _)| *count).collect();
        self.tables.into_iter().flat_map(|(_, sinks)| sinks).try_for_each(|sink| sink.finish())?;
        let count = |table: Table| counts[table as usize];
        Ok(Written {
            notifications: count(Table::Notifications),
            receipts: count(Table::Receipts),
            deadlines: count(Table::Deadlines),
            events: count(Table::Events),
            as_of,
        })
    }
}
