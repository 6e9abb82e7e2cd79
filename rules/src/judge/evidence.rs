//! What of a row goes into a finding.

use super::Row;
use crate::access::{Access, access};
use crate::compile::{Node, Program};
use crate::facts::Subject;
use crate::falco;
use crate::finding::{Actor, Ancestor, Container, Deciding, Finding, Output, Seen};
use crate::form::{Field, ProcessFact};
use crate::rule::{OutputOf, Rule, Template};

/// Ancestors that are told.
const ANCESTORS: usize = 8;
/// Bytes of a value that are told.
const VALUE_BYTES: usize = 512;

impl Row<'_, '_> {
    /// The row as an event of a finding.
    pub fn seen(&self, program: &Program) -> Seen {
        let mut deciding = Vec::new();
        self.deciding(&program.node, &mut deciding);
        Seen {
            name: self.judged.programs.event.name,
            wall_ns: self.wall_ns,
            file: self.at.file.name.clone(),
            block: self.at.block,
            row: self.row,
            number: self.event_number(),
            deciding,
        }
    }

    /// Its number among all events in order of time, from 1.
    pub fn event_number(&self) -> Option<u64> {
        self.at.rows_before.map(|before| before + u64::from(self.row) + 1)
    }

    /// Tests that held and made the whole hold.
    fn deciding(&self, node: &Node, out: &mut Vec<Deciding>) {
        match node {
            Node::Const(_) | Node::Not(_) => {}
            Node::All(parts) => parts.iter().for_each(|part| self.deciding(part, out)),
            Node::Any(parts) => {
                parts.iter().filter(|part| self.holds(part)).for_each(|part| self.deciding(part, out));
            }
            Node::Atom(number) | Node::Same(number, ..) | Node::Time(number) => {
                let programs = self.judged.programs;
                let Some(atom) = programs.atoms.get(*number as usize) else { return };
                let column = programs.column_of.get(*number as usize).copied().unwrap_or_default();
                let Some(column) = programs.columns.get(column as usize) else { return };
                let mut value = None;
                let is_plain = matches!(node, Node::Atom(_));
                self.each_value(&column.access, &mut |it| {
                    if value.is_none() && (!is_plain || atom.test.passes(it)) {
                        value = Some(printed(&it.text()));
                    }
                });
                let deciding = Deciding {
                    field: atom.field.to_string(),
                    written: atom.written.to_string(),
                    value: value.unwrap_or_default(),
                };
                if !out.contains(&deciding) {
                    out.push(deciding);
                }
            }
        }
    }

    /// A finding whose last event is this row.
    pub fn finding(&self, rule: usize, events: Vec<Seen>) -> Finding {
        let event = self.judged.programs.event;
        let fact = |fact| {
            let class = crate::class::Class::Exec;
            let text = access(event, &class, &Field::actor(fact)).and_then(|access| self.first(&access));
            text.map(|text| printed(&text)).unwrap_or_default()
        };
        let context = self.context;
        let mut process = Actor {
            pid: context.pid,
            start_ns: context.process_start_ns,
            name: fact(ProcessFact::Name),
            exe: fact(ProcessFact::Exe),
            command_line: fact(ProcessFact::CommandLine),
            uid: context.uid,
            user: (self.user)(context.uid),
            ..Actor::default()
        };
        if let Some(known) = self.processes.get(context.process()) {
            let facts = &known.facts;
            process.cwd = facts.cwd.as_deref().map(printed);
            (process.session, process.pgrp) = (facts.session, facts.group);
            process.loginuid = facts.login_uid;
            process.tty = facts.terminal.is_there().map(|is_there| match facts.terminal.name() {
                Some(name) => name,
                None if is_there => "tty".to_owned(),
                None => String::new(),
            });
        }
        if process.name.is_empty() {
            process.name = printed(context.comm);
        }
        let ancestors = self.processes.ancestors(Subject::of(context)).take(ANCESTORS);
        let ancestry = ancestors
            .map(|it| Ancestor {
                pid: it.pid,
                name: printed(
                    crate::access::path_part(&it.exe, &crate::access::Part::Name)
                        .filter(|name| !name.is_empty())
                        .unwrap_or(&it.comm),
                ),
                exe: printed(&it.exe),
            })
            .collect();
        let container = self.at.host.containers().get(context.cgroup_id).map(|it| Container {
            id: it.id.clone(),
            name: it.name.clone(),
            image: it.image.clone(),
        });
        Finding {
            rule,
            wall_ns: self.wall_ns,
            host: self.at.host.name.clone(),
            process,
            ancestry,
            container,
            events,
            group: Vec::new(),
            count: None,
            output: None,
        }
    }

    /// A rule's template, filled with the values of this row.
    pub fn output(&self, rule: &Rule, program: &Program) -> Option<Output> {
        let event = self.judged.programs.event;
        match rule.output.as_ref()? {
            Template::Words(template) => Some(falco::fill(template, &program.class, event, &mut |field| {
                let access = access(event, &program.class, field)?;
                self.first(&access).map(|text| printed(&text))
            })),
            Template::Fields(all) => {
                let of_event = all.iter().filter(|output| output.event == event.name);
                let told = of_event.map(|output| self.fields(program, output));
                // Where several detectors lead to one event, that of which all fields are there.
                told.max_by_key(|output| output.fields.iter().all(|(_, value)| value.is_some()))
            }
        }
    }

    fn fields(&self, program: &Program, output: &OutputOf) -> Output {
        let value = |field: &Field| {
            let access = access(self.judged.programs.event, &program.class, field)?;
            let mut values: Vec<String> = Vec::new();
            self.each_value(&access, &mut |value| values.push(printed(&value.text())));
            (!values.is_empty()).then(|| values.join(" "))
        };
        let fields: Vec<(String, Option<String>)> =
            output.fields.iter().map(|(name, field)| (name.clone(), value(field))).collect();
        let words = fields.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)));
        Output { text: words.collect::<Vec<_>>().join(" "), fields }
    }

    /// A value of a field of this row, for keys; `None` when it is missing.
    pub fn value_of(&self, program: &Program, field: &Field) -> Option<Vec<u8>> {
        let access: Access = access(self.judged.programs.event, &program.class, field)?;
        self.first(&access)
    }

    /// All values of a field of this row, as texts.
    pub fn values_of(&self, program: &Program, field: &Field) -> Vec<Vec<u8>> {
        let mut values = Vec::new();
        if let Some(access) = access(self.judged.programs.event, &program.class, field) {
            self.each_value(&access, &mut |value| values.push(value.text().into_owned()));
        }
        values
    }
}

pub fn printed(text: &[u8]) -> String {
    let shown = text.get(..VALUE_BYTES).unwrap_or(text);
    let mut shown = String::from_utf8_lossy(shown).into_owned();
    if text.len() > VALUE_BYTES {
        shown.push_str("...");
    }
    shown
}
