//! What tasks change about themselves: credentials, namespaces, signal handlers, directory; and their end.

use events::abi::hooks::Hook;

use super::credentials;
use crate::{
    parts::{file_path, identify, path_of, user_string},
    record::record_in_hook,
    registers::numbers,
    context::current,
    emit::{Started, Writer},
    hook::{Called, Caller, on_entry},
    kernel::{Cred, File, NsProxy, Path, Task, probe},
};

on_entry!(commit_creds, credentials_change);
on_entry!(switch_task_namespaces, namespaces_change);
on_entry!(do_sigaction, handler_set);
on_entry!(set_fs_pwd, directory_changed);
on_entry!(load_elf_phdrs, program_read);
on_entry!(do_exit, ends);

/// An exec commits credentials whether or not they have changed: only changes are told.
#[inline(always)]
fn credentials_change(call: Called) -> Option<()> {
    let (old, new) = (current::<false>().real_cred(), Cred::<false>(call.pointer::<0>()));
    if credentials::are_same(old, new) {
        return None;
    }
    record_in_hook(Hook::CommitCreds, |writer, started| {
        writer.set_word(started, 0, 1);
        writer.set_word(started, 1, 1);
        credentials::append(writer, 0, old);
        credentials::append(writer, 1, new);
        0
    })
}

#[inline(always)]
fn namespaces_change(call: Called) -> Option<()> {
    let (task, new) = (Task::<false>(call.pointer::<0>()), NsProxy::<false>(call.pointer::<1>()));
    // A task that ends gives its namespaces back.
    if new.is_null() || task.nsproxy().is_null() {
        return None;
    }
    record_in_hook(Hook::SwitchNamespaces, |writer, started| {
        credentials::set_namespaces(writer, started, task, new);
        0
    })
}

#[inline(always)]
fn handler_set(call: Called) -> Option<()> {
    const ACTION_BYTES: usize = 32;
    let (signal, new, wants_old) =
        (call.number::<0>() as u32, call.pointer::<1>(), call.pointer::<2>());
    let old = current::<false>().sighand().actions().wrapping_add((signal.wrapping_sub(1) & 63) as usize * ACTION_BYTES);
    record_in_hook(Hook::DoSigaction, |writer, started| {
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
    record_in_hook(Hook::SetFsPwd, |writer, _| user_string(writer, 0, name) | path_of(writer, 1, path))
}

#[inline(always)]
fn program_read(call: Called) -> Option<()> {
    let file = File::<false>(call.pointer::<1>());
    record_in_hook(Hook::LoadElfPhdrs, |writer, started| {
        identify(writer, started, 1, file.inode());
        file_path(writer, 0, file)
    })
}

#[inline(always)]
fn ends(_call: Called) -> Option<()> {
    record_in_hook(Hook::DoExit, |_, _| 0)
}
