//! Rows into files. Each format is written as it comes, with no more than a group of rows in memory.

mod csv;
mod jsonl;
mod parquet;

use std::fs::File;
use std::io::{self, BufWriter, Write};

use serde_json::Value;

use super::About;
use super::schema::{Table, Type};
use crate::ledger::Timestamp;

pub use csv::guarded;

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// JSON Lines: an object a line, in UTF-8.
    Jsonl,
    /// CSV as in RFC 4180, in UTF-8, with a header.
    Csv,
    /// Apache Parquet, compressed with Zstandard.
    Parquet,
}

impl Format {
    /// By the word on the command line, which is also the end of a file's name.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Jsonl, Self::Csv, Self::Parquet].into_iter().find(|format| format.extension() == word)
    }

    /// The end of its files' names.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }
}

/// What stands in a row under a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing.
    None,
    /// Text.
    Text(String),
    /// A whole number below 2^63.
    Integer(u64),
    /// True or false.
    Boolean(bool),
    /// A moment.
    Time(Timestamp),
    /// JSON.
    Json(Value),
}

impl Cell {
    /// Whether it may stand in a column of this type.
    fn is(&self, of: Type, optional: bool) -> bool {
        match self {
            Self::None => optional,
            Self::Text(_) => of == Type::Text,
            Self::Integer(number) => of == Type::Integer && i64::try_from(*number).is_ok(),
            Self::Boolean(_) => of == Type::Boolean,
            Self::Time(_) => of == Type::Time,
            Self::Json(_) => of == Type::Json,
        }
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self::Integer(number)
    }
}

impl From<Timestamp> for Cell {
    fn from(time: Timestamp) -> Self {
        Self::Time(time)
    }
}

/// Takes rows in.
pub trait Sink {
    /// Writes a row, which has a cell for each column.
    fn row(&mut self, row: &[Cell]) -> io::Result<()>;
    /// Everything on disk.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

/// A sink that writes a table into a file.
pub fn create(format: Format, table: Table, about: &About, file: File) -> io::Result<Box<dyn Sink>> {
    Ok(match format {
        Format::Jsonl => Box::new(jsonl::Lines::new(table, file)),
        Format::Csv => Box::new(csv::Lines::new(table, file)?),
        Format::Parquet => Box::new(parquet::Groups::new(table, about, file)?),
    })
}

/// A row that is not of its table's form would be read wrongly by somebody who relies on it.
fn check(table: Table, row: &[Cell]) -> io::Result<()> {
    let columns = table.columns();
    let fits =
        columns.len() == row.len() && columns.iter().zip(row).all(|(column, cell)| cell.is(column.of, column.optional));
    if fits {
        return Ok(());
    }
    let wrong = columns.iter().zip(row).find(|(column, cell)| !cell.is(column.of, column.optional));
    let what = wrong.map_or("its end".to_owned(), |(column, cell)| format!("{} ({cell:?})", column.name));
    Err(io::Error::other(format!("a row of {} does not fit its columns at {what}", table.name())))
}

fn sync(out: BufWriter<File>) -> io::Result<()> {
    let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.flush()?;
    file.sync_all()
}
