//! Lines of cells that stand below each other.

use crate::page::{Line, Page};

/// One long name must not push all others out of sight.
const WIDEST: usize = 40;

/// A cell, and whether it stands at the right of its column.
pub type Cell = (String, bool);

/// Fits cells into columns. The last one is as wide as it is.
pub fn page(title: String, headers: &[&str], rows: Vec<(Vec<Cell>, Line)>) -> Page {
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|(cells, _)| cells.get(at)).map(|(text, _)| text.chars().count());
        cells.chain(headers.get(at).map(|header| header.len())).max().unwrap_or_default().min(WIDEST)
    };
    let widths: Vec<usize> = (0..headers.len()).map(width).collect();
    let last = headers.len().saturating_sub(1);
    let rights: Vec<bool> = match rows.first() {
        Some((cells, _)) => cells.iter().map(|(_, is_right)| *is_right).collect(),
        None => Vec::new(),
    };
    let line = |cells: &[(&str, bool)]| {
        let mut line = String::new();
        for (at, (text, is_right)) in cells.iter().enumerate() {
            let width = widths.get(at).copied().unwrap_or_default();
            match (at == last, is_right) {
                (true, _) => line.push_str(text),
                (false, true) => line.push_str(&format!("{text:>width$}  ")),
                (false, false) => line.push_str(&format!("{text:<width$}  ")),
            }
        }
        line
    };
    let head: Vec<(&str, bool)> =
        headers.iter().enumerate().map(|(at, it)| (*it, rights.get(at).copied().unwrap_or(false))).collect();
    let header = line(&head);
    let made = rows.iter().map(|(cells, of)| {
        let cells: Vec<(&str, bool)> =
            cells.iter().map(|(text, is_right)| (text.as_str(), *is_right)).collect();
        Line { text: line(&cells), ..of.clone() }
    });
    Page { title, header, lines: made.collect(), ..Page::default() }
}
