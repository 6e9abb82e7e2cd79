//! What the test program does when it is run as the program that is recorded: `live --act NAME FOLDER`.

use std::ffi::CString;
use std::io;

use crate::{
    artifacts, behaviours, created, credentials, cut, execs, identity, logs, memory, overlap, paths, seccomp,
    strict, timing, walk,
};

/// First argument.
pub const FLAG: &str = "--act";

type Act = fn(&str) -> io::Result<()>;

/// The acts by their names.
const ACTS: &[(&str, Act)] = &[
    ("leave-artifacts", artifacts::leave),
    ("alternate-mounts", paths::alternate_mounts),
    ("go-deep", paths::go_deep),
    ("share-a-place", identity::share_a_place),
    ("be-trapped", seccomp::be_trapped),
    ("exec-beside-failures", execs::exec_beside_failures),
    ("exec-from-memory", execs::exec_from_memory),
    ("write-over-arguments", overlap::write_over_arguments),
    ("reuse-descriptors", memory::reuse_descriptors),
    ("be-renamed", memory::rename_host),
    ("change-what-is-given", strict::change_what_is_given),
    ("swap-a-path", strict::swap_a_path),
    ("sleep-in-threads", timing::sleep_in_threads),
    ("exec-in-thread", timing::exec_in_thread),
    ("read-for-ever", timing::read_for_ever),
    ("make-every-call", walk::calls::make),
    ("do-every-deed", walk::deeds::all),
    ("have-all-cut", cut::have_all_cut),
    ("write-a-file", walk::deeds::again),
    ("misbehave", behaviours::misbehave),
    ("change-credentials", credentials::change_credentials),
    ("open-files", created::open_files),
    ("send-to-logs", logs::send),
];

/// Does it, and leaves.
pub fn run(arguments: &[String]) -> ! {
    let [name, folder, ..] = arguments else { std::process::exit(2) };
    let act = ACTS.iter().find(|(known, _)| known == name);
    match act.map(|(_, act)| act(folder)) {
        Some(Ok(())) => std::process::exit(0),
        Some(Err(error)) => eprintln!("{name}: {error}"),
        None => eprintln!("no act {name}"),
    }
    std::process::exit(1)
}

/// The result of a call, or what went wrong.
pub fn check(result: i64) -> io::Result<i64> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

pub fn name_self(name: &str) -> io::Result<()> {
    let name = c_string(name)?;
    // SAFETY: a string with its NUL.
    check(unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) }.into()).map(drop)
}

pub fn c_string(text: &str) -> io::Result<CString> {
    Ok(CString::new(text)?)
}

/// Waits for a child, which must end well.
pub fn wait_for(child: i64) -> io::Result<()> {
    let mut status = 0;
    // SAFETY: a child of our own, and room for its status.
    check(unsafe { libc::waitpid(child as i32, &raw mut status, 0) }.into())?;
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::other(format!("the child ended with status {status:#x}")))
    }
}
