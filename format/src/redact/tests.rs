use super::*;

/// The globs of filters are elsewhere; this one knows stars.
#[derive(Debug)]
struct Stars(String);

impl Glob for Stars {
    fn fits(&self, value: &[u8]) -> bool {
        let mut parts = self.0.split('*').map(str::as_bytes).peekable();
        let Some(mut rest) = parts.next().and_then(|first| value.strip_prefix(first)) else { return false };
        if parts.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                return rest.ends_with(part);
            }
            let Some(at) = (0..=rest.len()).find(|at| rest[*at..].starts_with(part)) else { return false };
            rest = &rest[at + part.len()..];
        }
        true
    }

    fn is_inside(&self, value: &[u8]) -> bool {
        Stars(format!("*{}*", self.0)).fits(value)
    }
}

pub(super) fn rule(text: &str, treatment: Treatment) -> crate::Result<Rule> {
    Rule::parse(text, treatment, &|text| Box::new(Stars(text.to_owned())))
}

pub(super) fn redactor(rules: &[(&str, Treatment)]) -> Redactor {
    Redactor::new(rules.iter().map(|(text, treatment)| rule(text, *treatment).unwrap()).collect(), b"secret")
}

#[test]
fn paths_keep_their_shape_and_equal_parts_stay_equal() {
    let mut redactor = redactor(&[("paths=/home/*", Treatment::Hash)]);
    assert_eq!(redactor.text(Text::Path, b"/etc/passwd"), None);
    let one = redactor.text(Text::Path, b"/home/alice/notes.txt").unwrap();
    let two = redactor.text(Text::Path, b"/home/alice/../alice").unwrap();
    assert_eq!(one.len(), 3 * 17);
    assert_eq!(one[..35], two[..35]);
    assert_eq!(two[35..37], *b"..");
    assert!(!one.windows(5).any(|w| w == b"alice"));
}

#[test]
fn addresses_keep_family_and_port() {
    let redactor = redactor(&[]);
    let address = [2, 0, 0, 53, 8, 8, 8, 8, 0, 0, 0, 0, 0, 0, 0, 0];
    let changed = redactor.address(&address);
    assert_eq!((&changed[..5], &changed[8..]), (&[2, 0, 0, 53, changed[4]][..], &address[8..]));
    assert_eq!(changed[4] & 0xf0, 0xf0, "class E: no host's own");
    assert_ne!(changed[5..8], address[5..8]);
    let mapped = [&[10, 0, 0, 53, 0, 0, 0, 0][..], &[0; 10], &[0xff, 0xff, 8, 8, 8, 8, 0, 0, 0, 0]].concat();
    assert_eq!(redactor.address(&mapped)[20..24], changed[4..8], "the same host, whatever its family");
    assert_eq!(redactor.address(&address), changed);
    for end in 0..address.len() {
        assert!(redactor.address(&address[..end]).len() <= end);
    }
}

fn changed(redactor: &mut Redactor, stands_for: &[u8]) -> Change {
    let event = events::catalogue::by_name("read").unwrap();
    let context = events::Context::default();
    let stored = [&7_u64.to_le_bytes()[..], stands_for].concat();
    let args = [Raw::Bytes(&stored)];
    let row = Copied { event, context: &context, row: 0, ordinal: 0, time_ns: 0, wall_ns: 0, args: &args };
    redactor.argument(&row, 0, args[0])
}

#[test]
fn what_a_descriptor_stands_for_is_treated_as_the_path_or_address_that_it_is() {
    let mut redactor = redactor(&[("paths=/home/*", Treatment::Hash), ("addresses", Treatment::Hash)]);
    assert_eq!(changed(&mut redactor, b"/etc/passwd"), Change::Keep);
    let Change::Bytes(path) = changed(&mut redactor, b"/home/alice/notes") else { panic!() };
    assert_eq!(path[..8], 7_u64.to_le_bytes());
    assert_eq!(path[8..], *redactor.text(Text::Path, b"/home/alice/notes").unwrap());
    let Change::Bytes(tcp) = changed(&mut redactor, b"tcp 8.8.8.8:53->[2001:db8::1]:443") else { panic!() };
    let tcp = String::from_utf8(tcp[8..].to_vec()).unwrap();
    assert!(tcp.starts_with("tcp 2") && tcp.contains(":53->[fd") && tcp.ends_with(":443"), "{tcp}");
    assert!(!tcp.contains("8.8.8.8") && !tcp.contains("2001"), "{tcp}");
    let Change::Bytes(unix) = changed(&mut redactor, b"unix ->/run/alice.sock") else { panic!() };
    assert!(!unix.windows(5).any(|word| word == b"alice"), "{unix:?}");
    let mut one = self::redactor(&[("addresses=8.8.*", Treatment::Hash)]);
    assert_eq!(changed(&mut one, b"tcp 9.9.9.9:53->1.1.1.1:443"), Change::Keep);
    let Change::Bytes(tcp) = changed(&mut one, b"tcp 9.9.9.9:53->8.8.8.8:443") else { panic!() };
    assert!(tcp[8..].starts_with(b"tcp 9.9.9.9:53->2"), "{tcp:?}");
    let mut dropping = self::redactor(&[("paths", Treatment::Drop)]);
    assert_eq!(changed(&mut dropping, b"memfd:x"), Change::Number(7));
}

#[test]
fn arguments_are_treated_one_by_one() {
    let mut redactor = redactor(&[("argv=--password*", Treatment::Drop), ("argv=*@*", Treatment::Hash)]);
    let changed = redactor.text(Text::Argv, b"mail\0--password=x\0a@b\0").unwrap();
    assert!(changed.starts_with(b"mail\0\0"), "{changed:?}");
    assert_eq!(changed.len(), 5 + 1 + 17);
    assert_eq!(redactor.text(Text::Argv, b"ls\0-l\0"), None);
}

/// Sixty thousand rows of two values of a megabyte: a hundred gigabytes, were each row gone through by itself.
#[test]
fn a_value_that_many_rows_share_is_gone_through_once() {
    let began = std::time::Instant::now();
    let capture = crate::Capture::from_bytes(crate::rewrite::tests::amplifying(60_000, 2)).unwrap();
    let rules = [("any=*nothing such*", Treatment::Drop), ("paths", Treatment::Hash)];
    let mut redactor = redactor(&rules);
    redactor.host_names = HostNames::of(&[b"db.internal".to_vec()].into());
    let mut copier = crate::rewrite::Copier::new(crate::Options::default());
    copier.survey(&capture, &mut redactor).unwrap();
    assert_eq!(redactor.counts().map(|(_, count)| count).collect::<Vec<_>>(), [0, 60_000]);
    redactor.begin_checking();
    let header = crate::Header { schema: capture.schema().declarations(), ..crate::Header::default() };
    let mut writer = crate::Writer::create(Vec::new(), &header).unwrap();
    copier.block(&capture, 0, &mut writer, &mut redactor, crate::rewrite::Place::default()).unwrap();
    let written = crate::Capture::from_bytes(writer.finish().unwrap().0).unwrap();
    redactor.search_capture(&written).unwrap();
    assert!(redactor.leftovers().is_empty());
    assert_eq!(written.blocks().iter().map(|block| block.statistics.rows).sum::<u64>(), 60_000);
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
}

#[test]
fn an_unknown_kind_is_refused_with_what_there_is() {
    let error = rule("everything", Treatment::Drop).unwrap_err().to_string();
    assert!(error.contains("any, argv, env, paths"), "{error}");
}
