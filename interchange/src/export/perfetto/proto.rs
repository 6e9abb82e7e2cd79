//! Messages of protocol buffers, as far as traces need them.

/// A message that is written field by field.
#[derive(Debug)]
pub struct Message<'a>(pub &'a mut Vec<u8>);

impl Message<'_> {
    fn key(&mut self, field: u32, wire: u32) {
        varint(u64::from(field << 3 | wire), self.0);
    }

    pub fn number(&mut self, field: u32, number: u64) {
        self.key(field, 0);
        varint(number, self.0);
    }

    /// Negative numbers take ten bytes.
    pub fn signed(&mut self, field: u32, number: i64) {
        self.number(field, number as u64);
    }

    pub fn fixed64(&mut self, field: u32, number: u64) {
        self.key(field, 1);
        self.0.extend(number.to_le_bytes());
    }

    pub fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.key(field, 2);
        varint(bytes.len() as u64, self.0);
        self.0.extend_from_slice(bytes);
    }

    /// Text: what is no UTF-8 becomes what stands for it everywhere, U+FFFD.
    pub fn text(&mut self, field: u32, text: &[u8]) {
        self.bytes(field, String::from_utf8_lossy(text).as_bytes());
    }

    pub fn message(&mut self, field: u32, fill: impl FnOnce(&mut Message<'_>)) {
        self.key(field, 2);
        let start = self.0.len();
        fill(&mut Message(self.0));
        // The length stands before what it counts, and is known only now.
        let mut length = Vec::with_capacity(5);
        varint((self.0.len() - start) as u64, &mut length);
        self.0.splice(start..start, length);
    }
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_as_the_encoding_says() {
        let mut out = Vec::new();
        let mut message = Message(&mut out);
        message.number(1, 150);
        message.text(2, b"testing");
        message.message(3, |inner| inner.number(1, 1));
        message.fixed64(47, 1);
        let expected =
            [&[0x08, 0x96, 0x01, 0x12, 7][..], b"testing", &[0x1a, 2, 8, 1, 0xf9, 2, 1, 0, 0, 0, 0, 0, 0, 0]];
        assert_eq!(out, expected.concat());
    }
}
