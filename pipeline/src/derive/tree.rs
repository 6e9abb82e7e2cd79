//! Writes values of members and lists, as [`events::tree`] describes them.

/// Appends one value. Lists and members are counted as they are written.
#[derive(Debug)]
pub struct Tree<'a> {
    out: &'a mut Vec<u8>,
}

/// Elements of one list or structure; more are left out, as the count has 16 bits.
const MAX_ELEMENTS: u16 = u16::MAX;

impl<'a> Tree<'a> {
    pub fn new(out: &'a mut Vec<u8>) -> Tree<'a> {
        Tree { out }
    }

    pub fn nothing(&mut self) {
        self.out.push(0);
    }

    pub fn signed(&mut self, number: i64) {
        self.out.push(1);
        self.out.extend_from_slice(&number.to_le_bytes());
    }

    pub fn boolean(&mut self, value: bool) {
        self.out.extend_from_slice(&[3, u8::from(value)]);
    }

    pub fn unsigned(&mut self, number: u64) {
        self.out.push(2);
        self.out.extend_from_slice(&number.to_le_bytes());
    }

    /// Text, cut at 65,535 bytes.
    pub fn text(&mut self, text: &[u8]) {
        let kept = &text[..text.len().min(usize::from(u16::MAX))];
        self.out.push(4);
        self.out.extend_from_slice(&(kept.len() as u16).to_le_bytes());
        self.out.extend_from_slice(kept);
    }

    pub fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut write: impl FnMut(T, &mut Tree<'_>)) {
        self.out.push(6);
        let at = self.out.len();
        self.out.extend_from_slice(&[0; 2]);
        let mut count = 0u16;
        for item in items.into_iter().take(usize::from(MAX_ELEMENTS)) {
            write(item, &mut Tree { out: self.out });
            count += 1;
        }
        self.count(at, count);
    }

    pub fn members(&mut self, write: impl FnOnce(&mut Members<'_>)) {
        self.out.push(7);
        let at = self.out.len();
        self.out.extend_from_slice(&[0; 2]);
        let mut members = Members { out: self.out, count: 0 };
        write(&mut members);
        let count = members.count;
        self.count(at, count);
    }

    fn count(&mut self, at: usize, count: u16) {
        if let Some(place) = self.out.get_mut(at..at + 2) {
            place.copy_from_slice(&count.to_le_bytes());
        }
    }
}

/// The members of one structure.
#[derive(Debug)]
pub struct Members<'a> {
    out: &'a mut Vec<u8>,
    count: u16,
}

impl Members<'_> {
    /// A member whose value `write` appends: exactly one.
    pub fn value(&mut self, name: &str, write: impl FnOnce(&mut Tree<'_>)) -> &mut Self {
        let name = &name.as_bytes()[..name.len().min(255)];
        self.out.push(name.len() as u8);
        self.out.extend_from_slice(name);
        write(&mut Tree { out: self.out });
        self.count = self.count.saturating_add(1);
        self
    }

    pub fn number(&mut self, name: &str, number: impl Into<u64>) -> &mut Self {
        let number = number.into();
        self.value(name, |tree| tree.unsigned(number))
    }

    pub fn text(&mut self, name: &str, text: impl AsRef<[u8]>) -> &mut Self {
        self.value(name, |tree| tree.text(text.as_ref()))
    }
}
