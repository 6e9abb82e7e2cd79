use format::{BlockBuilder, Encoder, Options, Schema, Scratch};

use super::*;

/// Remembers the rows that were told, by their times.
#[derive(Debug, Default)]
struct Times(Vec<u64>);

impl Client for Times {
    fn begin(&mut self, file: usize, _: u16) {
        self.0.push(1000 + file as u64);
    }

    fn tell(&mut self, row: &Told<'_>) {
        assert_eq!(row.boot_ns(), row.time);
        self.0.push(row.time);
    }

    fn forget(&mut self, before: u64) {
        self.0.retain(|time| *time >= before);
    }
}

/// A block with rows of these times.
fn scanned(times: &[u64]) -> (Arc<Scanned>, Vec<Row>) {
    let event = EventId(1);
    let mut builder = BlockBuilder::new();
    let context = builder.intern(&Context::default());
    for time in times {
        let row = format::Row {
            time_ns: *time,
            event,
            cpu: 0,
            context,
            ret: 0,
            scopes: 0,
            marks: events::Marks(0),
            duration_ns: None,
            args: &[],
        };
        builder.push(&row).expect("a block with room");
    }
    let encoded = Encoder::new(Options::default()).encode(&mut builder).expect("a block");
    let block = Block::from_encoded(Arc::new(encoded), &Schema::current(), &mut Scratch::new());
    let block = Arc::new(block.expect("a block"));
    block.times().expect("times");
    let row = |(row, time): (usize, &u64)| Row {
        time: *time,
        row: row as u32,
        ordinal: 0,
        code: 0,
        event,
        is_hidden: false,
    };
    let rows = times.iter().enumerate().map(row).collect();
    (Arc::new(Scanned { job: 0, file: 0, boot: 0, is_chosen: true, block }), rows)
}

#[test]
fn a_block_sees_all_rows_up_to_its_end_and_those_before_its_beginning_are_forgotten() {
    let mut stage = Stage::new(Times::default());
    let mut judged = Vec::new();
    let mut advance = |stage: &mut Stage<Times, &'static str>, next| {
        stage.advance(next, |told, name| judged.push(format!("{name}{:?}", told.0)));
        judged.join(" ")
    };
    let add = |stage: &mut Stage<Times, &'static str>, times: &[u64]| {
        let (of, rows) = scanned(times);
        stage.rows(&of, rows);
    };
    add(&mut stage, &[3]);
    stage.wait(1, 10, "a");
    assert_eq!(advance(&mut stage, Some(5)), "");
    add(&mut stage, &[6, 12]);
    stage.wait(5, 14, "b");
    assert_eq!(advance(&mut stage, Some(11)), "a[3, 6]");
    stage.wait(11, 12, "c");
    assert_eq!(advance(&mut stage, None), "a[3, 6] b[6, 12] c[12]");
}

#[test]
fn a_recording_that_begins_is_told_in_its_place() {
    let mut stage: Stage<Times, ()> = Stage::new(Times::default());
    stage.begin(5, 2, 0);
    stage.begin(0, 1, 0);
    let (of, rows) = scanned(&[3, 7]);
    stage.rows(&of, rows);
    stage.wait(0, 9, ());
    let mut told = Vec::new();
    stage.advance(None, |state, ()| told.clone_from(&state.0));
    assert_eq!(told, [1001, 3, 1002, 7]);
}

#[test]
fn rows_that_nobody_asks_about_hold_no_blocks() {
    let mut stage: Stage<Times, ()> = Stage::new(Times::default());
    for time in 0..100 {
        let (of, rows) = scanned(&[time]);
        stage.rows(&of, rows);
        stage.advance(Some(time), |_, ()| {});
        // Another row of that time may follow.
        assert_eq!(stage.pending.len(), 1);
    }
}
