//! Numbers that the format writes in its own way: bits that stand elsewhere, words that have other numbers.

/// How a parameter's number differs from the kernel's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Plain,
    Open,
    Clone,
    Protection,
    Mapping,
    Resolve,
    Fcntl,
    Ptrace,
    /// A level of socket options.
    Level,
    /// A `struct timespec` as ns.
    Span,
}

impl Form {
    pub fn by_name(name: &str) -> Option<Form> {
        Some(match name {
            "open" => Form::Open,
            "clone" => Form::Clone,
            "protection" => Form::Protection,
            "mapping" => Form::Mapping,
            "resolve" => Form::Resolve,
            "fcntl" => Form::Fcntl,
            "ptrace" => Form::Ptrace,
            "level" => Form::Level,
            "span" => Form::Span,
            _ => return None,
        })
    }

    /// As the format has it. Bits that it does not know are left out.
    pub fn write(self, number: u64) -> u64 {
        match self {
            Form::Plain | Form::Span => number,
            Form::Open => {
                let way = match number & 3 {
                    0 => 1,
                    1 => 2,
                    _ => 3,
                };
                way | moved(OPEN, number)
            }
            Form::Clone => moved(CLONE, number),
            Form::Protection => moved(PROTECTION, number),
            Form::Mapping => moved(MAPPING, number),
            Form::Resolve => moved(RESOLVE, number),
            Form::Fcntl => word(FCNTL, number),
            Form::Ptrace => word(PTRACE, number),
            Form::Level => word(LEVEL, number),
        }
    }

    /// As the kernel has it; `None` for a number that the format had no word for.
    pub fn read(self, number: u64) -> Option<u64> {
        Some(match self {
            Form::Plain | Form::Span => number,
            Form::Open => {
                let way = match number & 3 {
                    3 => 2,
                    2 => 1,
                    _ => 0,
                };
                way | moved_back(OPEN, number)
            }
            Form::Clone => moved_back(CLONE, number),
            Form::Protection => moved_back(PROTECTION, number),
            Form::Mapping => moved_back(MAPPING, number),
            Form::Resolve => moved_back(RESOLVE, number),
            Form::Fcntl => word_back(FCNTL, number)?,
            Form::Ptrace => word_back(PTRACE, number)?,
            Form::Level => word_back(LEVEL, number)?,
        })
    }
}

/// Beside the flags of an open: the file was made by it.
pub const OPEN_CREATED: u64 = 1 << 14;
/// Beside the flags of an exec: where the program came from.
pub const EXEC_UPPER_LAYER: u32 = 1 << 1;
pub const EXEC_FROM_MEMFD: u32 = 1 << 2;
pub const EXEC_LOWER_LAYER: u32 = 1 << 3;

/// The kernel's bits, and the place of each in the format.
type Bits = &'static [(u64, u32)];

fn moved(bits: Bits, number: u64) -> u64 {
    bits.iter().filter(|(bit, _)| number & bit != 0).fold(0, |all, (_, place)| all | 1 << place)
}

fn moved_back(bits: Bits, number: u64) -> u64 {
    bits.iter().filter(|(_, place)| number >> place & 1 == 1).fold(0, |all, (bit, _)| all | bit)
}

const OPEN: Bits = &[
    (0o100, 2),
    (0o2000, 3),
    (0o10000, 4),
    (0o200, 5),
    (0o4000, 6),
    (0o4_000_000, 7),
    (0o1000, 8),
    (0o40000, 9),
    (0o200_000, 10),
    (0o100_000, 11),
    (0o2_000_000, 12),
    (0o20_000_000, 13),
];

const CLONE: Bits = &[
    (0x400, 0),
    (0x200, 1),
    (0x8000_0000, 2),
    (0x0800_0000, 3),
    (0x4000_0000, 4),
    (0x2_0000, 5),
    (0x2000_0000, 6),
    (0x0400_0000, 7),
    (0x8000, 8),
    (0x10_0000, 9),
    (0x2000, 10),
    (0x800, 11),
    (0x4_0000, 12),
    (0x1_0000, 13),
    (0x80_0000, 14),
    (0x100, 15),
    (0x1000_0000, 20),
    (0x20_0000, 23),
    (0x0100_0000, 24),
    (0x8_0000, 25),
    (0x4000, 27),
    (0x0200_0000, 28),
];

/// Of a clone: the child is another thread of its process.
pub const CLONE_THREAD: u64 = 0x1_0000;
/// In the format: the child is in a pid namespace of its own, so the caller does not see it by this number.
pub const CHILD_IN_NAMESPACE: u64 = 1 << 29;

const PROTECTION: Bits = &[(1, 0), (2, 1), (4, 2), (8, 3), (0x0100_0000, 4), (0x0200_0000, 5)];

const MAPPING: Bits = &[
    (1, 0),
    (2, 1),
    (0x10, 2),
    (0x20, 3),
    (0x40, 4),
    (0x4000, 6),
    (0x8000, 7),
    (0x1_0000, 8),
    (0x100, 9),
    (0x800, 10),
    (0x1000, 11),
    (0x2000, 14),
];

const RESOLVE: Bits = &[(8, 0), (0x10, 1), (2, 2), (4, 3), (1, 4), (0x20, 5)];

/// The kernel's numbers, and those of the format.
type Words = &'static [(u64, u64)];

fn word(words: Words, number: u64) -> u64 {
    words.iter().find(|(kernel, _)| *kernel == number).map_or(0, |(_, own)| *own)
}

fn word_back(words: Words, number: u64) -> Option<u64> {
    words.iter().find(|(_, own)| *own == number).map(|(kernel, _)| *kernel)
}

const LEVEL: Words = &[(1, 1), (6, 2)];

const FCNTL: Words = &[
    (0, 1),
    (1, 2),
    (2, 3),
    (3, 4),
    (4, 5),
    (5, 6),
    (6, 8),
    (7, 9),
    (8, 10),
    (9, 12),
    (10, 13),
    (11, 15),
    (15, 21),
    (16, 22),
    (1024, 23),
    (1025, 24),
    (1029, 25),
    (1030, 26),
    (1026, 27),
    (1031, 28),
    (1032, 29),
    (36, 30),
    (37, 31),
    (38, 32),
];

const PTRACE: Words = &[
    (0, 1),
    (1, 2),
    (2, 3),
    (3, 4),
    (4, 5),
    (5, 6),
    (6, 7),
    (7, 8),
    (8, 9),
    (9, 10),
    (16, 11),
    (17, 12),
    (24, 13),
    (0x4200, 14),
    (0x4201, 15),
    (0x4202, 16),
    (0x4203, 17),
    (0x4204, 18),
    (0x4205, 19),
    (0x4206, 20),
    (0x4207, 21),
    (0x4208, 22),
    (0x4209, 23),
    (0x420a, 24),
    (0x420b, 25),
    (12, 26),
    (13, 27),
    (14, 28),
    (15, 29),
    (18, 30),
    (19, 31),
    (21, 32),
    (25, 33),
    (26, 34),
    (30, 35),
    (31, 36),
    (32, 37),
    (33, 38),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_as_it_was() {
        let numbers = [
            (Form::Open, 0o2_101_102),
            (Form::Open, 1),
            (Form::Open, 0o4_010_000),
            (Form::Clone, 0x0120_0000 | 0x3d_0f00),
            (Form::Protection, 7),
            (Form::Mapping, 0x22),
            (Form::Resolve, 0x19),
            (Form::Fcntl, 1030),
            (Form::Ptrace, 0x4206),
            (Form::Level, 6),
            (Form::Plain, 77),
        ];
        for (form, number) in numbers {
            assert_eq!(form.read(form.write(number)), Some(number), "{form:?} {number:#x}");
        }
        assert_eq!(Form::Open.write(0o101), 2 | 1 << 2, "O_WRONLY|O_CREAT");
        // Numbers of the format are written once each.
        for words in [FCNTL, PTRACE, LEVEL] {
            let own: std::collections::BTreeSet<_> = words.iter().map(|(_, own)| own).collect();
            assert_eq!(own.len(), words.len());
        }
    }
}
