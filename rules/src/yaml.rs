//! YAML as a tree that knows where everything stands, and whether a scalar was quoted.
//!
//! Rules tell `'1'` from `1` and want every error at its line and column, which a deserializer into structures loses.

use granit_parser::{Event, Parser, ScalarStyle, Span};

use crate::diagnostic::{Diagnostic, File};

/// Nodes of one document, with what its aliases stand for: foreign files are not to grow without bound.
const MAX_NODES: usize = 1 << 20;
/// Broken documents of a file that are told.
const MAX_ERRORS: usize = 100;
/// Lists and maps within each other.
const MAX_DEPTH: usize = 64;

/// A value and its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    pub kind: Kind,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// Characters that it takes; 0 when it goes over several lines.
    pub width: u32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    Scalar { text: String, style: Style },
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    Plain,
    Quoted,
    /// `|` or `>`: what is in it stands on lines of its own.
    Block,
}

/// A scalar by YAML's core schema.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Scalar<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(&'a str),
}

impl Node {
    /// The text of a scalar, whatever its type.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    pub fn scalar(&self) -> Option<Scalar<'_>> {
        match &self.kind {
            Kind::Scalar { text, style: Style::Plain } => Some(typed(text)),
            Kind::Scalar { text, .. } => Some(Scalar::Text(text)),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        self.scalar() == Some(Scalar::Null)
    }

    pub fn entries(&self) -> Option<&[(Node, Node)]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub fn list(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::List(list) => Some(list),
            _ => None,
        }
    }

    /// A list's elements, or the value itself as the only one.
    pub fn one_or_more(&self) -> &[Node] {
        match &self.kind {
            Kind::List(list) => list,
            _ => std::slice::from_ref(self),
        }
    }

    /// The value of a key of a map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries()?.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    pub fn error(&self, file: &File<'_>, message: impl Into<String>) -> Diagnostic {
        file.error(self.line, self.column, self.width.max(1), message)
    }

    /// An error about some bytes of a scalar's text. Of one that goes over several lines the whole is meant.
    pub fn error_at(
        &self,
        file: &File<'_>,
        span: std::ops::Range<usize>,
        message: impl Into<String>,
    ) -> Diagnostic {
        let Kind::Scalar { text, style } = &self.kind else { return self.error(file, message) };
        let before = text.get(..span.start).unwrap_or("");
        let inside = text.get(span.start..span.end).unwrap_or("");
        let width = inside.chars().count().max(1) as u32;
        match style {
            // Its lines stand as they are, below the one with the mark, moved in.
            Style::Block => {
                let line = self.line + 1 + before.matches('\n').count() as u32;
                let at = before.rfind('\n').map_or(0, |at| at + 1);
                let shown = file.text.lines().nth(line as usize - 1).unwrap_or("");
                let indent = shown.chars().take_while(|c| *c == ' ').count() as u32;
                let column = before.get(at..).unwrap_or("").chars().count() as u32;
                file.error(line, indent + column + 1, width, message)
            }
            _ if self.width == 0 => self.error(file, message),
            _ => {
                let quote = u32::from(*style == Style::Quoted);
                file.error(self.line, self.column + quote + before.chars().count() as u32, width, message)
            }
        }
    }
}

/// What a plain scalar is.
fn typed(text: &str) -> Scalar<'_> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" => return Scalar::Bool(true),
        "false" | "False" | "FALSE" => return Scalar::Bool(false),
        _ => {}
    }
    let integer = match text.split_at_checked(2) {
        Some(("0x", digits)) => i64::from_str_radix(digits, 16).ok(),
        Some(("0o", digits)) => i64::from_str_radix(digits, 8).ok(),
        _ => text.parse().ok(),
    };
    if let Some(integer) = integer {
        return Scalar::Integer(integer);
    }
    let is_numeric = text.contains(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E'));
    match text.parse() {
        Ok(float) if is_numeric => Scalar::Float(float),
        _ => Scalar::Text(text),
    }
}

/// The documents of a file that are whole, and what is wrong with the others: one that is broken does not hide those behind.
pub fn documents(file: &File<'_>) -> (Vec<Node>, Vec<Diagnostic>) {
    let mut tree = Tree { documents: Vec::new(), open: Vec::new(), anchors: Vec::new(), nodes: 0 };
    let mut errors = Vec::new();
    let mut parser = Parser::new_from_str(file.text);
    while errors.len() < MAX_ERRORS {
        let error = match parser.next() {
            None => break,
            Some(Ok((event, span))) => match tree.event(event, span) {
                Ok(()) => continue,
                Err(message) => file.error(span.start.line() as u32, span.start.col() as u32 + 1, 1, message),
            },
            Some(Err(error)) => {
                let mark = error.marker();
                let message = format!("this is no YAML: {}", error.info());
                file.error(mark.line() as u32, mark.col() as u32 + 1, 1, message)
            }
        };
        errors.push(error);
        tree.abandon();
        if !matches!(parser.proceed_next_document(), Ok(true)) {
            break;
        }
    }
    (tree.documents, errors)
}

struct Tree {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: Vec<(usize, Node, usize)>,
    nodes: usize,
}

/// A list or map that is not whole yet.
struct Open {
    node: Node,
    key: Option<Node>,
    anchor: usize,
    /// Nodes before it.
    from: usize,
}

impl Tree {
    /// What is open will not become whole.
    fn abandon(&mut self) {
        self.open.clear();
        self.anchors.clear();
        self.nodes = 0;
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), String> {
        match event {
            Event::DocumentStart(..) => self.abandon(),
            Event::Scalar(text, style, anchor, _) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                    _ => Style::Quoted,
                };
                let node = node(Kind::Scalar { text: text.into_owned(), style }, span);
                self.add(node, anchor, 1)?;
            }
            Event::SequenceStart(_, anchor, _) => self.begin(node(Kind::List(Vec::new()), span), anchor)?,
            Event::MappingStart(_, anchor, _) => self.begin(node(Kind::Map(Vec::new()), span), anchor)?,
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { node, anchor, from, .. }) = self.open.pop() {
                    let size = self.nodes.saturating_sub(from);
                    self.nodes = from;
                    self.add(node, anchor, size)?;
                }
            }
            Event::Alias(anchor) => {
                let known = self.anchors.iter().rev().find(|(id, ..)| *id == anchor);
                let Some((_, node, size)) = known else {
                    return Err("an alias of what is not whole yet".into());
                };
                let (mut node, size) = (node.clone(), *size);
                (node.line, node.column) = (span.start.line() as u32, span.start.col() as u32 + 1);
                self.add(node, 0, size)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, node: Node, anchor: usize) -> Result<(), String> {
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} lists and maps within each other"));
        }
        self.open.push(Open { node, key: None, anchor, from: self.nodes });
        self.nodes += 1;
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), String> {
        self.nodes += size;
        if self.nodes > MAX_NODES {
            return Err(format!("more than {MAX_NODES} values in one document"));
        }
        if anchor != 0 {
            self.anchors.push((anchor, node.clone(), size));
        }
        match self.open.last_mut() {
            None => self.documents.push(node),
            Some(open) => match &mut open.node.kind {
                Kind::List(list) => list.push(node),
                Kind::Map(entries) => match open.key.take() {
                    None => open.key = Some(node),
                    Some(key) => entries.push((key, node)),
                },
                Kind::Scalar { .. } => {}
            },
        }
        if self.open.is_empty() {
            self.nodes = 0;
        }
        Ok(())
    }
}

fn node(kind: Kind, span: Span) -> Node {
    let is_scalar = matches!(kind, Kind::Scalar { .. });
    let width = if is_scalar && span.end.line() == span.start.line() {
        span.end.col().saturating_sub(span.start.col()) as u32
    } else {
        0
    };
    Node { kind, line: span.start.line() as u32, column: span.start.col() as u32 + 1, width }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<Node>, Vec<String>) {
        let name = "x.yml".into();
        let (documents, errors) = documents(&File { name: &name, text });
        (documents, errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn scalars_know_their_type_and_their_place() {
        let (documents, error) = read("a: '1'\nb: [1, 2.5, x, ~]\n---\nc: yes\n");
        assert_eq!((documents.len(), error), (2, vec![]));
        let first = &documents[0];
        assert_eq!(first.get("a").and_then(Node::scalar), Some(Scalar::Text("1")));
        let list: Vec<_> =
            first.get("b").and_then(Node::list).expect("a list").iter().map(Node::scalar).collect();
        let expected = [Scalar::Integer(1), Scalar::Float(2.5), Scalar::Text("x"), Scalar::Null];
        assert_eq!(list, expected.map(Some));
        let two = &first.get("b").and_then(Node::list).expect("a list")[1];
        assert_eq!((two.line, two.column, two.width), (2, 8, 3));
    }

    #[test]
    fn documents_before_and_behind_a_broken_one_are_read() {
        let (documents, errors) = read("a: 1\n---\nb: [1,\n---\nc: 1\n");
        assert_eq!((documents.len(), errors.len()), (2, 1), "{errors:?}");
        assert!(errors[0].contains("this is no YAML"), "{errors:?}");
    }

    #[test]
    fn aliases_of_aliases_do_not_grow_without_bound() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..9 {
            let aliases = vec![format!("*a{}", n - 1); 10].join(", ");
            text.push_str(&format!("a{n}: &a{n} [{aliases}]\n"));
        }
        assert!(read(&text).1[0].contains("more than"));
    }
}
