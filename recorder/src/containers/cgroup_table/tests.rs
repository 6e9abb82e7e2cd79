use super::*;

const ID: &str = "e9cf0db70635a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f607182930";

fn docker(id: u64) -> FoundCgroup {
    FoundCgroup { id, path: format!("/system.slice/docker-{ID}.scope") }
}

fn task<'a>(cgroup_id: u64, comm: &'a [u8], exe: &'a [u8]) -> Context<'a> {
    Context { cgroup_id, comm, exe, ..Context::default() }
}

#[test]
fn a_container_is_known_by_path_then_started_by_its_entry_point_then_named() {
    let mut table = CgroupTable::new(None);
    table.made(docker(7), 100);
    let facts = table.facts(7).unwrap();
    assert_eq!((facts.id, facts.created_ns, facts.started_ns), (ID, Some(100), None));
    for (comm, exe) in [
        (&b"6"[..], &b"/memfd:runc_cloned:/proc/self/exe"[..]),
        (b"runc:[2:INIT]", b"/usr/sbin/runc"),
        (b"exe", b"/"),
    ] {
        table.executed(&task(7, comm, exe), 150);
        assert_eq!(table.facts(7).unwrap().started_ns, None);
    }
    let before = table.version();
    table.executed(&task(7, b"sh", b"/bin/busybox"), 200);
    table.executed(&task(7, b"ls", b"/bin/busybox"), 300);
    assert_eq!(table.facts(7).unwrap().started_ns, Some(200));
    assert!(table.version() > before);
    let requests = table.take_unnamed();
    let authority = Authority::Host;
    assert_eq!(requests, [NameRequest { cgroup_id: 7, container_id: ID.to_owned(), authority }]);
    let names = ContainerNames {
        name: "web".into(),
        image: "alpine".into(),
        pod_sandbox: true,
        ..ContainerNames::default()
    };
    table.named(7, names);
    let facts = table.facts(7).unwrap();
    assert_eq!((facts.name, facts.image, facts.pod_sandbox), ("web", "alpine", true));
    let told = table.take_unwritten();
    assert_eq!(told[0].container.as_ref().unwrap().runtime, "docker");
    assert!(table.take_unwritten().is_empty());
}

#[test]
fn a_container_older_than_the_recording_has_started() {
    let mut table = CgroupTable::new(None);
    table.there(docker(7));
    let facts = table.facts(7).unwrap();
    assert_eq!((facts.created_ns, facts.started_ns), (None, Some(0)));
    assert_eq!(table.facts(8), None);
    assert_eq!(table.id_of(&docker(7).path), 7);
}

#[test]
fn removed_cgroups_are_told_of_and_then_forgotten() {
    let mut table = CgroupTable::new(None);
    table.made(docker(7), 100);
    table.removed(7, 200);
    table.forget_removed(200 + FORGET_AFTER_NS);
    assert_eq!(table.take_unwritten()[0].removed_ns, Some(200));
    table.forget_removed(199 + FORGET_AFTER_NS);
    assert!(table.facts(7).is_some());
    table.forget_removed(200 + FORGET_AFTER_NS);
    assert!(table.facts(7).is_none());
}

#[test]
fn an_unknown_cgroup_is_looked_up_once() {
    let root = tempfile::tempdir().unwrap();
    let mut table = CgroupTable::new(Some(root.path().to_owned()));
    fs::create_dir(root.path().join(ID)).unwrap();
    let id = fs::metadata(root.path().join(ID)).unwrap().ino();
    table.discover(&task(id, b"ls", b"/bin/ls"));
    assert_eq!(table.facts(id).unwrap().id, ID);
    table.discover(&task(1, b"ls", b"/bin/ls"));
    assert_eq!(table.facts(1), None);
}

#[test]
fn an_identity_that_another_container_made_up_is_said_to_be_unverified_and_nobody_is_asked() {
    let mut table = CgroupTable::new(None);
    let outer = "0".repeat(64);
    table.made(FoundCgroup { id: 8, path: format!("/docker/{outer}/docker-{ID}.scope") }, 100);
    let container = table.get(8).unwrap().container.as_ref().unwrap();
    assert_eq!((container.id.as_str(), container.runtime.as_str()), (ID, "docker (unverified)"));
    assert!(table.take_unnamed().is_empty());
}

#[test]
fn containers_that_their_path_names_are_named_at_once() {
    let mut table = CgroupTable::new(None);
    assert!(table.made(FoundCgroup { id: 8, path: "/lxc.payload.web".into() }, 100));
    assert!(
        !table.made(FoundCgroup { id: 9, path: "/lxc.payload.web/system.slice/web.service".into() }, 100)
    );
    assert_eq!(table.facts(9).unwrap().name, "web");
    assert!(table.take_unnamed().is_empty());
}

#[test]
fn cgroups_made_in_a_loop_take_bounded_memory() {
    let mut table = CgroupTable::new(None);
    table.there(docker(7));
    let folder = "x".repeat(4000);
    for id in 100..50_000 {
        table.made(FoundCgroup { id, path: format!("/{folder}/{id}") }, id);
        if id % 2 == 0 {
            table.removed(id, id);
        }
        assert!(table.bytes <= BYTES_BOUND);
    }
    assert!(table.facts(7).is_some() && table.known.len() < 20_000);
    assert!(table.unwritten.len() <= table.known.len());
}
