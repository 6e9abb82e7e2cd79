//! What can be copied of an event beside what is on the screen: JSON, and the command line of its process.

use pipeline::{Access, Output, Projection, Question, Wanted};
use replay::render::{Format, Printer, Style};
use views::known::Who;

use super::{Desk, Made};
use crate::answer::Anchor;
use crate::engine::find;
use crate::model::shell;
use crate::page::{Line, Page, Target};

pub fn page(desk: &Desk<'_>, at: Anchor, mut page: Page) -> Made {
    let mut add = |what: &'static str, text: String| {
        if !text.is_empty() {
            let line = Line::new(format!("{what:<18} {}", scopes::spelled_out(&text)));
            let place = page.lines.len().saturating_sub(1);
            page.lines.insert(place, Line { target: Target::Copy(what, text), ..line });
        }
    };
    let question =
        Question { cancellation: desk.cancellation.clone(), range: None, ..desk.query.question(1) };
    let printer = Printer { format: Format::Json, style: Style::default() };
    let mut json = Vec::new();
    let mut access = Access::new(&question, Projection::ALL);
    let read = access.rows(&[Wanted { at: at.at, scopes: u64::MAX }], &mut |event| {
        printer.renderer().event(event, &mut json);
    });
    read.map_err(|error| error.to_string())?;
    add("JSON", String::from_utf8_lossy(&json).trim_end().to_owned());
    if let Some(process) = find::process(desk.query, at.at).map_err(|error| error.to_string())? {
        let forest = desk.query.shared.forest(desk.state.threads).map_err(|error| error.to_string())?;
        let who = Who::new(process.boot, process.pid, process.start_ns);
        let argv = forest.find(&who).map(|it| it.argv.clone()).unwrap_or_default();
        let words: Vec<String> = argv.iter().map(|word| shell(&String::from_utf8_lossy(word))).collect();
        add("command line", words.join(" "));
    }
    Ok(page)
}
