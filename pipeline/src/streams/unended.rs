//! Messages that nothing completed: the last packets of their streams, as a block of their own behind all others.

use std::sync::Arc;

use events::catalogue::{self, network::NET_PACKET};
use events::context::Standing;
use events::{Context, Marks, Raw};
use format::{Block, BlockBuilder, Clock, Encoder, Options, Row, Schema, Scratch};
use scopes::LineageBits;

use crate::derive::packets::stream::Message;
use crate::stage::Told;
use crate::state::{Ready, Taken};

/// A packet after which its stream waits for more, with all that is known of it: its block is gone when nothing more came.
#[derive(Clone, Debug)]
pub(crate) struct LastPacket {
    /// Its strings are in `texts` and `cwd`.
    context: Context<'static>,
    texts: [Vec<u8>; 3],
    cwd: Option<Vec<u8>>,
    lineage: LineageBits,
    cpu: u16,
    marks: u32,
    args: Vec<Option<Value>>,
}

#[derive(Clone, Debug)]
enum Value {
    Number(u64),
    Bytes(Vec<u8>),
}

impl LastPacket {
    /// `lineage`: of its task, as it is now.
    pub fn of(row: &Told<'_>, lineage: impl Fn(&Context<'_>) -> LineageBits) -> LastPacket {
        let block = &row.of.block;
        let at = row.row as usize;
        let context = row.context().unwrap_or_default();
        let args = catalogue::by_id(NET_PACKET).map_or(0, |event| event.args.len());
        let value = |position| match row.arg(position) {
            Raw::Missing => None,
            Raw::Number(number) => Some(Value::Number(number)),
            Raw::Bytes(bytes) => Some(Value::Bytes(bytes.to_vec())),
        };
        LastPacket {
            context: context.without_texts(),
            cwd: context.standing.cwd.map(<[u8]>::to_vec),
            texts: [context.comm.to_vec(), context.exe.to_vec(), context.uts.to_vec()],
            lineage: lineage(&context),
            cpu: block.cpus().ok().and_then(|cpus| cpus.get(at)).copied().unwrap_or_default(),
            marks: block.marks().ok().and_then(|marks| marks.get(at)).copied().unwrap_or_default(),
            args: (0..args).map(value).collect(),
        }
    }
}

/// The packets as rows of the moment when their host's recording ended, to be told for the sake of their messages; `None` when
/// there are none.
pub(crate) fn ready(unended: Vec<(LastPacket, Vec<Message>)>, host: u16, end: Clock) -> Option<Ready> {
    let mut builder = BlockBuilder::new();
    builder.set_clock(end);
    builder.set_host(host);
    let mut taken = Taken { is_end: true, ..Taken::default() };
    for (packet, messages) in unended {
        let [comm, exe, uts] = &packet.texts;
        let standing = Standing { cwd: packet.cwd.as_deref(), ..packet.context.standing };
        let context = builder.intern(&Context { comm, exe, uts, standing, ..packet.context });
        let args: Vec<Raw<'_>> = packet
            .args
            .iter()
            .map(|value| match value {
                None => Raw::Missing,
                Some(Value::Number(number)) => Raw::Number(*number),
                Some(Value::Bytes(bytes)) => Raw::Bytes(bytes),
            })
            .collect();
        let row = Row {
            time_ns: end.boot_ns,
            event: NET_PACKET,
            cpu: packet.cpu,
            context,
            ret: 0,
            scopes: 0,
            // The packet may be there for its stream alone; the message is told.
            marks: Marks(packet.marks & !Marks::STATE_ONLY),
            duration_ns: None,
            args: &args,
        };
        let number = builder.len() as u32;
        // Streams that wait are bounded far below what a block takes; a block that is full all the same ends here.
        if builder.push(&row).is_err() {
            break;
        }
        // Contexts have their codes in the order in which they came.
        if context as usize >= taken.lineage.len() {
            taken.lineage.push(packet.lineage);
        }
        taken.messages.extend(messages.into_iter().map(|message| (number, message)));
    }
    if builder.is_empty() {
        return None;
    }
    let encoded = Encoder::new(Options::default()).encode(&mut builder).ok()?;
    let block = Block::from_encoded(Arc::new(encoded), &Schema::current(), &mut Scratch::new()).ok()?;
    Some(Ready { block: Some(Arc::new(block)), lineage: None, taken })
}
