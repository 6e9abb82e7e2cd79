//! BTF put together by hand, and the running kernel's where it can be read.

use events::abi::layout::{ABSENT, FIELDS};

use super::{Btf, Error, resolve};

/// Writes BTF: types one after the other, names on the side.
#[derive(Default)]
struct Writer {
    types: Vec<u8>,
    strings: Vec<u8>,
    count: u32,
}

const INT: u32 = 1;
const PTR: u32 = 2;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const TYPEDEF: u32 = 8;
const CONST: u32 = 10;
const FUNC_PROTO: u32 = 13;

impl Writer {
    fn new() -> Writer {
        Writer { strings: vec![0], ..Writer::default() }
    }

    fn name(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        let at = self.strings.len() as u32;
        self.strings.extend(name.as_bytes());
        self.strings.push(0);
        at
    }

    fn words(&mut self, words: &[u32]) {
        self.types.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    }

    fn plain(&mut self, kind: u32, name: &str, word: u32) -> u32 {
        let name = self.name(name);
        self.words(&[name, kind << 24, word]);
        if kind == INT {
            self.words(&[word * 8]);
        }
        self.count += 1;
        self.count
    }

    /// A structure of (name, type, bit offset).
    fn members(&mut self, kind: u32, name: &str, bytes: u32, members: &[(&str, u32, u32)]) -> u32 {
        let name = self.name(name);
        self.words(&[name, kind << 24 | members.len() as u32, bytes]);
        for (name, type_id, bits) in members {
            let name = self.name(name);
            self.words(&[name, *type_id, *bits]);
        }
        self.count += 1;
        self.count
    }

    /// The type of a function that gives nothing.
    fn parameters(&mut self, types: &[u32]) -> u32 {
        self.words(&[0, FUNC_PROTO << 24 | types.len() as u32, 0]);
        for type_id in types {
            self.words(&[0, *type_id]);
        }
        self.count += 1;
        self.count
    }

    fn finish(self) -> Vec<u8> {
        let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
        let mut bytes = vec![];
        bytes.extend(0xeb9f_u16.to_ne_bytes());
        bytes.extend([1, 0]);
        bytes.extend([24, 0, types, types, strings].iter().flat_map(|n: &u32| n.to_ne_bytes()));
        bytes.extend(self.types);
        bytes.extend(self.strings);
        bytes
    }
}

fn sample() -> Vec<u8> {
    let mut btf = Writer::new();
    let int = btf.plain(INT, "unsigned int", 4);
    let long = btf.plain(INT, "unsigned long", 8);
    let pid_t = btf.plain(TYPEDEF, "pid_t", int);
    let fixed = btf.plain(CONST, "", pid_t);
    let hidden = btf.members(UNION, "", 8, &[("either", long, 0), ("low", int, 0)]);
    let inner = btf.members(STRUCT, "inner", 16, &[("first", int, 0), ("second", long, 64)]);
    let pointer = btf.plain(PTR, "", inner);
    btf.members(
        STRUCT,
        "outer",
        48,
        &[("pid", fixed, 32), ("", hidden, 64), ("nested", inner, 128), ("next", pointer, 256)],
    );
    btf.plain(TYPEDEF, "btf_trace_something", pointer);
    // void (*)(void *, struct inner *, const pid_t, unsigned long)
    let nothing = btf.plain(PTR, "", 0);
    let prototype = btf.parameters(&[nothing, pointer, fixed, long]);
    let function = btf.plain(PTR, "", prototype);
    btf.plain(TYPEDEF, "btf_trace_somewhat", function);
    btf.finish()
}

#[test]
fn members_are_found_through_names_nesting_and_anonymous_unions() {
    let btf = Btf::parse(&sample()).expect("the sample is whole");
    let place = |path| btf.member("outer", path).map(|member| (member.offset, member.bytes));
    assert_eq!(place("pid"), Some((4, 4)));
    assert_eq!(place("low"), Some((8, 4)));
    assert_eq!(place("nested.second"), Some((24, 8)));
    assert_eq!(place("next"), Some((32, 8)));
    assert_eq!(place("next.first"), None, "a pointer is not looked through");
    assert_eq!(place("+"), Some((48, 0)));
    assert_eq!(place("nothing"), None);
    assert_eq!(btf.member("nobody", "pid"), None);
    assert!(btf.has_tracepoint("something") && !btf.has_tracepoint("nothing"));
}

#[test]
fn a_tracepoint_is_known_by_the_bytes_of_its_arguments() {
    let btf = Btf::parse(&sample()).expect("the sample is whole");
    assert_eq!(btf.tracepoint_arguments("somewhat"), Some(vec![8, 4, 8]));
    assert_eq!(btf.tracepoint_arguments("something"), None, "it points to no function");
    assert_eq!(btf.tracepoint_arguments("nothing"), None);
}

#[test]
fn torn_or_foreign_bytes_are_an_error_or_have_less_in_them() {
    let whole = sample();
    assert_eq!(Btf::parse(b"\x7fELF").err(), Some(Error::Magic));
    for end in 0..whole.len() {
        assert!(Btf::parse(&whole[..end]).is_err(), "cut at {end}");
    }
    for at in 0..whole.len() {
        for value in [0, 0x7f, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            if let Ok(btf) = Btf::parse(&bytes) {
                let _ = btf.member("outer", "nested.second");
                let _ = btf.has_enumerator("BPF_FUNC_task_pt_regs");
                let _ = btf.tracepoint_arguments("somewhat");
            }
        }
    }
}

#[test]
fn a_kernel_without_a_needed_structure_is_refused_by_name() {
    let btf = Btf::parse(&sample()).expect("the sample is whole");
    assert_eq!(resolve(&btf).err(), Some(Error::NoStruct { name: "task_struct" }));
}

#[test]
fn the_running_kernel_has_every_field() {
    let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else {
        println!("skipped: the_running_kernel_has_every_field: the kernel shows no BTF");
        return;
    };
    let btf = Btf::parse(&bytes).expect("the kernel's own BTF");
    let resolved = resolve(&btf).expect("all required fields");
    assert_eq!(resolved.to_bytes().len(), 4 * FIELDS.len());
    let offset = |of, name| resolved.offset(of, name).unwrap_or(ABSENT);
    assert_eq!(offset("task_struct", "tgid"), offset("task_struct", "pid") + 4);
    assert_eq!(offset("upid", "nr"), 0);
    assert!(offset("dentry", "parent") < 64 && offset("file", "dentry") == offset("file", "mnt") + 8);
}
