//! What a segment's dictionary of texts would give, beside one for each block:
//! `cargo run --release -p tracer-format --example segment_texts -- FILE`.
#![allow(clippy::print_stdout)] // a table is what it is for

use std::collections::{BTreeSet, HashMap};

use events::ArgKind;
use format::{Capture, ColumnView, Scratch};

/// Front-coded, each part in a stream of its own, as texts of a block are.
fn stored(texts: &BTreeSet<Vec<u8>>) -> usize {
    let (mut lengths, mut rest, mut before): (Vec<u8>, Vec<u8>, &[u8]) = (Vec::new(), Vec::new(), &[]);
    for text in texts {
        let common = text.iter().zip(before).take_while(|(a, b)| a == b).count().min(255);
        lengths.extend([common as u8, (text.len() - common).min(255) as u8]);
        rest.extend_from_slice(&text[common..]);
        before = text;
    }
    let size = |bytes: &[u8]| zstd::bulk::compress(bytes, 3).map_or(bytes.len(), |packed| packed.len());
    size(&lengths) + size(&rest)
}

/// Codes of rows: 16 bits where texts are few, else 32, by zstd.
fn codes(codes: &[u32]) -> usize {
    let low: Vec<u8> = codes.iter().map(|code| *code as u8).collect();
    let middle: Vec<u8> = codes.iter().map(|code| (*code >> 8) as u8).collect();
    let high: Vec<u8> = codes.iter().map(|code| (*code >> 16) as u8).collect();
    let size = |bytes: &[u8]| zstd::bulk::compress(bytes, 3).map_or(bytes.len(), |packed| packed.len());
    size(&low) + size(&middle) + size(&high)
}

fn main() -> format::Result<()> {
    let path = std::env::args_os().nth(1).unwrap_or_default();
    let capture = Capture::open(path.as_ref())?;
    let mut scratch = Scratch::new();
    for blocks_each in [1, 4, 16, 64, 256] {
        let (mut texts_bytes, mut code_bytes, mut distinct, mut rows) = (0, 0, 0, 0u64);
        let numbers: Vec<usize> = (0..capture.blocks().len()).collect();
        for segment in numbers.chunks(blocks_each) {
            let mut texts = BTreeSet::new();
            let mut columns: Vec<Vec<Vec<u8>>> = Vec::new();
            for number in segment {
                let block = capture.block(*number, &mut scratch)?;
                rows += block.rows() as u64;
                for (code, event) in (0u16..).zip(block.event_list()) {
                    let Some(event) = capture.schema().event(*event) else { continue };
                    for (position, arg) in event.args.iter().enumerate() {
                        if !matches!(arg.kind, ArgKind::Str) {
                            continue;
                        }
                        let view = block.args(code).column(position)?;
                        let ColumnView::Bytes { dictionary, codes, rows } = view else { continue };
                        let of = |code: u32| dictionary.get(code).unwrap_or_default().to_vec();
                        let column: Vec<Vec<u8>> = match codes {
                            [] => vec![of(0); rows.min(1)],
                            codes => codes.iter().map(|code| of(*code)).collect(),
                        };
                        texts.extend(column.iter().cloned());
                        columns.push(column);
                    }
                }
            }
            distinct += texts.len();
            texts_bytes += stored(&texts);
            let numbers: HashMap<&[u8], u32> = texts.iter().map(Vec::as_slice).zip(0..).collect();
            for column in &columns {
                let of: Vec<u32> = column
                    .iter()
                    .map(|text| numbers.get(text.as_slice()).copied().unwrap_or_default())
                    .collect();
                code_bytes += codes(&of);
            }
        }
        println!(
            "{blocks_each:>4} blocks a dictionary: {distinct:>8} texts to judge, texts {texts_bytes:>9}, codes {code_bytes:>9}, \
             together {:.3} bytes a row of {:.3}",
            (texts_bytes + code_bytes) as f64 / rows as f64,
            capture.bytes() as f64 / rows as f64
        );
    }
    Ok(())
}
