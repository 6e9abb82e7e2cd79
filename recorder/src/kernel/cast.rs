//! `bpf_rdonly_cast` (6.2 and later), by which programs read what they have as an address with plain loads.
//!
//! It is a function of the kernel, not a helper with a number of its own: where the object calls the marked helper, the
//! call is made one of the function that this kernel's BTF names. Kernels without it never reach those calls.

use events::abi::tables::CAST_MARK;

use super::object::Object;
use crate::btf::Btf;

/// 0 where programs are interpreted.
const JIT: &str = "/proc/sys/net/core/bpf_jit_enable";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cast {
    function: u32,
    /// BTF's id of `struct files_struct`.
    pub files_type: u32,
    /// The same of `struct task_struct`.
    pub task_type: u32,
}

impl Cast {
    /// `None` where the kernel cannot cast.
    pub fn of(btf: &Btf) -> Option<Cast> {
        if is_interpreted() {
            return None;
        }
        Some(Cast {
            function: btf.function_id("bpf_rdonly_cast")?,
            files_type: btf.struct_id("files_struct")?,
            task_type: btf.struct_id("task_struct")?,
        })
    }

    /// False where the object calls it nowhere.
    pub fn put_into(self, object: &mut Object) -> bool {
        object.call_function(CAST_MARK, self.function) > 0
    }
}

/// Whether programs are interpreted: those cannot call functions of the kernel, and the verifier refuses even programs
/// that never get there.
pub(super) fn is_interpreted() -> bool {
    std::fs::read(JIT).is_ok_and(|enabled| enabled.starts_with(b"0"))
}
