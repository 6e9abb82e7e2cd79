//! Redacting what the header says: the host, the command line, and the filters and policies of the recording, in which
//! paths, names and addresses stand among words of ours.

use std::net::IpAddr;

use events::{ArgKind, catalogue};

use super::bearing::{Form, StringsAre, TextIs, of_kind};
use super::host_names::HostNames;
use super::rule::What;
use super::{Judged, Redactor, Subject, forms};
use crate::{Header, Host, Provenance, Recording, SourceCapture, recorded};

/// What ends a word of a filter, a policy or a command line.
const BETWEEN: &[char] = &['=', '<', '>', '!', ',', ':', ' ', '\t', '\n', '\r', '"', '\''];

/// Keys of filters whose values are numbers or words of ours.
const HARMLESS: &[&str] = &[
    "event",
    "eventName",
    "set",
    "gid",
    "egid",
    "sgid",
    "fsgid",
    "cap",
    "capPermitted",
    "capInheritable",
    "capBounding",
    "capAmbient",
    "session",
    "pgid",
    "tty",
    "auditSession",
    "pid",
    "hostPid",
    "processId",
    "hostProcessId",
    "tid",
    "hostTid",
    "threadId",
    "hostThreadId",
    "ppid",
    "parentProcessId",
    "hostParentProcessId",
    "mntns",
    "mountNamespace",
    "mntNS",
    "pidns",
    "pidNamespace",
    "pidNS",
    "tree",
    "follow",
    "retval",
    "returnValue",
    "cpu",
    "processorId",
    "timestamp",
    "scope",
    "bytes",
    "cgroup",
    "cgroupId",
    "type",
];

impl Redactor {
    /// Changes what the header says. Comes before the rows: it tells the names of the hosts.
    pub fn header(&mut self, header: &mut Header) {
        let is_named = |host: &&Host| self.judge_text(TextIs::Host, host.hostname.as_bytes()).is_some();
        let names = header.hosts().filter(is_named).map(|host| forms::small(host.hostname.as_bytes()));
        self.host_names = HostNames::of(&names.filter(|name| !name.is_empty()).collect());
        for host in std::iter::once(&mut header.host).chain(&mut header.more_hosts) {
            let Some(judged) = self.judge_text(TextIs::Host, host.hostname.as_bytes()) else { continue };
            for text in [&mut host.hostname, &mut host.boot_id].into_iter().filter(|text| !text.is_empty()) {
                *text = self.treated_text(judged, text);
            }
        }
        for host in std::iter::once(&mut header.host).chain(&mut header.more_hosts) {
            for text in [&mut host.kernel_release, &mut host.kernel_version, &mut host.os] {
                if let Some(judged) = self.judge(None, Form::Text(TextIs::Kind), text.as_bytes()) {
                    *text = self.treated_text(judged, text);
                }
                self.ours(text);
            }
        }
        // Every field is named, so that a new one does not compile until it is decided here.
        let Header {
            program,
            host: _,
            clock: _,
            schema: _,
            recording,
            more_hosts: _,
            more_recordings,
            provenance,
            more,
        } = header;
        self.ours(program);
        // Nobody knows what a later version says there.
        more.clear();
        for recording in std::iter::once(recording).chain(more_recordings) {
            self.recording(recording);
        }
        for Provenance { command, sources } in provenance {
            command.iter_mut().for_each(|word| self.command_word(word));
            for SourceCapture { name, head: _, signed_by: _, verdict } in sources {
                self.command_word(name);
                self.ours(verdict);
            }
        }
    }

    fn recording(&self, recording: &mut Recording) {
        let Recording {
            command_line,
            filters,
            policies,
            events,
            only_matched: _,
            start_ns: _,
            string_bound: _,
            buffer_bound: _,
            snaplen: _,
            transport,
            unavailable,
            made_from,
            unknown_fields,
            part: _,
            previous_head: _,
            more,
        } = recording;
        command_line.iter_mut().for_each(|word| self.command_word(word));
        for text in filters.iter_mut().chain(&mut *policies) {
            *text = self.words(text);
        }
        // What it was made from says what was cut: filters stand there too.
        *made_from = self.words(made_from);
        self.ours(transport);
        unavailable.iter_mut().for_each(|it| self.ours(&mut it.reason));
        unknown_fields.iter_mut().chain(events).for_each(|text| self.ours(text));
        // Sizes stay; nobody knows what a later version says there, nor what labels do.
        more.retain(|name, value| {
            !name.starts_with(recorded::LABEL) && value.bytes().all(|byte| byte.is_ascii_digit())
        });
        for text in [command_line, filters, policies].into_iter().flatten() {
            self.search(
                || "the recording's command line, filters or policies".into(),
                false,
                text.as_bytes(),
            );
        }
    }

    fn command_word(&self, word: &mut String) {
        *word = match self.judge(None, Form::Strings(StringsAre::Argv), word.as_bytes()) {
            Some(judged) => self.treated_text(judged, word),
            None => self.words(word),
        };
    }

    /// A text of the program's own: nothing is expected in it, and nothing that a rule names may be in it.
    fn ours(&self, text: &mut String) {
        if let Some(judged) = self.by_glob(text.as_bytes()) {
            *text = self.treated_text(judged, text);
        }
    }

    fn treated_text(&self, judged: Judged, text: &str) -> String {
        String::from_utf8_lossy(&self.treated(judged, text.as_bytes())).into_owned()
    }

    /// The text with those of its words redacted that a rule is about.
    fn words(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let (mut key, mut rest) = ("", text);
        while !rest.is_empty() {
            let (word, after) = rest.split_at(rest.find(BETWEEN).unwrap_or(rest.len()));
            match self.word(key, word) {
                Some(judged) => out.push_str(&self.treated_text(judged, word)),
                None => out.push_str(word),
            }
            let (between, next) =
                after.split_at(after.find(|c| !BETWEEN.contains(&c)).unwrap_or(after.len()));
            out.push_str(between);
            // Values of a list have the list's key.
            key = match between {
                "," => key,
                _ if between.contains(['=', '<', '>']) => word,
                _ => "",
            };
            rest = next;
        }
        out
    }

    fn word(&self, key: &str, word: &str) -> Option<Judged> {
        if word.is_empty() {
            return None;
        }
        let bytes = word.as_bytes();
        let named = key.split_once('.').map(|(event, name)| (event, argument(name)));
        let by_key = possible(key, word).into_iter().find_map(|form| self.judge(named, form, bytes));
        by_key
            .or_else(|| match word {
                _ if word.contains('/') => self.judge_text(TextIs::Path, bytes),
                _ if word.parse::<IpAddr>().is_ok() => self.judge_text(TextIs::Address, bytes),
                _ => None,
            })
            .or_else(|| self.by_glob(bytes))
    }

    /// A pattern that fits a word fits it wherever it stands, whatever the rule is about; so does the name of a host.
    fn by_glob(&self, bytes: &[u8]) -> Option<Judged> {
        let whole = forms::whole(bytes);
        let found = self.rules.iter().position(|rule| {
            let Some(glob) = &rule.glob else { return false };
            let is_any = matches!(rule.what, What::Subject(Subject::Any));
            // `*` alone fits everything, and says nothing of a word.
            !glob.fits(b"") && whole.iter().any(|form| glob.fits(form) || is_any && glob.is_inside(form))
        });
        match found.and_then(|at| Some((at, self.rules.get(at)?.treatment))) {
            Some((at, treatment)) => Some(Judged { rule: Some(at), treatment }),
            None => {
                self.names_a_host(bytes).then_some(Judged { rule: None, treatment: super::Treatment::Hash })
            }
        }
    }
}

fn argument(name: &str) -> &str {
    let name = name.strip_prefix("args.").or_else(|| name.strip_prefix("data.")).unwrap_or(name);
    // `connect.addr.sin_addr` asks for a part of `addr`.
    name.split('.').next().unwrap_or(name)
}

/// What the value of a filter's key may be. What is not known may be anything.
fn possible(key: &str, word: &str) -> Vec<Form> {
    let text = |is| vec![Form::Text(is)];
    match key {
        "" => Vec::new(),
        _ if HARMLESS.contains(&key) => Vec::new(),
        "comm" | "processName" | "p.comm" => text(TextIs::Comm),
        "uts" | "hostName" | "host" => text(TextIs::Host),
        "binary" | "bin" | "executable" | "cwd" => text(TextIs::Path),
        "container" | "containerName" | "containerImage" | "containerId" | "podName" | "podNamespace"
        | "podUid" => text(TextIs::Container),
        "uid" | "user" | "userId" | "euid" | "suid" | "fsuid" | "loginuid" => match word {
            "unset" => Vec::new(),
            _ if word.parse::<u64>().is_ok() => Vec::new(),
            _ => text(TextIs::User),
        },
        _ => of_argument(key),
    }
}

fn of_argument(key: &str) -> Vec<Form> {
    let of = |event: &events::Event, name: &str| {
        event.arg(name).map(|(_, arg)| match (arg.kind, event.name) {
            (ArgKind::Any(_), "prctl") => Form::Text(TextIs::Comm),
            (ArgKind::Any(_), _) => Form::Text(TextIs::Value),
            (ArgKind::Fd, _) => Form::Text(TextIs::Socket),
            (ArgKind::Sockaddr(_) | ArgKind::Msghdr | ArgKind::Mmsghdr(_), _) => Form::Text(TextIs::Socket),
            (kind, _) => of_kind(event, name, kind),
        })
    };
    let found: Vec<Form> = match key.split_once('.') {
        Some(("args" | "data", _)) => {
            catalogue::events().filter_map(|event| of(event, argument(key))).collect()
        }
        Some((event, name)) => {
            catalogue::by_name(event).and_then(|event| of(event, argument(name))).into_iter().collect()
        }
        None => catalogue::events().filter_map(|event| of(event, key)).collect(),
    };
    let mut forms: Vec<Form> = Vec::new();
    for form in found {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    if forms.is_empty() {
        forms.push(Form::Text(TextIs::Foreign));
    }
    forms.retain(|form| *form != Form::Numbers);
    forms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Treatment;
    use crate::redact::tests::redactor;

    fn redacted(rules: &[&str], filters: &[&str]) -> Vec<String> {
        let rules: Vec<_> = rules.iter().map(|text| (*text, Treatment::Drop)).collect();
        let mut header = Header::default();
        header.host.hostname = "web1".into();
        header.recording.filters = filters.iter().map(|&text| text.to_owned()).collect();
        redactor(&rules).header(&mut header);
        header.recording.filters
    }

    #[test]
    fn filters_lose_what_their_values_say_of_what_is_redacted() {
        assert_eq!(
            redacted(&["paths"], &["9:openat.args.pathname=/etc/*,/home/x", "9:comm=ls", "binary=/bin/ls"]),
            ["9:openat.args.pathname=,", "9:comm=ls", "binary="]
        );
        assert_eq!(redacted(&["comm"], &["9:comm=ls,cat", "9:uid=0"]), ["9:comm=,", "9:uid=0"]);
        assert_eq!(
            redacted(&["paths=/home/*"], &["-f openat.pathname=/home/a", "x=/etc/a"]),
            ["-f openat.pathname=", "x=/etc/a"]
        );
        let hosts = redacted(&["hosts"], &["uts=web1", "comm=my-WEB1"]);
        assert!(hosts[0] == "uts=" && hosts[1].starts_with("comm=") && hosts[1].len() == 21, "{hosts:?}");
        for (rule, filter) in [
            ("data", "write.buf=*hunter2*"),
            ("argv", "execve.argv=*hunter2*"),
            ("data", "data.buf=hunter2"),
            ("env", "execve.envp=KEY"),
            ("containers", "containerName=shop"),
            ("paths", "cwd=/home/hunter2"),
            ("users", "loginuid=hunter2"),
            ("users", "euid=hunter2"),
            ("comm", "my_detection.what=hunter2"),
            ("any", "openat.pathname=*HUNTER2"),
        ] {
            let left = redacted(&[rule], &[filter]).concat().to_lowercase();
            assert!(
                left.ends_with('=') || !left.contains("hunter2") && !left.contains("shop"),
                "{rule}: {left}"
            );
        }
        assert!(!redacted(&["any=*hunter2*"], &["-f comm=a --x=ahunter2b"]).concat().contains("hunter2"));
        assert_eq!(redacted(&["argv"], &["event=openat", "pid=7,8"]), ["event=openat", "pid=7,8"]);
        assert_eq!(redacted(&["addresses"], &["connect.addr.sin_addr=10.0.0.1"]), ["connect.addr.sin_addr="]);
    }
}
