//! Files of rules, of the language that the first byte says.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((kind, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    // A detector's condition by itself is reached more often than one in a whole document.
    let detector = |condition: &str| {
        let condition = condition.replace('\'', "''").replace('\n', " ");
        format!(
            "type: detector\nid: a\nproduced_event: {{name: a, version: 1.0.0}}\nrequirements: {{events: [{{name: sched_process_exec}}]}}\nconditions: ['{condition}']\n"
        )
    };
    let (name, text) = match kind % 5 {
        0 => ("a.yaml", text.to_owned()),
        1 => ("a.toml", text.to_owned()),
        2 => ("a.eql", text.to_owned()),
        3 => ("a.rules", text.to_owned()),
        _ => ("a.yaml", detector(text)),
    };
    let mut readers = rules::Readers::default();
    readers.add(name, &text, true);
    let corpus = readers.finish();
    corpus.diagnostics.iter().for_each(|it| drop(it.to_string()));
    drop(rules::scan::answerable(&corpus.rules));
});
