//! Redacting what the header says: the host, the command line, and the filters and policies of the recording, in which
//! paths, names and addresses stand among words of ours.

use std::net::IpAddr;

use events::catalogue;

use crate::Header;
use crate::redact::{Redactor, Subject, Treatment, subject_of_text};

/// What ends a word of a filter, a policy or a command line.
const BETWEEN: &[char] = &['=', '<', '>', '!', ',', ':', ' ', '\t', '\n', '\r', '"', '\''];

impl Redactor {
    /// Changes what the header says. Comes before the rows: it tells the names of the hosts.
    pub fn header(&mut self, header: &mut Header) {
        for host in std::iter::once(&mut header.host).chain(&mut header.more_hosts) {
            let Some(treatment) = self.treatment(&Subject::Hosts, host.hostname.as_bytes()) else { continue };
            if !host.hostname.is_empty() {
                self.host_names.push(host.hostname.as_bytes().to_vec());
            }
            for text in [&mut host.hostname, &mut host.boot_id] {
                *text = self.treated_text(treatment, text);
            }
        }
        let recording = &mut header.recording;
        for word in &mut recording.command_line {
            *word = match self.treatment(&Subject::Argv, word.as_bytes()) {
                Some(treatment) => self.treated_text(treatment, word),
                None => self.words(word),
            };
        }
        for text in recording.filters.iter_mut().chain(&mut recording.policies) {
            *text = self.words(text);
        }
    }

    fn treated_text(&self, treatment: Treatment, text: &str) -> String {
        String::from_utf8_lossy(&self.treated(treatment, text.as_bytes())).into_owned()
    }

    /// The text with those of its words redacted that a rule is about.
    fn words(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let (mut key, mut rest) = ("", text);
        while !rest.is_empty() {
            let (word, after) = rest.split_at(rest.find(BETWEEN).unwrap_or(rest.len()));
            match self.word(key, word) {
                Some(treatment) => out.push_str(&self.treated_text(treatment, word)),
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

    fn word(&self, key: &str, word: &str) -> Option<Treatment> {
        let bytes = word.as_bytes();
        if word.is_empty() {
            return None;
        }
        let by_key = match key {
            "comm" | "processName" | "p.comm" => Some(Subject::Comm),
            "uts" | "hostName" => Some(Subject::Hosts),
            "binary" | "bin" | "executable" => Some(Subject::Paths),
            "container" | "containerName" | "containerImage" | "podName" | "podNamespace" => {
                Some(Subject::Containers)
            }
            "uid" | "user" | "userId" if word.parse::<u64>().is_err() => Some(Subject::Users),
            _ => None,
        };
        if let Some(treatment) = by_key.and_then(|subject| self.treatment(&subject, bytes)) {
            return Some(treatment);
        }
        if let Some((event, name)) = key.split_once('.') {
            let name = name.strip_prefix("args.").or_else(|| name.strip_prefix("data.")).unwrap_or(name);
            let is_text = catalogue::by_name(event)
                .and_then(|event| event.arg(name))
                .is_some_and(|(_, arg)| arg.kind.is_bytes());
            let by_subject = || self.treatment(&subject_of_text(event, name), bytes).filter(|_| is_text);
            if let Some(treatment) = self.named(event, name, bytes).or_else(by_subject) {
                return Some(treatment);
            }
        }
        let by_look = if word.contains('/') {
            self.treatment(&Subject::Paths, bytes)
        } else if word.parse::<IpAddr>().is_ok() {
            self.treatment(&Subject::Addresses, bytes)
        } else {
            None
        };
        // A pattern that fits a word fits it wherever it stands.
        by_look.or_else(|| {
            let rule = self
                .rules
                .iter()
                .find(|rule| rule.glob.as_deref().is_some_and(|glob| glob != "*") && rule.fits(bytes));
            rule.map(|rule| rule.treatment).or_else(|| self.names_a_host(bytes).then_some(Treatment::Hash))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Rule;

    fn redacted(rules: &[&str], filters: &[&str]) -> Vec<String> {
        let rules = rules.iter().map(|text| Rule::parse(text, Treatment::Drop).unwrap()).collect();
        let mut header = Header::default();
        header.host.hostname = "web1".into();
        header.recording.filters = filters.iter().map(|&text| text.to_owned()).collect();
        Redactor::new(rules, b"secret").header(&mut header);
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
        assert_eq!(redacted(&["hosts"], &["uts=web1", "comm=my-web1"]), ["uts=", "comm=6ade852a"]);
        assert_eq!(redacted(&["addresses"], &["connect.addr.sin_addr=10.0.0.1"]), ["connect.addr.sin_addr="]);
    }
}
