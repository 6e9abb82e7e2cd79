//! A row with all that is known at its moment.

use std::ops::Deref;

use super::host_names::HostNames;
use super::own_row::OwnRow;
use crate::access::{Access, ContextPart, each_computed, each_own_value, variable};
use crate::facts::{Processes, Subject};
use crate::form::Value;

/// A row that is judged.
#[derive(Clone, Copy)]
pub struct Row<'r, 'b> {
    pub own: OwnRow<'r, 'b>,
    pub processes: &'r Processes,
    pub names: &'r HostNames,
    pub user: &'r dyn Fn(u32) -> Option<String>,
}

impl<'r, 'b> Deref for Row<'r, 'b> {
    type Target = OwnRow<'r, 'b>;

    fn deref(&self) -> &OwnRow<'r, 'b> {
        &self.own
    }
}

impl Row<'_, '_> {
    /// Calls `see` with each value that a field has in this row.
    pub fn each_value(&self, access: &Access, see: &mut dyn FnMut(Value<'_>)) {
        match access {
            Access::Process(who, fact) => {
                let subject = Subject::of(self.context);
                self.processes.each_value(subject, *who, *fact, self.time_ns, self.user, see);
            }
            Access::HostName(address) => self.each_value(address, &mut |address| {
                for name in self.names.of(&address.text()) {
                    see(Value::Text(name.as_bytes()));
                }
            }),
            Access::Resolved(name) => self.each_value(name, &mut |name| {
                for address in self.names.addresses(&name.text()) {
                    see(Value::Text(address.to_string().as_bytes()));
                }
            }),
            Access::Variable(name) => {
                let process = self.processes.get(self.context.process());
                if let Some(env) = process.and_then(|process| process.env.as_deref()) {
                    variable(env, name, see);
                }
            }
            Access::Context(ContextPart::UserName) => {
                if let Some(name) = (self.user)(self.context.uid) {
                    see(Value::Text(name.as_bytes()));
                }
            }
            Access::Computed(computed, inputs) => {
                let inputs = inputs.iter().map(Option::as_ref);
                each_computed(computed, inputs, &mut |access, see| self.each_value(access, see), see);
            }
            Access::Executed(kin, execution) => {
                let subject = Subject::of(self.context);
                self.processes.each_execution(subject, *kin, execution, see);
            }
            access => each_own_value(access, &self.own, see),
        }
    }

    /// The first value of a field, as text.
    pub fn first(&self, access: &Access) -> Option<Vec<u8>> {
        let mut first = None;
        self.each_value(access, &mut |value| {
            first.get_or_insert_with(|| value.text().into_owned());
        });
        first
    }
}
