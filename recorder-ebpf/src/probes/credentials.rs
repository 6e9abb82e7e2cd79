//! Credentials and namespaces after a call that changed them: stand-ins for `commit_creds` and `switch_task_namespaces`.

use events::abi::{bits, form, hooks::Hook};

use super::process::header;
use crate::{
    context::current,
    emit::Writer,
    kernel::{Cred, probe},
};

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
    let namespaces = task.nsproxy();
    let started = writer.start(Hook::SwitchNamespaces.words());
    writer.set_word(started, 0, task.pid() as u64);
    writer.set_word(started, 1, namespaces.mnt_ns().inum() as u64);
    writer.set_word(started, 2, namespaces.pid_ns_for_children().inum() as u64);
    writer.set_word(started, 3, namespaces.uts_ns().inum() as u64);
    writer.set_word(started, 4, namespaces.ipc_ns().inum() as u64);
    writer.set_word(started, 5, namespaces.net_ns().inum() as u64);
    writer.set_word(started, 6, namespaces.cgroup_ns().inum() as u64);
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
    const SLIM_CRED_BYTES: u32 = 80;
    let started = writer.start(Hook::CommitCreds.words());
    writer.set_word(started, 0, 0);
    writer.set_word(started, 1, 1);
    let cred: Cred<false> = current::<false>().cred();
    let bytes = writer.blob_bytes();
    let ids = [
        cred.uid(), cred.gid(), cred.suid(), cred.sgid(), cred.euid(), cred.egid(), cred.fsuid(), cred.fsgid(),
        cred.user_ns().inum(), cred.securebits(),
    ];
    for (i, id) in ids.into_iter().enumerate() {
        // SAFETY: the write has room for a blob.
        unsafe { *bytes.cast::<u32>().add(i) = id };
    }
    let sets =
        [cred.cap_inheritable(), cred.cap_permitted(), cred.cap_effective(), cred.cap_bset(), cred.cap_ambient()];
    for (i, set) in sets.into_iter().enumerate() {
        // SAFETY: as above.
        unsafe { *bytes.add(40).cast::<u64>().add(i) = probe(set) };
    }
    writer.end_blob(1, form::PLAIN, SLIM_CRED_BYTES);
    let mut header = header(Hook::CommitCreds, context, bits::STAND_IN);
    header.more = 1;
    writer.end(started, header);
    writer.at
}
