//! Apache Parquet: flat columns, compressed with Zstandard, in groups of rows of a fixed size.
//!
//! Nothing in a file depends on when or where it was written: every property is set here.

use std::fs::File;
use std::io::{self, BufWriter};
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::{Cell, Sink, check};
use crate::tables::About;
use crate::tables::schema::{Table, Type};

/// Most rows in a group.
const GROUP_ROWS: usize = 1 << 14;
/// A group ends also when its texts have so many bytes.
const GROUP_BYTES: usize = 32 << 20;

/// The values of one column in the group that is being filled.
enum Values {
    Text(Vec<ByteArray>),
    Integer(Vec<i64>),
    Boolean(Vec<bool>),
}

pub(super) struct Groups {
    table: Table,
    out: SerializedFileWriter<BufWriter<File>>,
    /// By column: its values, and for each row whether there is one.
    columns: Vec<(Values, Vec<i16>)>,
    rows: usize,
    bytes: usize,
}

fn failed(error: ParquetError) -> io::Error {
    io::Error::other(error.to_string())
}

impl Groups {
    pub fn new(table: Table, about: &About, file: File) -> io::Result<Self> {
        let mut schema = format!("message {} {{\n", table.name());
        for column in table.columns() {
            let kind = match column.of {
                Type::Text => ("BYTE_ARRAY", " (STRING)"),
                Type::Json => ("BYTE_ARRAY", " (JSON)"),
                Type::Integer => ("INT64", ""),
                Type::Time => ("INT64", " (TIMESTAMP(MILLIS,true))"),
                Type::Boolean => ("BOOLEAN", ""),
            };
            let need = if column.optional { "OPTIONAL" } else { "REQUIRED" };
            schema += &format!("  {need} {} {}{};\n", kind.0, column.name, kind.1);
        }
        let schema = parse_message_type(&(schema + "}")).map_err(failed)?;
        let columns = serde_json::json!(table.columns()).to_string();
        let facts = [
            ("verbale.ledger", about.ledger.clone()),
            ("verbale.treaty_sha256", about.treaty.to_hex()),
            ("verbale.as_of", about.as_of.to_string()),
            ("verbale.columns", columns),
        ];
        let facts = facts.map(|(key, value)| KeyValue::new(key.to_owned(), value)).to_vec();
        let properties = WriterProperties::builder()
            .set_created_by(concat!("verbale version ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).map_err(failed)?))
            .set_dictionary_enabled(true)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_key_value_metadata(Some(facts))
            .build();
        let file = BufWriter::with_capacity(1 << 16, file);
        let out = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).map_err(failed)?;
        let columns = table.columns().iter().map(|column| (Values::of(column.of), Vec::new())).collect();
        Ok(Self { table, out, columns, rows: 0, bytes: 0 })
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.out.next_row_group().map_err(failed)?;
        for ((values, levels), column) in self.columns.iter_mut().zip(self.table.columns()) {
            write_column(&mut group, values, column.optional.then_some(levels.as_slice())).map_err(failed)?;
            values.clear();
            levels.clear();
        }
        group.close().map_err(failed)?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

fn write_column(
    group: &mut SerializedRowGroupWriter<'_, BufWriter<File>>,
    values: &Values,
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let other = || ParquetError::General("the file has other columns than its schema".to_owned());
    let mut column = group.next_column()?.ok_or_else(other)?;
    match (column.untyped(), values) {
        (ColumnWriter::ByteArrayColumnWriter(out), Values::Text(values)) => out.write_batch(values, levels, None)?,
        (ColumnWriter::Int64ColumnWriter(out), Values::Integer(values)) => out.write_batch(values, levels, None)?,
        (ColumnWriter::BoolColumnWriter(out), Values::Boolean(values)) => out.write_batch(values, levels, None)?,
        _ => return Err(other()),
    };
    column.close()
}

impl Values {
    fn of(kind: Type) -> Self {
        match kind {
            Type::Text | Type::Json => Self::Text(Vec::new()),
            Type::Integer | Type::Time => Self::Integer(Vec::new()),
            Type::Boolean => Self::Boolean(Vec::new()),
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Text(values) => values.clear(),
            Self::Integer(values) => values.clear(),
            Self::Boolean(values) => values.clear(),
        }
    }

    /// Takes a cell in that fits; how many bytes it is.
    fn push(&mut self, cell: &Cell) -> usize {
        match (self, cell) {
            (Self::Text(values), Cell::Text(text)) => {
                values.push(text.as_str().into());
                text.len()
            }
            (Self::Text(values), Cell::Json(value)) => {
                let text = value.to_string();
                values.push(text.as_str().into());
                text.len()
            }
            // Checked before: below 2^63.
            (Self::Integer(values), Cell::Integer(number)) => {
                values.push(i64::try_from(*number).unwrap_or(i64::MAX));
                8
            }
            (Self::Integer(values), Cell::Time(time)) => {
                values.push(i64::try_from(time.posix().saturating_mul(1000)).unwrap_or(i64::MAX));
                8
            }
            (Self::Boolean(values), Cell::Boolean(yes)) => {
                values.push(*yes);
                1
            }
            _ => 0,
        }
    }
}

impl Sink for Groups {
    fn row(&mut self, row: &[Cell]) -> io::Result<()> {
        check(self.table, row)?;
        for ((values, levels), cell) in self.columns.iter_mut().zip(row) {
            levels.push(i16::from(*cell != Cell::None));
            self.bytes += values.push(cell);
        }
        self.rows += 1;
        if self.rows == GROUP_ROWS || self.bytes >= GROUP_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.flush()?;
        let out = self.out.into_inner().map_err(failed)?;
        super::sync(out)
    }
}
