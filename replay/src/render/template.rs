//! Lines after a template: `{time} {comm} {openat.pathname}`.

use events::Event;
use pipeline::{EventView, Render};
use views::cell::Cells;
use views::{Column, Known, Look};

/// What a line is made of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    Text(String),
    Column(Column),
}

impl Template {
    /// Reads a template. `{{` and `}}` are braces, `\t` and `\n` what they are elsewhere.
    pub fn parse(text: &str, declared: &[&'static Event]) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut own = String::new();
        let mut rest = text.chars().peekable();
        while let Some(character) = rest.next() {
            match character {
                '{' | '}' if rest.peek() == Some(&character) => {
                    rest.next();
                    own.push(character);
                }
                '{' => {
                    let mut name = String::new();
                    loop {
                        match rest.next() {
                            Some('}') => break,
                            Some(character) => name.push(character),
                            None => return Err(format!("{{{name} has no closing brace")),
                        }
                    }
                    if !own.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut own)));
                    }
                    let column = Column::by_name(name.trim(), declared).map_err(|error| error.to_string())?;
                    parts.push(Part::Column(column));
                }
                '}' => return Err("a closing brace has no opening one; }} is a brace".to_owned()),
                '\\' => match rest.next() {
                    Some('t') => own.push('\t'),
                    Some('n') => own.push('\n'),
                    Some('\\') | None => own.push('\\'),
                    Some(other) => own.extend(['\\', other]),
                },
                other => own.push(other),
            }
        }
        if !own.is_empty() {
            parts.push(Part::Text(own));
        }
        Ok(Template { parts })
    }

    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        self.parts.iter().filter_map(|part| match part {
            Part::Column(column) => Some(column),
            Part::Text(_) => None,
        })
    }
}

/// A line an event.
#[derive(Debug)]
pub struct Lines<'a> {
    template: &'a Template,
    cells: Cells<'a>,
}

impl<'a> Lines<'a> {
    pub fn new(template: &'a Template, look: &'a Look, known: &'a Known) -> Lines<'a> {
        Lines { template, cells: Cells::new(look, known) }
    }
}

impl Render for Lines<'_> {
    fn block(&mut self) {}

    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) {
        for part in &self.template.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Column(column) => self.cells.write(column, event, out),
            }
        }
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_template_is_said() {
        let wrong = |text: &str| Template::parse(text, &[]).expect_err("a mistake");
        assert_eq!(wrong("{time"), "{time has no closing brace");
        assert!(wrong("a}").contains("no opening one"));
        assert!(wrong("{cmo}").contains("no column \"cmo\""));
        let parsed = Template::parse("{{{comm}}}\\t{args.fd}", &[]).expect("a template");
        let text = |text: &str| Part::Text(text.to_owned());
        let fd = Column::Argument { event: None, name: "fd".into() };
        let parts = [text("{"), Part::Column(Column::Comm), text("}\t"), Part::Column(fd)];
        assert_eq!(parsed.parts, parts);
    }
}
