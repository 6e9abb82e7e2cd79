//! Queries over captures, answered here.

mod support;

use format::Capture;
use pipeline::Question;
use replay::Asked;
use support::synthetic::{Made, process};
use support::{RARE, answer, blocks_read, busy, lines, number, replayed, save, tables};
use tracer_fleet::captures::{self, Ask, How};

fn fixture(name: &str) -> String {
    format!("{}/../fixtures/{name}.trz", env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test]
async fn a_table_has_the_rows_that_replay_has() {
    for name in ["ls", "id-ls", "tree", "denied", "ptrace", "threads", "scopes", "artifacts", "format-v5"] {
        let (session, opened) = tables(&[fixture(name)], &[], 2);
        let counted = number(&session, "select count(*) from events").await;
        assert_eq!(counted, replayed(&opened.source, &[]).0, "{name}");
        let (all, _) = answer(&session, "select * from events").await;
        let rows: usize = all.iter().map(|batch| batch.num_rows()).sum();
        assert_eq!(rows as u64, counted, "{name}");
        for filters in [&["comm=ls"][..], &["9:comm=ls", "3:uid=0"], &["event=openat", "openat.retval<0"]] {
            let (session, opened) = tables(&[fixture(name)], filters, 2);
            let counted = number(&session, "select count(*) from events where time > '2000-01-01'").await;
            assert_eq!(counted, replayed(&opened.source, filters).0, "{name} {filters:?}");
        }
    }
}

#[tokio::test]
async fn a_condition_reads_as_few_blocks_as_replay_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = save(busy("web1", 1, 20_000, 500, true), &folder.path().join("a.trz"));
    for threads in [1, 4] {
        let (session, opened) = tables(std::slice::from_ref(&file), &[], threads);
        for (condition, filters) in [
            (format!("comm = '{RARE}'"), vec![format!("comm={RARE}")]),
            (format!("comm in ('{RARE}', 'nosuch')"), vec![format!("comm={RARE},nosuch")]),
            (format!("comm like '{}%'", &RARE[..3]), vec![format!("comm={}*", &RARE[..3])]),
            ("exe = '/tmp/xmrig' and uid = 1000".into(), vec!["binary=/tmp/xmrig".into(), "uid=1000".into()]),
            (format!("comm = '{RARE}' or uid = 77"), vec![format!("1:comm={RARE}"), "2:uid=77".into()]),
            (
                "comm = 'ls' and uid = 1000 and event = 'openat'".into(),
                vec!["comm=ls".into(), "uid=1000".into(), "event=openat".into()],
            ),
        ] {
            let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
            let (matched, read) = replayed(&opened.source, &filters);
            for columns in ["count(*)", "count(pathname)", "count(distinct args)"] {
                let query = format!("select {columns} from events where {condition}");
                let (batches, plan) = answer(&session, &query).await;
                let (sql_read, total) = blocks_read(&plan);
                assert_eq!((sql_read as u64, total), (read, 40), "{query}");
                if columns == "count(*)" {
                    assert_eq!(lines(&batches), [matched.to_string()], "{query}");
                }
            }
        }
    }
}

#[tokio::test]
async fn scopes_of_a_query_are_those_of_replay() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = save(busy("web1", 2, 5_000, 500, true), &folder.path().join("a.trz"));
    for files in
        [vec![file], vec![fixture("id-ls")], vec![fixture("scopes")], vec![fixture("ls"), fixture("tree")]]
    {
        let (session, opened) = tables(&files, &[], 3);
        for filters in [
            "9:comm=ls 3:uid=0",
            "9:comm=ls 9:uid=1000",
            "64:event=openat 64:openat.retval<0",
            "9:comm=ls 9:follow",
            r#"9:openat.pathname="/tmp/a b""#,
            "9:comm=nosuch",
        ] {
            let number_of = filters.split(':').next().expect("a scope");
            let only: Vec<&str> = match filters.contains('"') {
                true => vec!["9:openat.pathname=/tmp/a b"],
                false => filters.split(' ').filter(|it| it.starts_with(&format!("{number_of}:"))).collect(),
            };
            let expected = replayed(&opened.source, &only).0;
            let matched = format!("matched(scopes('{filters}'), {number_of})");
            let queries = [
                format!("select * from events where {matched}"),
                format!("select comm from events where {matched}"),
                format!("select scopes('{filters}') from events where {matched}"),
                format!(
                    "select m from (select scopes('{filters}') as m from events) where matched(m, {number_of})"
                ),
                format!("select e.pid from events e where {matched} and e.time > '2000-01-01'"),
            ];
            for query in queries {
                let (batches, _) = answer(&session, &query).await;
                let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
                assert_eq!(rows as u64, expected, "{files:?}: {query}");
            }
        }
    }
}

#[tokio::test]
async fn masks_can_be_grouped_and_selected() {
    let (session, _) = tables(&[fixture("id-ls")], &[], 2);
    let query = "select scopes('9:comm=ls 3:uid=0') as mask, count(*) from events group by 1 order by 1";
    let (batches, _) = answer(&session, query).await;
    let by_comm = number(&session, "select count(*) from events where comm = 'ls' and uid = 0").await;
    assert!(lines(&batches).contains(&format!("260|{by_comm}")), "{:?}", lines(&batches));
    // The column of a call is none of the table's.
    let (all, _) =
        answer(&session, "select * from events where matched(scopes('9:comm=ls'), 9) limit 1").await;
    assert_eq!(all[0].num_columns(), session.table("events").await.expect("it").schema().fields().len());
    // Columns of scopes are asked by the same function: rows of a recording with filters have its masks.
    let (session, opened) = tables(&[fixture("scopes")], &[], 2);
    let query = "select count(*) from events where matched(scopes, 3) or matched(scopes, 9) or matched(recorded_scopes, 5)";
    let recorded = Asked::recorded(&opened.source);
    let recorded = Question::new(&opened.source, recorded.matchers(&opened.source)).count();
    assert_eq!(number(&session, query).await, recorded.expect("a count").matched);
}

#[tokio::test]
async fn what_is_wrong_with_scopes_is_told_with_the_filter() {
    let (session, _) = tables(&[fixture("ls")], &[], 1);
    for (query, said) in [
        ("select scopes('9:com=ls') from events", "did you mean \"comm\"?"),
        ("select scopes(comm) from events", "takes a text"),
        ("select scopes('comm=ls')", "judges rows of the table events"),
        ("select scopes('comm=ls') from events a join events b on a.pid = b.pid", "of several tables"),
        ("select matched('x', 1) from events", "matched() takes a mask"),
        ("select no_such_column from events", "no_such_column"),
    ] {
        let error = match session.sql(query).await {
            Ok(frame) => frame.collect().await.expect_err(query).to_string(),
            Err(error) => error.to_string(),
        };
        assert!(error.contains(said), "{query}: {error}");
    }
}

#[tokio::test]
async fn a_limit_stops_early() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = save(busy("web1", 3, 50_000, 500, false), &folder.path().join("a.trz"));
    let (session, _) = tables(&[file], &[], 2);
    let (batches, plan) = answer(&session, "select comm from events limit 5").await;
    assert_eq!(lines(&batches).len(), 5);
    assert!(blocks_read(&plan).0 <= 2, "{:?}", blocks_read(&plan));
    let (batches, plan) =
        answer(&session, "select comm from events where matched(scopes('1:comm=ls'), 1) limit 5").await;
    assert_eq!(lines(&batches), ["ls"; 5]);
    assert!(blocks_read(&plan).0 <= 2, "{:?}", blocks_read(&plan));
}

#[tokio::test]
async fn columns_that_are_not_asked_are_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = save(busy("web1", 4, 60_000, 16_384, false), &folder.path().join("a.trz"));
    let (session, _) = tables(&[file], &[], 1);
    let bytes = async |query: &str| {
        let (_, plan) = answer(&session, query).await;
        fn of(plan: &std::sync::Arc<dyn datafusion::physical_plan::ExecutionPlan>) -> usize {
            let own = plan
                .metrics()
                .and_then(|it| it.sum_by_name("bytes_decompressed"))
                .map_or(0, |it| it.as_usize());
            own + plan.children().into_iter().map(of).sum::<usize>()
        }
        of(&plan)
    };
    let (times, contexts, all) = (
        bytes("select max(time) from events").await,
        bytes("select max(comm) from events").await,
        bytes("select max(args), max(comm), max(retval) from events").await,
    );
    assert!(times < contexts && contexts < all, "{times} {contexts} {all}");
}

#[tokio::test]
async fn a_damaged_block_is_a_gap_and_the_others_are_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("c.trz");
    let mut bytes = busy("web1", 5, 4_000, 100, false).bytes();
    let capture = Capture::from_bytes(bytes.clone()).expect("a capture");
    let block = &capture.blocks()[7];
    let last = usize::try_from(block.offset + block.bytes).expect("a small file") - 12;
    bytes[last] ^= 0x55;
    std::fs::write(&path, bytes).expect("a file");
    let file = path.to_str().expect("UTF-8").to_owned();
    let (session, opened) = tables(std::slice::from_ref(&file), &[], 2);
    assert_eq!(number(&session, "select count(args) from events").await, 3_900);
    assert_eq!(opened.how.missing.gaps().len(), 1);
    assert_eq!(opened.how.missing.gaps()[0].block, 7);
    let captures = captures::named(&[file], &Ask::Anyone).expect("captures");
    let strict = captures::Asked::new(captures, None, How::default()).expect("it opens");
    let session = tracer_fleet::session::embedded(2);
    tracer_fleet::session::add_tables(&session, &strict, &[]).expect("tables");
    let frame = session.sql("select count(args) from events").await.expect("a plan");
    let error = frame.collect().await.expect_err("it is strict").to_string();
    assert!(error.contains("block 7"), "{error}");
}

/// A question over many small captures opens those only that can match.
#[tokio::test]
async fn a_rare_program_among_a_thousand_captures() {
    let folder = tempfile::tempdir().expect("a folder");
    for host in 0..1_000u64 {
        let name = format!("web{host:03}");
        save(busy(&name, host, 40, 40, host == 617), &folder.path().join(format!("{name}.trz")));
    }
    let folder = folder.path().to_str().expect("UTF-8").to_owned();
    let (session, opened) = tables(&[folder], &[], 2);
    let (batches, plan) =
        answer(&session, &format!("select host, count(*) from events where comm = '{RARE}' group by host"))
            .await;
    assert_eq!(lines(&batches), ["web617|1"]);
    assert_eq!(blocks_read(&plan), (1, 1_000));
    assert_eq!(replayed(&opened.source, &[&format!("comm={RARE}")]), (1, 1));
    assert_eq!(number(&session, "select count(*) from events").await, 40_000);
}

#[tokio::test]
async fn stretches_of_time_choose_blocks() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut made = Made::new();
    made.rows_per_block = 10;
    for second in 0..400 {
        made.push(&support::synthetic::Event {
            at: second * 1_000_000_000,
            name: "close",
            context: process(7, 1, 0, "sh", "/bin/sh"),
            ret: 0,
            scopes: 1,
            marks: events::Marks(0),
            args: &[],
        });
    }
    let file = save(made, &folder.path().join("a.trz"));
    let (session, _) = tables(&[file], &[], 2);
    let start = "(select min(time) from events)";
    let (batches, _) = answer(&session, &format!("select {start}")).await;
    let first = lines(&batches)[0].clone();
    let query = format!(
        "select count(*) from events where time >= timestamp '{first}' + interval '20 seconds' and time < timestamp '{first}' + interval '30 seconds'"
    );
    let (batches, plan) = answer(&session, &query).await;
    assert_eq!(lines(&batches), ["10"], "{query}");
    assert!(blocks_read(&plan).0 <= 3, "{:?}", blocks_read(&plan));
}
