//! Entries of directories.

use super::{Leaf, Parts, Shape};
use crate::consts::Names;
use crate::dirents::stored;

pub(super) fn entries(bytes: &[u8], parts: &mut dyn Parts) {
    parts.open(Shape::List);
    for entry in stored(bytes) {
        parts.open(Shape::Record);
        parts.member("d_ino");
        parts.leaf(Leaf::Unsigned(entry.inode));
        parts.member("d_type");
        parts.leaf(Leaf::Named(Names::DirentType.show(entry.kind.into())));
        parts.member("d_name");
        parts.leaf(Leaf::Text(entry.name));
        parts.close(Shape::Record);
    }
    parts.close(Shape::List);
}
