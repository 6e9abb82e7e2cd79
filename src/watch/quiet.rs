//! What is shown when nothing is asked for: what changes a host, and who talks to whom; not what every program does all day.

use events::catalogue;
use events::threat::{self, Severity};

/// In one line.
pub const SAID: &str = "programs that start or fail to, files of the system and of accounts that are written, renamed or removed, \
                        connections, listeners, changes of users and capabilities, kernel modules, BPF programs, detections";

/// The name of its policy.
pub const NAME: &str = "quiet";

/// Files that say what a host does, and the programs themselves.
const FILES: &[&str] = &[
    "/etc/*",
    "/bin/*",
    "/sbin/*",
    "/lib*",
    "/usr/bin/*",
    "/usr/sbin/*",
    "/usr/lib*",
    "/usr/local/*",
    "/opt/*",
    "/boot/*",
    "/var/spool/cron/*",
    "*/.ssh/*",
    "*/.bashrc",
    "*/.profile",
    "*/.bash_profile",
    "*/.config/systemd/*",
    "*/.config/autostart/*",
];

/// Detections below this level are of what happens all day.
const LEAST: Severity = Severity::Low;

/// Calls that change whose rights a process has.
const RIGHTS: &[&str] =
    &["setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "capset"];

/// The policy: one scope.
pub fn policy() -> String {
    let files = FILES.join(",");
    let mut rules = vec![
        rule("sched_process_exec", &[]),
        rule("execve", &["retval<0"]),
        rule("execveat", &["retval<0"]),
        rule("security_file_open", &[&format!("data.pathname={files}"), "data.flags=*O_WRONLY*,*O_RDWR*"]),
        rule("security_inode_rename", &[&format!("data.new_path={files}")]),
        rule("security_inode_unlink", &[&format!("data.pathname={files}")]),
        rule("security_socket_connect", &["data.remote_addr.sa_family=AF_INET,AF_INET6"]),
        rule("security_socket_listen", &[]),
        rule("module_load", &[]),
        rule("module_free", &[]),
        rule("security_bpf_prog", &[]),
    ];
    let detections = threat::THREATS.iter().filter(|threat| threat.severity >= LEAST);
    let detections = detections.filter_map(|threat| catalogue::by_id(threat.event));
    rules.extend(detections.filter(|event| event.is_derived()).map(|event| rule(event.name, &[])));
    rules.extend(RIGHTS.iter().map(|name| rule(name, &["retval=0"])));
    format!(
        "apiVersion: tracee.aquasec.com/v1beta1\nkind: Policy\nmetadata: {{name: {NAME}}}\nspec:\n  scope: [global]\n  \
         defaultActions: [log]\n  rules:\n{}",
        rules.concat()
    )
}

fn rule(event: &str, filters: &[&str]) -> String {
    let mut text = format!("    - event: {event}\n");
    if !filters.is_empty() {
        text.push_str("      filters:\n");
        filters.iter().for_each(|filter| text.push_str(&format!("        - \"{filter}\"\n")));
    }
    text
}

#[cfg(test)]
mod tests {
    use scopes::{Plan, ScopeSet};

    #[test]
    fn it_is_a_policy_that_means_what_it_says() {
        let none: [&str; 0] = [];
        let set = ScopeSet::with_policies(&none, &[(super::NAME, super::policy())]).unwrap();
        assert_eq!((set.warnings(), set.mask()), (&[][..], 1));
        let plan = Plan::compile(&set);
        let wants = |name: &str| plan.event_mask(events::catalogue::by_name(name).unwrap().id) == 1;
        for name in [
            "sched_process_exec",
            "execve",
            "security_file_open",
            "setuid",
            "anti_debugging",
            "fileless_execution",
        ] {
            assert!(wants(name), "{name}");
        }
        for name in ["openat", "read", "sched_process_fork", "connect"] {
            assert!(!wants(name), "{name}");
        }
    }
}
