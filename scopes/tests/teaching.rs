//! Malformed filters: what is said, and where the caret stands.

use scopes::ScopeSet;

fn error(filter: &str) -> String {
    let errors = ScopeSet::parse(&[filter]).unwrap_err();
    assert_eq!(errors.len(), 1, "{filter}: {errors:#?}");
    errors[0].to_string()
}

#[track_caller]
fn says(filter: &str, caret: &str, parts: &[&str]) {
    let error = error(filter);
    for part in parts {
        assert!(error.contains(part), "{filter}: no {part:?} in\n{error}");
    }
    let line = error.lines().nth(2).unwrap_or_default();
    let under: String = line.chars().skip(5).collect();
    assert_eq!(under, caret, "{error}");
}

#[test]
fn a_hash_has_its_digits() {
    let hash = "ab".repeat(32);
    says(
        "sched_process_exec.sha256=zz",
        "                          ^^",
        &["\"zz\" is no SHA-256", "allowed: 64 hexadecimal digits, or some of them and *"],
    );
    assert!(error(&format!("sched_process_exec.sha256={hash}0")).contains("is no SHA-256"));
    assert!(error(&format!("sched_process_exec.sha256={}", &hash[1..])).contains("is no SHA-256"));
    for fits in [hash.clone(), hash.to_uppercase(), "ab12*".to_owned(), "*AB".to_owned()] {
        ScopeSet::parse(&[format!("sched_process_exec.sha256={fits}")]).expect("a hash");
    }
}

#[test]
fn names_that_do_not_exist_get_the_nearest_one() {
    says(
        "9:com=ls",
        "  ^^^",
        &["unknown filter key \"com\" in -f 9:com=ls; did you mean \"comm\"?", "allowed: event, set"],
    );
    says("event=opnat", "      ^^^^^", &["unknown event \"opnat\"", "did you mean \"openat\"?"]);
    says(
        "set=fss",
        "    ^^^",
        &["unknown event set \"fss\"", "did you mean \"fs\"?", "allowed: default, syscalls"],
    );
    says("opnat.retval=0", "^^^^^", &["unknown event", "did you mean \"openat\"?"]);
    says(
        "openat.args.pathnam=x",
        "            ^^^^^^^",
        &["openat has no argument", "did you mean \"pathname\"?", "dirfd, pathname, flags, mode"],
    );
    says("openat.context.com=x", "               ^^^", &["unknown context field", "did you mean \"comm\"?"]);
    says("openat.retval=EACCESS", "              ^^^^^^^", &["did you mean \"EACCES\"?"]);
    says(
        "openat.flags=O_CREATE",
        "             ^^^^^^^^",
        &["no name that flags knows", "did you mean \"O_CREAT\"?"],
    );
    says(
        "openat.dirfd=AT_FDCW",
        "             ^^^^^^^",
        &["neither a number nor what a descriptor can stand for", "did you mean \"AT_FDCWD\"?"],
    );
    says("read.fd=etc/passwd", "        ^^^^^^^^^^", &["allowed: a number, or what it stands for: a path"]);
}

#[test]
fn shapes_that_are_wrong_say_what_is_allowed() {
    says("comm=", "    ^", &["operator without a value"]);
    says("comm=a,,b", "       ^", &["empty value"]);
    says("=a", "^", &["filter without a key"]);
    says("comm", "^^^^", &["needs an operator and a value", "allowed: = !="]);
    says("comm<a", "    ^", &["operator `<` does not fit", "allowed: = !="]);
    says("follow=1", "      ^", &["operator `=` does not fit \"follow\""]);
    says("!comm", " ^^^^", &["cannot be denied"]);
    says("mntns>5", "     ^", &["operator `>` does not fit"]);
    says("comm=*", "     ^", &["a lone `*` filters nothing"]);
    says("event!=*", "       ^", &["scope 1 can never match"]);
    says("openat.args=x", "       ^^^^", &["args of openat without a name"]);
}

#[test]
fn what_is_no_key_but_something_else_is_told_as_that() {
    says("openat=1", "^^^^^^", &["\"openat\" is an event, not a key", "event=openat", "openat.dirfd"]);
    says("timestamp>5", "^^^^^^^^^", &["asked of single events only", "openat.context.timestamp"]);
    says("comm =ls", "^^^^^", &["blanks beside the key \"comm\""]);
    says(" comm=ls", "^^^^^", &["blanks beside the key \"comm\""]);
    says("set=fs*", "    ^^^", &["sets have no wildcards"]);
    says("-1:comm=ls", "^^", &["scope -1 does not exist"]);
    says("uid!5", "   ^", &["`!` is no operator", "allowed: = != < > <= >="]);
    says("comm~ls", "    ^", &["`~` is no operator", "allowed: = !="]);
    says("comm!", "    ^", &["`!` is no operator"]);
    for filter in ["not-container=x", "!not-container"] {
        assert!(error(filter).contains("`not-container` stands alone"), "{}", error(filter));
    }
    says("event=-openat", "      ^^^^^^^", &["did you mean \"openat\"?", "event!=NAME excludes"]);
    says("event=openat;close", "      ^^^^^^^^^^^^", &["parted by commas"]);
    says("open*.retval=0", "^^^^^", &["one event, without wildcards and lists"]);
    says("event=sys_openat", "      ^^^^^^^^^^", &["did you mean \"openat\"?"]);
    says("kill.sig=KILL", "         ^^^^", &["did you mean \"SIGKILL\"?"]);
    says("openat.ret=1", "       ^^^", &["did you mean \"retval\"?"]);
    says("pid=now", "    ^^^", &["did you mean \"new\"?"]);
    says("+1:comm=ls", "^^", &["scope \"+1\" is not a number"]);
    says(
        "security_file_open.context.syscall=opnat",
        "                                   ^^^^^",
        &["did you mean \"openat\"?"],
    );
    says("openat.context.syscall=opnat", "                       ^^^^^", &["did you mean \"openat\"?"]);
}

#[test]
fn members_that_no_value_has_are_unknown() {
    says("connect.addr.sin_prt=5", "             ^^^^^^^", &["did you mean \"sin_port\"?", "sun_path"]);
    says("openat.args.pathname.x=1", "                     ^", &["of type const char*: it has no members"]);
    says("sched_process_exec.argv.0=ls", "                        ^", &["it has no members"]);
    says(
        "timer_settime.new_value.it_value.tv_s=1",
        "                        ^^^^^^^^^^^^^",
        &["it_value.tv_sec"],
    );
    says("connect.addr.=5", "             ^", &["has no member \"\""]);
    // What they are only the event says: of requests, and of what packets hold.
    assert!(ScopeSet::parse(&["ioctl.arg.ws_col>0", "net_packet_dns.proto_dns.questions.name=x"]).is_ok());
}

#[test]
fn what_can_be_asked_but_was_hardly_meant_is_warned_of() {
    let warned = |filter: &str, what: &str| {
        let set = ScopeSet::parse(&[filter]).unwrap();
        let said: Vec<String> = set.warnings().iter().map(|warning| warning.to_string()).collect();
        assert!(said.len() == 1 && said[0].contains(what), "{filter}: {said:?}");
    };
    warned("comm='ls'", "the quotes of 'ls' are taken as part of the value");
    warned("openat.pathname=\"/etc/passwd\"", "the quotes of");
    warned("openat.mode=0644", "read as a decimal number; octal 0644 is 0x1a4");
    warned("comm=/bin/ls", "binary=/bin/ls asks for the file");
    warned("container=!web", "container!=web excludes");
    for filter in ["comm=ls", "openat.mode=0", "uid=10", "openat.pathname=0644", "comm=kworker/0:1"] {
        assert!(ScopeSet::parse(&[filter]).unwrap().warnings().is_empty(), "{filter}");
    }
}

#[test]
fn scopes_are_numbers_from_1_to_64() {
    says("0:comm=ls", "^", &["scope 0 does not exist", "allowed: 1 to 64"]);
    says("65:comm=ls", "^^", &["scope 65 does not exist"]);
    says("99999999999999999999999:comm=ls", "^^^^^^^^^^^^^^^^^^^^^^^", &["does not exist"]);
    says("x:comm=ls", "^", &["scope \"x\" is not a number"]);
    says(":comm=ls", "^", &["is not a number"]);
}

#[test]
fn numbers_must_be_numbers_and_fit() {
    says("uid=4294967296", "    ^^^^^^^^^^", &["4294967296 does not fit", "0 to 4294967295"]);
    says("pid=x", "    ^", &["\"x\" is not a number"]);
    says("pid=-1", "    ^^", &["-1 does not fit"]);
    says("uid=12x", "    ^^^", &["12x"]);
    says("openat.dirfd=3000000000", "             ^^^^^^^^^^", &["does not fit dirfd of type int"]);
    says("openat.retval=99999999999999999999", "              ^^^^^^^^^^^^^^^^^^^^", &["does not fit"]);
    says("pid>new", "    ^^^", &["`new` cannot be compared"]);
}

#[test]
fn binaries_are_absolute() {
    says("binary=ls", "       ^^", &["\"ls\" is a relative path"]);
    says("binary=host:ls", "            ^^", &["\"ls\" is a relative path"]);
    says("binary=hst:/ls", "       ^^^", &["neither `host` nor a mount namespace's number"]);
}

#[test]
fn scopes_that_can_never_match_are_refused() {
    for filters in [
        &["comm=ls", "comm!=ls"][..],
        &["comm=ls,lsof", "comm!=ls*"],
        &["uid>5", "uid<5"],
        &["uid<0"],
        &["uid>=0", "uid<=0", "uid!=0"],
        &["pid=new", "pid!=new"],
        &["container", "!container"],
        &["!container", "container=abc"],
        &["event=openat", "event!=open*"],
        &["event=openat", "set!=fs"],
        &["openat.retval<0", "event!=openat"],
        &["openat.retval<0", "openat.retval>0"],
        &["openat.pathname=/etc", "openat.pathname!=/etc"],
        &["tree=5", "tree!=5"],
        &["binary=host:/bin/ls", "binary!=/bin/*"],
        &["openat.context.syscall!=openat"],
        &["net_packet.context.syscall=sendto"],
        // What is asked of an event comes on top of what is asked of the scope.
        &["comm=ls", "openat.context.comm=cat,id"],
        &["uid>5", "openat.context.uid<=5"],
        &["!container", "openat.context.containerName=web"],
        &["container=new", "openat.context.host=true"],
        &["openat.context.host", "openat.context.podName=x"],
    ] {
        let errors = ScopeSet::parse(filters).unwrap_err();
        assert_eq!(errors.len(), 1, "{filters:?}");
        assert!(errors[0].message.contains("can never match"), "{}", errors[0]);
        assert!(filters.iter().all(|filter| errors[0].message.contains(filter)), "{}", errors[0]);
    }
    for filters in [
        &["comm=ls*", "comm!=ls"][..],
        &["uid=0", "uid>=1000"],
        &["uid>=5", "uid<=5"],
        &["1:comm=ls", "2:comm!=ls"],
        &["event=open*", "event!=openat"],
        &["container", "container!=abc"],
        &["binary=/bin/ls", "binary!=host:/bin/ls"],
        &["comm=ls", "follow", "openat.context.comm=cat"],
        &["comm=l*", "openat.context.comm=ls,id"],
        &["uid>5", "openat.context.uid<=6"],
        &["container!=new", "openat.context.host=false"],
        &["container!=abc", "openat.context.host=true"],
    ] {
        assert!(ScopeSet::parse(filters).unwrap().warnings().is_empty(), "{filters:?}");
    }
    // One event of several that can never match is suspicious only.
    let set = ScopeSet::parse(&["comm=ls", "event=close", "openat.context.comm=cat"]).unwrap();
    assert_eq!(set.warnings().len(), 1);
    assert!(set.warnings()[0].to_string().starts_with("warning: openat in scope 1 can never match"));
}

#[test]
fn all_errors_of_a_command_line_are_told_at_once() {
    assert_eq!(ScopeSet::parse(&["com=ls", "uid=x y", "comm=ok", "0:pid=1"]).unwrap_err().len(), 3);
    // Each value of a list, and each key of a scope.
    let carets: Vec<_> =
        ScopeSet::parse(&["event=opnat,close,clos"]).unwrap_err().into_iter().map(|e| e.span).collect();
    assert_eq!(carets, [6..11, 18..22]);
    let errors = ScopeSet::parse(&["uid<0", "comm=a", "comm!=a", "event=open", "event!=open*"]).unwrap_err();
    assert_eq!(errors.len(), 3, "{errors:?}");
}

#[test]
fn users_names_become_numbers_of_the_recorded_host() {
    let mut set = ScopeSet::parse(&["uid=root,1000"]).unwrap();
    assert!(set.names_users());
    let unknown = set.clone().resolve_users(&[("rooot", 0)]).unwrap_err()[0].to_string();
    assert!(unknown.contains("no user \"root\"") && unknown.contains("did you mean \"rooot\"?"), "{unknown}");
    assert!(unknown.ends_with("allowed: a number, or a user of the recorded host: rooot"), "{unknown}");
    set.resolve_users(&[("root", 0)]).unwrap();
    assert!(!set.names_users());
}

#[test]
fn values_that_nothing_can_have_are_refused_where_they_stand() {
    says(
        "newfstatat.statbuf.st_size>0x7fffffffffffffffffffffffffffffff",
        "                           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
        &["does not fit any number of statbuf", "from -9223372036854775808 to 18446744073709551615"],
    );
    says("faccessat.flags=1", "                ^", &["the kernel's call has no flags: it is never there"]);
    says("uid=0o9", "    ^^^", &["neither a number nor a user's name"]);
    says("openat.mode=0x", "            ^^", &["no name that mode knows"]);
}
