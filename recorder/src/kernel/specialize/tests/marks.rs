//! What the loader still looks for in an object that has been evaluated.

use events::abi::tables::{CAST_MARK, Config, PREEMPT_DISABLE_MARK, PREEMPT_ENABLE_MARK};

use crate::kernel::{object::Object, plain::bytes_of};

/// How many calls of each marked helper there are.
fn marks(config: Config) -> [usize; 3] {
    let mut object = Object::as_built();
    object.specialize(&[("CONFIG", bytes_of(&[config]))]).expect("it is specialized");
    [CAST_MARK, PREEMPT_DISABLE_MARK, PREEMPT_ENABLE_MARK].map(|mark| object.call_function(mark, 77_000))
}

/// The loader takes an object without calls of functions that it is to put into it for a broken one.
#[test]
fn calls_of_the_kernel_s_functions_are_there_where_they_are_wanted() {
    let wanted = Config { files_type: 3, disables_preemption: 1, modern: 1, ..Config::EMPTY };
    for config in [
        wanted,
        Config { ringbuf: 1, ..wanted },
        Config { ringbuf: 1, kprobes: 1, strict: 1, timing: 1, ..wanted },
        Config { remembers: 1, exec_at_entry: 1, tells_last: 1, ..wanted },
        Config { hooks: [u64::MAX; 2], vital_hooks: [u64::MAX; 2], strict: 1, timing: 1, ..wanted },
    ] {
        let found = marks(config);
        assert!(found.iter().all(|count| *count > 0), "{found:?} where it is {config:?}");
    }
}

#[test]
fn calls_of_functions_that_the_kernel_lacks_go() {
    assert_eq!(marks(Config::EMPTY), [0, 0, 0]);
    let [casts, disables, enables] = marks(Config { files_type: 3, ..Config::EMPTY });
    assert!(casts > 0 && disables == 0 && enables == 0);
}
