//! Sysmon for Linux: `<Event>` elements, one a line, bare or behind what syslog puts before them.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use replay::import::{Line, Log, bounded_line};
use roxmltree::{Document, Node};
use serde_json::{Map, Value};

use super::row::{Task, address, argument, argv_of, comm_of, exec, exit, name_of, row, wall_ns};

/// A log of Sysmon for Linux.
#[derive(Debug)]
pub struct Sysmon<R> {
    log: R,
    number: u64,
    text: Vec<u8>,
    ready: VecDeque<Result<Line, String>>,
}

impl<R: BufRead> Sysmon<R> {
    pub fn new(log: R) -> Sysmon<R> {
        Sysmon { log, number: 0, text: Vec::new(), ready: VecDeque::new() }
    }
}

impl<R: BufRead> Log for Sysmon<R> {
    fn kind(&self) -> &'static str {
        "sysmon"
    }

    fn unknown(&self) -> &'static [&'static str] {
        &[
            "what its configuration left out",
            "uid (users are names; only root's is known)",
            "where arguments of a command line begin and end",
            "threads",
            "containers",
            "namespaces",
            "processor",
            "exit codes",
        ]
    }

    fn next(&mut self) -> io::Result<Option<(u64, Result<Line, String>)>> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Ok(Some((self.number, line)));
            }
            self.number += 1;
            match bounded_line(&mut self.log, &mut self.text)? {
                None => return Ok(None),
                Some(Err(reason)) => return Ok(Some((self.number, Err(reason)))),
                Some(Ok(())) => {}
            }
            // What the service says of itself stands between the events.
            let Some(start) = self.text.windows(6).position(|window| window == b"<Event") else { continue };
            let xml = String::from_utf8_lossy(&self.text[start..]);
            self.ready.push_back(read(xml.trim()).and_then(|row| Line::of_json(Value::Object(row))));
        }
    }
}

/// Names of the events by number.
const NAMES: [(u32, &str); 12] = [
    (1, "process_create"),
    (2, "file_time"),
    (3, "network_connect"),
    (4, "service_state"),
    (5, "process_terminate"),
    (6, "driver_load"),
    (9, "raw_access_read"),
    (10, "process_access"),
    (11, "file_create"),
    (16, "config_change"),
    (22, "dns_query"),
    (23, "file_delete"),
];

/// What an event says, by name. A dash says that it is not known.
struct Data(Vec<(String, String)>);

impl Data {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, text)| &text[..])
    }

    fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    fn number(&self, name: &str) -> u64 {
        self.text(name).parse().unwrap_or(0)
    }

    fn id(&self, name: &str) -> u32 {
        self.text(name).parse().unwrap_or(0)
    }
}

fn read(xml: &str) -> Result<Map<String, Value>, String> {
    let document = Document::parse(xml).map_err(|error| format!("no XML: {error}"))?;
    let event = document.root_element();
    let child = |of: Node<'_, '_>, name: &str| {
        of.children().find(|node| node.tag_name().name() == name).map(|node| node.id())
    };
    let system = child(event, "System").and_then(|id| document.get_node(id)).ok_or("no <System> in it")?;
    let of_system = |name: &str| child(system, name).and_then(|id| document.get_node(id));
    let number: u32 = of_system("EventID")
        .and_then(|node| node.text())
        .and_then(|text| text.trim().parse().ok())
        .ok_or("no <EventID> in it")?;
    let time =
        of_system("TimeCreated").and_then(|node| node.attribute("SystemTime")).ok_or("no time in it")?;
    let wall_ns = wall_ns(time)?;
    let host = of_system("Computer").and_then(|node| node.text()).unwrap_or_default();
    let data = event.descendants().filter(|node| node.tag_name().name() == "Data").filter_map(|node| {
        let text = node.text().unwrap_or_default();
        Some((node.attribute("Name")?.to_owned(), text.to_owned()))
            .filter(|(_, text)| !matches!(&text[..], "-" | "(null)" | "<unknown process>"))
    });
    let data = Data(data.collect());
    let image = data.text("Image");
    let pid = data.id("ProcessId");
    let task = Task {
        pid,
        tid: pid,
        ppid: data.id("ParentProcessId"),
        uid: if data.text("User") == "root" { 0 } else { u32::MAX },
        comm: comm_of(image).into(),
        exe: image.into(),
        host: host.into(),
        ..Task::default()
    };
    Ok(match number {
        1 => exec(&task, wall_ns, image, argv_of(data.text("CommandLine"))),
        // It does not say with which code.
        5 => exit(&task, wall_ns, 0, 0),
        3 if data.text("Initiated") == "true" => {
            let to = address(data.text("DestinationIp"), data.number("DestinationPort")).unwrap_or_default();
            let mut row = row(&task, wall_ns, "connect", 0);
            row.insert("args".to_owned(), vec![argument("addr", "struct sockaddr*", to)].into());
            row.insert("syscall".to_owned(), "connect".into());
            row
        }
        23 => {
            let mut row = row(&task, wall_ns, "security_inode_unlink", 0);
            let path = data.text("TargetFilename");
            row.insert("args".to_owned(), vec![argument("pathname", "const char*", path.into())].into());
            row
        }
        number => {
            let known = NAMES.iter().find(|(known, _)| *known == number).map(|(_, name)| (*name).to_owned());
            let name = format!("sysmon_{}", known.unwrap_or_else(|| number.to_string()));
            let mut row = row(&task, wall_ns, &name, 0);
            let args =
                data.0.iter().map(|(name, text)| argument(&name_of(name), "const char*", text[..].into()));
            row.insert("args".to_owned(), args.collect());
            row
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXEC: &str = r#"<Event><System><EventID>1</EventID><TimeCreated SystemTime="2021-10-24T17:05:46.710002000Z"/><Computer>web1</Computer></System><EventData><Data Name="ProcessId">3100</Data><Data Name="Image">/usr/bin/id</Data><Data Name="CommandLine">id -u &lt;x&gt;</Data><Data Name="User">root</Data><Data Name="ParentProcessId">9</Data></EventData></Event>"#;

    #[test]
    fn a_process_that_was_created_is_an_exec() {
        let row = read(EXEC).expect("an event");
        assert_eq!(row["eventName"], "sched_process_exec");
        assert_eq!(row["timestamp"], 1_635_095_146_710_002_000_u64);
        assert_eq!((&row["processId"], &row["parentProcessId"]), (&3100.into(), &9.into()));
        assert_eq!(row["args"][2]["value"], serde_json::json!(["id", "-u", "<x>"]));
        assert_eq!(row["hostName"], "web1");
    }

    #[test]
    fn events_stand_behind_what_syslog_puts_before_them() {
        let log =
            format!("Oct 24 17:05:31 web1 sysmon[3041]: Running...\nOct 24 web1 sysmon: {EXEC}\nx <Event>\n");
        let mut log = Sysmon::new(log.as_bytes());
        let (number, line) = log.next().expect("it reads").expect("an event");
        assert_eq!((number, line.expect("an event").event_name), (2, "sched_process_exec".to_owned()));
        let (number, line) = log.next().expect("it reads").expect("a line");
        assert!(number == 3 && line.expect_err("no XML").contains("no XML"));
        assert!(log.next().expect("it reads").is_none());
    }
}
