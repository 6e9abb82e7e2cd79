//! Kinds of arguments as the words that a file's schema uses.

use events::{ArgKind, Len, StructKind};

/// The word for a kind. Lengths are left out: they say how the recorder reads memory, not how stored bytes read.
pub(crate) fn word(kind: ArgKind) -> String {
    match kind {
        ArgKind::I32 => "i32".into(),
        ArgKind::U32 => "u32".into(),
        ArgKind::I64 => "i64".into(),
        ArgKind::U64 => "u64".into(),
        ArgKind::U16 => "u16".into(),
        ArgKind::U8 => "u8".into(),
        ArgKind::Bool => "bool".into(),
        ArgKind::Fd => "fd".into(),
        ArgKind::Pointer => "pointer".into(),
        ArgKind::Absent => "absent".into(),
        ArgKind::Str => "str".into(),
        ArgKind::Text(_) => "text".into(),
        ArgKind::StrArray => "str_array".into(),
        ArgKind::StrList(_) => "str_list".into(),
        ArgKind::Bytes(_) => "bytes".into(),
        ArgKind::Dirents(_) => "dirents".into(),
        ArgKind::Sockaddr(_) => "sockaddr".into(),
        ArgKind::Struct(of) | ArgKind::Sized(of, _) => format!("struct:{of:?}"),
        ArgKind::Array(of, _) | ArgKind::Indirect(of, _) => format!("array:{of:?}"),
        ArgKind::Bits(_) => "bits".into(),
        ArgKind::Iovec(_) => "iovec".into(),
        ArgKind::Msghdr => "msghdr".into(),
        ArgKind::Mmsghdr(_) => "mmsghdr".into(),
        ArgKind::Any(position) => format!("any:{position}"),
        ArgKind::Tree => "tree".into(),
    }
}

/// The kind that a word stands for, as far as reading stored values goes. Unknown words read as plain bytes.
pub(crate) fn kind(word: &str) -> ArgKind {
    let (name, of) = word.split_once(':').unwrap_or((word, ""));
    let length = Len::Fixed(0);
    let structure = || StructKind::ALL.iter().copied().find(|s| format!("{s:?}") == of);
    match name {
        "i32" => ArgKind::I32,
        "u32" => ArgKind::U32,
        "i64" => ArgKind::I64,
        "u64" => ArgKind::U64,
        "u16" => ArgKind::U16,
        "u8" => ArgKind::U8,
        "bool" => ArgKind::Bool,
        "fd" => ArgKind::Fd,
        "pointer" => ArgKind::Pointer,
        "absent" => ArgKind::Absent,
        "str" => ArgKind::Str,
        "text" => ArgKind::Text(length),
        "str_array" => ArgKind::StrArray,
        "str_list" => ArgKind::StrList(length),
        "dirents" => ArgKind::Dirents(length),
        "sockaddr" => ArgKind::Sockaddr(length),
        "struct" => structure().map_or(ArgKind::Bytes(length), ArgKind::Struct),
        "array" => structure().map_or(ArgKind::Bytes(length), |s| ArgKind::Array(s, length)),
        "bits" => ArgKind::Bits(length),
        "iovec" => ArgKind::Iovec(length),
        "msghdr" => ArgKind::Msghdr,
        "mmsghdr" => ArgKind::Mmsghdr(length),
        "any" => of.parse().map_or(ArgKind::Bytes(length), ArgKind::Any),
        "tree" => ArgKind::Tree,
        _ => ArgKind::Bytes(length),
    }
}

/// Whether values that a file declares by this word are read right as the program's kind. Numbers are numbers, whatever
/// their width and name; of the others the form of the stored bytes must be the same.
pub(crate) fn reads(word: &str, kind: ArgKind) -> bool {
    if self::word(kind) == word {
        return true;
    }
    let stored = self::kind(word);
    let is_number = stored.is_number() && stored != ArgKind::Fd;
    match kind {
        // A descriptor, or a number or pointer, of which the number alone was stored.
        ArgKind::Any(_) => is_number,
        kind if kind.is_number() => is_number,
        // Entries as the kernel laid them out are lifted.
        ArgKind::Dirents(_) => word == "bytes",
        ArgKind::Str | ArgKind::Text(_) => matches!(word, "str" | "text"),
        ArgKind::StrArray | ArgKind::StrList(_) => matches!(word, "str_array" | "str_list"),
        // Whatever has a layout of its own is read as that alone.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_by_the_kind_that_it_was_stored_by() {
        let length = Len::Fixed(0);
        for (word, kind, reads) in [
            ("i32", ArgKind::U64, true),
            ("i32", ArgKind::Fd, true),
            ("fd", ArgKind::I32, false),
            ("pointer", ArgKind::Any(1), true),
            ("bytes", ArgKind::Dirents(length), true),
            ("dirents", ArgKind::Bytes(length), false),
            ("str", ArgKind::Text(length), true),
            ("str", ArgKind::Bytes(length), false),
            ("struct:Stat", ArgKind::Struct(StructKind::Statx), false),
            ("something new", ArgKind::U64, false),
        ] {
            assert_eq!(super::reads(word, kind), reads, "{word} as {kind:?}");
        }
    }

    #[test]
    fn every_kind_of_the_catalogue_reads_back_as_what_it_stands_for() {
        for event in events::catalogue::events() {
            for arg in event.args {
                let text = word(arg.kind);
                assert_eq!(word(kind(&text)), text, "{}.{}", event.name, arg.name);
            }
        }
        assert_eq!(word(kind("something new")), "bytes");
    }
}
