//! A capture that is still being written: opened anew when it has grown. What a reader sees of it are whole blocks.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use pipeline::Cancellation;

use super::{Shared, State, locked};
use crate::message::Message;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(250);

pub fn run(state: &State, cancellation: &Cancellation) {
    let mut is_told = false;
    while !cancellation.is_cancelled() {
        match (state.help.reopen)() {
            Ok(Some(source)) => {
                let shared = Arc::new(Shared::new(source, state.has_processes));
                if shared.layout.rows() > state.shared().layout.rows() {
                    *locked(&state.shared) = shared;
                    *locked(&state.grown) = Some(Instant::now());
                    state.tell(Message::Grown);
                }
            }
            Ok(None) => {}
            Err(why) if !is_told => {
                is_told = true;
                state.tell(Message::Failed(why));
            }
            Err(_) => {}
        }
        thread::sleep(EVERY);
    }
}
