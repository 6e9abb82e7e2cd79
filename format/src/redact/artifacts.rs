//! Artifacts: bytes that may hold anything, of which nothing leaves unless somebody says so.

use super::bearing::{Form, TextIs};
use super::scan::{CHUNK, OVERLAP};
use super::{Redactor, forms};
use crate::artifact::reasons;
use crate::rewrite::{Edit as _, Text};
use crate::{Artifact, Content, Result};

impl Redactor {
    /// Lets the bytes of artifacts of these kinds stay. They are searched for what is taken out elsewhere, as everything is.
    pub fn keep_artifacts(&mut self, kinds: &[String]) {
        self.kept_artifacts = kinds.to_vec();
    }

    /// What is left of an artifact. Who has the hash of a few secret bytes can try what they were, so it goes with them.
    pub(super) fn redacted_artifact(&mut self, mut artifact: Artifact) -> Artifact {
        if let Some(path) = self.text(Text::Path, &artifact.path) {
            artifact.path = path;
        }
        if !self.kept_artifacts.contains(&artifact.kind) {
            artifact.sha256 = None;
            if artifact.left_out.is_empty() {
                artifact.left_out = reasons::REDACTED.to_owned();
            }
        }
        let kinds = [&Artifact::KINDS[..], &[Artifact::HASH]].concat();
        self.own_word(&mut artifact.kind, &kinds);
        self.own_word(&mut artifact.found, &Artifact::FOUND);
        self.own_word(&mut artifact.left_out, &reasons::ALL);
        artifact
    }

    /// A word of the recorder's own; what a later version or somebody else has put there may be anything.
    fn own_word(&self, word: &mut String, known: &[&str]) {
        if word.is_empty() || known.contains(&word.as_str()) {
            return;
        }
        if let Some(judged) = self.judge(None, Form::Text(TextIs::Foreign), word.as_bytes()) {
            *word = String::from_utf8_lossy(&self.treated(judged, word.as_bytes())).into_owned();
        }
        self.search(|| "artifacts".to_owned(), true, word.as_bytes());
    }

    /// Searches the bytes of an artifact that stays.
    pub(super) fn search_content(&self, content: &Content) -> Result<()> {
        if !self.is_checking {
            return Ok(());
        }
        let mut window = Vec::new();
        let mut is_in = false;
        let mut look = |window: &[u8]| is_in |= self.removed.borrow().is_in(&forms::small(window));
        content.read(&mut |piece| {
            window.extend_from_slice(piece);
            if window.len() >= CHUNK {
                look(&window);
                window.drain(..window.len() - OVERLAP);
            }
            Ok(())
        })?;
        look(&window);
        if is_in {
            self.leftover("bytes of artifacts".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Treatment;
    use crate::redact::tests::redactor;
    use crate::{Compression, sha256};

    fn artifact(kind: &str) -> Artifact {
        Artifact {
            kind: kind.into(),
            path: b"/home/alice/tool".to_vec(),
            found: "executable".into(),
            sha256: Some(sha256(b"x")),
            size: 1,
            kept: 1,
            count: 1,
            ..Artifact::default()
        }
    }

    #[test]
    fn bytes_and_their_hashes_go_unless_their_kind_is_kept() {
        let mut redactor = redactor(&[("comm", Treatment::Drop)]);
        let gone = redactor.redacted_artifact(artifact("write"));
        assert_eq!((gone.sha256, gone.left_out.as_str()), (None, reasons::REDACTED));
        assert!(!redactor.keeps_content(&sha256(b"x")));
        redactor.keep_artifacts(&["exec".into()]);
        assert_eq!(redactor.redacted_artifact(artifact("exec")), artifact("exec"));
        assert_eq!(redactor.redacted_artifact(artifact("write")).content(), None);
    }

    #[test]
    fn rules_for_paths_are_about_theirs_and_unknown_words_may_be_anything() {
        let mut redactor = redactor(&[("paths", Treatment::Drop), ("any=*hunter2*", Treatment::Drop)]);
        let mut strange = artifact("exec");
        strange.found = "by hunter2".into();
        let left = redactor.redacted_artifact(strange);
        assert_eq!((left.path.as_slice(), left.found.as_str()), (&b""[..], ""));
    }

    #[test]
    fn bytes_that_stay_are_searched_for_what_was_taken_out() {
        let mut redactor = redactor(&[("comm", Treatment::Drop)]);
        redactor.removed.borrow_mut().add(b"hunter22");
        redactor.begin_checking();
        let mut bytes = vec![b'.'; 3 << 20];
        bytes[CHUNK - 3..CHUNK + 5].copy_from_slice(b"hunter22");
        redactor.search_content(&Content::new(&bytes, Compression::Fast).unwrap()).unwrap();
        assert!(redactor.leftovers().contains_key("bytes of artifacts"));
    }
}
