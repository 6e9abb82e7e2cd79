//! Which filter of each scope let an event pass or stopped it, with the value that it saw.

use pipeline::Question;
use replay::explain::Which;
use replay::render::{Format, Printer, Style};
use replay::{Asked, Asker};
use scopes::explain::Checks;
use views::Class;

use super::{Desk, Made};
use crate::answer::Anchor;
use crate::page::{Line, Page};

pub fn page(desk: &Desk<'_>, at: Anchor) -> Made {
    let source = &desk.query.shared.source;
    let mut page = Page { title: "Why it is shown".into(), ..Page::default() };
    let Some(set) = &desk.query.set else {
        page.lines.push(Line::new("there is no filter: every event that was recorded is shown"));
        page.lines.push(Line::quiet("/ types one; e then says what each part of it saw"));
        return Ok(page);
    };
    let rows = Checks::of(set).rows;
    let asked = Asked::given(rows, source)
        .map_err(|wrong| wrong.iter().map(|it| it.message.clone()).collect::<String>())?;
    let question = Question {
        threads: desk.state.threads,
        cancellation: desk.cancellation.clone(),
        ..Question::new(source, asked.matchers(source))
    };
    let (number, _) = question.number_of(at.at).map_err(|error| error.to_string())?;
    let Some(number) = number else {
        return Err("this event is derived from others in a way that explain does not follow".into());
    };
    let mut asker = Asker::new(source, desk.state.threads);
    let printer = Printer { format: Format::Table, style: Style::default() };
    let told = replay::explain::event(&mut asker, set, Which::Number(number + 1), &printer);
    let told = told.map_err(|error| error.to_string())?.ok_or("there is no such event")?;
    page.title = format!("Why event {} is shown", told.number);
    for line in told.scopes.lines() {
        let is_scope = !line.starts_with(' ');
        let class = if is_scope { Class::Who } else { Class::Plain };
        page.lines.push(Line { class, ..Line::new(scopes::spelled_out(line)) });
    }
    Ok(page)
}
