//! Logs of JSON objects, one a line or spread over several.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use replay::import::{Line, Log, bounded_line};
use serde_json::{Map, Value};

use super::{falco, kunai, tetragon};

/// Whose objects they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    Falco,
    Kunai,
    Tetragon,
}

/// A log of JSON objects.
#[derive(Debug)]
pub struct Objects<R> {
    log: R,
    dialect: Dialect,
    number: u64,
    text: Vec<u8>,
    /// Lines of an object that goes on, and the number of the first of them.
    begun: Vec<u8>,
    begun_at: u64,
    ready: VecDeque<Result<Line, String>>,
}

/// An object that is spread over lines ends within so much.
const SPREAD_BYTES: usize = 1 << 20;

impl<R: BufRead> Objects<R> {
    pub fn new(log: R, dialect: Dialect) -> Objects<R> {
        Objects {
            log,
            dialect,
            number: 0,
            text: Vec::new(),
            begun: Vec::new(),
            begun_at: 0,
            ready: VecDeque::new(),
        }
    }

    /// Takes one line; the lines of an object that it ends, or why there is none.
    fn take(&mut self, text: &[u8]) -> Result<Vec<Map<String, Value>>, String> {
        if self.begun.is_empty() {
            if text.trim_ascii().is_empty() {
                return Ok(Vec::new());
            }
            return match serde_json::from_slice::<Value>(text) {
                Ok(object) => self.read(&object),
                Err(error) if error.is_eof() => {
                    self.begun_at = self.number;
                    self.begun.extend_from_slice(text);
                    Ok(Vec::new())
                }
                Err(error) => Err(error.to_string()),
            };
        }
        if self.begun.len() + text.len() > SPREAD_BYTES {
            let at = self.begun_at;
            self.begun.clear();
            return Err(format!("the object that begins in line {at} does not end within 1 MiB"));
        }
        self.begun.extend_from_slice(text);
        // Whoever spreads an object over lines ends it at the margin. Lines within are indented: they are not tried.
        if !text.starts_with(b"}") {
            return Ok(Vec::new());
        }
        let object = serde_json::from_slice::<Value>(&self.begun);
        match object {
            Err(error) if error.is_eof() => Ok(Vec::new()),
            Err(error) => {
                self.begun.clear();
                Err(format!("the object that begins in line {}: {error}", self.begun_at))
            }
            Ok(object) => {
                self.begun.clear();
                self.read(&object)
            }
        }
    }

    fn read(&self, object: &Value) -> Result<Vec<Map<String, Value>>, String> {
        match self.dialect {
            Dialect::Falco => falco::read(object),
            Dialect::Kunai => kunai::read(object),
            Dialect::Tetragon => tetragon::read(object),
        }
    }
}

impl<R: BufRead> Log for Objects<R> {
    fn kind(&self) -> &'static str {
        match self.dialect {
            Dialect::Falco => "falco",
            Dialect::Kunai => "kunai",
            Dialect::Tetragon => "tetragon",
        }
    }

    fn unknown(&self) -> &'static [&'static str] {
        match self.dialect {
            Dialect::Falco => &falco::UNKNOWN,
            Dialect::Kunai => &kunai::UNKNOWN,
            Dialect::Tetragon => &tetragon::UNKNOWN,
        }
    }

    fn next(&mut self) -> io::Result<Option<(u64, Result<Line, String>)>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Ok(Some((self.number, line)));
            }
            self.number += 1;
            match bounded_line(&mut self.log, &mut self.text)? {
                None if self.begun.is_empty() => return Ok(None),
                None => {
                    self.begun.clear();
                    return Ok(Some((self.begun_at, Err("an object that does not end".to_owned()))));
                }
                Some(Err(reason)) => return Ok(Some((self.number, Err(reason)))),
                Some(Ok(())) => {}
            }
            let text = std::mem::take(&mut self.text);
            match self.take(&text) {
                Ok(rows) => self.ready.extend(rows.into_iter().map(|row| Line::of_json(Value::Object(row)))),
                Err(reason) => self.ready.push_back(Err(reason)),
            }
            self.text = text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(dialect: Dialect, text: &str) -> Vec<String> {
        let mut log = Objects::new(text.as_bytes(), dialect);
        let mut told = Vec::new();
        while let Some((number, line)) = log.next().expect("it reads") {
            told.push(match line {
                Err(reason) => format!("{number}: {reason}"),
                Ok(line) => {
                    let args = line.args.iter().filter(|arg| !arg.value.is_null());
                    let args: Vec<String> = args.map(|arg| format!("{}={}", arg.name, arg.value)).collect();
                    format!(
                        "{} {} {} [{}]",
                        line.timestamp,
                        line.event_name,
                        line.return_value,
                        args.join(" ")
                    )
                }
            });
        }
        told
    }

    #[test]
    fn objects_may_be_spread_over_lines_and_what_is_none_costs_only_itself() {
        let log = r#"{"time":"2022-02-01T18:01:56.411Z","process_exec":{"process":{"pid":7,"uid":0,"binary":"/bin/sh","arguments":"-c x"}}}
{
  "time": "2022-02-01T18:01:57Z",
  "process_exit": {
    "process": {
      "pid": 7,
      "binary": "/bin/sh"
    },
    "signal": "SIGKILL",
    "status": 0
  }
}
{"nothing": 1}
no object
{"time":"2022-02-01T18:01:58Z","process_exit":{"process":{"pid":8},"status":3}}
"#;
        let told = told(Dialect::Tetragon, log);
        assert_eq!(
            told[0],
            r#"1643738516411000000 sched_process_exec 0 [cmdpath="/bin/sh" pathname="/bin/sh" argv=["/bin/sh","-c","x"]]"#
        );
        assert_eq!(told[1], "1643738517000000000 sched_process_exit 0 [exit_code=0 signal_code=9]");
        assert!(told[2].starts_with("13: no process_exec"), "{told:?}");
        assert!(told[3].starts_with("14: expected"), "{told:?}");
        assert_eq!(told[4], "1643738518000000000 sched_process_exit 0 [exit_code=3 signal_code=0]");
        assert_eq!(told.len(), 5);
    }

    #[test]
    fn an_object_that_never_ends_is_told_and_bounded() {
        let told_of = |log: &str| told(Dialect::Kunai, log);
        assert_eq!(told_of("{\n \"a\":\n"), ["1: an object that does not end"]);
        let log = format!("{{\n{}", "  \"a\": 1,\n".repeat(120_000));
        assert!(told_of(&log)[0].contains("does not end within 1 MiB"));
    }

    #[test]
    fn calls_that_tetragon_probed_are_calls_of_the_catalogue() {
        let log = r#"{"time":"2022-02-01T18:01:56Z","process_kprobe":{"process":{"pid":7,"binary":"/bin/cat"},"function_name":"__x64_sys_openat","args":[{"int_arg":-100},{"string_arg":"/etc/shadow"},{"int_arg":0}],"return":{"int_arg":3}}}
{"time":"2022-02-01T18:01:56Z","process_kprobe":{"process":{"pid":7,"binary":"/bin/nc"},"function_name":"tcp_connect","args":[{"sock_arg":{"daddr":"10.0.0.9","dport":443}}]}}
"#;
        let told = told(Dialect::Tetragon, log);
        assert!(told[0].ends_with(r#"openat 3 [dirfd=-100 pathname="/etc/shadow" flags=0]"#), "{told:?}");
        assert!(told[1].contains("kprobe_tcp_connect 0 [arg0={"), "{told:?}");
    }

    #[test]
    fn kunai_tells_execs_connections_and_what_only_it_knows() {
        let info = |name: &str| {
            format!(
                r#""info":{{"host":{{"name":"web1"}},"event":{{"name":"{name}"}},"task":{{"name":"curl","pid":8,"tgid":7,"uid":1000,"namespaces":{{"mnt":5}}}},"parent_task":{{"tgid":3}},"utc_time":"2025-06-10T14:00:42.8Z"}}"#
            )
        };
        let log = format!(
            "{{\"data\":{{\"exe\":{{\"path\":\"/usr/bin/curl\"}},\"command_line\":\"curl -s x\"}},{}}}\n\
             {{\"data\":{{\"dst\":{{\"ip\":\"::1\",\"port\":443}},\"connected\":false}},{}}}\n\
             {{\"data\":{{\"query\":\"a.b\",\"response\":[\"1.2.3.4\"]}},{}}}\n",
            info("execve"),
            info("connect"),
            info("dns_query")
        );
        let told = told(Dialect::Kunai, &log);
        assert!(told[0].contains(r#"argv=["curl","-s","x"]"#), "{told:?}");
        assert!(
            told[1].contains("connect -1 [addr={") && told[1].contains(r#""sin6_addr":"::1""#),
            "{told:?}"
        );
        assert!(told[2].ends_with(r#"kunai_dns_query 0 [query="a.b" response=["1.2.3.4"]]"#), "{told:?}");
    }

    #[test]
    fn an_alert_is_an_event_and_its_rule_a_policy() {
        let log = r#"{"hostname":"web1","output":"x","priority":"Warning","rule":"Read sensitive file","source":"syscall","tags":["T1555"],"time":"2024-05-07T18:54:19.341081180Z","output_fields":{"container.id":"host","evt.type":"openat","fd.name":"/etc/shadow","proc.aname[2]":"runc","proc.name":"cat","user.uid":0}}"#;
        let mut read = Objects::new(log.as_bytes(), Dialect::Falco);
        let (_, line) = read.next().expect("it reads").expect("an alert");
        let line = line.expect("an alert");
        assert_eq!((&line.event_name[..], &line.syscall[..]), ("falco_alert", "openat"));
        assert_eq!(line.matched_policies, ["Read sensitive file"]);
        assert!(line.container_id.is_empty());
        assert!(told(Dialect::Falco, log)[0].contains(r#"proc_aname_2="runc""#));
    }
}
