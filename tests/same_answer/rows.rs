//! Rows as `replay -o json` prints them, and what of them must be equal.

use serde_json::Value;

/// Shows where two answers part, instead of the whole of both.
pub fn assert_same(found: &str, expected: &str, what: &str) {
    if found == expected {
        return;
    }
    let (mut found_lines, mut expected_lines) = (found.lines(), expected.lines());
    for line in 1.. {
        let (found, expected) = (found_lines.next(), expected_lines.next());
        assert_eq!(found, expected, "{what}: line {line}");
        assert!(found.is_some() || expected.is_some(), "{what}: the ends of lines differ");
    }
}

/// Rows without these members, as lines.
pub fn without(rows: &str, members: &[&str]) -> String {
    let line = |line: &str| {
        let mut row: Value = serde_json::from_str(line).expect("a row is JSON");
        let object = row.as_object_mut().expect("a row is an object");
        members.iter().for_each(|member| drop(object.remove(*member)));
        format!("{row}\n")
    };
    rows.lines().map(line).collect()
}

/// Rows of a merged capture count from 1970 where those of the hosts count from their boot.
pub fn without_boot_times(rows: &str) -> String {
    let line = |line: &str| {
        let mut row: Value = serde_json::from_str(line).expect("a row is JSON");
        for member in ["processEntityId", "parentEntityId"] {
            row.as_object_mut().expect("a row is an object").remove(member);
        }
        if let Some(arguments) = row["args"].as_array_mut() {
            for argument in arguments {
                if matches!(argument["name"].as_str(), Some("start_time" | "parent_start_time")) {
                    argument["value"] = Value::Null;
                }
            }
        }
        format!("{row}\n")
    };
    rows.lines().map(line).collect()
}

/// Wall clock of a row, ns.
pub fn timestamp(line: &str) -> u64 {
    let digits = line.strip_prefix("{\"timestamp\":").expect("a row begins with its time");
    let end = digits.find(',').expect("more than a time");
    digits[..end].parse().expect("a number")
}

/// The lines of one text all stand in another, in the same order.
pub fn assert_part(part: &str, whole: &str, what: &str) {
    let mut rest = whole.lines();
    for (number, line) in part.lines().enumerate() {
        assert!(rest.any(|other| other == line), "{what}: line {} is not in the whole: {line}", number + 1);
    }
}

/// Rows without what is known of their containers, which stands beside the events.
pub fn without_containers(rows: &str) -> String {
    let members = [
        "containerId",
        "containerImage",
        "containerName",
        "podName",
        "podNamespace",
        "podUID",
        "container",
        "kubernetes",
    ];
    without(
        rows,
        &[&members[..], &["podSandbox", "contextFlags", "processId", "threadId", "parentProcessId"]].concat(),
    )
}

/// The matched scopes of a row.
pub fn scopes(line: &str) -> u64 {
    let row: Value = serde_json::from_str(line).expect("a row is JSON");
    row["matchedScopes"].as_u64().expect("a row has a mask")
}

/// Whether the row's call had not returned when the recording ended.
pub fn is_unfinished(row: &Value) -> bool {
    row["marks"]["event"].as_array().is_some_and(|marks| marks.contains(&"unfinished".into()))
}
