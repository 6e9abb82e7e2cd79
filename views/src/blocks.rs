//! All blocks of a source, one after the other, read on several threads.

use std::sync::mpsc::sync_channel;
use std::thread;

use format::{Block, Result, Scratch};
use pipeline::Source;
use pipeline::source::File;

/// Blocks that one thread has read and nobody has taken yet.
const AHEAD: usize = 2;

/// Calls `take` with each block on this thread, in order of files and of blocks in them. `touch` is called before, on any
/// thread: columns that it asks for are decompressed there. Blocks that cannot be read are told by whoever answers from them.
pub fn each(
    source: &Source,
    threads: usize,
    touch: &(dyn Fn(&Block) -> Result<()> + Sync),
    take: &mut dyn FnMut(&File, &Block) -> Result<()>,
) -> Result<()> {
    let all = || {
        let files = source.files().iter();
        files.flat_map(|file| (0..file.capture.block_count()).map(move |block| (file, block)))
    };
    let read = |file: &File, block: usize, scratch: &mut Scratch| {
        let block = file.capture.block(block, scratch).ok()?;
        // An error comes again where the column is taken.
        let _ = touch(&block);
        Some(block)
    };
    let threads = threads.clamp(1, all().count().max(1));
    if threads == 1 {
        let mut scratch = Scratch::new();
        for (file, block) in all() {
            if let Some(block) = read(file, block, &mut scratch) {
                take(file, &block)?;
            }
        }
        return Ok(());
    }
    thread::scope(|scope| {
        // Each thread reads every so-manieth block: taken in turns they are in order.
        let lanes: Vec<_> = (0..threads)
            .map(|lane| {
                let (sender, receiver) = sync_channel(AHEAD);
                scope.spawn(move || {
                    let mut scratch = Scratch::new();
                    for (file, block) in all().skip(lane).step_by(threads) {
                        if sender.send(read(file, block, &mut scratch)).is_err() {
                            return;
                        }
                    }
                });
                receiver
            })
            .collect();
        for ((file, _), lane) in all().zip(lanes.iter().cycle()) {
            if let Ok(Some(block)) = lane.recv() {
                take(file, &block)?;
            }
        }
        Ok(())
    })
}
