//! Findings in SARIF 2.1.0, the format of static analysis that code hosts and editors read.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use rules::finding::{Finding, Seen};
use rules::{Level, Rule};
use serde_json::{Value, json};

use super::json::time;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// Writes all findings as one document.
pub fn write(findings: &[Finding], rules: &[Rule], out: &mut impl Write) -> io::Result<()> {
    let used: BTreeSet<usize> = findings.iter().map(|finding| finding.rule).collect();
    let index: BTreeMap<usize, usize> = used.iter().enumerate().map(|(at, rule)| (*rule, at)).collect();
    let described = used.iter().filter_map(|number| rules.get(*number)).map(descriptor);
    let techniques: BTreeSet<String> =
        used.iter().filter_map(|number| rules.get(*number)).flat_map(Rule::techniques).collect();
    let taxa: Vec<Value> = techniques
        .iter()
        .map(|id| json!({"id": id, "helpUri": format!("https://attack.mitre.org/techniques/{}/", id.replace('.', "/"))}))
        .collect();
    let results = findings
        .iter()
        .filter_map(|finding| Some(result(finding, rules.get(finding.rule)?, *index.get(&finding.rule)?)));
    let document = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "tracer",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": described.collect::<Vec<_>>(),
                "supportedTaxonomies": [{"name": "ATT&CK"}],
            }},
            "taxonomies": [{"name": "ATT&CK", "organization": "MITRE", "taxa": taxa}],
            "results": results.collect::<Vec<_>>(),
        }],
    });
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

fn descriptor(rule: &Rule) -> Value {
    let relationships: Vec<Value> = rule
        .techniques()
        .map(|id| json!({"target": {"id": id, "toolComponent": {"name": "ATT&CK"}}, "kinds": ["relevant"]}))
        .collect();
    let description = if rule.description.is_empty() { &rule.title } else { &rule.description };
    json!({
        "id": rule.id,
        "name": rule.title,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": description},
        "defaultConfiguration": {"level": level(rule.level)},
        "properties": {
            "tags": rule.tags,
            "source": rule.language.name(),
            "authors": rule.authors,
            "security-severity": severity(rule.level),
        },
        "relationships": relationships,
    })
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Info | Level::Low => "note",
        Level::Medium => "warning",
        Level::High | Level::Critical => "error",
    }
}

/// As code hosts read it: 0 to 10.
fn severity(level: Level) -> &'static str {
    match level {
        Level::Info => "0.0",
        Level::Low => "3.0",
        Level::Medium => "5.5",
        Level::High => "8.0",
        Level::Critical => "9.5",
    }
}

fn result(finding: &Finding, rule: &Rule, index: usize) -> Value {
    let chain = std::iter::once(finding.process.name.as_str())
        .chain(finding.ancestry.iter().map(|it| it.name.as_str()))
        .collect::<Vec<_>>();
    let process = &finding.process;
    let logical = json!({
        "name": process.name,
        "fullyQualifiedName": chain.iter().rev().copied().collect::<Vec<_>>().join(" > "),
        "kind": "process",
    });
    let decided: Vec<String> = finding
        .events
        .iter()
        .flat_map(|seen| &seen.deciding)
        .map(|it| format!("{}: {}", it.field, it.value))
        .collect();
    let text = match decided.is_empty() {
        true => format!("{} by {} ({})", rule.title, process.name, process.pid),
        false => format!("{} by {} ({}): {}", rule.title, process.name, process.pid, decided.join("; ")),
    };
    let mut result = json!({
        "ruleId": rule.id,
        "ruleIndex": index,
        "level": level(rule.level),
        "message": {"text": text},
        "locations": finding.events.last().map(|seen| location(seen, &logical)).into_iter().collect::<Vec<_>>(),
        "partialFingerprints": {"ruleAndProgram/v1": fingerprint(finding, rule)},
        "properties": {
            "time": time(finding.wall_ns),
            "host": finding.host,
            "pid": process.pid,
            "commandLine": process.command_line,
            "user": process.user,
            "container": finding.container.as_ref().map(|it| &it.id),
        },
    });
    if finding.events.len() > 1
        && let Some(fields) = result.as_object_mut()
    {
        let steps: Vec<Value> = finding
            .events
            .iter()
            .map(|seen| {
                json!({
                    "location": location(seen, &logical),
                    "executionTimeUtc": time(seen.wall_ns),
                    "properties": {"event": seen.name},
                })
            })
            .collect();
        fields.insert("codeFlows".into(), json!([{"threadFlows": [{"locations": steps}]}]));
    }
    result
}

/// The capture is the artifact; a row has no place in bytes that other programs could show, so its number is told.
fn location(seen: &Seen, logical: &Value) -> Value {
    json!({
        "physicalLocation": {
            "artifactLocation": {"uri": uri(&seen.file)},
            "region": {"startLine": seen.number.unwrap_or(u64::from(seen.row) + 1)},
        },
        "logicalLocations": [logical],
        "message": {"text": format!("{} in block {}, row {}", seen.name, seen.block, seen.row)},
    })
}

/// A path as a reference: what is no letter of those is written by its bytes.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(byte.into())
            }
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

/// The same for what the same program did again: rule, program, and the values that decided.
fn fingerprint(finding: &Finding, rule: &Rule) -> String {
    let values = finding.events.iter().flat_map(|seen| &seen.deciding).map(|it| it.value.as_str());
    let all: Vec<&str> = [rule.id.as_str(), finding.process.exe.as_str()].into_iter().chain(values).collect();
    // FNV-1a: short, and the same in every version.
    let hash = all
        .join("\0")
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{hash:016x}")
}
