//! What programs say to logs and to audit, from what they write and send.

use events::{Raw, catalogue};
use pipeline::Args;
use pipeline::derive::{Base, Derived, Rules};

/// A descriptor of number 3 that stands for something.
fn fd(stands_for: &str) -> Vec<u8> {
    [&3u64.to_le_bytes(), stands_for.as_bytes()].concat()
}

/// What comes of a call, one line an event: its values in order.
fn told(call: &str, args: &[(&str, Raw<'_>)], ret: i64, exe: &str) -> Vec<String> {
    let event = catalogue::by_name(call).expect("a call of the catalogue");
    let mut values = vec![Raw::Missing; event.args.len()];
    for (name, value) in args {
        values[event.arg(name).expect("an argument of the call").0] = *value;
    }
    let base = Base {
        event,
        args: Args::List(&values),
        ret,
        exe: exe.as_bytes(),
        messages: &[],
        only_messages: false,
    };
    let mut derived = Derived::default();
    Rules::new(|_| 1).derive(&base, 1, &mut derived);
    let event = |index| {
        let mut values = Vec::new();
        let event = derived.get(index, &mut values)?;
        let values = values.iter().map(|value| match value {
            Raw::Missing => "-".to_owned(),
            Raw::Number(number) => number.to_string(),
            Raw::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        });
        let cut = if derived.marks(index, events::Marks(0)).0 == 0 { "" } else { " (cut)" };
        Some(format!("{} {}{cut}", event.name, values.collect::<Vec<_>>().join("|")))
    };
    (0..derived.len()).filter_map(event).collect()
}

fn written(to: &str, text: &str, exe: &str) -> Vec<String> {
    let fd = fd(to);
    told("write", &[("fd", Raw::Bytes(&fd)), ("buf", Raw::Bytes(text.as_bytes()))], text.len() as i64, exe)
}

#[test]
fn what_is_sent_to_syslog_is_a_message_with_its_parts() {
    let message = "<38>Nov 29 06:12:01 sshd[812]: Failed password for root";
    let expected = ["log_message syslog|auth|info|sshd|812|Failed password for root"];
    assert_eq!(written("unix ->/run/systemd/journal/dev-log", message, "/usr/sbin/sshd"), expected);
    // A socket without a peer names it.
    let open = fd("unix [4711]");
    let address = [b"\x01\0/dev/log\0".as_slice(), &[7; 4]].concat();
    let args = [
        ("sockfd", Raw::Bytes(open.as_slice())),
        ("buf", Raw::Bytes(message.as_bytes())),
        ("dest_addr", Raw::Bytes(address.as_slice())),
    ];
    assert_eq!(told("sendto", &args, 54, ""), expected);
    // What failed was said to nobody, and another socket is no log.
    assert_eq!(told("sendto", &args, -111, ""), [""; 0]);
    assert_eq!(written("unix ->/run/other.sock", message, ""), [""; 0]);
    assert_eq!(written("unix [4711]", message, ""), [""; 0]);
}

#[test]
fn what_was_not_kept_to_its_end_says_so() {
    let log = fd("unix ->/dev/log");
    let args = [("fd", Raw::Bytes(log.as_slice())), ("buf", Raw::Bytes(b"<38>sudo: a lon".as_slice()))];
    assert_eq!(told("write", &args, 400, ""), ["log_message syslog|auth|info|sudo|-|a lon (cut)"]);
}

#[test]
fn each_line_of_a_file_is_a_message_unless_a_logger_wrote_it() {
    let lines = "Nov 29 06:12:01 web vsftpd[7]: one\nplain\n\n";
    assert_eq!(
        written("/var/log/vsftpd.log", lines, "/usr/sbin/vsftpd"),
        ["log_message file|-|-|vsftpd|7|one", "log_message file|-|-|vsftpd|-|plain"]
    );
    assert_eq!(written("/var/log/auth.log", lines, "/usr/sbin/rsyslogd"), [""; 0]);
    assert_eq!(
        written("/var/log/kern.log", "Nov 29 06:12:01 web kernel: [ 7.1] x: taints\n", "/usr/sbin/rsyslogd"),
        ["log_message file|-|-|kernel|-|[ 7.1] x: taints"]
    );
    assert_eq!(written("/var/log/wtmp", "\0\u{1}\0", "/bin/login"), [""; 0]);
    assert_eq!(
        written("/root/.bash_history", "curl x | sh\nls\n", "/bin/bash"),
        ["log_message history|-|-|bash_history|-|curl x | sh", "log_message history|-|-|bash_history|-|ls"]
    );
    assert_eq!(written("/root/notes", "x\n", "/bin/bash"), [""; 0]);
}

#[test]
fn what_a_service_prints_is_a_message_but_not_what_systemd_says_of_it_first() {
    let to = "unix ->/run/systemd/journal/stdout";
    assert_eq!(
        written(to, "<4>careful\nplain\n", "/usr/sbin/cron"),
        ["log_message stdout|kern|warning|cron|-|careful", "log_message stdout|-|-|cron|-|plain"]
    );
    assert_eq!(written(to, "cron\ncron.service\n6\n0\n1\n0\n0\n", "/lib/systemd/systemd"), [""; 0]);
}

#[test]
fn fields_of_the_journal_come_in_vectors() {
    let mut data = Vec::new();
    let parts = ["MESSAGE=hello there\n", "PRIORITY=3\n", "SYSLOG_IDENTIFIER=app\n"];
    let mut message = vec![0u8; 16 + 56];
    for part in parts {
        message.extend_from_slice(&0u64.to_le_bytes());
        message.extend_from_slice(&(part.len() as u64).to_le_bytes());
        data.extend_from_slice(part.as_bytes());
    }
    message[2] = parts.len() as u8;
    message[8..12].copy_from_slice(&(data.len() as u32).to_le_bytes());
    message.extend_from_slice(&data);
    let socket = fd("unix ->/run/systemd/journal/socket");
    let args = [("sockfd", Raw::Bytes(socket.as_slice())), ("msg", Raw::Bytes(message.as_slice()))];
    let expected = ["log_message journal|user|err|app|-|hello there"];
    assert_eq!(told("sendmsg", &args, data.len() as i64, ""), expected);
    let args = [("sockfd", Raw::Bytes(socket.as_slice())), ("msgvec", Raw::Bytes(message.as_slice()))];
    assert_eq!(told("sendmmsg", &args, 1, ""), expected);
    assert_eq!(told("sendmmsg", &args, 0, ""), [""; 0]);
}

#[test]
fn messages_to_audit_are_those_of_programs() {
    let message = |kind: u16, text: &str| {
        let mut message = (16 + text.len() as u32).to_le_bytes().to_vec();
        message.extend_from_slice(&kind.to_le_bytes());
        message.extend_from_slice(&[0; 10]);
        message.extend_from_slice(text.as_bytes());
        message.resize(message.len().next_multiple_of(4), 0);
        message
    };
    let socket = fd("netlink NETLINK_AUDIT [4711]");
    let send = |bytes: &[u8], sent: i64| {
        let args = [("sockfd", Raw::Bytes(socket.as_slice())), ("buf", Raw::Bytes(bytes))];
        told("sendto", &args, sent, "")
    };
    let both = [message(1114, "op=add acct=\"eve\""), message(1131, "unit=auditd")].concat();
    assert_eq!(
        send(&both, both.len() as i64),
        ["audit_user_message 1114|op=add acct=\"eve\"", "audit_user_message 1131|unit=auditd"]
    );
    // A question about audit's state is no message.
    assert_eq!(send(&message(1000, ""), 16), [""; 0]);
    assert_eq!(send(&both[..24], 80), ["audit_user_message 1114|op=add a (cut)"]);
    for end in 0..both.len() {
        let _ = send(&both[..end], both.len() as i64);
    }
}
