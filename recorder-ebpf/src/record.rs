//! Records of tracepoints and hooks, in the context of the current task: one, or several in one write.

use events::abi::{RecordHeader, Slot, hooks::Hook, kind};

use crate::{
    context::{Actor, context_send, current, invalidate_current},
    emit::{Started, Writer, config, count_left_out_hook},
    hook::is_vital,
    probes::syscalls::current_call,
    scopes::{self, scopes},
};

#[inline(always)]
pub fn slot_of(hook: u64) -> u16 {
    (Slot::HOOK_BASE as u64 + (hook & 127)) as u16
}

/// The header of a hook's record: in the place of a result, the call that the task is in.
#[inline(always)]
pub fn header(hook: Hook, context: u64, marks: u32) -> RecordHeader {
    let ret = current_call(hook as u64) as i64;
    RecordHeader { slot: hook.slot(), kind: kind::EVENT, words: hook.words(), context, ret, marks, ..RecordHeader::default() }
}

/// Records what a tracepoint tells, which may be in an interrupt; `fill` sets words, appends blobs and gives marks.
#[inline(always)]
pub fn record(hook: Hook, fill: impl FnOnce(&mut Writer, Started) -> u32) -> Option<()> {
    in_tracepoint(hook, |writer, context| append(writer, header(hook, context, 0), hook, fill))
}

/// The same of what has a result.
#[inline(always)]
pub fn record_result(hook: Hook, ret: i64, fill: impl FnOnce(&mut Writer, Started) -> u32) -> Option<()> {
    in_tracepoint(hook, |writer, context| append(writer, RecordHeader { ret, ..header(hook, context, 0) }, hook, fill))
}

/// Records what a function of the kernel does, which may be preempted.
#[inline(always)]
pub fn record_in_hook(hook: Hook, fill: impl FnOnce(&mut Writer, Started) -> u32) -> Option<()> {
    in_hook(hook_begin(hook as u64), hook, |writer, context| append_event(writer, context, hook, false, fill))
}

/// Writes events of the current task in one go; a lack of room is counted under the hook.
#[inline(always)]
pub fn write_in_hook(hook: Hook, fill: impl FnOnce(&mut Writer, u64)) -> Option<()> {
    in_hook(hook_begin_any(hook as u64), hook, fill)
}

/// Appends an event to a write. With `more`, another one of the same write follows.
#[inline(always)]
pub fn append_event(
    writer: &mut Writer,
    context: u64,
    hook: Hook,
    more: bool,
    fill: impl FnOnce(&mut Writer, Started) -> u32,
) {
    append(writer, RecordHeader { more: more as u16, ..header(hook, context, 0) }, hook, fill);
}

#[inline(always)]
fn append(writer: &mut Writer, header: RecordHeader, hook: Hook, fill: impl FnOnce(&mut Writer, Started) -> u32) {
    let started = writer.start(hook.words());
    for word in 0..hook.words() as usize {
        writer.set_word(started, word, 0);
    }
    let marks = fill(writer, started);
    writer.end(started, RecordHeader { marks, ..header });
}

#[inline(always)]
fn in_tracepoint(hook: Hook, fill: impl FnOnce(&mut Writer, u64)) -> Option<()> {
    let (mut writer, context) = take_over(tracepoint_begin(hook as u64), hook)?;
    fill(&mut writer, context);
    tracepoint_commit(writer.room(), writer.at, hook as u64);
    Some(())
}

#[inline(always)]
fn in_hook(begun: u64, hook: Hook, fill: impl FnOnce(&mut Writer, u64)) -> Option<()> {
    let (mut writer, context) = take_over(begun, hook)?;
    fill(&mut writer, context);
    hook_commit(writer.room(), writer.at, hook as u64);
    Some(())
}

/// Beside the room, in what the functions below return: the context is to be sent first.
const NEW_CONTEXT: u64 = 1 << 8;

/// The write that a global function has begun, and the context of its records. Of 0 there is none.
#[inline(always)]
fn take_over(begun: u64, hook: Hook) -> Option<(Writer, u64)> {
    if begun == 0 {
        return None;
    }
    let mut writer = Writer::resume_to_commit((begun & (NEW_CONTEXT - 1)).wrapping_sub(1), 0, hook.slot(), false)?;
    let context = writer.notes().context();
    if begun & NEW_CONTEXT != 0 {
        writer.at = context_send(writer.room(), 0, context);
    }
    Some((writer, context))
}

/// Begins a write for what some scope may want of the current task: for a tracepoint, also in interrupts. Returns its room,
/// plus 1, with [`NEW_CONTEXT`], and leaves the context in its notes.
///
/// A global function, of numbers only, as are the others here: the verifier looks at it once, and the programs are small.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn tracepoint_begin(hook: u64) -> u64 {
    begin::<false, false>(hook)
}

/// The same for a function of the kernel.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn hook_begin(hook: u64) -> u64 {
    begin::<true, false>(hook)
}

/// The same whatever the scopes want.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn hook_begin_any(hook: u64) -> u64 {
    begin::<true, true>(hook)
}

#[inline(always)]
fn begin<const IN_HOOK: bool, const ANY: bool>(hook: u64) -> u64 {
    // By loads of what the verifier knows by its type, where that can be: a read by a helper costs several times as much.
    let begun = if config!(modern) != 0 {
        begin_for::<true, IN_HOOK, ANY>(hook)
    } else {
        begin_for::<false, IN_HOOK, ANY>(hook)
    };
    begun.unwrap_or(0)
}

#[inline(always)]
fn begin_for<const TYPED: bool, const IN_HOOK: bool, const ANY: bool>(hook: u64) -> Option<u64> {
    let actor = Actor::of(current::<TYPED>())?;
    if !ANY && scopes!(is_on) != 0 && !scopes::is_kept(hook) && !actor.may_match(scopes::of_hook(hook)) {
        count_left_out_hook(hook);
        return None;
    }
    let (slot, is_vital) = (slot_of(hook), is_vital(hook));
    let writer = if IN_HOOK {
        Writer::reserve_in_hook(slot, is_vital)?
    } else {
        Writer::reserve_in_interrupt(slot, is_vital)?
    };
    let (context, is_new) =
        if writer.is_nested() { (actor.id_if_fresh(), false) } else { actor.id_to_send(&writer) };
    writer.notes().set_context(context);
    Some(writer.room() + 1 | if is_new { NEW_CONTEXT } else { 0 })
}

/// Commits what [`tracepoint_begin`] began.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn tracepoint_commit(room: u64, at: u64, hook: u64) -> u64 {
    if let Some(writer) = Writer::resume_to_commit(room, at, slot_of(hook), is_vital(hook))
        && !writer.commit()
    {
        invalidate_current();
    }
    0
}

/// Commits what [`hook_begin`] began.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn hook_commit(room: u64, at: u64, hook: u64) -> u64 {
    if let Some(writer) = Writer::resume_to_commit(room, at, slot_of(hook), is_vital(hook))
        && !writer.commit_in_hook()
    {
        invalidate_current();
    }
    0
}
