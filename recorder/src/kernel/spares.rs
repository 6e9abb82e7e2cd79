//! Programs that are attached twice where the kernel lets programs on tracepoints be preempted: see `docs/recording.md`.

use events::abi::region::spare;

/// A program, its second copy, and where its runs are counted.
pub(super) struct Spare {
    pub program: &'static str,
    pub copy: &'static str,
    pub kind: usize,
}

pub(super) const SPARES: &[Spare] = &[
    Spare { program: "sys_exit", copy: "sys_exit_spare", kind: spare::SYS_EXIT },
    Spare { program: "sched_process_fork", copy: "sched_process_fork_spare", kind: spare::FORK },
    Spare { program: "sched_process_exec", copy: "sched_process_exec_spare", kind: spare::EXEC },
    Spare { program: "sched_process_exit", copy: "sched_process_exit_spare", kind: spare::EXIT },
    Spare { program: "sched_prepare_exec", copy: "sched_prepare_exec_spare", kind: spare::PREPARE_EXEC },
];

pub(super) fn of(program: &str) -> Option<&'static Spare> {
    SPARES.iter().find(|spare| spare.program == program)
}

/// Whether this kernel lets programs on tracepoints be preempted: from 7.0 on. Nothing in its types tells it.
pub(super) fn are_needed() -> bool {
    is_preemptible(&rustix::system::uname().release().to_string_lossy())
}

fn is_preemptible(release: &str) -> bool {
    release.split('.').next().and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_can_be_preempted_from_seven_on() {
        assert!(is_preemptible("7.3.4+deb13-cloud-amd64") && is_preemptible("10.0"));
        assert!(
            !is_preemptible("6.18.15+deb13-cloud-amd64")
                && !is_preemptible("5.10.0-32")
                && !is_preemptible("")
        );
    }
}
