//! A capture as it comes: whatever the pieces, the same blocks and records come out of it. The first byte says how long the
//! pieces are.
#![no_main]

use format::{OpenOptions, StreamReader, Streamed};
use libfuzzer_sys::fuzz_target;

/// What comes out, in short.
fn read(bytes: &[u8], piece: usize) -> Vec<String> {
    let mut reader = StreamReader::new(OpenOptions::default());
    let mut came = Vec::new();
    let mut take = |streamed: Streamed| {
        came.push(match streamed {
            Streamed::Head(head) => format!("head of {} events", head.schema().events().count()),
            Streamed::Block(block, statistics) => {
                let times = block.times().map(<[u64]>::len).ok();
                format!("block of {} rows, {} events, {times:?}", block.rows(), statistics.events.len())
            }
            Streamed::Side(side) => format!("{side:?}"),
            Streamed::Content(content) => format!("{content:?}"),
            Streamed::Missing(what) => what,
            Streamed::End { is_last_part } => format!("end {is_last_part}"),
        });
    };
    for piece in bytes.chunks(piece) {
        reader.push(piece);
        loop {
            match reader.pull() {
                Ok(Some(streamed)) => take(streamed),
                Ok(None) => break,
                Err(_) => return came,
            }
        }
    }
    while let Ok(Some(streamed)) = reader.end() {
        take(streamed);
    }
    came
}

fuzz_target!(|bytes: &[u8]| {
    let [piece, bytes @ ..] = bytes else { return };
    assert_eq!(read(bytes, 1 + usize::from(*piece)), read(bytes, bytes.len().max(1)));
});
