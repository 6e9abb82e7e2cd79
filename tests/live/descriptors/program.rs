//! The program that is recorded: it uses descriptors in every way that they can come about.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::mem::{size_of, zeroed};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};

/// Runs in this folder, under the name `descriptors`.
pub fn run(folder: &str) -> io::Result<()> {
    // SAFETY: a name with its NUL.
    unsafe { libc::prctl(libc::PR_SET_NAME, c"descriptors".as_ptr()) };
    std::env::set_current_dir(folder)?;
    files()?;
    inherited()?;
    others()?;
    sockets()?;
    names(folder)?;
    memory()
}

fn made(name: &str) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(true).read(true).write(true).open(name)
}

fn files() -> io::Result<()> {
    fs::write("secret", "x")?;
    let mut text = String::new();
    File::open("secret")?.read_to_string(&mut text)?;
    let secret = File::open("secret")?;
    // SAFETY: a buffer of the right size; and descriptors of our own.
    unsafe {
        let mut stat: libc::stat = zeroed();
        check(libc::syscall(libc::SYS_fstat, secret.as_raw_fd(), &raw mut stat) as i32)?;
    }
    drop(secret);
    drop(made("unused")?);
    for directory in ["/", "/proc", "."] {
        fs::read_dir(directory)?.for_each(drop);
    }
    let duplicated = made("duplicated")?;
    // SAFETY: as above.
    unsafe {
        check(libc::syscall(libc::SYS_dup2, duplicated.as_raw_fd(), 200) as i32)?;
        check(libc::close(200))?;
        libc::write(999, c"x".as_ptr().cast(), 1);
    }
    for number in 0..20 {
        let name = format!("short-lived-{number}");
        made(&name)?.write_all(b"x")?;
        fs::remove_file(name)?;
    }
    let mut deleted = made("deleted")?;
    fs::remove_file("deleted")?;
    deleted.write_all(b"x")?;
    let mut renamed = made("before")?;
    renamed.write_all(b"x")?;
    fs::rename("before", "after")?;
    renamed.write_all(b"x")?;
    fs::create_dir("sub")?;
    let mut inside = made("sub/inside")?;
    inside.write_all(b"x")?;
    fs::rename("sub", "moved")?;
    inside.write_all(b"x")
}

fn inherited() -> io::Result<()> {
    let file = made("inherited")?;
    // SAFETY: the child makes two calls and ends.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::write(file.as_raw_fd(), c"x".as_ptr().cast(), 1);
            libc::_exit(0);
        }
        check(libc::waitpid(child, std::ptr::null_mut(), 0))?;
    }
    let (here, there) = UnixStream::pair()?;
    send_descriptor(&here, made("passed")?.as_raw_fd())?;
    File::from(receive_descriptor(&there)?).write_all(b"x")
}

fn others() -> io::Result<()> {
    let (mut reader, mut writer) = io::pipe()?;
    writer.write_all(b"x")?;
    reader.read_exact(&mut [0])?;
    // SAFETY: descriptors that the calls return are ours.
    unsafe {
        let mut hidden = File::from_raw_fd(check(libc::memfd_create(c"hidden".as_ptr(), 0))?);
        hidden.write_all(b"x")?;
        let mut event = File::from_raw_fd(check(libc::eventfd(0, 0))?);
        event.write_all(&1_u64.to_ne_bytes())?;
    }
    Ok(())
}

fn sockets() -> io::Result<()> {
    let (mut here, mut there) = UnixStream::pair()?;
    here.write_all(b"x")?;
    there.read_exact(&mut [0])?;
    // SAFETY: a buffer of one byte.
    unsafe { libc::send(here.as_raw_fd(), c"x".as_ptr().cast(), 1, 0) };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    fs::write("port", address.port().to_string())?;
    let client = TcpStream::connect(address)?;
    let (server, _) = listener.accept()?;
    let mut byte = [0_u8];
    // SAFETY: buffers of one byte.
    unsafe {
        libc::send(client.as_raw_fd(), c"x".as_ptr().cast(), 1, 0);
        libc::recv(server.as_raw_fd(), byte.as_mut_ptr().cast(), 1, 0);
    }
    let path = std::env::current_dir()?.join("sock");
    let _listener = UnixListener::bind(&path)?;
    UnixStream::connect(&path).map(drop)
}

fn names(folder: &str) -> io::Result<()> {
    drop(made("relative")?);
    fs::create_dir("sub")?;
    drop(made("sub/from-dirfd")?);
    drop(made("sub/removed")?);
    std::os::unix::fs::symlink("nowhere", "link")?;
    let (sub, here) = (File::open("sub")?, File::open(folder)?);
    // SAFETY: names with their NUL, and descriptors of our own.
    unsafe {
        check(libc::renameat(
            sub.as_raw_fd(),
            c"from-dirfd".as_ptr(),
            here.as_raw_fd(),
            c"to-dirfd".as_ptr(),
        ))?;
        check(libc::unlinkat(sub.as_raw_fd(), c"removed".as_ptr(), 0))?;
        // In a namespace of its own: nobody else sees the mount.
        check(libc::unshare(libc::CLONE_NEWNS))?;
        check(libc::mount(
            c"none".as_ptr(),
            c"/".as_ptr(),
            std::ptr::null(),
            libc::MS_REC | libc::MS_PRIVATE,
            std::ptr::null(),
        ))?;
        fs::create_dir("mounted")?;
        check(libc::mount(c"none".as_ptr(), c"mounted".as_ptr(), c"tmpfs".as_ptr(), 0, std::ptr::null()))?;
        check(libc::umount2(c"mounted".as_ptr(), 0))?;
    }
    Ok(())
}

fn memory() -> io::Result<()> {
    fs::write("program", [0; 4096])?;
    let program = File::open("program")?;
    let (read, execute) = (libc::PROT_READ, libc::PROT_READ | libc::PROT_EXEC);
    // SAFETY: mappings of our own, of which nothing is used.
    unsafe {
        let mapped =
            libc::mmap(std::ptr::null_mut(), 4096, execute, libc::MAP_PRIVATE, program.as_raw_fd(), 0);
        if mapped == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        check(libc::mprotect(mapped, 4096, read))?;
        check(libc::mprotect(mapped, 4096, execute))?;
        check(libc::munmap(mapped, 4096))?;
    }
    Ok(())
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

const CONTROL_BYTES: usize = 64;

/// A message of one byte with room for a descriptor beside it.
fn message(
    byte: &mut [u8; 1],
    vector: &mut libc::iovec,
    control: &mut [u64; CONTROL_BYTES / 8],
) -> libc::msghdr {
    *vector = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    // SAFETY: a structure of numbers and pointers.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = vector;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    // SAFETY: arithmetic.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(size_of::<RawFd>() as u32) } as usize;
    message
}

fn send_descriptor(socket: &UnixStream, fd: RawFd) -> io::Result<()> {
    let (mut byte, mut control) = ([0], [0; CONTROL_BYTES / 8]);
    let mut vector = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
    let message = message(&mut byte, &mut vector, &mut control);
    // SAFETY: the message has room for one descriptor.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(&message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as usize;
        libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(fd);
        check(libc::sendmsg(socket.as_raw_fd(), &message, 0) as i32).map(drop)
    }
}

fn receive_descriptor(socket: &UnixStream) -> io::Result<OwnedFd> {
    let (mut byte, mut control) = ([0], [0; CONTROL_BYTES / 8]);
    let mut vector = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
    let mut message = message(&mut byte, &mut vector, &mut control);
    // SAFETY: as above; the descriptor is ours from here on.
    unsafe {
        check(libc::recvmsg(socket.as_raw_fd(), &mut message, 0) as i32)?;
        let header = libc::CMSG_FIRSTHDR(&message);
        if header.is_null() {
            return Err(io::Error::other("no descriptor came"));
        }
        Ok(OwnedFd::from_raw_fd(libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned()))
    }
}
