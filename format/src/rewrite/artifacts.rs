//! Artifacts on their way into another capture: those whose events stay, and the bytes that these name.

use std::collections::HashSet;
use std::io::Write;

use super::{Copier, Edit, Place};
use crate::artifact::reasons;
use crate::{Artifact, Capture, Error, Result, Sha256, Side, Writer};

impl Copier {
    /// Copies artifacts and their bytes; after the rows, which say what stays. Bytes that are not what they should be are left
    /// out, and their artifacts say so.
    pub fn artifacts(
        &mut self,
        capture: &Capture,
        writer: &mut Writer<impl Write>,
        edit: &mut dyn Edit,
        place: Place,
    ) -> Result<()> {
        let kept: Vec<Artifact> =
            capture.artifacts().iter().cloned().filter_map(|it| edit.artifact(it)).collect();
        let named: HashSet<Sha256> = kept.iter().filter_map(Artifact::content).copied().collect();
        for info in capture.contents()? {
            if writer.has_content(&info.sha256)
                || !(named.contains(&info.sha256) || edit.keeps_content(&info.sha256))
            {
                continue;
            }
            let content = capture.content(&info).and_then(|content| {
                content.read(&mut |_| Ok(()))?;
                Ok(content)
            });
            match content {
                Ok(content) => {
                    edit.content(&content)?;
                    writer.content(&content)?;
                }
                Err(error @ Error::Io { .. }) => return Err(error),
                Err(_) => {}
            }
        }
        self.artifact_records(kept, writer, place)
    }

    /// Writes what artifacts there are, of which the bytes were written before.
    pub fn artifact_records(
        &mut self,
        mut artifacts: Vec<Artifact>,
        writer: &mut Writer<impl Write>,
        place: Place,
    ) -> Result<()> {
        for artifact in &mut artifacts {
            if artifact.content().is_some_and(|sha256| !writer.has_content(sha256)) {
                artifact.left_out = reasons::MISSING.to_owned();
            }
        }
        let placed = artifacts.into_iter().map(|artifact| artifact.placed(place)).collect();
        writer.side(&Side::Artifacts(placed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rewrite::AsItIs;
    use crate::{Compression, Content, Header, Options, current_schema, verify_bytes};

    fn artifact(bytes: &[u8]) -> Artifact {
        Artifact {
            kind: "write".into(),
            time_ns: 5,
            pid: 7,
            tid: 7,
            path: b"/tmp/x".to_vec(),
            found: "descriptor".into(),
            sha256: Some(crate::sha256(bytes)),
            size: bytes.len() as u64,
            kept: bytes.len() as u64,
            count: 1,
            ..Artifact::default()
        }
    }

    fn capture(artifacts: &[Artifact], contents: &[&[u8]]) -> Vec<u8> {
        let header = Header { schema: current_schema(), ..Header::default() };
        let mut writer = Writer::create(Vec::new(), &header).unwrap();
        for bytes in contents {
            writer.content(&Content::new(bytes, Compression::Default).unwrap()).unwrap();
        }
        writer.side(&Side::Artifacts(artifacts.to_vec())).unwrap();
        writer.finish().unwrap().0
    }

    fn copied(bytes: Vec<u8>, edit: &mut dyn Edit) -> Vec<u8> {
        let capture = Capture::from_bytes(bytes).unwrap();
        let header = Header { schema: current_schema(), ..Header::default() };
        let mut writer = Writer::create(Vec::new(), &header).unwrap();
        let place = Place { host: 1, shift_ns: 10 };
        Copier::new(Options::default()).artifacts(&capture, &mut writer, edit, place).unwrap();
        writer.finish().unwrap().0
    }

    fn fault(bytes: Vec<u8>) -> Option<String> {
        verify_bytes(bytes, crate::Expected::default()).unwrap().fault.map(|fault| fault.what)
    }

    #[test]
    fn artifacts_are_copied_with_their_bytes_and_stand_there_once() {
        let (one, two) = (artifact(b"one"), artifact(b"two"));
        let bytes = capture(&[one.clone(), one.clone(), two.clone()], &[b"one", b"one", b"two"]);
        assert_eq!(fault(bytes.clone()), None);
        let read = Capture::from_bytes(bytes.clone()).unwrap();
        assert_eq!(read.artifacts(), [one.clone(), one.clone(), two.clone()]);
        assert_eq!(read.contents().unwrap().len(), 2);
        let copy = copied(bytes, &mut AsItIs);
        assert_eq!(fault(copy.clone()), None);
        let copy = Capture::from_bytes(copy).unwrap();
        let moved = |it: Artifact| Artifact { host: 1, time_ns: 15, ..it };
        assert_eq!(copy.artifacts(), [moved(one.clone()), moved(one), moved(two)]);
        let infos = copy.contents().unwrap();
        let all: Vec<Vec<u8>> = infos.iter().map(|it| copy.content(it).unwrap().bytes().unwrap()).collect();
        assert_eq!(all, [b"one", b"two"]);
    }

    #[test]
    fn a_file_without_an_end_has_them_as_well() {
        let bytes = capture(&[artifact(b"one")], &[b"one"]);
        let torn = bytes[..bytes.len() - 40].to_vec();
        let read = Capture::from_bytes(torn).unwrap();
        assert_ne!(*read.completeness(), crate::Completeness::Finished);
        assert_eq!((read.artifacts().len(), read.contents().unwrap().len()), (1, 1));
    }

    #[test]
    fn bytes_that_are_missing_are_a_fault_and_a_copy_tells_of_them() {
        let bytes = capture(&[artifact(b"one")], &[b"two"]);
        assert!(fault(bytes.clone()).unwrap().contains("does not hold"));
        let copy = copied(bytes, &mut AsItIs);
        assert_eq!(fault(copy.clone()), None);
        assert_eq!(Capture::from_bytes(copy).unwrap().artifacts()[0].left_out, reasons::MISSING);
        let longer = Artifact { size: 4, kept: 4, ..artifact(b"one") };
        assert!(fault(capture(&[longer], &[b"one"])).unwrap().contains("as many bytes"));
    }

    struct None_;
    impl Edit for None_ {
        fn artifact(&mut self, _: Artifact) -> Option<Artifact> {
            None
        }
        fn keeps_content(&mut self, _: &Sha256) -> bool {
            false
        }
    }

    #[test]
    fn bytes_leave_with_the_last_artifact_that_names_them() {
        let copy = copied(capture(&[artifact(b"one")], &[b"one"]), &mut None_);
        let copy = Capture::from_bytes(copy).unwrap();
        assert!(copy.artifacts().is_empty() && !copy.has_contents());
    }
}
