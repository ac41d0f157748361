//! JSON Lines: an object a line. A column that is empty is `null`.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use super::{Cell, Sink, check};
use crate::tables::schema::Table;

pub(super) struct Lines {
    table: Table,
    out: BufWriter<File>,
}

impl Lines {
    pub fn new(table: Table, file: File) -> Self {
        Self { table, out: BufWriter::with_capacity(1 << 16, file) }
    }
}

impl Sink for Lines {
    fn row(&mut self, row: &[Cell]) -> io::Result<()> {
        check(self.table, row)?;
        for (at, (column, cell)) in self.table.columns().iter().zip(row).enumerate() {
            let comma = if at == 0 { '{' } else { ',' };
            write!(self.out, "{comma}\"{}\":", column.name)?;
            match cell {
                Cell::None => write!(self.out, "null")?,
                Cell::Text(text) => serde_json::to_writer(&mut self.out, text)?,
                Cell::Integer(number) => write!(self.out, "{number}")?,
                Cell::Boolean(yes) => write!(self.out, "{yes}")?,
                Cell::Time(time) => write!(self.out, "\"{time}\"")?,
                Cell::Json(value) => serde_json::to_writer(&mut self.out, value)?,
            }
        }
        writeln!(self.out, "}}")
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        super::sync(self.out)
    }
}
