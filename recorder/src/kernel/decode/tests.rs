use events::catalogue;

use super::*;

fn slot(name: &str) -> SlotEvent {
    SlotEvent::new(catalogue::by_name(name).expect("an event of the catalogue"))
}

/// A record of so many words, and blobs of (argument, form, bytes).
pub fn record(words: &[u64], blobs: &[(u8, u8, &[u8])], marks: u32) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes[15] = words.len() as u8;
    bytes[32..36].copy_from_slice(&marks.to_ne_bytes());
    bytes.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    for (arg, form, blob) in blobs {
        bytes.extend((blob.len() as u32).to_ne_bytes());
        bytes.extend([*arg, *form, 0, 0]);
        bytes.extend_from_slice(blob);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    let length = bytes.len() as u32;
    bytes[8..12].copy_from_slice(&length.to_ne_bytes());
    bytes
}

fn read(slot: &SlotEvent, record: &[u8]) -> (Vec<String>, Marks) {
    let header = header(record).expect("a whole record");
    let reader = SlotReader::new(slot.clone());
    Arguments::default().read(&reader, &header, record, &mut Files::default(), |args, marks, _| {
        (args.iter().map(|arg| format!("{arg:?}")).collect(), marks)
    })
}

#[test]
fn numbers_are_read_by_their_kind_and_strings_from_their_blob() {
    let at_fdcwd = u64::from((-100_i32) as u32);
    let bytes = record(&[at_fdcwd, 0x7ffc_0000, 0o102, 0o644], &[(1, form::PLAIN, b"/etc/passwd")], 0);
    let (args, _) = read(&slot("openat"), &bytes);
    assert_eq!(args[0], format!("Number({})", -100_i64 as u64));
    assert_eq!(args[1], format!("Bytes({:?})", b"/etc/passwd"));
    assert_eq!(args[2], "Number(66)");
}

#[test]
fn entries_of_a_directory_are_kept_without_the_cursor_and_the_one_that_was_cut() {
    let mut kernel = [0; 48];
    for (at, name) in [(0, b"home"), (24, b"note")] {
        (kernel[at], kernel[at + 8], kernel[at + 16], kernel[at + 18]) = (9, 0xee, 24, 8);
        kernel[at + 19..at + 23].copy_from_slice(name);
    }
    let entry = |name: &[u8]| [&[9, 0, 0, 0, 0, 0, 0, 0, 8], name, &[0]].concat();
    let stored =
        |entries: &[Vec<u8>]| format!("Bytes({:?})", [vec![dirents::TAG], entries.concat()].concat());
    let read = |kernel: &[u8]| {
        let bytes = record(&[3, 0x7ffc_0000, 32_768], &[(1, form::PLAIN, kernel)], 0);
        read(&slot("getdents64"), &bytes).0[1].clone()
    };
    assert_eq!(read(&kernel), stored(&[entry(b"home"), entry(b"note")]));
    assert_eq!(read(&kernel[..47]), stored(&[entry(b"home")]));
    assert_eq!(read(&[]), stored(&[]));
}

#[test]
fn what_could_not_be_read_is_an_address_and_a_null_pointer_is_missing() {
    let (args, marks) = read(&slot("openat"), &record(&[3, 0x10, 0, 0], &[], Marks(0).lost_arg(1).0));
    assert_eq!(args[1], "Number(16)");
    assert_eq!(read(&slot("openat"), &record(&[3, 0, 0, 0], &[], 0)).0[1], "Missing");
    assert!(marks.is_lost(1) && marks.has(Marks::FAULT));
}

#[test]
fn a_path_comes_last_component_first() {
    let bytes = record(&[0; 4], &[(1, form::PATH, b"passwd\0etc\0"), (0, form::PLAIN, b"")], 0);
    assert_eq!(read(&slot("openat"), &bytes).0[1], format!("Bytes({:?})", b"/etc/passwd"));
    let root = record(&[0; 4], &[(1, form::PATH, b"")], 0);
    assert_eq!(read(&slot("openat"), &root).0[1], format!("Bytes({:?})", b"/"));
    let memfd = record(&[0; 4], &[(1, form::PSEUDO_PATH, b"memfd:x\0")], 0);
    assert_eq!(read(&slot("openat"), &memfd).0[1], format!("Bytes({:?})", b"memfd:x"));
}

#[test]
fn a_descriptor_has_its_number_and_what_it_stands_for() {
    let mut files = Files::default();
    let mut tell = |id: u64, marks: u32, blobs: &[(u8, u8, &[u8])]| {
        let told = record(&[0o100_644, 9, 0], blobs, marks);
        files.add(&RecordHeader { context: id, ..header(&told).expect("a whole record") }, &told);
    };
    tell(77, Marks(0).cut_arg(0).0, &[(files::part::PATH, form::PATH, b"passwd\0etc\0")]);
    tell(78, Marks(0).lost_arg(0).0, &[]);
    let mut read = |name: &str, words: &[u64], blobs: &[(u8, u8, &[u8])]| {
        let bytes = record(words, blobs, 0);
        let header = header(&bytes).expect("a whole record");
        let reader = SlotReader::new(slot(name));
        Arguments::default().read(&reader, &header, &bytes, &mut files, |args, marks, directory| {
            let shown: Vec<String> = args.iter().map(|arg| format!("{arg:?}")).collect();
            (shown, marks, directory.to_vec())
        })
    };
    let (known, lost, unknown) = (77_u64.to_ne_bytes(), 78_u64.to_ne_bytes(), 5_u64.to_ne_bytes());
    let (args, marks, _) = read("read", &[3, 0, 1], &[(0, form::FILE, &known)]);
    assert_eq!(args[0], format!("Bytes({:?})", [&3_u64.to_le_bytes()[..], b"/etc/passwd"].concat()));
    assert!(marks.is_cut(0));
    // Both numbers are there though one file stands for both.
    let (args, _, _) = read("dup2", &[3, 4], &[(0, form::FILE, &known), (1, form::FILE, &known)]);
    assert_eq!(args[0], format!("Bytes({:?})", [&3_u64.to_le_bytes()[..], b"/etc/passwd"].concat()));
    assert_eq!(args[1], format!("Bytes({:?})", [&4_u64.to_le_bytes()[..], b"/etc/passwd"].concat()));
    for id in [lost, unknown] {
        let (args, marks, _) = read("read", &[3, 0, 1], &[(0, form::FILE, &id)]);
        assert_eq!((args[0].as_str(), marks), ("Number(3)", Marks(0)));
    }
    // A text argument is the file's path, or lost with it.
    assert_eq!(
        read("openat", &[3, 0, 0, 0], &[(1, form::FILE, &known)]).0[1],
        format!("Bytes({:?})", b"/etc/passwd")
    );
    assert!(read("openat", &[3, 0, 0, 0], &[(1, form::FILE, &lost)]).1.is_lost(1));
    let directory = files::position::WORKING_DIRECTORY;
    assert_eq!(read("read", &[3, 0, 1], &[(directory, form::FILE, &known)]).2, b"/etc/passwd");
}

#[test]
fn a_hooks_words_and_marks_go_where_the_catalogue_has_them() {
    let mut slot = slot("openat");
    slot.positions = Some(vec![Some(2), None, Some(1)]);
    let bytes = record(&[7, 8, 0], &[(2, form::PLAIN, b"name\0rest")], Marks(0).cut_arg(2).0);
    let (args, marks) = read(&slot, &bytes);
    assert_eq!(
        args,
        ["Missing".into(), format!("Bytes({:?})", b"name"), "Number(7)".into(), "Missing".to_owned()]
    );
    assert!(marks.is_cut(1) && !marks.is_cut(2));
}

#[test]
fn a_torn_record_is_none_and_a_torn_blob_ends_the_blobs() {
    let whole = record(&[1, 2, 3, 4], &[(1, form::PLAIN, b"/a/path/that/is/cut")], 0);
    for end in 0..whole.len() {
        assert!(header(&whole[..end]).is_none(), "{end}");
    }
    for at in 8..whole.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            if header(&bytes).is_some() {
                read(&slot("openat"), &bytes);
            }
        }
    }
}

#[test]
fn a_32_bit_tasks_numbers_are_signed_as_it_means_them() {
    let bytes = record(&[3, 0xffff_ffff], &[], 0);
    let mut slot = slot("lseek");
    assert_eq!(read(&slot, &bytes).0[1], format!("Number({})", 0xffff_ffff_u32));
    slot.is_compat = true;
    assert_eq!(read(&slot, &bytes).0[1], format!("Number({})", u64::MAX));
}
