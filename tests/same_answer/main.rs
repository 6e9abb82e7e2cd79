//! The same answer however the bytes are cut: one harness over random captures, real ones and random filters, that holds
//! all tools to what `replay` says of the whole.
//!
//! A change is held to the same seeds whenever it is tested, so that it fails for what it did. Others are tried by name. A
//! failure says its seed:
//!
//!     cargo test --test same_answer                              the seeds that are always tried
//!     TRACER_SEED=4711 cargo test --test same_answer             that seed alone
//!     TRACER_SECONDS=7200 cargo test --test same_answer          two hours of seeds; all failures are shown at the end
//!     TRACER_LAW=merge cargo test --test same_answer             that law alone

mod case;
mod findings;
mod laws;
mod memory;
#[path = "../program/mod.rs"]
mod program;
mod questions;
mod random;
mod recorded;
mod rows;
mod views;
mod world;

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use random::Random;

/// Seeds that are always tried: from 1 to this one.
const FIXED: u64 = 28;
/// Seeds that once found something: tried too.
const FOUND: [u64; 1] = [1_795_971_640_011];

/// What went wrong, by the law that was broken: how often, and the first seed with what was said.
type Broken = BTreeMap<&'static str, (u64, u64, String)>;

#[test]
fn all_tools_give_the_answer_that_replay_gives_of_the_whole() {
    let of_environment = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let broken = Mutex::new(Broken::new());
    // What laws say is collected, and told once at the end.
    let usual = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let mut tried = "one world".to_owned();
    if let Some(seed) = of_environment("TRACER_SEED") {
        hold(seed, &broken);
    } else {
        let seconds = of_environment("TRACER_SECONDS").unwrap_or(0);
        let ends = Instant::now() + Duration::from_secs(seconds);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
        let always: Vec<u64> = FOUND.into_iter().chain(1..=FIXED).collect();
        let next = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        match always.get(number as usize) {
                            Some(seed) => hold(*seed, &broken),
                            None if Instant::now() < ends => hold(now * 1000 + number, &broken),
                            None => break,
                        }
                    }
                });
            }
        });
        let other = now * 1000 + always.len() as u64;
        tried = format!("{} worlds, other seeds from {other} on", next.into_inner() - 2);
    }
    panic::set_hook(usual);
    let broken = broken.into_inner().expect("no thread panicked outside of a law");
    let told: Vec<String> = broken
        .iter()
        .map(|(law, (times, seed, said))| {
            format!("{law}: {times} times, first with TRACER_SEED={seed}\n{said}")
        })
        .collect();
    assert!(told.is_empty(), "{tried}\n\n{}", told.join("\n\n"));
}

/// Holds all laws to one world. A law that is broken does not keep the others from being held.
fn hold(seed: u64, broken: &Mutex<Broken>) {
    let case = match panic::catch_unwind(|| case::Case::new(seed)) {
        Ok(case) => case,
        Err(said) => return note(broken, "a world", seed, &*said),
    };
    let only = std::env::var("TRACER_LAW").ok();
    for (number, (name, law)) in (0..).zip(laws::LAWS) {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let mut random = Random::new(seed ^ (number << 40));
        if let Err(said) = panic::catch_unwind(AssertUnwindSafe(|| law(&case, &mut random))) {
            note(broken, name, seed, &*said);
        }
    }
}

fn note(broken: &Mutex<Broken>, law: &'static str, seed: u64, said: &(dyn std::any::Any + Send)) {
    let text = said.downcast_ref::<String>().map(String::as_str).or(said.downcast_ref::<&str>().copied());
    let mut broken = broken.lock().expect("notes are taken without a panic");
    let first = || (0, seed, text.unwrap_or("a panic without words").to_owned());
    broken.entry(law).or_insert_with(first).0 += 1;
}
