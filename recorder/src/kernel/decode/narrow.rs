//! Structures of 32-bit tasks: stored as those of 64-bit ones.

use events::{
    ArgKind, Len, Raw,
    capture::ARGUMENTS,
    layout32::{self, Layout32},
    variants,
    vectors::{MESSAGE_HEAD, MSGHDR_BYTES},
};

use super::super::tables::SlotEvent;

/// How what the arguments of a 32-bit task's call point to lies, by position.
#[derive(Debug)]
pub struct Narrow {
    event: &'static events::Event,
    /// The call's number, which says how wide its times are.
    number: u16,
    shapes: [Shape; ARGUMENTS],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    /// As in a 64-bit task.
    Same,
    Structures(Layout32),
    /// `struct iovec[]` and contents, as `events::vectors` has them, with a table of narrow entries.
    Vectors,
    /// `struct msghdr` or several, with narrow headers and tables.
    Messages,
    /// `struct msgbuf`: a type of four bytes, and a text.
    Typed,
}

impl Narrow {
    /// Of a slot of such a call.
    pub fn of(slot: &SlotEvent) -> Option<Narrow> {
        let number = slot.compat_number?;
        let mut shapes = [Shape::Same; ARGUMENTS];
        for (shape, arg) in shapes.iter_mut().zip(slot.event.args) {
            *shape = match arg.kind {
                ArgKind::Struct(of) | ArgKind::Array(of, _) => {
                    layout32::layout(of, number).map_or(Shape::Same, Shape::Structures)
                }
                ArgKind::Iovec(_) => Shape::Vectors,
                ArgKind::Msghdr | ArgKind::Mmsghdr(_) => Shape::Messages,
                ArgKind::Bytes(Len::ArgPlus8(_) | Len::ReturnPlus8) => Shape::Typed,
                _ => Shape::Same,
            };
        }
        Some(Narrow { event: slot.event, number, shapes })
    }

    /// Appends a value as a 64-bit task's call would have it, and says where it begins; `None` where it is the same.
    pub fn widen(&self, position: usize, args: &[Raw<'_>], bytes: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        let start = out.len();
        if let Some(ArgKind::Any(selector)) = self.event.args.get(position).map(|arg| arg.kind) {
            let Some(Raw::Number(selected)) = args.get(usize::from(selector)) else { return None };
            let layout = variants::find(self.event.id, position, *selected as u32)?.layout32(self.number)?;
            let (number, pointed) = bytes.split_at_checked(8)?;
            out.extend_from_slice(number);
            layout.widen(pointed, |one| out.extend_from_slice(one));
            return Some(start);
        }
        match self.shapes.get(position)? {
            Shape::Same => return None,
            Shape::Structures(layout) => layout.widen(bytes, |one| out.extend_from_slice(one)),
            Shape::Vectors => widen_vectors(bytes, out)?,
            Shape::Typed => {
                let (kind, text) = bytes.split_first_chunk()?;
                out.extend_from_slice(&i64::from(i32::from_le_bytes(*kind)).to_le_bytes());
                out.extend_from_slice(text);
            }
            Shape::Messages => {
                let mut left = bytes;
                // What is torn is left out, as everywhere.
                while let Some(rest) = widen_message(left, out) {
                    left = rest;
                }
            }
        }
        Some(start)
    }
}

/// Appends pointers and lengths of four bytes as such of eight.
fn widen_words(narrow: &[u8], out: &mut Vec<u8>) {
    for word in narrow.chunks_exact(4) {
        out.extend_from_slice(word);
        out.extend_from_slice(&[0; 4]);
    }
}

fn widen_vectors(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (count, rest) = bytes.split_first_chunk()?;
    let (table, data) = rest.split_at_checked((u32::from_le_bytes(*count) as usize).checked_mul(8)?)?;
    out.extend_from_slice(count);
    widen_words(table, out);
    out.extend_from_slice(data);
    Some(())
}

/// Appends the first message, and gives back what follows it; `None` when it is torn.
fn widen_message<'a>(bytes: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_first_chunk::<MESSAGE_HEAD>()?;
    let [n0, n1, v0, v1, c0, c1, c2, c3, d0, d1, d2, d3, ..] = *head;
    let (header, rest) = rest.split_at_checked(MSGHDR_BYTES / 2)?;
    let (name, rest) = rest.split_at_checked(u16::from_le_bytes([n0, n1]).into())?;
    let (table, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([v0, v1])) * 8)?;
    let behind =
        u32::from_le_bytes([c0, c1, c2, c3]) as usize + u32::from_le_bytes([d0, d1, d2, d3]) as usize;
    let (control_and_data, rest) = rest.split_at_checked(behind)?;
    out.extend_from_slice(head);
    widen_words(header, out);
    out.extend_from_slice(name);
    widen_words(table, out);
    out.extend_from_slice(control_and_data);
    Some(rest)
}

#[cfg(test)]
mod tests {
    use events::{Marks, abi::form, catalogue};

    use super::{
        super::{
            super::files::{Files, Known},
            Arguments, SlotReader, header,
            tests::record,
        },
        *,
    };

    fn value(call: &str, words: &[u64], position: u8, blob: &[u8]) -> Vec<u8> {
        let event = catalogue::by_name(call).expect("an event of the catalogue");
        let slot = SlotEvent::in_compat(event);
        let bytes = record(words, &[(position, form::PLAIN, blob)], Marks::COMPAT);
        let (reader, header) = (SlotReader::new(slot), header(&bytes).expect("a whole record"));
        Arguments::default().read(
            &reader,
            &header,
            &bytes,
            Known::Own(&mut Files::default()),
            |args, _, _| match args[usize::from(position)] {
                Raw::Bytes(bytes) => bytes.to_vec(),
                other => panic!("{other:?}"),
            },
        )
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn structures_of_32_bit_tasks_read_as_those_of_64_bit_ones() {
        let second = [1, 0, 0, 0, 2, 0, 0, 0];
        let wide = [[1, 0, 0, 0, 0, 0, 0, 0], [2, 0, 0, 0, 0, 0, 0, 0]].concat();
        assert_eq!(value("nanosleep", &[0x1000, 0], 0, &second), wide);
        assert_eq!(
            value("utimes", &[0x1000, 0x2000], 1, &[second, second].concat()),
            [&wide[..], &wide].concat()
        );
        // With times of 64 bits it is the same.
        assert_eq!(value("clock_nanosleep", &[1, 0, 0x1000, 0], 2, &wide), wide);
        // What it points to is a lock, as the command says: F_SETLK, F_SETLK64.
        let argument = 0x1000u64.to_ne_bytes();
        let lock = |bytes: &[u8], command| {
            value("fcntl64", &[3, command, 0x1000], 2, &[&argument[..], bytes].concat())
        };
        let narrow = [1, 0, 0, 0, 7, 0, 0, 0, 9, 0, 0, 0, 5, 0, 0, 0];
        let long = [1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0];
        assert_eq!(lock(&narrow, 6), lock(&long, 13));
        // One vector of three bytes.
        let stored = [1, 0, 0, 0, 0x10, 0, 0, 0, 3, 0, 0, 0, 7, 8, 9];
        let wide = [1, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 7, 8, 9];
        assert_eq!(value("writev", &[3, 0x1000, 1], 1, &stored), wide);
        // A message of type 2, with two bytes.
        let typed = [2, 0, 0, 0, 0, 0, 0, 0, b'h', b'i'];
        assert_eq!(value("msgsnd", &[3, 0x1000, 2, 0], 1, &[2, 0, 0, 0, b'h', b'i']), typed);
        // A message with a name of one byte and that vector.
        let head = |vectors| [1, 0, vectors, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0];
        let header =
            [0x10, 0, 0, 0, 1, 0, 0, 0, 0x20, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0];
        let message = [&head(1)[..], &header, b"n", &stored[4..]].concat();
        let widened = value("sendmsg", &[3, 0x1000, 0], 1, &message);
        let (read, rest) = events::vectors::Message::read(&widened).expect("a whole message");
        assert!(rest.is_empty());
        assert_eq!((read.name, read.header[8], read.header[48]), (&b"n"[..], 1, 0x40));
        assert_eq!(read.vectors.iter().next().expect("a vector").data, [7, 8, 9]);
        assert_eq!(lock(&narrow, 6).len(), 8 + 32);
    }
}
