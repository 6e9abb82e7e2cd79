//! `docs/stand-ins.md` is written from the tables, and a test holds it to them.

use events::{Source, catalogue};

use super::{hook_table::KERNEL_STAND_INS, stand_in};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/stand-ins.md");
/// Behind this line everything is written anew.
const MARK: &str = "| event | told by the exit of | left out |";

fn rows() -> String {
    let mut rows = String::new();
    for event in catalogue::events().filter(|event| matches!(event.source, Source::Hook { .. })) {
        let in_kernel = KERNEL_STAND_INS.iter().filter(|it| it.hook.name() == event.name);
        let mut told: Vec<(String, String)> =
            in_kernel.map(|it| (it.calls.join("`, `"), it.lacks.to_owned())).collect();
        for (call, unsaid, lacks) in stand_in::left_out(event) {
            let mut parts: Vec<String> = unsaid.iter().map(|name| format!("`{name}`")).collect();
            parts.extend((!lacks.is_empty()).then(|| lacks.to_owned()));
            let lacks = parts.join("; ");
            match told.iter_mut().find(|(_, known)| *known == lacks) {
                Some((calls, _)) if calls.split("`, `").all(|known| known != call) => {
                    calls.push_str("`, `");
                    calls.push_str(call);
                }
                Some(_) => {}
                None => told.push((call.to_owned(), lacks)),
            }
        }
        for (calls, lacks) in told {
            let lacks = if lacks.is_empty() { "nothing that is known" } else { &lacks };
            rows.push_str(&format!("| `{}` | `{calls}` | {lacks} |\n", event.name));
        }
    }
    rows
}

#[test]
fn the_page_of_stand_ins_says_what_the_tables_say() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, _) = page.split_once(MARK).unwrap_or_else(|| panic!("{PAGE} has no line {MARK}"));
    let written = format!("{before}{MARK}\n| --- | --- | --- |\n{}", rows());
    if std::env::var_os("TRACER_WRITE_DOCS").is_some() {
        std::fs::write(PAGE, &written).unwrap();
    } else {
        assert_eq!(
            page, written,
            "write it anew: TRACER_WRITE_DOCS=1 cargo test -p tracer-recorder stand_in_page"
        );
    }
}
