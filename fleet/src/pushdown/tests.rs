//! Which filters conditions become.

use datafusion::prelude::{col, lit};

use super::*;

fn scopes(expr: Expr) -> Option<Vec<Vec<String>>> {
    all_scopes(&[&expr])
}

/// Of conditions that all hold, where they become one.
fn all_scopes(parts: &[&Expr]) -> Option<Vec<Vec<String>>> {
    let mut conditions = together(parts, &Known::default());
    assert!(conditions.len() < 2, "{conditions:?}");
    Some(conditions.pop()?.scopes)
}

fn one(filters: &[&str]) -> Option<Vec<Vec<String>>> {
    Some(vec![filters.iter().map(|it| (*it).to_owned()).collect()])
}

#[test]
fn comparisons_become_filters() {
    assert_eq!(scopes(col("comm").eq(lit("ls"))), one(&["comm=ls"]));
    assert_eq!(scopes(lit(1000).lt_eq(col("uid"))), one(&["uid>=1000"]));
    assert_eq!(scopes(col("comm").in_list(vec![lit("a,b"), lit("c*")], false)), one(&[r"comm=a\,b,c\*"]));
    assert_eq!(scopes(col("comm").like(lit("sys%d"))), one(&["comm=sys*d"]));
    assert_eq!(scopes(col("event").eq(lit("openat"))), one(&["event=openat"]));
    let both = col("comm").eq(lit("ls")).and(col("uid").eq(lit(0)));
    assert_eq!(
        scopes(both.clone().or(col("gid").gt(lit(5)))).map(|it| it.len()),
        Some(2),
        "each side of OR is a scope"
    );
    assert_eq!(scopes(both), one(&["comm=ls", "uid=0"]));
    // A scope would take either of two values of one key.
    let either = col("comm").eq(lit("ls")).and(col("comm").eq(lit("cat")));
    assert_eq!(scopes(either), one(&["comm=ls"]));
}

#[test]
fn what_scopes_would_answer_otherwise_is_left_to_the_query() {
    for expr in [
        col("comm").eq(lit("")),
        col("comm").gt(lit("ls")),
        col("comm").eq(col("exe")),
        col("comm").like(lit("l_")),
        col("comm").like(lit("%")),
        col("event").eq(lit("net_packet_dns")),
        col("event").eq(lit("no_such_event")),
        col("exe").eq(lit("relative")),
        col("pathname").not_eq(lit("/etc/passwd")),
        col("pathname").eq(lit("")),
        col("pathname").gt(lit("/etc")),
        col("comm").eq(lit("ls")).or(col("pathname").like(lit("_x"))),
        col("flags").eq(lit(-1)),
        col("flags").gt(lit(1)),
        col("remote_addr").eq(lit("localhost")),
        col("remote_addr").like(lit("%.5")),
        col("remote_port").eq(lit(0)),
        col("uid").eq(lit(-1)),
    ] {
        assert_eq!(scopes(expr.clone()), None, "{expr}");
    }
}

#[test]
fn what_arguments_are_asked_becomes_filters_of_the_events_that_have_them() {
    let path = col("pathname").like(lit("/etc/cron%"));
    let opened = col("event").eq(lit("openat"));
    assert_eq!(all_scopes(&[&path, &opened]), one(&["openat.pathname=/etc/cron*"]));
    let all = scopes(path.clone()).expect("filters");
    assert_eq!(all.len(), 1);
    for filter in
        ["openat.pathname=/etc/cron*", "security_file_open.pathname=/etc/cron*", "unlink.pathname=/etc/cron*"]
    {
        assert!(all[0].iter().any(|it| it == filter), "{filter}: {all:?}");
    }
    // A result is of an event that is named.
    let failed = col("retval").lt(lit(0));
    assert_eq!(scopes(failed.clone()), None);
    assert_eq!(all_scopes(&[&opened, &failed]), one(&["openat.retval<0"]));
    let of_ls = col("comm").eq(lit("ls")).and(path).and(opened);
    assert_eq!(scopes(of_ls), one(&["comm=ls", "openat.pathname=/etc/cron*"]));
}

#[test]
fn other_ends_of_connections_are_peers() {
    let address = col("remote_addr").eq(lit("10.0.0.9"));
    assert_eq!(scopes(address.clone()), one(&["peer=10.0.0.9"]));
    assert_eq!(all_scopes(&[&address, &col("remote_port").eq(lit(443))]), one(&["peer=10.0.0.9:443"]));
    assert_eq!(scopes(col("remote_addr").like(lit("10.0.%"))), one(&["peer=10.0.*"]));
    let ports = col("remote_port").in_list(vec![lit(80), lit(443)], false);
    assert_eq!(scopes(ports), one(&["peer=:80,:443"]));
}

#[test]
fn bounds_of_time_become_a_stretch() {
    let at = |ns| lit(ScalarValue::TimestampNanosecond(Some(ns), Some("UTC".into())));
    assert_eq!(translate(&col("time").gt_eq(at(7)), &Known::default()), Some(Translated::Range(7, i64::MAX)));
    assert_eq!(
        translate(&at(9).gt_eq(col("time")), &Known::default()),
        Some(Translated::Range(i64::MIN, 10))
    );
    assert_eq!(
        translate(&col("time").between(at(1), at(2)), &Known::default()),
        Some(Translated::Range(1, 3))
    );
}
