//! The bytes of artifacts in a capture: found when it is opened, read when somebody asks.

use std::collections::HashSet;

use super::Capture;
use crate::frame::Kind;
use crate::{Content, ContentInfo, Error, Result, limits};

impl Capture {
    /// Remembers where a frame with an artifact's bytes stands; more than a file may hold are left out.
    pub(super) fn take_content(&mut self, offset: u64) {
        if self.beside.contents.len() < limits::CONTENTS {
            self.beside.contents.push(offset);
        }
    }

    /// Whether it holds the bytes of any artifact.
    pub fn has_contents(&self) -> bool {
        !self.beside.contents.is_empty()
    }

    /// What frames say of the artifacts whose bytes they hold, in the file's order; of bytes that stand there twice, the first.
    /// A frame that cannot be read is left out.
    pub fn contents(&self) -> Result<Vec<ContentInfo>> {
        let (mut infos, mut known) = (Vec::new(), HashSet::new());
        for offset in &self.beside.contents {
            let info = self.head(*offset, Kind::Content).and_then(|head| Content::info(&head.bytes, *offset));
            match info {
                Ok(info) if known.insert(info.sha256) => infos.push(info),
                Ok(_) => {}
                Err(error @ Error::Io { .. }) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(infos)
    }

    /// The bytes of an artifact, as they are stored; they fit their checksum.
    pub fn content(&self, info: &ContentInfo) -> Result<Content> {
        let head = self.head(info.offset, Kind::Content)?;
        let rest = self.reader.rest(&head, info.offset)?;
        Content::from_frame(&head.bytes, rest, info.offset)
    }
}
