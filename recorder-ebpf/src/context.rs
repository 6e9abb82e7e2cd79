//! Who did it: found unchanged in a few nanoseconds, sent when it has changed.

use core::ptr::read_volatile;

use aya_ebpf::helpers::generated::{bpf_get_current_task, bpf_get_current_task_btf};
use events::abi::files::id;

use crate::{
    emit::Writer,
    kernel::Task,
    scopes::{self, scopes},
};

mod describe;
mod table;

pub use describe::{context_send, describe, level_of, number_at};
use table::{ContextEntry, context_note, host_of, look_up, entry_of};
pub use table::{add_to, last_sent, previous_comm};

/// The current task, by its type where the kernel can give that.
#[inline(always)]
pub fn current<const TYPED: bool>() -> Task<TYPED> {
    // SAFETY: helpers without arguments.
    unsafe {
        if TYPED { Task(bpf_get_current_task_btf().cast()) } else { Task(bpf_get_current_task() as *const u8) }
    }
}

/// Whether this process is not to be recorded.
#[inline(always)]
pub fn is_excluded(tgid: u32) -> bool {
    for i in 0..16 {
        // SAFETY: a static of this program, and the index is within.
        let excluded = unsafe { read_volatile((&raw const crate::emit::CONFIG.excluded).cast::<u32>().add(i)) };
        if excluded == 0 {
            return false;
        }
        if excluded == tgid {
            return true;
        }
    }
    false
}

/// The task that does something: its entry in the table of contexts, and what was found there.
#[derive(Clone, Copy)]
pub struct Actor {
    entry: *mut ContextEntry,
    /// Of the context that was sent for the task as it is; 0 when it is still to be sent.
    id: u64,
    /// What scopes may want of the task, as of the epoch; of account only where scopes are applied.
    scopes: u64,
    epoch: u64,
}

impl Actor {
    /// Finds it, and the context that was sent for the task as it is now. `None`: not to be recorded.
    #[inline(always)]
    pub fn of<const TYPED: bool>(task: Task<TYPED>) -> Option<Actor> {
        let entry = entry_of(task.pid())?;
        let (is_fresh, mut actor) = look_up(entry, task);
        if !is_fresh && is_excluded(task.tgid()) {
            return None;
        }
        if scopes!(is_on) != 0 {
            let epoch = scopes::epoch();
            if !is_fresh || actor.epoch != epoch {
                actor = Actor { scopes: scopes::scopes_of_task(), epoch, ..actor };
                actor.note();
            }
        }
        Some(actor)
    }

    /// Whether some scope of the word may want what the task does.
    #[inline(always)]
    pub fn may_match(self, word: u64) -> bool {
        self.scopes & word != 0
    }

    /// Whether the context has been sent.
    #[inline(always)]
    pub fn is_sent(self) -> bool {
        self.id != 0
    }

    /// The id to refer to it by; sends it first when it has changed. For the current task only.
    #[inline(always)]
    pub fn id(self, writer: &mut Writer) -> u64 {
        let (id, is_new) = self.id_to_send(writer);
        if is_new {
            writer.at = context_send(writer.room(), writer.at, id);
        }
        id
    }

    /// The same, and whether it is still to be sent, by [`context_send`].
    #[inline(always)]
    pub fn id_to_send(self, writer: &Writer) -> (u64, bool) {
        if self.id != 0 {
            return (self.id, false);
        }
        let id = (writer.cpu() as u64 + 1) << id::CPU_SHIFT | writer.next_number() & ((1 << id::CPU_SHIFT) - 1);
        Actor { id, ..self }.note();
        (id, true)
    }

    /// The id, when it needs no sending; 0 otherwise. For programs that interrupt others.
    #[inline(always)]
    pub fn id_if_fresh(self) -> u64 {
        self.id
    }

    /// Notes what the current task's context is made from, and what this says of it.
    #[inline(always)]
    fn note(self) {
        context_note(self.id, self.scopes, self.epoch, host_of(current::<false>()));
    }

    /// The context was not sent after all.
    #[inline(always)]
    pub fn invalidate(self) {
        table::invalidate(self.entry);
    }

    /// The thread goes: what was sent for it stays true of what it did.
    #[inline(always)]
    pub fn set_gone<const TYPED: bool>(self, task: Task<TYPED>) {
        table::set_gone(self.entry, task.0 as u64);
    }
}

/// The context that a write sent, or may have, was not sent after all.
#[inline(always)]
pub fn invalidate_current() {
    let task = current::<false>();
    if let Some(entry) = entry_of(task.pid()) {
        Actor { entry, id: 0, scopes: 0, epoch: 0 }.invalidate();
    }
}
