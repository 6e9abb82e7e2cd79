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

#[cfg(test)]
mod tests {
    use super::*;

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
