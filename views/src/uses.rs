//! What was done with one thing, or by one user: who did it, how often, how many bytes, from when to when.
//!
//! The same flows that stories follow, added up by process, thing and kind. So a file that is written by `sendfile`,
//! `copy_file_range`, a shared mapping or `truncate` is written, as by `write`.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashMap;
use pipeline::stage::{Client, Told};
use scopes::Sought;

use crate::known::{Known, Who};
use crate::state::{Object, Value};
use crate::story::flow::Flow;
use crate::story::{Flows, How, Thing};
use crate::tree::Forest;

/// What is looked at.
#[derive(Clone, Debug)]
pub enum Focus {
    /// Files by path.
    Files(Arc<Sought>),
    /// All that users do: boots and numbers.
    Users(BTreeSet<(usize, u32)>),
}

/// Lines that are kept: about 200 bytes each, and their names.
const MOST_LINES: usize = 1 << 20;

#[derive(Clone, Copy, Debug)]
struct Use {
    count: u64,
    bytes: u64,
    /// Wall clock, ns since the epoch.
    first_ns: i64,
    last_ns: i64,
}

/// All that was done, by who did it, with what and how.
#[derive(Debug)]
pub struct Uses<'a> {
    focus: Focus,
    flows: &'a Flows<'a>,
    lines: HashMap<(Who, Thing, How), Use>,
    /// What there was no room for.
    pub left_out: u64,
    buffer: Vec<Flow>,
    range: (i64, i64),
}

impl<'a> Uses<'a> {
    /// `range`: wall clock, ns since the epoch, without its end.
    pub fn new(focus: Focus, flows: &'a Flows<'a>, range: (i64, i64)) -> Uses<'a> {
        Uses { focus, flows, lines: HashMap::new(), left_out: 0, buffer: Vec::new(), range }
    }

    fn flow(&mut self, flow: Flow, uid: Option<(usize, u32)>, wall_ns: i64) {
        let (who, thing) = match (flow.from, flow.to) {
            (Thing::Process(who), thing) => (who, thing),
            (thing, Thing::Process(who)) => (who, thing),
            // Between two names: who gave them is a flow of its own.
            _ => return,
        };
        let is_asked = match (&self.focus, &thing) {
            (Focus::Files(sought), Thing::File(_, path)) => sought.has_file(path),
            (Focus::Files(_), _) => false,
            (Focus::Users(users), _) => uid.is_some_and(|uid| users.contains(&uid)),
        };
        if !is_asked {
            return;
        }
        let room = self.lines.len() < MOST_LINES;
        let key = (who, thing, flow.how);
        if !room && !self.lines.contains_key(&key) {
            self.left_out += 1;
            return;
        }
        let line =
            self.lines.entry(key).or_insert(Use { count: 0, bytes: 0, first_ns: wall_ns, last_ns: wall_ns });
        line.count += 1;
        line.bytes = line.bytes.saturating_add(flow.bytes);
        line.first_ns = line.first_ns.min(wall_ns);
        line.last_ns = line.last_ns.max(wall_ns);
    }

    /// The lines in order of time.
    pub fn objects(&self, forest: &Forest, known: &Known) -> Vec<Object> {
        let names_things = match &self.focus {
            Focus::Files(sought) => !sought.is_exact(),
            Focus::Users(_) => true,
        };
        let mut lines: Vec<_> = self.lines.iter().collect();
        lines.sort_by(|(a, x), (b, y)| (x.first_ns, a).cmp(&(y.first_ns, b)));
        lines
            .into_iter()
            .map(|((who, thing, how), it)| self.object(who, thing, *how, it, names_things, forest, known))
            .collect()
    }

    #[allow(clippy::too_many_arguments)] // what one line is made of
    fn object(
        &self,
        who: &Who,
        thing: &Thing,
        how: How,
        it: &Use,
        names_things: bool,
        forest: &Forest,
        known: &Known,
    ) -> Object {
        let process = forest.find(who);
        let name = match thing {
            Thing::Process(other) => match forest.find(other) {
                Some(other) => [&*other.comm, format!("({})", other.pid).as_bytes()].concat(),
                None => format!("({})", other.pid).into_bytes(),
            },
            other => other.name().to_vec(),
        };
        let user = process.map(|it| match known.user(it.boot, it.uid) {
            Some(user) => user.as_bytes().to_vec(),
            None => it.uid.to_string().into_bytes(),
        });
        let command = process.map(|it| match it.argv.is_empty() {
            true => it.comm.clone(),
            false => it.argv.join(&b' '),
        });
        let object = Object::new(format!("{who:?} {thing:?} {how:?}"))
            .column("first", "FIRST", Value::Time(it.first_ns))
            .column("last", "LAST", Value::Time(it.last_ns))
            .column("how", "HOW", Value::word(how.by_process()))
            .column("events", "EVENTS", Value::Number(it.count.into()))
            .column(
                "bytes",
                "BYTES",
                if how.has_bytes() { Value::Number(it.bytes.into()) } else { Value::Nothing },
            );
        let object = if names_things {
            object.column("thing", "WHAT", Value::text(&name))
        } else {
            object.fact("thing", Value::text(&name))
        };
        let entity = process.map(|it| format!("{}@{}", it.pid, it.start_ns));
        object
            .column("user", "USER", Value::maybe(user.as_deref()))
            .column("pid", "PID", Value::Number(who.pid.into()))
            .fact("process", Value::maybe(entity.as_deref().map(str::as_bytes)))
            .fact("comm", process.map_or(Value::Unknown, |it| Value::text(&it.comm)))
            .column("command", "COMMAND", Value::maybe(command.as_deref()))
    }
}

impl Client for Uses<'_> {
    fn tell(&mut self, row: &Told<'_>) {
        let wall_ns = row.wall_ns();
        if !(self.range.0..self.range.1).contains(&wall_ns) {
            return;
        }
        let mut flows = std::mem::take(&mut self.buffer);
        flows.clear();
        self.flows.of(row, &mut flows);
        if !flows.is_empty() {
            let uid = row.context().map(|context| (row.boot(), context.uid));
            flows.drain(..).for_each(|flow| self.flow(flow, uid, wall_ns));
        }
        self.buffer = flows;
    }

    fn forget(&mut self, _: u64) {}
}
