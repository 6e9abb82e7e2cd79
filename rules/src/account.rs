//! Users and groups that are made, changed and removed, as the programs for it tell the log.
//!
//! ```text
//! useradd:  new user: name=eve, UID=1001, GID=1001, home=/home/eve, shell=/bin/sh, from=/dev/pts/0
//! groupdel: group 'eve' removed
//! passwd:   pam_unix(passwd:chauthtok): password changed for eve
//! ```
//! Lines that say the same of a second file (`removed from /etc/gshadow`) are left out: a change is one event.

/// What of a change is asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum AccountPart {
    /// `user` or `group`, and `creation`, `change` or `deletion`.
    Types,
    /// As audit calls it: `added-user-account`.
    Action,
    /// `success` or `failure`.
    Outcome,
    User,
    UserId,
    Group,
    GroupId,
}

/// Programs whose lines are read.
pub const PROGRAMS: &[&str] = &[
    "chage", "chfn", "chpasswd", "chsh", "gpasswd", "groupadd", "groupdel", "groupmod", "newusers", "passwd",
    "useradd", "userdel", "usermod",
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Change<'t> {
    types: [&'static str; 2],
    action: &'static str,
    has_failed: bool,
    user: Option<&'t str>,
    user_id: Option<&'t str>,
    group: Option<&'t str>,
    group_id: Option<&'t str>,
}

impl AccountPart {
    pub fn name(self) -> &'static str {
        match self {
            AccountPart::Types => "account's types",
            AccountPart::Action => "account's action",
            AccountPart::Outcome => "account's outcome",
            AccountPart::User => "account's user",
            AccountPart::UserId => "account's uid",
            AccountPart::Group => "account's group",
            AccountPart::GroupId => "account's gid",
        }
    }

    /// Calls `see` with each value of a line; with none where the line tells of no change.
    pub fn each_of(self, line: &[u8], see: &mut dyn FnMut(&[u8])) {
        let Some(change) = std::str::from_utf8(line).ok().and_then(Change::of) else { return };
        let mut one = |text: Option<&str>| {
            if let Some(text) = text {
                see(text.as_bytes());
            }
        };
        match self {
            AccountPart::Types => change.types.into_iter().for_each(|word| one(Some(word))),
            AccountPart::Action => one(Some(change.action)),
            AccountPart::Outcome => one(Some(if change.has_failed { "failure" } else { "success" })),
            AccountPart::User => one(change.user),
            AccountPart::UserId => one(change.user_id),
            AccountPart::Group => one(change.group),
            AccountPart::GroupId => one(change.group_id),
        }
    }
}

const ADDED_USER: ([&str; 2], &str) = (["user", "creation"], "added-user-account");
const CHANGED_USER: ([&str; 2], &str) = (["user", "change"], "modified-user-account");
const REMOVED_USER: ([&str; 2], &str) = (["user", "deletion"], "deleted-user-account");
const CHANGED_PASSWORD: ([&str; 2], &str) = (["user", "change"], "changed-password");
const ADDED_GROUP: ([&str; 2], &str) = (["group", "creation"], "added-group-account-to");
const CHANGED_GROUP: ([&str; 2], &str) = (["group", "change"], "modified-group-account");
const REMOVED_GROUP: ([&str; 2], &str) = (["group", "deletion"], "deleted-group-account-from");

impl<'t> Change<'t> {
    fn of(line: &'t str) -> Option<Change<'t>> {
        let change = |(types, action)| Change {
            types,
            action,
            has_failed: false,
            user: None,
            user_id: None,
            group: None,
            group_id: None,
        };
        let line = line.trim_end();
        let assigned = |rest: &'t str, name: &str| {
            let (_, value) =
                rest.split(", ").filter_map(|part| part.split_once('=')).find(|(it, _)| *it == name)?;
            Some(value)
        };
        if let Some(rest) = line.strip_prefix("new user: ") {
            let (user, user_id) = (assigned(rest, "name"), assigned(rest, "UID"));
            return Some(Change { user, user_id, group_id: assigned(rest, "GID"), ..change(ADDED_USER) });
        }
        if let Some(rest) = line.strip_prefix("new group: ") {
            let (group, group_id) = (assigned(rest, "name"), assigned(rest, "GID"));
            return Some(Change { group, group_id, ..change(ADDED_GROUP) });
        }
        if let Some(user) = line.strip_prefix("failed adding user ").and_then(quoted) {
            return Some(Change { user: Some(user.0), has_failed: true, ..change(ADDED_USER) });
        }
        if let Some((user, "")) = line.strip_prefix("delete user ").and_then(quoted) {
            return Some(Change { user: Some(user), ..change(REMOVED_USER) });
        }
        if let Some((group, rest)) = line.strip_prefix("removed group ").and_then(quoted) {
            let user = rest.strip_prefix(" owned by ").and_then(quoted).map(|(user, _)| user);
            return Some(Change { group: Some(group), user, ..change(REMOVED_GROUP) });
        }
        if let Some((group, " removed")) = line.strip_prefix("group ").and_then(quoted) {
            return Some(Change { group: Some(group), ..change(REMOVED_GROUP) });
        }
        if let Some(rest) = line.strip_prefix("group changed in /etc/group (group ") {
            let group = rest.split(['/', ')']).next();
            return Some(Change { group, ..change(CHANGED_GROUP) });
        }
        for (verb, between) in [("add ", " to group "), ("delete ", " from group ")] {
            if let Some((user, rest)) = line.strip_prefix(verb).and_then(quoted)
                && let Some((group, _)) = rest.strip_prefix(between).and_then(quoted)
            {
                return Some(Change { user: Some(user), group: Some(group), ..change(CHANGED_GROUP) });
            }
        }
        for verb in ["lock user ", "unlock user ", "change user name ", "change user "] {
            if let Some((user, rest)) = line.strip_prefix(verb).and_then(quoted) {
                let kind = if rest == " password" { CHANGED_PASSWORD } else { CHANGED_USER };
                return Some(Change { user: Some(user), ..change(kind) });
            }
        }
        // gpasswd's.
        if let Some(rest) = line.strip_prefix("user ")
            && let Some((user, rest)) =
                rest.split_once(" added by ").or_else(|| rest.split_once(" removed by "))
            && let Some((_, group)) =
                rest.split_once(" to group ").or_else(|| rest.split_once(" from group "))
        {
            return Some(Change { user: Some(user), group: Some(group), ..change(CHANGED_GROUP) });
        }
        if let Some((user, rest)) = line.strip_prefix("password for ").and_then(quoted)
            && rest.starts_with(" changed by ")
        {
            return Some(Change { user: Some(user), ..change(CHANGED_PASSWORD) });
        }
        let (_, user) = line.split_once("chauthtok): password changed for ")?;
        Some(Change { user: Some(user), ..change(CHANGED_PASSWORD) })
    }
}

/// What stands in quotes at the beginning, and what stands behind.
fn quoted(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('\'')?.split_once('\'')
}

/// A type of message that programs send to audit about users and groups.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccountMessage {
    /// As audit calls it.
    pub kind: &'static str,
    pub types: &'static [&'static str],
    pub actions: &'static [&'static str],
}

const fn message(
    kind: &'static str,
    types: &'static [&'static str],
    actions: &'static [&'static str],
) -> AccountMessage {
    AccountMessage { kind, types, actions }
}

pub const MESSAGES: &[AccountMessage] = &[
    message("ADD_USER", &["user", "creation"], &["added-user-account"]),
    message("DEL_USER", &["user", "deletion"], &["deleted-user-account"]),
    message("USER_MGMT", &["user", "change"], &["modified-user-account"]),
    message("USER_CHAUTHTOK", &["user", "change"], &["changed-password"]),
    message("ADD_GROUP", &["group", "creation"], &["added-group-account-to"]),
    message("DEL_GROUP", &["group", "deletion"], &["deleted-group-account-from"]),
    message("GRP_MGMT", &["group", "change"], &["modified-group-account"]),
    message("GRP_CHAUTHTOK", &["group", "change"], &["changed-group-password"]),
    message("ACCT_LOCK", &["user", "change"], &["locked-account"]),
    message("ACCT_UNLOCK", &["user", "change"], &["unlocked-account"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(line: &str) -> String {
        use AccountPart::{Action, Group, GroupId, Outcome, Types, User, UserId};
        let mut values = Vec::new();
        for part in [Types, Action, Outcome, User, UserId, Group, GroupId] {
            part.each_of(line.as_bytes(), &mut |text| {
                values.push(String::from_utf8_lossy(text).into_owned())
            });
        }
        values.join(" ")
    }

    #[test]
    fn lines_of_changes_have_their_parts_and_others_none() {
        for (line, expected) in [
            (
                "new user: name=eve, UID=1001, GID=1002, home=/home/eve, shell=/bin/sh, from=/dev/pts/0",
                "user creation added-user-account success eve 1001 1002",
            ),
            ("new group: name=ops, GID=1003", "group creation added-group-account-to success ops 1003"),
            ("failed adding user 'eve', exit code: 9", "user creation added-user-account failure eve"),
            ("delete user 'eve'", "user deletion deleted-user-account success eve"),
            (
                "removed group 'eve' owned by 'eve'",
                "group deletion deleted-group-account-from success eve eve",
            ),
            ("group 'ops' removed", "group deletion deleted-group-account-from success ops"),
            ("group 'ops' removed from /etc/gshadow", ""),
            ("removed shadow group 'eve' owned by 'eve'", ""),
            ("add 'eve' to group 'sudo'", "group change modified-group-account success eve sudo"),
            ("user eve added by root to group sudo", "group change modified-group-account success eve sudo"),
            ("change user 'eve' password", "user change changed-password success eve"),
            (
                "change user 'eve' shell from '/bin/sh' to '/bin/bash'",
                "user change modified-user-account success eve",
            ),
            (
                "pam_unix(passwd:chauthtok): password changed for eve",
                "user change changed-password success eve",
            ),
            ("pam_unix(passwd:chauthtok): authentication failure", ""),
            ("delete user 'eve' x", ""),
            ("'", ""),
        ] {
            assert_eq!(parts(line), expected, "{line}");
        }
    }
}
