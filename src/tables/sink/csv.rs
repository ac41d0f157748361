//! CSV (RFC 4180): a header, lines that end in CR LF, text in quotation marks, an empty column empty and without them.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, Write};

use super::{Cell, Sink, check};
use crate::tables::schema::Table;

/// Text as it stands in a CSV file. What a spreadsheet would take for a formula gets an apostrophe in front: text that
/// begins, after any white space, with `=`, `+`, `-`, `@` or their full-width forms; and text that begins with an
/// apostrophe or with a tab or a line's end. So the text is what is left without one apostrophe at its beginning.
pub fn guarded(text: &str) -> Cow<'_, str> {
    const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    let is_formula = text.trim_start().starts_with(FORMULA);
    if is_formula || text.starts_with(['\'', '\t', '\r', '\n']) {
        return Cow::Owned(format!("'{text}"));
    }
    Cow::Borrowed(text)
}

pub(super) struct Lines {
    table: Table,
    out: csv::Writer<BufWriter<File>>,
}

impl Lines {
    pub fn new(table: Table, file: File) -> io::Result<Self> {
        let mut out = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .quote_style(csv::QuoteStyle::Necessary)
            .from_writer(BufWriter::with_capacity(1 << 16, file));
        out.write_record(table.columns().iter().map(|column| column.name))?;
        Ok(Self { table, out })
    }
}

impl Sink for Lines {
    fn row(&mut self, row: &[Cell]) -> io::Result<()> {
        check(self.table, row)?;
        for cell in row {
            match cell {
                Cell::None => self.out.write_field("")?,
                Cell::Text(text) => self.out.write_field(guarded(text).as_bytes())?,
                Cell::Integer(number) => self.out.write_field(number.to_string())?,
                Cell::Boolean(yes) => self.out.write_field(yes.to_string())?,
                Cell::Time(time) => self.out.write_field(time.to_string())?,
                // Begins with a bracket, a brace, a digit or a quotation mark: no formula.
                Cell::Json(value) => self.out.write_field(value.to_string())?,
            }
        }
        self.out.write_record(None::<&[u8]>)?;
        Ok(())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        let mut out = self.out.into_inner().map_err(|e| io::Error::other(e.to_string()))?;
        out.flush()?;
        super::sync(out)
    }
}
