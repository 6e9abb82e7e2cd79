//! Credentials and namespaces: how they are told, and what they are after a call that changed them, for the stand-ins for
//! `commit_creds` and `switch_task_namespaces`.

use events::abi::{bits, form, hooks::Hook};

use crate::{
    record::header,
    context::current,
    emit::{Started, Writer},
    kernel::{Cred, NsProxy, Task, probe},
};

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
pub fn are_same(old: Cred<false>, new: Cred<false>) -> bool {
    let mut difference = 0;
    for word in 0..CRED_WORDS {
        difference |= slim(old, word) ^ slim(new, word);
    }
    difference == 0
}

/// Appends them as a blob.
#[inline(always)]
pub fn append(writer: &mut Writer, arg: u8, cred: Cred<false>) {
    let bytes = writer.blob_bytes().cast::<u64>();
    for word in 0..CRED_WORDS {
        // SAFETY: the write has room for a blob.
        unsafe { *bytes.add(word) = slim(cred, word) };
    }
    writer.end_blob(arg, form::PLAIN, CRED_BYTES);
}

/// Sets the words of an event that tells the namespaces of a task.
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

/// Appends a record of the namespaces that the task is in now.
#[inline(always)]
pub fn append_namespaces(writer: &mut Writer, context: u64) {
    writer.at = credentials_namespaces(writer.room(), writer.at, context);
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn credentials_namespaces(room: u64, at: u64, context: u64) -> u64 {
    let Some(mut writer) = Writer::resume(room, at) else { return at };
    let task = current::<false>();
    let started = writer.start(Hook::SwitchNamespaces.words());
    set_namespaces(&writer, started, task, task.nsproxy());
    let mut header = header(Hook::SwitchNamespaces, context, bits::STAND_IN);
    header.more = 1;
    writer.end(started, header);
    writer.at
}

/// Appends a record of the credentials that the task has now. What it had before is gone.
#[inline(always)]
pub fn append_credentials(writer: &mut Writer, context: u64) {
    writer.at = credentials_changed(writer.room(), writer.at, context);
}

/// The same of a program that has just begun, where its file gave it rights that its user does not have.
#[inline(always)]
pub fn append_given(writer: &mut Writer, context: u64) {
    writer.at = credentials_given(writer.room(), writer.at, context);
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn credentials_given(room: u64, at: u64, context: u64) -> u64 {
    let cred: Cred<false> = current::<false>().cred();
    let uid = cred.uid();
    let is_other = cred.euid() != uid || cred.egid() != cred.gid();
    let has_capabilities = uid != 0 && probe::<u64>(cred.cap_permitted()) != 0;
    if is_other || has_capabilities { credentials_changed(room, at, context) } else { at }
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn credentials_changed(room: u64, at: u64, context: u64) -> u64 {
    let Some(mut writer) = Writer::resume(room, at) else { return at };
    let started = writer.start(Hook::CommitCreds.words());
    writer.set_word(started, 0, 0);
    writer.set_word(started, 1, 1);
    append(&mut writer, 1, current::<false>().cred());
    let mut header = header(Hook::CommitCreds, context, bits::STAND_IN);
    header.more = 1;
    writer.end(started, header);
    writer.at
}
