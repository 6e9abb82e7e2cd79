//! A story as text: a tree for people, graphs for Graphviz and Mermaid.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;

use super::chain::{Chain, Edge, Moment, Node, Way};
use super::numbers::Stands;
use super::thing::Thing;
use crate::clock::Hand;
use crate::text;
use crate::tree::Forest;

/// What a story is shown with.
#[derive(Debug)]
pub struct Telling<'a> {
    pub chain: &'a Chain,
    pub way: Way,
    pub forest: &'a Forest,
    pub numbers: &'a HashMap<Moment, Stands>,
    /// Boots whose names are shown, where there are several.
    pub hosts: bool,
}

/// A line of a tree.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TreeLine {
    pub text: Vec<u8>,
    /// The bytes that tell events, as [`Telling::events`] does, and the first and the last of these.
    pub events: Option<(Range<usize>, Moment, Moment)>,
}

impl Telling<'_> {
    /// `curl 600: curl -o /tmp/x http://...` of a process; the name of anything else.
    pub fn label(&self, node: &Node) -> String {
        let mut out = Vec::new();
        let Thing::Process(who) = &node.thing else {
            text::shown(node.thing.name(), &mut out);
            return String::from_utf8_lossy(&out).into_owned();
        };
        let Some(process) = self.forest.find(who) else { return format!("process {}", who.pid) };
        if self.hosts {
            text::shown(process.host.as_bytes(), &mut out);
            out.push(b' ');
        }
        text::shown(&process.comm, &mut out);
        out.extend_from_slice(format!(" {}", who.pid).as_bytes());
        if !process.argv.is_empty() {
            out.extend_from_slice(b": ");
            text::shown(&process.argv.join(&b' '), &mut out);
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    pub fn verb(&self, edge: &Edge) -> &'static str {
        match self.way {
            Way::Back => edge.how.back(),
            Way::Forward => edge.how.forward(),
        }
    }

    /// `#1204`, `#1204 to #1390, 12 events`, with bytes where some went.
    pub fn events(&self, edge: &Edge) -> String {
        let mut out = String::new();
        let number = |moment: &Moment| {
            self.numbers.get(moment).map_or("#?".to_owned(), |it| format!("#{}", it.number))
        };
        let _ = match edge.count {
            1 => write!(out, "{}", number(&edge.first)),
            count => write!(out, "{} to {}, {count} events", number(&edge.first), number(&edge.last)),
        };
        if edge.bytes > 0 {
            let _ = write!(out, ", {} bytes", edge.bytes);
        }
        out
    }

    /// What is counted only.
    fn folded(&self, node: &Node) -> Vec<String> {
        let mut lines = Vec::new();
        let mut add = |count: u64, one: &str, many: &str, why: &str| match count {
            0 => {}
            1 => lines.push(format!("(1 {one} {why})")),
            _ => lines.push(format!("({count} {many} {why})")),
        };
        add(
            node.folded.unwritten,
            "file or pipe",
            "files and pipes",
            "that nobody wrote while it was recorded",
        );
        add(node.folded.libraries, "use of a library", "uses of libraries", "");
        add(node.folded.through, "more", "more", "of a hub: --through follows them");
        lines.iter().map(|line| line.replace(" )", ")")).collect()
    }

    /// A tree, each thing once, from the roots on.
    pub fn tree(&self, order: &[usize], hand: &mut Hand<'_>, out: &mut Vec<u8>) {
        for line in self.lines(order, hand) {
            out.extend_from_slice(&line.text);
            out.push(b'\n');
        }
    }

    /// The same line by line, each with the events that it is about.
    pub fn lines(&self, order: &[usize], hand: &mut Hand<'_>) -> Vec<TreeLine> {
        let mut lines = Vec::new();
        let mut seen = vec![false; self.chain.nodes.len()];
        for root in order.iter().filter(|at| self.chain.nodes.get(**at).is_some_and(|it| it.is_root)) {
            if seen.get(*root).copied().unwrap_or(true) {
                continue;
            }
            if let Some(node) = self.chain.nodes.get(*root) {
                lines.push(TreeLine { text: self.label(node).into_bytes(), ..TreeLine::default() });
            }
            self.below(*root, &mut seen, hand, &mut lines);
        }
        lines
    }

    /// What leads on from a node. Its own stack: a chain of forks may be as long as a capture.
    fn below(&self, root: usize, seen: &mut [bool], hand: &mut Hand<'_>, lines: &mut Vec<TreeLine>) {
        enum Line {
            Edge(usize, usize),
            Folded(String, usize),
        }
        let push = |at: usize, depth: usize, stack: &mut Vec<Line>| {
            let Some(node) = self.chain.nodes.get(at) else { return };
            let folded = self.folded(node).into_iter().rev().map(|line| Line::Folded(line, depth));
            stack.extend(folded);
            stack.extend(node.edges.iter().rev().map(|edge| Line::Edge(*edge, depth)));
        };
        let mut stack = Vec::new();
        if let Some(seen) = seen.get_mut(root) {
            *seen = true;
        }
        push(root, 1, &mut stack);
        while let Some(line) = stack.pop() {
            let (Line::Edge(_, depth) | Line::Folded(_, depth)) = &line;
            let depth = *depth;
            // A chain may be long; what is deep stands at this depth, with its depth.
            const DEEPEST: usize = 40;
            let mut told = TreeLine::default();
            let out = &mut told.text;
            (0..depth.min(DEEPEST)).for_each(|_| out.extend_from_slice(b"  "));
            if depth > DEEPEST {
                out.extend_from_slice(format!("[{depth}] ").as_bytes());
            }
            match line {
                Line::Folded(text, _) => out.extend_from_slice(text.as_bytes()),
                Line::Edge(edge, _) => {
                    let Some(edge) = self.chain.edges.get(edge) else { continue };
                    let Some(far) = self.chain.nodes.get(edge.far) else { continue };
                    hand.write(edge.first.wall_ns, out);
                    let (verb, label, events) = (self.verb(edge), self.label(far), self.events(edge));
                    out.extend_from_slice(format!("  {verb} {label}  [").as_bytes());
                    let start = out.len();
                    out.extend_from_slice(events.as_bytes());
                    told.events = Some((start..out.len(), edge.first, edge.last));
                    out.push(b']');
                    match seen.get_mut(edge.far) {
                        Some(seen) if !*seen => {
                            *seen = true;
                            push(edge.far, depth + 1, &mut stack);
                        }
                        _ if far.edges.is_empty() => {}
                        _ => out.extend_from_slice(b" (above)"),
                    }
                }
            }
            lines.push(told);
        }
    }

    /// Nodes and edges of a graph, as `node` and `edge` write them; causes point to effects.
    fn graph(
        &self,
        order: &[usize],
        node: &mut dyn FnMut(usize, String, bool),
        edge: &mut dyn FnMut(usize, usize, String),
    ) {
        for at in order {
            let Some(it) = self.chain.nodes.get(*at) else { continue };
            let mut label = self.label(it);
            for line in self.folded(it) {
                label.push(' ');
                label.push_str(&line);
            }
            node(*at, label, it.is_root);
        }
        for at in order {
            for it in self.chain.nodes.get(*at).into_iter().flat_map(|it| &it.edges) {
                let Some(it) = self.chain.edges.get(*it) else { continue };
                let label = format!("{} {}", it.how.forward(), self.events(it));
                match self.way {
                    Way::Back => edge(it.far, it.near, label),
                    Way::Forward => edge(it.near, it.far, label),
                }
            }
        }
    }

    pub fn dot(&self, order: &[usize]) -> String {
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let (mut nodes, mut edges) = (String::new(), String::new());
        self.graph(
            order,
            &mut |at, label, is_root| {
                let style = if is_root { ", style=bold" } else { "" };
                let _ = writeln!(nodes, "  n{at} [label=\"{}\"{style}];", quoted(&label));
            },
            &mut |from, to, label| {
                let _ = writeln!(edges, "  n{from} -> n{to} [label=\"{}\"];", quoted(&label));
            },
        );
        format!(
            "digraph story {{\n  rankdir=LR;\n  node [shape=box, fontname=monospace];\n{nodes}{edges}}}\n"
        )
    }

    pub fn mermaid(&self, order: &[usize]) -> String {
        // Everything that Mermaid reads in a label, as the entities that it shows.
        let quoted = |text: &str| {
            let mut out = String::new();
            for character in text.chars() {
                match character {
                    '"' | '#' | '<' | '>' | '&' | '`' | '|' | '[' | ']' | '{' | '}' | '(' | ')' | '\\'
                    | ';' => {
                        let _ = write!(out, "#{};", character as u32);
                    }
                    other => out.push(other),
                }
            }
            out
        };
        let (mut nodes, mut edges) = (String::new(), String::new());
        self.graph(
            order,
            &mut |at, label, is_root| {
                let (open, close) = if is_root { ("([", "])") } else { ("[", "]") };
                let _ = writeln!(nodes, "  n{at}{open}\"{}\"{close}", quoted(&label));
            },
            &mut |from, to, label| {
                let _ = writeln!(edges, "  n{from} -->|\"{}\"| n{to}", quoted(&label));
            },
        );
        format!("flowchart LR\n{nodes}{edges}")
    }
}
