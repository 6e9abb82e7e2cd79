//! What docs/format.md claims of encrypted captures, held against somebody who has no key, and can compute all that needs none:
//! checksums, the chain of hashes, numbers of frames, unsigned seals.

use events::{Context, EventId, Marks, Raw};

use super::*;
use crate::archive::{self, SealV5, seal_flags};
use crate::frame::{HEADER_BYTES, PREAMBLE_BYTES, Trailer, codec, padding};
use crate::seal::Chain;
use crate::{
    BlockBuilder, Capture, Encoder, Expected, Header, OpenOptions, Options, Row, Scratch, StreamReader,
    Streamed, Writer, WriterOptions, verify_bytes,
};

const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

fn options() -> OpenOptions {
    let identity = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    OpenOptions { identity: Some(Identity::from_text(identity).unwrap()), ..OpenOptions::default() }
}

/// A capture of a block for each of these processes, in which each opens a path so long.
fn capture(pids: &[u32], path_bytes: usize, encrypt: Option<Recipients>) -> Vec<u8> {
    let schema: Vec<_> = crate::current_schema().into_iter().filter(|event| event.name == "openat").collect();
    let event = EventId(schema[0].id);
    let header = Header { program: "test".into(), schema, ..Header::default() };
    let options = WriterOptions { encrypt, ..WriterOptions::default() };
    let mut writer = Writer::create_with(Vec::new(), &header, options).unwrap();
    let mut builder = BlockBuilder::new();
    for (block, pid) in (0u64..).zip(pids) {
        let context = builder.intern(&Context { pid: *pid, comm: b"whoever", ..Context::default() });
        for time in 0..10 {
            let path: Vec<u8> = (0..path_bytes).map(|at| (at as u64 * (time + 7) % 251) as u8).collect();
            let args = [Raw::Number(3), Raw::Bytes(&path), Raw::Number(0), Raw::Number(0)];
            let (cpu, ret, scopes, marks) = (0, 3, 1, Marks(0));
            let time_ns = block * 100 + time;
            builder
                .push(&Row {
                    time_ns,
                    event,
                    cpu,
                    context,
                    ret,
                    scopes,
                    marks,
                    duration_ns: None,
                    args: &args,
                })
                .unwrap();
        }
        writer.block(&Encoder::new(Options::default()).encode(&mut builder).unwrap()).unwrap();
    }
    writer.finish().unwrap().0
}

/// A file in its frames.
#[derive(Clone)]
struct Frames {
    preamble: Preamble,
    frames: Vec<(FrameHeader, Vec<u8>)>,
}

impl Frames {
    fn of(bytes: &[u8]) -> Frames {
        let preamble = Preamble::read(&bytes[..PREAMBLE_BYTES]).unwrap();
        let (mut at, mut frames) = (PREAMBLE_BYTES, Vec::new());
        while let Ok(header) = FrameHeader::read(&bytes[at..], at as u64, preamble) {
            frames.push((header, bytes[at + HEADER_BYTES..][..header.payload as usize].to_vec()));
            at += header.frame_bytes() as usize;
        }
        Frames { preamble, frames }
    }

    /// The places of blocks among the frames.
    fn blocks(&self) -> Vec<usize> {
        let is_block = |at: &usize| self.frames[*at].0.kind == Kind::Block;
        (0..self.frames.len()).filter(is_block).collect()
    }

    /// The file again, with everything in it that fits this order of frames and needs no key.
    fn forged(&self) -> Vec<u8> {
        let mut bytes = self.preamble.to_bytes().to_vec();
        let mut chain = Chain::start(&bytes);
        let (mut index, mut seal) = (0, 0);
        for (number, (header, payload)) in (0u32..).zip(&self.frames) {
            let mut header = FrameHeader { number, chain: chain.0, ..*header };
            let mut payload = payload.clone();
            match header.kind {
                Kind::Segment => index = bytes.len() as u64,
                Kind::Seal => {
                    seal = bytes.len() as u64;
                    let flags = seal_flags::LAST | seal_flags::LAST_PART;
                    payload = archive::to_bytes(&SealV5 { head: chain.0, flags, ..SealV5::default() })
                        .unwrap()
                        .to_vec();
                    (header.head_codec, header.payload) = (codec::STORED, payload.len() as u32);
                    (header.head_stored, header.head_raw) = (header.payload, header.payload);
                    header.head_crc = crc32fast::hash(&payload);
                }
                _ => {}
            }
            let (header, zeros) = (header.to_bytes(self.preamble), vec![0; padding(payload.len())]);
            chain = Chain::next(&header, &payload, &zeros);
            bytes.extend([&header[..], &payload, &zeros].concat());
        }
        bytes.extend(Trailer { index, seal }.to_bytes());
        bytes
    }
}

/// The processes whose rows readers give: of a file, of one that was cut off before its last segment, and as it comes.
fn readable(bytes: &[u8]) -> [Vec<u32>; 3] {
    let pid = |block: &crate::Block| block.contexts().unwrap().get(0).unwrap().pid;
    let of_file = |bytes: &[u8]| -> Vec<u32> {
        let capture = Capture::from_bytes_with(bytes.to_vec(), &options()).unwrap();
        let mut scratch = Scratch::new();
        (0..capture.block_count())
            .filter_map(|at| Some(pid(&capture.block(at, &mut scratch).ok()?)))
            .collect()
    };
    let torn = of_file(&bytes[..bytes.len() - 600]);
    let mut stream = StreamReader::new(options());
    stream.push(bytes);
    let mut came = Vec::new();
    while let Ok(Some(streamed)) = stream.pull() {
        if let Streamed::Block(block, _) = streamed {
            came.push(pid(&block));
        }
    }
    [of_file(bytes), torn, came]
}

fn fault(bytes: &[u8]) -> String {
    let options = options();
    let expected = Expected { identity: options.identity.as_ref(), ..Expected::default() };
    verify_bytes(bytes.to_vec(), expected).unwrap().fault.map_or(String::new(), |fault| fault.what)
}

fn encrypted(pids: &[u32]) -> Vec<u8> {
    capture(pids, 40, Some(Recipients::from_text(RECIPIENT).unwrap()))
}

#[test]
fn whoever_has_no_key_can_compute_all_the_rest_and_changes_nothing_so() {
    let bytes = encrypted(&[1, 2, 3]);
    assert_eq!(fault(&bytes), "");
    assert_eq!(fault(&Frames::of(&bytes).forged()), "", "an unsigned capture is as it was");
    assert_eq!(readable(&bytes), [vec![1, 2, 3], vec![1, 2, 3], vec![1, 2, 3]]);
}

#[test]
fn frames_cannot_be_reordered_repeated_or_left_out() {
    let whole = Frames::of(&encrypted(&[1, 2, 3]));
    let blocks = whole.blocks();
    let mut swapped = whole.clone();
    swapped.frames.swap(blocks[1], blocks[2]);
    let mut repeated = whole.clone();
    repeated.frames.insert(blocks[1], whole.frames[blocks[0]].clone());
    let mut shorter = whole.clone();
    shorter.frames.remove(blocks[1]);
    for (forged, what) in [(swapped, "swapped"), (repeated, "repeated"), (shorter, "left out")] {
        let forged = forged.forged();
        assert!(fault(&forged).contains("it does not decrypt"), "{what}: {}", fault(&forged));
        // The first block stands where it stood; nothing behind it is what was written after it.
        assert_eq!(readable(&forged), [vec![1], vec![1], vec![1]], "{what}");
    }
}

#[test]
fn frames_cannot_be_moved_between_captures_of_one_recipient() {
    let (own, other) = (Frames::of(&encrypted(&[1, 2, 3])), Frames::of(&encrypted(&[7, 8, 9])));
    let blocks = own.blocks();
    for place in &blocks {
        let mut mixed = own.clone();
        mixed.frames[*place] = other.frames[*place].clone();
        let forged = mixed.forged();
        assert!(fault(&forged).contains("it does not decrypt"), "{}", fault(&forged));
        for read in readable(&forged) {
            assert!(read.iter().all(|pid| *pid < 7), "frame {place}: {read:?}");
        }
    }
    // With the other's header the other's key comes, and then the blocks are strangers.
    let mut beheaded = own.clone();
    beheaded.preamble = other.preamble;
    beheaded.frames[0] = other.frames[0].clone();
    assert!(fault(&beheaded.forged()).contains("it does not decrypt"));
    assert!(readable(&beheaded.forged()).iter().all(Vec::is_empty));
}

#[test]
fn a_plain_frame_is_none_of_an_encrypted_capture() {
    let (own, plain) = (Frames::of(&encrypted(&[1, 2])), Frames::of(&capture(&[7, 8], 40, None)));
    let mut mixed = own.clone();
    let place = own.blocks()[1];
    mixed.frames[place] = plain.frames[plain.blocks()[1]].clone();
    let forged = mixed.forged();
    assert!(fault(&forged).contains("not encrypted"), "{}", fault(&forged));
    assert_eq!(readable(&forged), [vec![1], vec![1], vec![1]]);
}

#[test]
fn nothing_in_the_clear_is_of_what_is_encrypted() {
    let recipient = || Some(Recipients::from_text(RECIPIENT).unwrap());
    let (plain, own) = (capture(&[1, 2, 3], 40, None), capture(&[1, 2, 3], 40, recipient()));
    for (header, payload) in Frames::of(&own).frames {
        if header.kind == Kind::Seal {
            let seal: SealV5 = Seal::of(&header, &payload);
            assert_eq!((seal.blocks, seal.rows), (0, 0));
            continue;
        }
        let said = (header.head_codec, header.head_stored, header.head_raw, header.head_crc);
        assert_eq!((header.is_encrypted(), said), (true, (0, 0, 0, 0)));
    }
    // Neither checksums of what is plain, nor any of its bytes: the same capture, encrypted again, is another one.
    let again = capture(&[1, 2, 3], 40, recipient());
    let twice =
        Frames::of(&own).frames.into_iter().zip(Frames::of(&again).frames).zip(Frames::of(&plain).frames);
    for (((header, own), (_, again)), (plain_header, plain)) in
        twice.filter(|((it, _), _)| it.0.kind == Kind::Block)
    {
        let checksums = [plain_header.head_crc, crc32fast::hash(&plain)].map(u32::to_le_bytes);
        assert!(!own.windows(4).any(|part| checksums.contains(&part.try_into().unwrap())), "{header:?}");
        let parts: std::collections::HashSet<&[u8]> = own.windows(8).collect();
        assert!(!again.windows(8).chain(plain.windows(8)).any(|part| parts.contains(part)), "{header:?}");
    }
}

/// Paths that differ by some bytes give files of one size, and the sizes of a thousand different ones are few.
#[test]
fn sizes_are_padded() {
    let sizes: Vec<Vec<usize>> = (200..260)
        .map(|bytes| {
            let made = capture(&[1], bytes, Some(Recipients::from_text(RECIPIENT).unwrap()));
            let frames = Frames::of(&made).frames;
            frames.iter().filter(|(it, _)| it.kind == Kind::Block).map(|(_, payload)| payload.len()).collect()
        })
        .collect();
    let distinct: std::collections::BTreeSet<_> = sizes.iter().collect();
    assert!(distinct.len() <= 6, "{distinct:?}");
    for size in sizes.into_iter().flatten() {
        assert_eq!(size - SEAL_BYTES, padded(size - SEAL_BYTES), "a length that padding gives");
    }
}

/// What is encrypted to two reads for each, and for nobody else; the file says how many they are, and not who.
#[test]
fn each_recipient_reads_and_none_is_named() {
    let other = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg";
    let bytes = capture(&[1], 40, Some(Recipients::from_text(&format!("{RECIPIENT} {other}")).unwrap()));
    assert_eq!(readable(&bytes), [vec![1], vec![1], vec![1]]);
    for name in [RECIPIENT, other] {
        assert!(!bytes.windows(20).any(|part| part == &name.as_bytes()[4..24]));
    }
    let (_, header) = &Frames::of(&bytes).frames[0];
    let recipients = String::from_utf8_lossy(header).matches("-> X25519 ").count();
    assert_eq!(recipients, 2, "docs/format.md says that their number is in the clear");
}

struct Seal;

impl Seal {
    fn of(header: &FrameHeader, payload: &[u8]) -> SealV5 {
        let raw = crate::reader::decompress(header, payload, &mut crate::compress::Decompressor::default())
            .unwrap();
        archive::read(&raw, 0).unwrap()
    }
}
