//! Which of the files that a call looked up is which of its arguments.

use super::record::Record;

/// Arguments that are paths.
const PATHS: [&str; 10] = [
    "pathname",
    "path",
    "filename",
    "oldpath",
    "newpath",
    "from_path",
    "to_path",
    "new_root",
    "put_old",
    "library",
];

/// The text of each argument that a `PATH` record tells, by the name of the argument.
pub fn arguments<'a>(
    call: &str,
    declared: &[&'static str],
    records: &'a [Record],
) -> Vec<(&'static str, &'a Record)> {
    // The folder that an entry is made in, or taken from, is looked up before it, and is none of the arguments.
    let mut items: Vec<&Record> = records
        .iter()
        .filter(|record| {
            record.kind == "PATH" && record.field("nametype").and_then(|text| text.word()) != Some("PARENT")
        })
        .collect();
    items.sort_by_key(|record| record.number("item"));
    let is =
        |record: &&&Record, kind: &str| record.field("nametype").and_then(|text| text.word()) == Some(kind);
    let (first, last) = (items.first().copied(), items.last().copied());
    let created = items.iter().rev().find(|record| is(record, "CREATE")).copied();
    let named = |names: &[&str]| declared.iter().copied().find(|name| names.contains(name));
    let pair = |name: Option<&'static str>, record: Option<&'a Record>| name.zip(record);
    let told = if call.starts_with("rename") || call.starts_with("link") {
        let other = created.or(last).filter(|other| first.is_some_and(|first| !std::ptr::eq(first, *other)));
        [pair(named(&["oldpath"]), first), pair(named(&["newpath"]), other)]
    } else if call.starts_with("symlink") {
        // What it points to is not looked up.
        [pair(named(&["linkpath"]), created.or(last)), None]
    } else if matches!(call, "mount" | "umount" | "umount2") {
        [pair(named(&["target"]), first), None]
    } else {
        [pair(named(&PATHS), first), None]
    };
    told.into_iter().flatten().collect()
}
