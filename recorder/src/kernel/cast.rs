//! `bpf_rdonly_cast` (6.2 and later), by which programs read what they have as an address with plain loads.
//!
//! It is a function of the kernel, not a helper with a number of its own: where the object calls the marked helper, the
//! call is made one of the function that this kernel's BTF names. Kernels without it never reach those calls.

use events::abi::tables::CAST_MARK;

use crate::btf::Btf;

/// `BPF_JMP | BPF_CALL`.
const CALL: u8 = 0x85;
/// `BPF_PSEUDO_KFUNC_CALL` as the source register, in the high half of the byte.
const KERNEL_FUNCTION: u8 = 2 << 4;

/// 0 where programs are interpreted.
const JIT: &str = "/proc/sys/net/core/bpf_jit_enable";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cast {
    function: u32,
    /// BTF's id of `struct files_struct`.
    pub files_type: u32,
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
        })
    }

    /// Makes the calls of the marked helper calls of the kernel's function; returns how many there were.
    pub fn put_into(self, object: &mut [u8]) -> usize {
        make_calls_of(object, CAST_MARK, self.function)
    }
}

/// Whether programs are interpreted: those cannot call functions of the kernel, and the verifier refuses even programs
/// that never get there.
pub(super) fn is_interpreted() -> bool {
    std::fs::read(JIT).is_ok_and(|enabled| enabled.starts_with(b"0"))
}

/// Makes the calls of a marked helper calls of a function of the kernel, by its id of BTF; returns how many there were.
pub(super) fn make_calls_of(object: &mut [u8], mark: i32, function: u32) -> usize {
    let (instructions, _) = object.as_chunks_mut::<8>();
    let mut count = 0;
    for instruction in instructions.iter_mut().filter(|instruction| **instruction == call(0, mark as u32)) {
        *instruction = call(KERNEL_FUNCTION, function);
        count += 1;
    }
    count
}

fn call(registers: u8, number: u32) -> [u8; 8] {
    let [a, b, c, d] = number.to_le_bytes();
    [CALL, registers, 0, 0, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_of_the_marked_helper_become_calls_of_the_function() {
        let helper = call(0, 113);
        let mut object = [call(0, CAST_MARK as u32), helper, call(0, CAST_MARK as u32)].concat();
        assert_eq!(Cast { function: 77_000, files_type: 1 }.put_into(&mut object), 2);
        let cast = [0x85, 0x20, 0, 0, 0xc8, 0x2c, 1, 0];
        assert_eq!(object, [cast, helper, cast].concat());
    }
}
