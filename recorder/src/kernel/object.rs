//! The object of the kernel programs before it is loaded: what is decided by this kernel and this recording, and stands in
//! its instructions, names and definitions, where a loader has no way to set it.
//!
//! Everything is found by bytes that stand there for that purpose, and each function says how often it found them, so that
//! an object that lacks them is noticed before the verifier is asked.

use events::abi::region::VALUE_SIZE_MARK;

use super::specialize::{self, specialize};

/// The kernel programs, as `cargo xtask ebpf` built them for this architecture.
#[cfg(not(target_arch = "aarch64"))]
const BYTES: &[u8] = include_bytes!("../../ebpf/tracer.bpf.o");
#[cfg(target_arch = "aarch64")]
const BYTES: &[u8] = include_bytes!("../../ebpf/tracer.aarch64.bpf.o");

#[derive(Clone, Debug)]
pub(super) struct Object(Vec<u8>);

impl Object {
    /// As it was built.
    pub fn as_built() -> Object {
        Object(BYTES.to_vec())
    }

    /// Makes the programs what they come to where these globals of the read-only data have these values. Before calls of
    /// marked helpers are made calls of functions.
    pub fn specialize(&mut self, globals: &[(&str, &[u8])]) -> Result<(), specialize::Error> {
        self.0 = specialize(&self.0, globals)?;
        Ok(())
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Sets how large a region is: the size of a map's values stands in the map's definition, and loaders change the number
    /// of entries only. False unless there is one such definition.
    pub fn set_region_bytes(&mut self, bytes: u32) -> bool {
        const ARRAY: u32 = 2;
        let definition =
            |size: u32| -> Vec<u8> { [ARRAY, 4, size].iter().flat_map(|n| n.to_ne_bytes()).collect() };
        self.replace(&definition(VALUE_SIZE_MARK), &definition(bytes)) == 1
    }

    /// Makes the calls of a marked helper calls of a function of the kernel, by its id of BTF. Returns how many there were:
    /// such functions are no helpers with numbers of their own.
    pub fn call_function(&mut self, mark: i32, function: u32) -> usize {
        let (instructions, _) = self.0.as_chunks_mut::<8>();
        let mut count = 0;
        for instruction in instructions.iter_mut().filter(|instruction| **instruction == call(0, mark as u32))
        {
            *instruction = call(KERNEL_FUNCTION, function);
            count += 1;
        }
        count
    }

    /// Makes a program one of another type, as its section's name says: of two names that are as long. The name may be the
    /// end of another one, that of the section's relocations.
    pub fn rename_section(&mut self, old: &str, new: &str) -> usize {
        debug_assert_eq!(old.len(), new.len());
        self.replace(format!("{old}\0").as_bytes(), format!("{new}\0").as_bytes())
    }

    /// Writes bytes over each occurrence of others, of which there are as many. Returns how often.
    fn replace(&mut self, old: &[u8], new: &[u8]) -> usize {
        let (mut at, mut count) = (0, 0);
        while let Some(found) = self.0.get(at..).and_then(|rest| memchr::memmem::find(rest, old)) {
            at += found;
            if let Some(place) = self.0.get_mut(at..at + new.len()) {
                place.copy_from_slice(new);
            }
            at += old.len();
            count += 1;
        }
        count
    }
}

/// `BPF_JMP | BPF_CALL`.
const CALL: u8 = 0x85;
/// `BPF_PSEUDO_KFUNC_CALL` as the source register, in the high half of the byte.
const KERNEL_FUNCTION: u8 = 2 << 4;

fn call(registers: u8, number: u32) -> [u8; 8] {
    let [a, b, c, d] = number.to_le_bytes();
    [CALL, registers, 0, 0, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use events::abi::tables::{CAST_MARK, PREEMPT_DISABLE_MARK, PREEMPT_ENABLE_MARK};

    use super::*;
    use crate::kernel::hook_table::ATTACHMENTS;

    #[test]
    fn only_calls_of_the_marked_helper_become_calls_of_the_function() {
        let helper = call(0, 113);
        let mut object = Object([call(0, CAST_MARK as u32), helper, call(0, CAST_MARK as u32)].concat());
        assert_eq!(object.call_function(CAST_MARK, 77_000), 2);
        let cast = [0x85, 0x20, 0, 0, 0xc8, 0x2c, 1, 0];
        assert_eq!(object.0, [cast, helper, cast].concat());
    }

    #[test]
    fn a_section_is_renamed_wherever_its_name_ends() {
        let mut object = Object(b"\0.relfentry/do_exit\0fentry/do_exit_too\0".to_vec());
        assert_eq!(object.rename_section("fentry/do_exit", "kprobe/do_exit"), 1);
        assert_eq!(object.0, b"\0.relkprobe/do_exit\0fentry/do_exit_too\0");
    }

    #[test]
    fn the_object_that_was_built_has_all_that_is_set() {
        let mut object = Object::as_built();
        assert!(object.set_region_bytes(1 << 20));
        assert!(!object.set_region_bytes(1 << 20), "it is set once");
        for mark in [CAST_MARK, PREEMPT_DISABLE_MARK, PREEMPT_ENABLE_MARK] {
            assert!(object.call_function(mark, 77_000) > 0, "{mark:#x}");
            assert_eq!(object.call_function(mark, 77_000), 0);
        }
        for attachment in ATTACHMENTS {
            let name = attachment.program;
            let section =
                [b"fentry/" as &[u8], b"fexit/"].map(|kind| [kind, name.as_bytes(), b"\0"].concat());
            let is_there =
                section.iter().any(|section| memchr::memmem::find(object.bytes(), section).is_some());
            assert!(is_there, "no section of {name}");
        }
    }
}
