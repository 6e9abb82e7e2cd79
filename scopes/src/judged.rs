//! Where a filter is judged when a recording keeps only what matches: in the kernel, or after it.

use crate::filter::{Filter, Namespace, Target, Value};
use crate::key::Field;
use crate::lower::Lowered;

/// Where, and if not in the kernel alone, why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judged {
    /// What the filter takes away never leaves the kernel.
    InKernel,
    /// Some of it does.
    InPart(&'static str),
    /// All of it does.
    After(&'static str),
}

impl Lowered {
    /// Where a filter of the plan that this was made of is judged.
    pub fn judges(&self, filter: &Filter) -> Judged {
        match &filter.target {
            Target::Events | Target::Global | Target::Follow => Judged::InKernel,
            Target::Field(Field::Duration) => Judged::After("how long a call took is known when it is over"),
            Target::Field(field) => self.judges_field(*field, filter),
            Target::Arg { .. } => Judged::After("arguments are known when the call is over"),
            Target::Ret(_) => Judged::After("results are known when the call is over"),
            Target::Thing(_) | Target::EventThing(..) => {
                Judged::After("what arguments name is known when the call is over")
            }
            Target::EventField(..) => Judged::After("it is about one event alone"),
            Target::Mark(_) | Target::EventMark(..) => Judged::After("marks are given when events are read"),
        }
    }

    fn judges_field(&self, field: Field, filter: &Filter) -> Judged {
        if self.kept.contains(&field) {
            return Judged::After(match field {
                Field::Binary => "paths of one mount namespace are told apart here",
                Field::Tree => "more processes are named than the kernel side holds",
                _ => "the kernel side does not know it",
            });
        }
        let has = |is: fn(&Value) -> bool| filter.values.iter().any(is);
        let is_wild = |value: &Value| match value {
            Value::Text(pattern) | Value::Path(Namespace::Any, pattern) => !pattern.is_exact(),
            _ => false,
        };
        match field {
            Field::Container => Judged::InPart("names of containers are asked for here"),
            Field::Comm | Field::Binary | Field::Uts if filter.values.iter().any(is_wild) => {
                Judged::InPart("the kernel side compares whole texts, not those with a wildcard")
            }
            Field::Pid | Field::Tid | Field::Tree if has(|value| matches!(value, Value::Pin(..))) => {
                Judged::InPart("starts of processes are compared here")
            }
            _ => Judged::InKernel,
        }
    }
}

#[cfg(test)]
mod tests {
    use events::Context;

    use super::*;
    use crate::{Plan, Recording, ScopeSet, Subject};

    const ANY: Recording = Recording { start_ns: 1000, host_mnt_ns: None };

    #[test]
    fn what_is_said_to_be_judged_in_the_kernel_is() {
        let contexts: Vec<Context<'_>> = ["ls", "lsof", "cat"]
            .into_iter()
            .flat_map(|comm| {
                [(7, 5), (8, 5), (7, 5000)].map(|(pid, start)| Context {
                    comm: comm.as_bytes(),
                    exe: if pid == 7 { b"/bin/ls" } else { b"/usr/bin/cat" },
                    uid: pid * 100,
                    pid,
                    tid: pid,
                    process_start_ns: start,
                    ..Context::default()
                })
            })
            .collect();
        let filters = [
            "comm=ls",
            "comm!=ls",
            "comm=l*",
            "comm!=l*",
            "binary=/bin/ls",
            "binary=/bin/*",
            "binary=host:/bin/ls",
            "uid=700",
            "uid>=800",
            "pid=7",
            "pid!=7",
            "pid=new",
            "pid=7@5",
            "tree=7",
            "container",
            "openat.retval<0",
            "openat.pathname=/etc/*",
            "event=openat",
            "openat.context.comm=ls",
            "cut",
            "file=/etc/*",
            "peer=10.0.0.0/8",
        ];
        let mut in_kernel = 0;
        for text in filters {
            let set = ScopeSet::parse(&[text]).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"));
            let plan = Plan::compile(&set);
            let lowered = plan.lower();
            let filter = set.scopes().flat_map(|scope| &scope.filters).next().expect("a filter");
            if lowered.judges(filter) != Judged::InKernel || filter.target == Target::Field(Field::Tree) {
                continue;
            }
            in_kernel += 1;
            for context in &contexts {
                let exact = plan.context_mask(&Subject { recording: ANY, ..Subject::of(context) });
                assert_eq!(
                    lowered.mask(context, ANY, None, None),
                    exact & plan.scopes(),
                    "{text}: {context:?}"
                );
            }
        }
        assert_eq!(in_kernel, 9);
    }

    #[test]
    fn what_is_known_later_is_judged_later() {
        let where_of = |text: &str| {
            let set = ScopeSet::parse(&[text]).unwrap();
            let lowered = Plan::compile(&set).lower();
            lowered.judges(set.scopes().flat_map(|scope| &scope.filters).next().unwrap())
        };
        assert!(matches!(where_of("openat.pathname=/etc/*"), Judged::After(_)));
        assert!(matches!(where_of("comm=l*"), Judged::InPart(_)));
        assert!(matches!(where_of("binary=host:/bin/ls"), Judged::After(_)));
        assert_eq!(where_of("tree=7"), Judged::InKernel);
    }
}
