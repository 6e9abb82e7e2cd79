//! The threads that drain and encode before others: on a busy machine they would wait for their turn while the kernel's
//! buffers run full.

use std::io;

/// How much they come before others unless told otherwise.
pub const DEFAULT_BOOST: u8 = 10;

/// Lowers the nice value of the calling thread by so much. Needs CAP_SYS_NICE (`setpriority(2)`).
#[cfg(target_os = "linux")]
pub fn boost(by: u8) -> io::Result<()> {
    // On Linux, process 0 is the calling thread alone.
    let nice = rustix::process::getpriority_process(None)?;
    Ok(rustix::process::setpriority_process(None, (nice - i32::from(by)).max(-20))?)
}

#[cfg(not(target_os = "linux"))]
pub fn boost(_: u8) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_boost_is_of_this_thread_and_no_more() {
        let nice = || rustix::process::getpriority_process(None).expect("a nice value");
        let before = nice();
        let boosted = std::thread::spawn(move || boost(3).map(|()| nice())).join().expect("a thread");
        // Without the capability it is refused.
        match boosted {
            Ok(now) => assert_eq!(now, (before - 3).max(-20)),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::PermissionDenied),
        }
        assert_eq!(nice(), before);
    }
}
