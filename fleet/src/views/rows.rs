//! Rows of a view, put together one by one.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Int64Builder, ListBuilder, RecordBatch, StringBuilder, TimestampNanosecondBuilder,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::Result;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Text,
    Int,
    /// ns since the epoch, UTC.
    Time,
    Texts,
}

#[derive(Clone, Copy, Debug)]
pub struct Column(pub &'static str, pub Kind);

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text => DataType::Utf8,
        Kind::Int => DataType::Int64,
        Kind::Time => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        Kind::Texts => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
    }
}

/// Whatever is not known is null.
pub fn schema(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| Field::new(column.0, data_type(column.1), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

#[derive(Debug)]
enum Building {
    Text(StringBuilder),
    Int(Int64Builder),
    Time(TimestampNanosecondBuilder),
    Texts(ListBuilder<StringBuilder>),
}

/// Columns that grow a cell at a time, in their order.
#[derive(Debug)]
pub struct Rows {
    schema: SchemaRef,
    columns: Vec<Building>,
    next: usize,
}

impl Rows {
    pub fn new(columns: &[Column]) -> Rows {
        let building = |column: &Column| match column.1 {
            Kind::Text => Building::Text(StringBuilder::new()),
            Kind::Int => Building::Int(Int64Builder::new()),
            Kind::Time => Building::Time(TimestampNanosecondBuilder::new().with_timezone("UTC")),
            Kind::Texts => Building::Texts(ListBuilder::new(StringBuilder::new())),
        };
        Rows { schema: schema(columns), columns: columns.iter().map(building).collect(), next: 0 }
    }

    fn next(&mut self) -> Option<&mut Building> {
        let at = self.next;
        self.next = (at + 1) % self.columns.len().max(1);
        self.columns.get_mut(at)
    }

    /// An empty text is one that is not known.
    pub fn text(&mut self, text: impl AsRef<str>) -> &mut Rows {
        if let Some(Building::Text(it)) = self.next() {
            it.append_option(Some(text.as_ref()).filter(|text| !text.is_empty()));
        }
        self
    }

    /// Bytes as tables of events have them.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Rows {
        self.text(text_of(bytes))
    }

    pub fn int(&mut self, number: impl Into<Option<i64>>) -> &mut Rows {
        if let Some(Building::Int(it)) = self.next() {
            it.append_option(number.into());
        }
        self
    }

    pub fn time(&mut self, ns: impl Into<Option<i64>>) -> &mut Rows {
        if let Some(Building::Time(it)) = self.next() {
            it.append_option(ns.into());
        }
        self
    }

    pub fn texts(&mut self, texts: impl Iterator<Item = String>) -> &mut Rows {
        if let Some(Building::Texts(it)) = self.next() {
            it.append_value(texts.map(Some));
        }
        self
    }

    pub fn batch(self) -> Result<RecordBatch> {
        let array = |building: Building| -> ArrayRef {
            match building {
                Building::Text(mut it) => Arc::new(it.finish()),
                Building::Int(mut it) => Arc::new(it.finish()),
                Building::Time(mut it) => Arc::new(it.finish()),
                Building::Texts(mut it) => Arc::new(it.finish()),
            }
        };
        let columns = self.columns.into_iter().map(array).collect();
        Ok(RecordBatch::try_new(self.schema, columns)?)
    }
}

/// Text as our JSON has it: characters stand for bytes that are no UTF-8.
pub fn text_of(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            let mut quoted = Vec::new();
            replay::render::json_text::quoted(bytes, &mut quoted);
            serde_json::from_slice(&quoted).unwrap_or_default()
        }
    }
}
