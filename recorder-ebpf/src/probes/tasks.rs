//! What tasks change about themselves: credentials, namespaces, signal handlers, directory; and their end.

use events::abi::{form, hooks::Hook};

use crate::{
    registers::numbers,
    context::current,
    emit::{Started, Writer},
    hook::{Called, Caller, file_path, identify, on_entry, path_of, record, user_string},
    kernel::{Cred, File, NsProxy, Path, Task, probe},
};

on_entry!(commit_creds, credentials_change);
on_entry!(switch_task_namespaces, namespaces_change);
on_entry!(do_sigaction, handler_set);
on_entry!(set_fs_pwd, directory_changed);
on_entry!(load_elf_phdrs, program_read);
on_entry!(do_exit, ends);

/// What `slim_cred_t` holds: ten numbers of 32 bits, then five sets of capabilities.
const CRED_WORDS: usize = 10;
const CRED_BYTES: u32 = 80;

/// One of the words that those make.
#[inline(always)]
fn slim(cred: Cred<false>, word: usize) -> u64 {
    let pair = |low: u32, high: u32| low as u64 | (high as u64) << 32;
    match word {
        0 => pair(cred.uid(), cred.gid()),
        1 => pair(cred.suid(), cred.sgid()),
        2 => pair(cred.euid(), cred.egid()),
        3 => pair(cred.fsuid(), cred.fsgid()),
        4 => pair(cred.user_ns().inum(), cred.securebits()),
        5 => probe(cred.cap_inheritable()),
        6 => probe(cred.cap_permitted()),
        7 => probe(cred.cap_effective()),
        8 => probe(cred.cap_bset()),
        _ => probe(cred.cap_ambient()),
    }
}

/// Whether two credentials are told as the same. Without branches between: the verifier would follow each.
#[inline(always)]
fn are_same(old: Cred<false>, new: Cred<false>) -> bool {
    let mut difference = 0;
    for word in 0..CRED_WORDS {
        difference |= slim(old, word) ^ slim(new, word);
    }
    difference == 0
}

/// An exec commits credentials whether or not they have changed: only changes are told.
#[inline(always)]
fn credentials_change(call: Called) -> Option<()> {
    let (old, new) = (current::<false>().real_cred(), Cred::<false>(call.pointer::<0>()));
    if are_same(old, new) {
        return None;
    }
    record(Hook::CommitCreds, |writer, started| {
        writer.set_word(started, 0, 1);
        writer.set_word(started, 1, 1);
        append_credentials(writer, 0, old);
        append_credentials(writer, 1, new);
        0
    })
}

#[inline(always)]
pub fn append_credentials(writer: &mut Writer, arg: u8, cred: Cred<false>) {
    let bytes = writer.blob_bytes().cast::<u64>();
    for word in 0..CRED_WORDS {
        // SAFETY: the write has room for a blob.
        unsafe { *bytes.add(word) = slim(cred, word) };
    }
    writer.end_blob(arg, form::PLAIN, CRED_BYTES);
}

#[inline(always)]
fn namespaces_change(call: Called) -> Option<()> {
    let (task, new) = (Task::<false>(call.pointer::<0>()), NsProxy::<false>(call.pointer::<1>()));
    // A task that ends gives its namespaces back.
    if new.is_null() || task.nsproxy().is_null() {
        return None;
    }
    record(Hook::SwitchNamespaces, |writer, started| {
        set_namespaces(writer, started, task, new);
        0
    })
}

#[inline(always)]
pub fn set_namespaces(writer: &Writer, started: Started, task: Task<false>, of: NsProxy<false>) {
    writer.set_word(started, 0, task.pid() as u64);
    writer.set_word(started, 1, of.mnt_ns().inum() as u64);
    writer.set_word(started, 2, of.pid_ns_for_children().inum() as u64);
    writer.set_word(started, 3, of.uts_ns().inum() as u64);
    writer.set_word(started, 4, of.ipc_ns().inum() as u64);
    writer.set_word(started, 5, of.net_ns().inum() as u64);
    writer.set_word(started, 6, of.cgroup_ns().inum() as u64);
}

#[inline(always)]
fn handler_set(call: Called) -> Option<()> {
    const ACTION_BYTES: usize = 32;
    let (signal, new, wants_old) =
        (call.number::<0>() as u32, call.pointer::<1>(), call.pointer::<2>());
    let old = current::<false>().sighand().actions().wrapping_add((signal.wrapping_sub(1) & 63) as usize * ACTION_BYTES);
    record(Hook::DoSigaction, |writer, started| {
        writer.set_word(started, 0, signal as u64);
        set_action(writer, started, 1, new);
        set_action(writer, started, 6, if wants_old.is_null() { wants_old } else { old });
        0
    })
}

/// Five words of a `struct k_sigaction`: whether there is one, its flags, mask, method and handler.
#[inline(always)]
fn set_action(writer: &Writer, started: Started, first: usize, action: *const u8) {
    const HANDLED: u64 = 2;
    if action.is_null() {
        return;
    }
    let handler: u64 = probe(action);
    writer.set_word(started, first, 1);
    writer.set_word(started, first + 1, probe::<u64>(action.wrapping_add(8)));
    writer.set_word(started, first + 2, probe::<u64>(action.wrapping_add(24)));
    // 0 and 1 are SIG_DFL and SIG_IGN.
    writer.set_word(started, first + 3, if handler < HANDLED { handler } else { HANDLED });
    writer.set_word(started, first + 4, if handler < HANDLED { 0 } else { handler });
}

#[inline(always)]
fn directory_changed(call: Called) -> Option<()> {
    let path = Path::<false>(call.pointer::<1>());
    let caller = Caller::current();
    let name = if caller.is_in(numbers!("chdir")) { caller.argument(0) } else { 0 };
    record(Hook::SetFsPwd, |writer, _| user_string(writer, 0, name) | path_of(writer, 1, path))
}

#[inline(always)]
fn program_read(call: Called) -> Option<()> {
    let file = File::<false>(call.pointer::<1>());
    record(Hook::LoadElfPhdrs, |writer, started| {
        identify(writer, started, 1, file.inode());
        file_path(writer, 0, file)
    })
}

#[inline(always)]
fn ends(_call: Called) -> Option<()> {
    record(Hook::DoExit, |_, _| 0)
}
