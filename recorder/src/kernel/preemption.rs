//! `bpf_preempt_disable` and `bpf_preempt_enable`, by which programs keep other tasks off the CPU while they write. See
//! `docs/recording.md`.

use events::abi::tables::{PREEMPT_DISABLE_MARK, PREEMPT_ENABLE_MARK};

use super::{cast::is_interpreted, object::Object};
use crate::btf::Btf;

/// The two functions, by their ids of BTF.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Preemption {
    disable: u32,
    enable: u32,
}

impl Preemption {
    /// `None` where the kernel lacks them, or lets no global function be called between them. Before 6.15 the verifier did
    /// not know of a global function whether it may sleep, which is what it notes in `might_sleep` since.
    pub fn of(btf: &Btf) -> Option<Preemption> {
        if is_interpreted() || !btf.has_member("bpf_subprog_info", "might_sleep") {
            return None;
        }
        Some(Preemption {
            disable: btf.function_id("bpf_preempt_disable")?,
            enable: btf.function_id("bpf_preempt_enable")?,
        })
    }

    /// Makes the calls of the marked helpers calls of the kernel's functions; false where the object has none.
    pub fn put_into(self, object: &mut Object) -> bool {
        let disabled = object.call_function(PREEMPT_DISABLE_MARK, self.disable);
        let enabled = object.call_function(PREEMPT_ENABLE_MARK, self.enable);
        disabled > 0 && enabled > 0
    }
}
