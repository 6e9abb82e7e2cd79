//! TOML as far as rule files use it, with the place of every text: a query's errors point into the file.

use std::ops::Range;

use super::ask::Wrong;

/// Tables and lists within each other.
const MAX_DEPTH: usize = 32;

#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Text(Text),
    Bool(bool),
    Number(f64),
    /// Times, which rules do not ask for.
    Other,
    List(Vec<Value>),
    Table(Table),
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Table {
    pub entries: Vec<(String, Value)>,
    /// Where it begins.
    pub at: usize,
}

/// A text, and where each of its bytes stands in the file.
#[derive(Clone, PartialEq, Debug)]
pub struct Text {
    pub text: String,
    start: usize,
    /// Where escapes make the text shorter than what is written.
    places: Option<Vec<usize>>,
}

impl Text {
    /// Where some of its bytes stand in the file.
    pub fn span(&self, within: Range<usize>) -> Range<usize> {
        let place = |at: usize| match &self.places {
            None => self.start + at,
            Some(places) => places.get(at).or(places.last()).copied().unwrap_or(self.start),
        };
        place(within.start)..place(within.end)
    }
}

impl Table {
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::text)
    }

    pub fn table(&self, key: &str) -> Option<&Table> {
        match self.get(key)? {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The texts of a list, or the one that stands in its place.
    pub fn texts(&self, key: &str) -> Vec<&Text> {
        match self.get(key) {
            Some(Value::Text(text)) => vec![text],
            Some(Value::List(list)) => list
                .iter()
                .filter_map(|it| if let Value::Text(text) = it { Some(text) } else { None })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The tables of a list of them.
    pub fn tables(&self, key: &str) -> Vec<&Table> {
        match self.get(key) {
            Some(Value::Table(table)) => vec![table],
            Some(Value::List(list)) => list
                .iter()
                .filter_map(|it| if let Value::Table(table) = it { Some(table) } else { None })
                .collect(),
            _ => Vec::new(),
        }
    }
}

impl Value {
    pub fn text(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(&text.text) } else { None }
    }

    pub fn number(&self) -> Option<f64> {
        if let Value::Number(number) = self { Some(*number) } else { None }
    }
}

pub fn parse(text: &str) -> Result<Table, Wrong> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let mut root = Table::default();
    // The table that keys go into.
    let mut path: Vec<String> = Vec::new();
    loop {
        reader.skip_lines();
        let at = reader.at;
        if reader.rest().is_empty() {
            return Ok(root);
        }
        if reader.eat("[[") {
            path = reader.keys("]]")?;
            let list = entry(&mut root, &path, at)?;
            match list {
                Value::List(list) => list.push(Value::Table(Table { at, ..Table::default() })),
                // Made just now.
                Value::Table(table) if table.entries.is_empty() => {
                    *list = Value::List(vec![Value::Table(Table { at, ..Table::default() })]);
                }
                _ => return Err(wrong(at..reader.at, "this name is taken by something that is no list")),
            }
        } else if reader.eat("[") {
            path = reader.keys("]")?;
            if !matches!(entry(&mut root, &path, at)?, Value::Table(_)) {
                return Err(wrong(at..reader.at, "this name is taken by something that is no table"));
            }
        } else {
            let keys = reader.keys("=")?;
            let key = at..reader.at.saturating_sub(1);
            reader.skip_blanks();
            let value = reader.value()?;
            put(&mut root, path.iter().chain(&keys).cloned().collect(), value, key)?;
        }
        reader.end_of_line()?;
    }
}

fn wrong(span: Range<usize>, message: &str) -> Wrong {
    Wrong { span, message: message.to_owned(), suggestion: None }
}

/// What stands under a name, made a table where nothing does. Of a list its last table is meant.
fn entry<'a>(root: &'a mut Table, path: &[String], at: usize) -> Result<&'a mut Value, Wrong> {
    let Some((last, before)) = path.split_last() else {
        return Err(wrong(at..at + 1, "a name is missing here"));
    };
    let mut table = root;
    for key in before {
        table = match in_table(table, key, at) {
            Value::Table(table) => table,
            Value::List(list) => match list.last_mut() {
                Some(Value::Table(table)) => table,
                _ => return Err(wrong(at..at + 1, "a part of this name is no table")),
            },
            _ => return Err(wrong(at..at + 1, "a part of this name is no table")),
        };
    }
    Ok(in_table(table, last, at))
}

fn in_table<'a>(table: &'a mut Table, key: &str, at: usize) -> &'a mut Value {
    let index = table.entries.iter().position(|(name, _)| name == key).unwrap_or_else(|| {
        table.entries.push((key.to_owned(), Value::Table(Table { at, ..Table::default() })));
        table.entries.len() - 1
    });
    &mut table.entries[index].1
}

fn put(root: &mut Table, path: Vec<String>, value: Value, key: Range<usize>) -> Result<(), Wrong> {
    let Some((last, before)) = path.split_last() else { return Err(wrong(key, "a key is missing here")) };
    let table = if before.is_empty() {
        root
    } else {
        match entry(root, before, key.start)? {
            Value::Table(table) => table,
            Value::List(list) => match list.last_mut() {
                Some(Value::Table(table)) => table,
                _ => return Err(wrong(key, "a part of this key is no table")),
            },
            _ => return Err(wrong(key, "a part of this key is no table")),
        }
    };
    if table.get(last).is_some() {
        return Err(wrong(key, "this key is there twice"));
    }
    table.entries.push((last.clone(), value));
    Ok(())
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn eat(&mut self, token: &str) -> bool {
        let is_there = self.rest().starts_with(token);
        self.at += if is_there { token.len() } else { 0 };
        is_there
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
    }

    /// Blanks, ends of lines and comments.
    fn skip_lines(&mut self) {
        loop {
            self.at +=
                self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\r', '\n', '\u{feff}']).len();
            if !self.rest().starts_with('#') {
                return;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    fn end_of_line(&mut self) -> Result<(), Wrong> {
        self.skip_blanks();
        match self.rest().chars().next() {
            None | Some('\n' | '\r' | '#') => Ok(()),
            Some(c) => Err(wrong(self.at..self.at + c.len_utf8(), "the line ends before this")),
        }
    }

    /// A dotted name, up to and with what ends it.
    fn keys(&mut self, end: &str) -> Result<Vec<String>, Wrong> {
        let mut keys = Vec::new();
        loop {
            self.skip_blanks();
            let at = self.at;
            if self.rest().starts_with(['"', '\'']) {
                keys.push(self.string()?.text);
            } else {
                let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
                let length = self.rest().find(|c| !is_key(c)).unwrap_or(self.rest().len());
                if length == 0 {
                    let length = self.rest().chars().next().map_or(1, char::len_utf8);
                    return Err(wrong(at..at + length, "a key is expected here: this is no TOML"));
                }
                keys.push(self.rest().get(..length).unwrap_or("").to_owned());
                self.at += length;
            }
            self.skip_blanks();
            if self.eat(end) {
                return Ok(keys);
            }
            if !self.eat(".") {
                return Err(wrong(at..self.at, &format!("{end:?} is missing after this")));
            }
        }
    }

    fn value(&mut self) -> Result<Value, Wrong> {
        let at = self.at;
        if self.depth > MAX_DEPTH {
            return Err(wrong(at..at + 1, "too many lists and tables within each other"));
        }
        match self.rest().chars().next() {
            Some('"' | '\'') => self.string().map(Value::Text),
            Some('[') => {
                self.at += 1;
                self.depth += 1;
                let list = self.list(at);
                self.depth -= 1;
                list
            }
            Some('{') => {
                self.at += 1;
                self.depth += 1;
                let table = self.inline(at);
                self.depth -= 1;
                table
            }
            _ => {
                let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '.' | ':');
                let length = self.rest().find(|c| !is_part(c)).unwrap_or(self.rest().len());
                let word = self.rest().get(..length).unwrap_or("").to_owned();
                self.at += length;
                match word.as_str() {
                    "true" => Ok(Value::Bool(true)),
                    "false" => Ok(Value::Bool(false)),
                    "" => Err(wrong(at..at + 1, "a value is missing here")),
                    number if number.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+')) => {
                        Ok(number.replace('_', "").parse().map_or(Value::Other, Value::Number))
                    }
                    _ => Err(wrong(at..self.at, "this is no value: texts stand in quotes")),
                }
            }
        }
    }

    fn list(&mut self, at: usize) -> Result<Value, Wrong> {
        let mut list = Vec::new();
        loop {
            self.skip_lines();
            if self.eat("]") {
                return Ok(Value::List(list));
            }
            if self.rest().is_empty() {
                return Err(wrong(at..at + 1, "this list is not closed"));
            }
            list.push(self.value()?);
            self.skip_lines();
            if !self.eat(",") && !self.rest().is_empty() && !self.rest().starts_with(']') {
                return Err(wrong(self.at..self.at + 1, "a comma or ] is missing before this"));
            }
        }
    }

    fn inline(&mut self, at: usize) -> Result<Value, Wrong> {
        let mut table = Table { at, ..Table::default() };
        loop {
            self.skip_lines();
            if self.eat("}") {
                return Ok(Value::Table(table));
            }
            let from = self.at;
            let keys = self.keys("=")?;
            let key = from..self.at.saturating_sub(1);
            self.skip_blanks();
            let value = self.value()?;
            put(&mut table, keys, value, key)?;
            self.skip_lines();
            if !self.eat(",") && !self.rest().starts_with('}') {
                return Err(wrong(at..at + 1, "this table is not closed"));
            }
        }
    }

    fn string(&mut self) -> Result<Text, Wrong> {
        let at = self.at;
        let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| self.eat(quote)).unwrap_or("\"");
        let is_long = quote.len() == 3;
        if is_long && !self.eat("\n") {
            self.eat("\r\n");
        }
        let start = self.at;
        let is_raw = quote.starts_with('\'');
        let (mut text, mut places) = (String::new(), Vec::new());
        let mut is_changed = false;
        loop {
            let from = self.at;
            let Some(c) = self.rest().chars().next() else {
                return Err(wrong(at..at + quote.len(), "this text is not closed"));
            };
            if self.eat(quote) {
                // Up to two quotes may stand right before the end.
                while is_long && self.rest().starts_with(&quote[..1]) && self.at < from + 5 {
                    text.push_str(&quote[..1]);
                    places.push(from);
                    self.at += 1;
                }
                places.push(self.at - quote.len());
                return Ok(Text { text, start, places: is_changed.then_some(places) });
            }
            if c == '\n' && !is_long {
                return Err(wrong(at..from, "this text is not closed on its line"));
            }
            self.at += c.len_utf8();
            let c = if c == '\\' && !is_raw {
                is_changed = true;
                match self.escape(from)? {
                    Some(c) => c,
                    None => continue,
                }
            } else {
                c
            };
            text.push(c);
            places.extend(std::iter::repeat_n(from, c.len_utf8()));
        }
    }

    /// What follows a backslash; nothing where it only hides the end of a line.
    fn escape(&mut self, from: usize) -> Result<Option<char>, Wrong> {
        let Some(c) = self.rest().chars().next() else {
            return Err(wrong(from..from + 1, "this text is not closed"));
        };
        self.at += c.len_utf8();
        let digits = match c {
            'n' => return Ok(Some('\n')),
            't' => return Ok(Some('\t')),
            'r' => return Ok(Some('\r')),
            'b' => return Ok(Some('\u{8}')),
            'f' => return Ok(Some('\u{c}')),
            'e' => return Ok(Some('\u{1b}')),
            '"' | '\\' => return Ok(Some(c)),
            'x' => 2,
            'u' => 4,
            'U' => 8,
            c if c.is_whitespace() => {
                self.at += self.rest().len() - self.rest().trim_start().len();
                return Ok(None);
            }
            _ => {
                return Err(wrong(
                    from..self.at,
                    "this escape is not known of TOML: a raw text stands in '''",
                ));
            }
        };
        let code = self
            .rest()
            .get(..digits)
            .and_then(|it| u32::from_str_radix(it, 16).ok())
            .and_then(char::from_u32);
        self.at += digits.min(self.rest().len());
        code.map(Some).ok_or_else(|| wrong(from..from + 2, "this escape is no character"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_lists_and_texts_are_read_with_their_places() {
        let text = "[a]\nx = \"q\\\"z\" # why\n[[a.list]]\nn = 1_000\n[[a.list]]\nl = [\n 'c:\\d',\n]\n[a.list.in]\ny = '''\nraw \\n'''\n";
        let root = parse(text).unwrap();
        let a = root.table("a").unwrap();
        assert_eq!(a.text("x"), Some("q\"z"));
        let Some(Value::Text(x)) = a.get("x") else { panic!("a text") };
        assert_eq!(&text[x.span(2..3)], "z");
        let list = a.tables("list");
        assert_eq!(list[0].get("n"), Some(&Value::Number(1000.0)));
        assert_eq!(list[1].texts("l")[0].text, "c:\\d");
        let inner = list[1].table("in").unwrap();
        assert_eq!(inner.text("y"), Some("raw \\n"));
        let Some(Value::Text(y)) = inner.get("y") else { panic!("a text") };
        assert_eq!(&text[y.span(0..3)], "raw");
    }

    #[test]
    fn what_is_no_toml_is_told_at_its_place() {
        let told = |text: &str| parse(text).map_err(|it| (it.span.start, it.message)).unwrap_err();
        assert_eq!(told("a = 1\na = 2"), (6, "this key is there twice".to_owned()));
        assert_eq!(told("a = \"x\nb = 2"), (4, "this text is not closed on its line".to_owned()));
        assert_eq!(told("a = [1, 2"), (4, "this list is not closed".to_owned()));
        assert_eq!(told("a = yes"), (4, "this is no value: texts stand in quotes".to_owned()));
        assert!(told("a = \"\"\"x").1.contains("not closed"));
    }
}
