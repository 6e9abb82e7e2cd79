//! Text that is the same for every event of a context, written once a block.

/// Pieces of text by context index.
#[derive(Debug, Default)]
pub struct Memo {
    text: Vec<u8>,
    /// Start and end in `text`; an empty range: not written yet.
    pieces: Vec<(u32, u32)>,
}

/// Blocks have at most 65,536 rows, so no more contexts: an index beyond is not remembered.
const MAX_PIECES: usize = 1 << 16;
/// Beyond this, pieces are written anew each time rather than remembered.
const MAX_BYTES: usize = 64 << 20;

impl Memo {
    /// Forgets everything: indices mean other contexts from here on.
    pub fn clear(&mut self) {
        self.text.clear();
        self.pieces.clear();
    }

    /// Appends the piece of an index, writing it when it is asked for the first time.
    pub fn append(&mut self, index: u32, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        let index = index as usize;
        if let Some((start, end)) = self.pieces.get(index).filter(|(start, end)| start != end) {
            return out.extend_from_slice(&self.text[*start as usize..*end as usize]);
        }
        if index >= MAX_PIECES || self.text.len() > MAX_BYTES {
            return write(out);
        }
        let start = self.text.len();
        write(&mut self.text);
        out.extend_from_slice(&self.text[start..]);
        if self.pieces.len() <= index {
            self.pieces.resize(index + 1, (0, 0));
        }
        self.pieces[index] = (start as u32, self.text.len() as u32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_written_once_until_the_next_block() {
        let mut memo = Memo::default();
        let mut written = 0;
        let mut ask = |memo: &mut Memo, index, text: &str| {
            let mut out = Vec::new();
            memo.append(index, &mut out, |out| {
                written += 1;
                out.extend_from_slice(text.as_bytes());
            });
            (String::from_utf8_lossy(&out).into_owned(), written)
        };
        assert_eq!(ask(&mut memo, 3, "ls"), ("ls".into(), 1));
        assert_eq!(ask(&mut memo, 3, "other"), ("ls".into(), 1));
        assert_eq!(ask(&mut memo, 0, "id"), ("id".into(), 2));
        memo.clear();
        assert_eq!(ask(&mut memo, 3, "ps"), ("ps".into(), 3));
        assert_eq!(ask(&mut memo, u32::MAX, "far"), ("far".into(), 4));
    }
}
