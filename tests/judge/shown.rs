//! Values as strace writes them with `-v -X raw -xx`: a small language of its own.
//!
//! ```text
//! value := part {"|" part} [comment] ["=>" value]
//! part  := number | string | "NULL" | "{" [members] "}" | "[" [elements] "]" | "~[" [numbers] "]" | word ["(" ... ")"]
//! ```

/// A value that strace shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    Number(i128),
    /// Numbers that strace joins with a bar.
    Or(Vec<i128>),
    Text {
        bytes: Vec<u8>,
        /// strace cut it (`"..."...`).
        is_cut: bool,
    },
    Null,
    /// `{name=value, value, ...}`; a member without a name has an empty one.
    Members(Vec<(String, Shown)>),
    List(Vec<Shown>),
    /// `~[1 2]`: every number but these.
    AllBut(Vec<Shown>),
    /// `[VINTR]=0x3` in a list.
    At(String, Box<Shown>),
    /// What stood there before the call, and after it.
    Change(Box<Shown>, Box<Shown>),
    /// `htons(80)`.
    Made(String, Vec<Shown>),
    /// A wait status in macros: `WIFEXITED(s) && WEXITSTATUS(s) == 7`.
    Status(String),
    /// Anything else that is a word.
    Word(String),
    /// Nothing is shown where a value should stand.
    Nothing,
}

#[derive(Debug)]
pub struct NotUnderstood(pub String);

/// A reader over one line.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a str,
}

type Read<T> = Result<T, NotUnderstood>;

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Reader<'a> {
        Reader { text }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a str {
        self.text
    }

    pub fn take(&mut self, prefix: &str) -> bool {
        match self.text.strip_prefix(prefix) {
            Some(rest) => {
                self.text = rest;
                true
            }
            None => false,
        }
    }

    fn fail<T>(&self, wanted: &str) -> Read<T> {
        let near: String = self.text.chars().take(60).collect();
        Err(NotUnderstood(format!("wanted {wanted} at {near:?}")))
    }

    fn blanks(&mut self) {
        self.text = self.text.trim_start_matches(' ');
        while let Some(after) = self.text.strip_prefix("/*") {
            let end = after.find("*/").map_or(after.len(), |at| at + 2);
            self.text = after.get(end..).unwrap_or_default().trim_start_matches(' ');
        }
    }

    fn while_matches(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.text.find(|c| !wanted(c)).unwrap_or(self.text.len());
        let (word, rest) = self.text.split_at(end);
        self.text = rest;
        word
    }

    /// Arguments up to the closing bracket, which is read too. Each may have a name (`flags=0x11`).
    pub fn arguments(&mut self) -> Read<Vec<(String, Shown)>> {
        let mut arguments = Vec::new();
        self.blanks();
        if self.take(")") {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.member(")")?);
            self.blanks();
            if self.take(")") {
                return Ok(arguments);
            }
            if !self.take(",") {
                return self.fail("`,` or `)`");
            }
            self.blanks();
        }
    }

    /// `name=value` or `value`; nothing before a comma or `end`.
    fn member(&mut self, end: &str) -> Read<(String, Shown)> {
        self.blanks();
        if self.text.starts_with(',') || self.text.starts_with(end) {
            return Ok((String::new(), Shown::Nothing));
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let length = self.text.find(|c| !is_name(c)).unwrap_or(self.text.len());
        let (name, after) = self.text.split_at(length);
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if starts_well && after.starts_with('=') && !after.starts_with("=>") && !after.starts_with("==") {
            self.text = after.get(1..).unwrap_or_default();
            return Ok((name.to_owned(), self.value()?));
        }
        Ok((String::new(), self.value()?))
    }

    pub fn value(&mut self) -> Read<Shown> {
        self.blanks();
        let mut value = self.part()?;
        let mut numbers = Vec::new();
        while self.take("|") {
            if let Shown::Number(number) = value {
                numbers.push(number);
            }
            value = self.part()?;
        }
        if !numbers.is_empty() {
            if let Shown::Number(number) = value {
                numbers.push(number);
            }
            value = Shown::Or(numbers);
        }
        self.blanks();
        if self.take("=>") {
            let after = self.value()?;
            return Ok(Shown::Change(Box::new(value), Box::new(after)));
        }
        Ok(value)
    }

    fn part(&mut self) -> Read<Shown> {
        if self.text.starts_with("{WIF") {
            let end = self.text.find('}').unwrap_or(self.text.len());
            let status = self.text.get(1..end).unwrap_or_default().to_owned();
            self.text = self.text.get(end + 1..).unwrap_or_default();
            return Ok(Shown::Status(status));
        }
        if self.take("{") {
            return self.members();
        }
        if self.take("~[") {
            return Ok(Shown::AllBut(self.elements()?));
        }
        if self.take("[") {
            return Ok(Shown::List(self.elements()?));
        }
        if self.take("...") {
            // More than strace knows.
            return Ok(Shown::Nothing);
        }
        if self.take("<") {
            // `<... resuming interrupted nanosleep ...>`
            let end = self.text.find('>').map_or(self.text.len(), |at| at + 1);
            self.text = self.text.get(end..).unwrap_or_default();
            return Ok(Shown::Nothing);
        }
        if self.take("@\"") {
            let Shown::Text { mut bytes, is_cut } = self.text()? else { return self.fail("a string") };
            bytes.insert(0, 0);
            return Ok(Shown::Text { bytes, is_cut });
        }
        if self.take("\"") {
            return self.text();
        }
        if self.text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            return self.number();
        }
        let word = self.while_matches(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '&' | '?'));
        match word {
            "" => self.fail("a value"),
            "NULL" => Ok(Shown::Null),
            _ if self.take("(") => {
                let arguments = self.arguments()?.into_iter().map(|(_, value)| value).collect();
                Ok(Shown::Made(word.to_owned(), arguments))
            }
            _ => Ok(Shown::Word(word.to_owned())),
        }
    }

    /// After the opening brace.
    fn members(&mut self) -> Read<Shown> {
        let mut members = Vec::new();
        loop {
            self.blanks();
            if self.take("}") {
                return Ok(Shown::Members(members));
            }
            members.push(self.member("}")?);
            self.blanks();
            self.take(",");
        }
    }

    /// After the opening bracket; with commas or blanks between.
    fn elements(&mut self) -> Read<Vec<Shown>> {
        let mut elements = Vec::new();
        loop {
            self.blanks();
            if self.take("]") {
                return Ok(elements);
            }
            let place = self.text.strip_prefix('[').and_then(|rest| rest.split_once("]="));
            match place {
                Some((place, rest)) if place.chars().all(|c| c.is_ascii_alphanumeric()) => {
                    self.text = rest;
                    elements.push(Shown::At(place.to_owned(), Box::new(self.value()?)));
                }
                _ => elements.push(self.value()?),
            }
            self.blanks();
            self.take(",");
        }
    }

    /// After the opening quote. With `-xx` every byte is `\x..`.
    fn text(&mut self) -> Read<Shown> {
        let Some((inside, rest)) = self.text.split_once('"') else { return self.fail("`\"`") };
        self.text = rest;
        let mut bytes = Vec::with_capacity(inside.len() / 4);
        for byte in inside.split("\\x").skip(1) {
            match u8::from_str_radix(byte, 16) {
                Ok(byte) => bytes.push(byte),
                Err(_) => return self.fail("only \\x escapes"),
            }
        }
        if bytes.is_empty() && !inside.is_empty() {
            return self.fail("only \\x escapes");
        }
        let is_cut = self.take("...");
        Ok(Shown::Text { bytes, is_cut })
    }

    fn number(&mut self) -> Read<Shown> {
        let is_negative = self.take("-");
        let digits = self.while_matches(|c| c.is_ascii_alphanumeric());
        let read = if let Some(hex) = digits.strip_prefix("0x") {
            i128::from_str_radix(hex, 16)
        } else if digits.len() >= 8 && digits.starts_with('0') {
            // Masks of nodes and groups: hex digits in full width.
            i128::from_str_radix(digits, 16)
        } else if digits.len() > 1 && digits.starts_with('0') {
            i128::from_str_radix(digits, 8)
        } else {
            digits.parse()
        };
        match read {
            Ok(number) => Ok(Shown::Number(if is_negative { -number } else { number })),
            Err(_) => self.fail("a number"),
        }
    }
}
