//! A JSON object that is written member by member.

use replay::render::json_text;

/// Writes `{"key":value,...}`. Members are in the order in which they are written.
#[derive(Debug)]
pub struct Object<'a> {
    out: &'a mut Vec<u8>,
    follows: bool,
}

impl<'a> Object<'a> {
    pub fn open(out: &'a mut Vec<u8>) -> Object<'a> {
        out.push(b'{');
        Object { out, follows: false }
    }

    pub fn close(self) {
        self.out.push(b'}');
    }

    /// A member whose value the caller appends.
    pub fn value(&mut self, key: &str) -> &mut Vec<u8> {
        if self.follows {
            self.out.push(b',');
        }
        self.follows = true;
        json_text::quoted(key.as_bytes(), self.out);
        self.out.push(b':');
        self.out
    }

    pub fn text(&mut self, key: &str, text: &[u8]) {
        json_text::quoted(text, self.value(key));
    }

    /// A text, left out where it is empty: unknown is not the same as an empty name.
    pub fn some_text(&mut self, key: &str, text: &[u8]) {
        if !text.is_empty() {
            self.text(key, text);
        }
    }

    pub fn number(&mut self, key: &str, number: i64) {
        self.value(key).extend_from_slice(number.to_string().as_bytes());
    }

    /// A member that is an object; `fill` writes its members.
    pub fn object_of(&mut self, key: &str, fill: impl FnOnce(&mut Object<'_>)) {
        let mut object = Object::open(self.value(key));
        fill(&mut object);
        object.close();
    }
}
