//! What is shown but is no table of events: the detail of one, a process tree, a story, findings. Lines that lead somewhere
//! know where. All of it is text that a terminal does not obey: whoever makes it goes through `views::text`.

use views::Class;

use crate::answer::Anchor;

/// A list of lines, one of which is chosen.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Page {
    pub title: String,
    /// Above the lines, where they are a table.
    pub header: String,
    pub lines: Vec<Line>,
    /// What there is to know before it is read.
    pub note: String,
    /// Columns that lines can be sorted by, and which one they are.
    pub sorts: Vec<&'static str>,
    pub sorted_by: usize,
    /// The line that it is about.
    pub chosen: Option<usize>,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Line {
    pub text: String,
    pub class: Class,
    pub target: Target,
    /// The filter `key=value` that `+` and `-` write.
    pub field: Option<Field>,
    /// By column that the page can be sorted by.
    pub order: Vec<Order>,
}

/// A value that filters can ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// `comm`, `openat.pathname`
    pub key: String,
    /// As filters read it.
    pub value: String,
}

impl Field {
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Field {
        Field { key: key.into(), value: value.into() }
    }

    /// A value of foreign bytes, of which none means anything to filters.
    pub fn of_bytes(key: impl Into<String>, bytes: &[u8]) -> Field {
        let mut value = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    ',' | '*' | '\\' => value.extend(['\\', c]),
                    c if scopes::is_printable(c) => value.push(c),
                    c => c
                        .encode_utf8(&mut [0; 4])
                        .bytes()
                        .for_each(|byte| value.push_str(&format!("\\x{byte:02x}"))),
                }
            }
            chunk.invalid().iter().for_each(|byte| value.push_str(&format!("\\x{byte:02x}")));
        }
        Field { key: key.into(), value }
    }

    pub fn filter(&self, is_excluded: bool) -> String {
        format!("{}{}{}", self.key, if is_excluded { "!=" } else { "=" }, self.value)
    }
}

/// What `Enter` does with a line.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Target {
    #[default]
    None,
    /// Go to this event.
    Row(Anchor),
    /// Show what this filter leaves, below the present one.
    Filter(String),
    /// Ask by these filters in place of the present ones.
    Query(Vec<String>),
    /// Go to this time of the wall clock.
    Time(i64),
    /// Go to the event of this number among all, from 1.
    Event(u64),
    /// Show this page.
    Study(crate::study::Study),
    /// Copy this text; the first says what it is.
    Copy(&'static str, String),
}

impl Line {
    pub fn new(text: impl Into<String>) -> Line {
        Line { text: text.into(), ..Line::default() }
    }

    pub fn quiet(text: impl Into<String>) -> Line {
        Line { class: Class::Quiet, ..Line::new(text) }
    }
}

/// Foreign bytes as text.
pub fn shown(bytes: &[u8]) -> String {
    let mut out = Vec::new();
    views::text::shown(bytes, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// What a line is sorted by, column by column.
#[derive(Clone, PartialEq, Debug)]
pub enum Order {
    Number(i128),
    Text(String),
}

impl Page {
    /// Sorts by the next column, or the one before. Returns its name, and where a line went to; `None` of a page that has no
    /// columns to sort by.
    pub fn sort(&mut self, is_next: bool) -> Option<(&'static str, impl Fn(usize) -> usize + use<>)> {
        let count = self.sorts.len();
        if count == 0 {
            return None;
        }
        self.sorted_by =
            if is_next { (self.sorted_by + 1) % count } else { (self.sorted_by + count - 1) % count };
        let by = self.sorted_by;
        let mut order: Vec<usize> = (0..self.lines.len()).collect();
        let key = |at: usize| self.lines.get(at).and_then(|line| line.order.get(by));
        order.sort_by(|a, b| match (key(*a), key(*b)) {
            (Some(Order::Number(a)), Some(Order::Number(b))) => b.cmp(a),
            (Some(Order::Text(a)), Some(Order::Text(b))) => a.cmp(b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        });
        let lines = order.iter().filter_map(|at| self.lines.get(*at).cloned()).collect();
        self.lines = lines;
        let went = move |from: usize| order.iter().position(|at| *at == from).unwrap_or_default();
        Some((self.sorts.get(by).copied().unwrap_or_default(), went))
    }
}
