//! Values that a row has by itself, and of its context.

use events::{Context, Event, Raw};
use format::ContainerMount;
use pipeline::Container;

use super::texts::{path_part, repository};
use super::values::each_value;
use super::{Access, ContextPart, Part};
use crate::facts::{credentials, entity};
use crate::form::{Computed, ContainerFact, Owned, Value};

/// A row, and what it is known by itself: everything but what is known of processes over time.
pub trait OfRow {
    fn event(&self) -> &'static Event;
    fn arg(&self, position: usize) -> Raw<'_>;
    fn ret(&self) -> i64;
    /// Wall clock, ns since the epoch.
    fn wall_ns(&self) -> i64;
    /// Boot clock, ns.
    fn time_ns(&self) -> u64;
    fn context(&self) -> &Context<'_>;
    fn container(&self) -> Option<&Container>;
    fn host(&self) -> &str;
}

/// Calls `see` with each value that a field has in a row by itself.
pub fn each_own_value(access: &Access, row: &impl OfRow, see: &mut dyn FnMut(Value<'_>)) {
    match access {
        Access::Fixed(text) => see(Value::Text(text.as_bytes())),
        Access::Argument { position, part } => {
            each_value(row.event(), *position, part, row.arg(*position), see)
        }
        Access::Ret => see(Value::Number(row.ret().into())),
        Access::Outcome => {
            let name = events::consts::errno::of_result(row.ret());
            see(Value::Text(name.unwrap_or("SUCCESS").as_bytes()));
        }
        Access::Time => see(Value::Number(row.wall_ns().into())),
        Access::Context(ContextPart::Host) => see(Value::Text(row.host().as_bytes())),
        Access::Context(ContextPart::Container(fact)) => {
            if let Some(container) = row.container() {
                container_value(container, *fact, row.time_ns(), see);
            }
        }
        Access::Context(part) => context_value(row.context(), *part, see),
        Access::First(all) => {
            let mut any = false;
            for access in all.iter() {
                if !any {
                    each_own_value(access, row, &mut |value| {
                        any = true;
                        see(value);
                    });
                }
            }
        }
        Access::Each(all) => all.iter().for_each(|access| each_own_value(access, row, see)),
        Access::Computed(computed, inputs) => {
            let inputs = inputs.iter().map(Option::as_ref);
            each_computed(computed, inputs, &mut |access, see| each_own_value(access, row, see), see);
        }
        // What is known of processes and hosts is not the row's own.
        Access::Process(..)
        | Access::Variable(_)
        | Access::HostName(_)
        | Access::Resolved(_)
        | Access::Executed(..) => {}
    }
}

/// Calls what it is given with each value of a field.
type ValuesOf<'a, I> = dyn FnMut(&I, &mut dyn FnMut(Value<'_>)) + 'a;

/// Calls `see` with each value that is made of others. `values`: those of an input.
pub fn each_computed<'i, I: 'i>(
    computed: &Computed,
    inputs: impl Iterator<Item = Option<&'i I>>,
    values: &mut ValuesOf<'_, I>,
    see: &mut dyn FnMut(Value<'_>),
) {
    let mut all = |input: Option<&I>| {
        let mut owned = Vec::new();
        if let Some(input) = input {
            values(input, &mut |value| owned.push(Owned::of(value)));
        }
        owned
    };
    let inputs = inputs.map(&mut all).collect();
    computed.values(inputs).iter().for_each(|value| see(value.value()));
}

pub fn container_value(
    container: &Container,
    fact: ContainerFact,
    time_ns: u64,
    see: &mut dyn FnMut(Value<'_>),
) {
    let text = match fact {
        ContainerFact::Id => &container.id,
        ContainerFact::Name => &container.name,
        ContainerFact::Image => &container.image,
        ContainerFact::PodName => &container.pod_name,
        ContainerFact::PodNamespace => &container.pod_namespace,
        ContainerFact::PodUid => &container.pod_uid,
        ContainerFact::Runtime => &container.runtime,
        ContainerFact::Repository => {
            let name = repository(&container.image);
            if !name.is_empty() {
                see(Value::Text(name.as_bytes()));
            }
            return;
        }
        ContainerFact::Privileged => {
            if let Some(privileged) = container.settings.privileged {
                see(Value::Text(if privileged { b"true" } else { b"false" }));
            }
            return;
        }
        ContainerFact::Mounts => {
            if let Some(mounts) = &container.settings.mounts {
                see(Value::Text(mounts_text(mounts).as_bytes()));
            }
            return;
        }
        ContainerFact::Started => {
            if container.started_by(time_ns) {
                see(Value::Text(b"true"));
            }
            return;
        }
    };
    if !text.is_empty() {
        see(Value::Text(text.as_bytes()));
    }
}

/// As Falco has them.
fn mounts_text(mounts: &[ContainerMount]) -> String {
    let text = |it: &ContainerMount| format!("{}:{}::{}:", it.source, it.destination, it.is_writable);
    mounts.iter().map(text).collect::<Vec<_>>().join(" ")
}

pub fn context_value(context: &Context<'_>, part: ContextPart, see: &mut dyn FnMut(Value<'_>)) {
    let mut text = |text: &[u8]| {
        if !text.is_empty() {
            see(Value::Text(text));
        }
    };
    match part {
        ContextPart::Exe => text(context.exe),
        ContextPart::ExeName => text(path_part(context.exe, &Part::Name).unwrap_or_default()),
        ContextPart::Comm => text(context.comm),
        ContextPart::Entity => text(entity(context.pid, context.process_start_ns).as_bytes()),
        ContextPart::ParentEntity => text(entity(context.ppid, context.parent_start_ns).as_bytes()),
        ContextPart::Uid => see(Value::Number(context.uid.into())),
        ContextPart::Gid => see(Value::Number(context.gid.into())),
        ContextPart::Credentials(fact) => {
            credentials::each_value(context.credentials.as_ref(), (context.uid, context.gid), fact, see)
        }
        ContextPart::Pid => see(Value::Number(context.pid.into())),
        ContextPart::NsPid => see(Value::Number(context.ns_pid.into())),
        ContextPart::ParentPid => see(Value::Number(context.ppid.into())),
        ContextPart::UserName | ContextPart::Container(_) | ContextPart::Host => {}
    }
}
