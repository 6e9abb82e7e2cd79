//! How answers are written: a table, lines of JSON, CSV, Parquet. Batches are written as they come.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::csv;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::json::LineDelimitedWriter;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use scopes::spelled_out;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    Table,
    Json,
    Csv,
    Parquet,
}

/// `csv`, `parquet:answer.parquet`: a format, and a file where it is not standard output.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Destination {
    format: Format,
    file: Option<PathBuf>,
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Destination, String> {
        let (name, file) = match text.split_once(':') {
            Some((name, file)) if !file.is_empty() => (name, Some(PathBuf::from(file))),
            Some(_) => return Err(format!("{text}: a file is missing behind the colon")),
            None => (text, None),
        };
        let format = match name {
            "table" => Format::Table,
            "json" => Format::Json,
            "csv" => Format::Csv,
            "parquet" => Format::Parquet,
            _ => return Err(format!("no format {name:?}: one of table, json, csv, parquet")),
        };
        Ok(Destination { format, file })
    }
}

impl Destination {
    /// Opens it. A file takes its name when it is whole: until then it stands beside that as `NAME.partial`.
    pub fn open(&self, schema: &SchemaRef, force: bool) -> Result<Writer> {
        let (out, file): (Box<dyn Write + Send>, _) = match &self.file {
            None => (Box::new(io::stdout()), None),
            Some(path) => {
                if !force && path.exists() {
                    anyhow::bail!("{} is there: --force writes over it", path.display());
                }
                let partial = PathBuf::from(format!("{}.partial", path.display()));
                let out = File::create(&partial).with_context(|| format!("writing {}", partial.display()))?;
                (Box::new(out), Some((partial, path.clone())))
            }
        };
        let out = BufWriter::with_capacity(1 << 16, out);
        let format = match self.format {
            Format::Table => Writing::Table(Table::new(out, schema)),
            Format::Json => Writing::Json(LineDelimitedWriter::new(out)),
            Format::Csv => Writing::Csv(Box::new(csv::WriterBuilder::new().with_header(true).build(out))),
            Format::Parquet => {
                let compression = Compression::ZSTD(ZstdLevel::try_new(3)?);
                let properties = WriterProperties::builder().set_compression(compression).build();
                Writing::Parquet(Box::new(ArrowWriter::try_new(out, schema.clone(), Some(properties))?))
            }
        };
        Ok(Writer { format, file, is_empty: true, schema: schema.clone() })
    }

    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }
}

type Out = BufWriter<Box<dyn Write + Send>>;

enum Writing {
    Table(Table),
    Json(LineDelimitedWriter<Out>),
    Csv(Box<csv::Writer<Out>>),
    Parquet(Box<ArrowWriter<Out>>),
}

/// An answer, as it is written.
pub struct Writer {
    format: Writing,
    file: Option<(PathBuf, PathBuf)>,
    is_empty: bool,
    schema: SchemaRef,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Writer {
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.is_empty = false;
        match &mut self.format {
            Writing::Table(table) => table.write(batch)?,
            Writing::Json(json) => json.write(batch)?,
            Writing::Csv(csv) => csv.write(&flat(batch)?)?,
            Writing::Parquet(parquet) => parquet.write(batch)?,
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<()> {
        if self.is_empty {
            // Names of columns are told also where there are no rows.
            let none = RecordBatch::new_empty(self.schema.clone());
            self.write(&none)?;
        }
        match self.format {
            Writing::Table(mut table) => table.out.flush()?,
            Writing::Json(mut json) => {
                json.finish()?;
                json.into_inner().flush()?;
            }
            Writing::Csv(csv) => csv.into_inner().flush()?,
            Writing::Parquet(parquet) => parquet.into_inner()?.flush()?,
        }
        if let Some((partial, path)) = self.file {
            std::fs::rename(&partial, &path).with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(())
    }
}

/// Lists have no place in CSV: they are texts there, as tables show them.
fn flat(batch: &RecordBatch) -> Result<RecordBatch> {
    use datafusion::arrow::array::{ArrayRef, StringArray};
    use datafusion::arrow::datatypes::{DataType, Field, Schema};
    use std::sync::Arc;
    let options = FormatOptions::default();
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if !field.data_type().is_nested() {
            fields.push(Arc::clone(field));
            columns.push(Arc::clone(column));
            continue;
        }
        let formatter = ArrayFormatter::try_new(column, &options)?;
        let text = |row: usize| column.is_valid(row).then(|| formatter.value(row).to_string());
        let texts: StringArray = (0..column.len()).map(text).collect();
        fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
        columns.push(Arc::new(texts) as ArrayRef);
    }
    let options = datafusion::arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?)
}

/// Aligned columns. They are as wide as the first rows need; longer cells of later ones push the line on.
struct Table {
    out: Out,
    names: Vec<String>,
    widths: Vec<usize>,
    has_head: bool,
}

/// A cell that is longer is no column any more.
const WIDEST: usize = 80;

impl Table {
    fn new(out: Out, schema: &SchemaRef) -> Table {
        let names = schema.fields().iter().map(|field| spelled_out(field.name()).to_string()).collect();
        Table { out, names, widths: Vec::new(), has_head: false }
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let options = FormatOptions::default();
        let formatters = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
        let formatters = formatters.collect::<Result<Vec<_>, _>>()?;
        // What was recorded chose these texts: a terminal gets no control characters.
        let cell = |row: usize, of: &ArrayFormatter<'_>| spelled_out(&of.value(row).to_string()).to_string();
        let rows: Vec<Vec<String>> =
            (0..batch.num_rows()).map(|row| formatters.iter().map(|of| cell(row, of)).collect()).collect();
        if !self.has_head {
            self.has_head = true;
            self.widths = self.names.iter().map(|name| name.chars().count()).collect();
            for row in &rows {
                for (width, cell) in self.widths.iter_mut().zip(row) {
                    *width = (*width).max(cell.chars().count().min(WIDEST));
                }
            }
            let names = std::mem::take(&mut self.names);
            self.line(&names)?;
        }
        rows.iter().try_for_each(|row| self.line(row))
    }

    fn line(&mut self, cells: &[String]) -> Result<()> {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&self.widths) {
            line.push_str(cell);
            let room = (width + 2).saturating_sub(cell.chars().count()).max(2);
            line.extend(std::iter::repeat_n(' ', room));
        }
        Ok(writeln!(self.out, "{}", line.trim_end())?)
    }
}
