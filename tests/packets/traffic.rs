//! Programs that send on the loopback interface. This executable plays them, so that each is a process of its own.

use std::io::{Error, Read as _, Result, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;

type Role = fn(&[String]) -> Result<()>;

/// The program of this name.
pub fn role(name: &str) -> Option<Role> {
    match name {
        "exchange" => Some(exchange),
        "receive" => Some(receive),
        "send" => Some(send),
        "ask" => Some(ask),
        "speak" => Some(speak),
        "tell-names" => Some(tell_names),
        _ => None,
    }
}

/// Addresses that only these tests use, so that nobody else's packets are counted.
pub const V4: &str = "127.0.0.81";
pub const V6: &str = "::1";
pub const TCP_PORTS: [u16; 2] = [40_871, 40_872];
pub const UDP_PORTS: [u16; 2] = [40_873, 40_874];

/// TCP and UDP, over IPv4 and IPv6: messages of many sizes, and more than one connection.
fn exchange(_: &[String]) -> Result<()> {
    for (ip, tcp, udp) in [(V4, TCP_PORTS[0], UDP_PORTS[0]), (V6, TCP_PORTS[1], UDP_PORTS[1])] {
        let ip = ip.parse().map_err(Error::other)?;
        for _ in 0..3 {
            connection(SocketAddr::new(ip, tcp))?;
        }
        datagrams(SocketAddr::new(ip, udp))?;
    }
    Ok(())
}

fn connection(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address)?;
    let server = thread::spawn(move || -> Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut buffer = [0; 4096];
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                n => stream.write_all(&buffer[..n])?,
            }
        }
    });
    let mut client = TcpStream::connect(address)?;
    client.set_nodelay(true)?;
    for size in [1, 100, 999, 4096] {
        client.write_all(&vec![b'x'; size])?;
        client.read_exact(&mut vec![0; size])?;
    }
    drop(client);
    server.join().map_err(|_| Error::other("the server panicked"))?
}

fn datagrams(address: SocketAddr) -> Result<()> {
    let receiver = UdpSocket::bind(address)?;
    let sender = UdpSocket::bind(SocketAddr::new(address.ip(), 0))?;
    let mut buffer = [0; 2048];
    for i in 0..100usize {
        sender.send_to(&vec![b'y'; i * 10], address)?;
        receiver.recv_from(&mut buffer)?;
    }
    Ok(())
}

/// Takes one datagram at an address, says what port that is, and stays.
fn receive(arguments: &[String]) -> Result<()> {
    let socket = UdpSocket::bind(first(arguments)?)?;
    println!("{}", socket.local_addr()?.port());
    let mut buffer = [0; 64];
    loop {
        socket.recv_from(&mut buffer)?;
    }
}

/// Sends three datagrams to an address.
fn send(arguments: &[String]) -> Result<()> {
    let socket = UdpSocket::bind((V4, 0))?;
    (0..3).try_for_each(|_| socket.send_to(b"hello", first(arguments)?).map(drop))
}

/// Asks a server for the address of `a.tracer.test`.
fn ask(arguments: &[String]) -> Result<()> {
    let socket = UdpSocket::bind((V4, 0))?;
    socket.set_read_timeout(Some(std::time::Duration::from_secs(5)))?;
    socket.send_to(&QUERY, first(arguments)?)?;
    socket.recv_from(&mut [0; 512]).map(drop)
}

/// Where streams are spoken: DNS and HTTP.
pub const STREAMS: [&str; 2] = ["127.0.0.83:53", "127.0.0.83:40875"];

/// A path that is longer than what is kept of a packet.
pub fn long_path() -> String {
    format!("/long/{}", "x".repeat(1000))
}

/// Two questions over TCP, the length of the first apart from it and the second behind its end; and requests whose heads come in
/// pieces, two in a segment, and longer than what is kept.
fn speak(_: &[String]) -> Result<()> {
    let length = (QUERY.len() as u16).to_be_bytes();
    let (begin, end) = QUERY.split_at(17);
    let questions: [&[u8]; 3] = [&length, begin, &[end, &length, &QUERY].concat()];
    let answer = [&QUERY[..2], b"\x81\x80\0\x01\0\x01\0\0\0\0", &QUERY[12..], &ADDRESS].concat();
    let told = [&(answer.len() as u16).to_be_bytes()[..], &answer].concat();
    conversation(STREAMS[0], &questions, &[&told[..1], &[&told[1..], &told].concat()])?;
    let long = format!("GET {} HTTP/1.1\r\nHost: long\r\n\r\n", long_path());
    let requests: [&[u8]; 5] = [
        b"GET /pie",
        b"ces HTTP/1.1\r\nHost: a\r\n",
        b"\r\nGET /second HTTP/1.1\r\nHost: b\r\n\r\n",
        long.as_bytes(),
        b"POST /last HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
    ];
    let responses: [&[u8]; 2] =
        [b"HTTP/1.1 2", b"00 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 404 Not Found\r\n\r\n"];
    conversation(STREAMS[1], &requests, &responses)
}

/// Each part is a segment of its own: one is sent once the one before it was read.
fn conversation(address: &str, there: &[&[u8]], back: &[&[u8]]) -> Result<()> {
    let listener = TcpListener::bind(address)?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    for (mut from, mut to, parts) in [(&client, &server, there), (&server, &client, back)] {
        from.set_nodelay(true)?;
        for part in parts {
            from.write_all(part)?;
            to.read_exact(&mut vec![0; part.len()])?;
        }
    }
    Ok(())
}

/// A name server that knows one address for every name, and nothing else of any.
fn tell_names(arguments: &[String]) -> Result<()> {
    const A: [u8; 2] = [0, 1];
    let socket = UdpSocket::bind(first(arguments)?)?;
    let mut buffer = [0; 512];
    loop {
        let (length, from) = socket.recv_from(&mut buffer)?;
        let Some(question) = buffer.get(12..length) else { continue };
        let labels = question.iter().position(|byte| *byte == 0).unwrap_or_default();
        let Some(question) = question.get(..labels + 5) else { continue };
        let has_address = question[labels + 1..labels + 3] == A;
        let mut answer =
            [&buffer[..2], b"\x81\x80\0\x01\0", &[u8::from(has_address)], b"\0\0\0\0", question].concat();
        if has_address {
            answer.extend(ADDRESS);
        }
        socket.send_to(&answer, from)?;
    }
}

/// Of the name in the question: 10.1.2.3, for an hour.
pub const ADDRESS: [u8; 16] = *b"\xc0\x0c\0\x01\0\x01\0\0\x0e\x10\0\x04\x0a\x01\x02\x03";

/// The address of `a.tracer.test`, please.
pub const QUERY: [u8; 31] = *b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\x06tracer\x04test\0\0\x01\0\x01";

fn first(arguments: &[String]) -> Result<SocketAddr> {
    arguments.first().ok_or_else(|| Error::other("an address is missing"))?.parse().map_err(Error::other)
}
