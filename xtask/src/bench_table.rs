//! The benchmark's figures as a table, for people and for programs.

use std::fmt::Write as _;

use crate::bench_run::Run;

/// All runs of one variant.
pub struct Row {
    group: String,
    name: String,
    /// Its time is told as a multiple of the group's first row.
    compared: bool,
    runs: Vec<Run>,
    bytes: Vec<f64>,
    events: Vec<f64>,
    lost: Vec<f64>,
}

/// Least, median and greatest.
#[derive(Clone, Copy)]
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Row {
    pub fn new(group: impl Into<String>, name: impl Into<String>) -> Row {
        Row {
            group: group.into(),
            name: name.into(),
            compared: false,
            runs: Vec::new(),
            bytes: Vec::new(),
            events: Vec::new(),
            lost: Vec::new(),
        }
    }

    pub fn compared(self) -> Row {
        Row { compared: true, ..self }
    }

    pub fn add(&mut self, run: Run, bytes: Option<u64>, events: Option<u64>, lost: Option<u64>) {
        self.runs.push(run);
        self.bytes.extend(bytes.map(|n| n as f64));
        self.events.extend(events.map(|n| n as f64));
        self.lost.extend(lost.map(|n| n as f64));
    }

    fn wall(&self) -> Option<Spread> {
        spread(self.runs.iter().map(|run| run.wall_s))
    }
}

fn spread(values: impl Iterator<Item = f64>) -> Option<Spread> {
    let mut all: Vec<f64> = values.collect();
    all.sort_by(f64::total_cmp);
    Some(Spread { min: *all.first()?, median: *all.get(all.len() / 2)?, max: *all.last()? })
}

fn median(values: &[f64]) -> Option<f64> {
    spread(values.iter().copied()).map(|spread| spread.median)
}

#[derive(Default)]
pub struct Table {
    rows: Vec<(Row, Option<u64>)>,
    notes: Vec<String>,
}

impl Table {
    /// Adds a row; `calls` are the system calls of the workload, to tell the added time of one.
    pub fn push(&mut self, row: Row, calls: Option<u64>) {
        self.rows.push((row, calls));
    }

    /// Adds a sentence below the table.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The first row of a group is what its others are compared with.
    fn base(&self, group: &str) -> Option<f64> {
        let (row, _) = self.rows.iter().find(|(row, _)| row.group == group)?;
        row.wall().map(|wall| wall.median)
    }

    fn figures(&self) -> Vec<serde_json::Value> {
        let mut all = Vec::new();
        for (row, calls) in &self.rows {
            let Some(wall) = row.wall() else { continue };
            let recording = !row.group.starts_with("replay");
            let base = self.base(&row.group).filter(|_| row.compared);
            let bytes = median(&row.bytes);
            let events = median(&row.events);
            all.push(serde_json::json!({
                "group": row.group,
                "name": row.name,
                "rounds": row.runs.len(),
                "wall_s": wall.median,
                "wall_min_s": wall.min,
                "wall_max_s": wall.max,
                "ratio": base.map(|base| wall.median / base),
                "added_ns_per_call": base.zip(*calls).map(|(base, calls)| (wall.median - base) / calls as f64 * 1e9),
                "cpu_s": spread(row.runs.iter().map(|run| run.cpu_s)).map(|s| s.median),
                "peak_mib": spread(row.runs.iter().map(|run| run.peak_bytes as f64 / 1048576.0)).map(|s| s.max),
                "events": events,
                "lost": median(&row.lost),
                "bytes": bytes,
                "bytes_per_event": bytes.zip(events).map(|(bytes, events)| bytes / events),
                "events_per_s": events.filter(|_| !recording).map(|events| events / wall.median),
            }));
        }
        all
    }

    pub fn json(&self) -> String {
        let mut text = serde_json::Value::Array(self.figures()).to_string();
        text.push('\n');
        text
    }

    pub fn markdown(&self) -> String {
        const COLUMNS: &[(&str, &str, usize)] = &[
            ("wall s", "wall_s", 3),
            ("min", "wall_min_s", 3),
            ("max", "wall_max_s", 3),
            ("ratio", "ratio", 2),
            ("ns/call", "added_ns_per_call", 0),
            ("CPU s", "cpu_s", 2),
            ("peak MiB", "peak_mib", 0),
            ("events", "events", 0),
            ("lost", "lost", 0),
            ("bytes", "bytes", 0),
            ("bytes/event", "bytes_per_event", 2),
            ("events/s", "events_per_s", 0),
        ];
        let mut text = String::from("| workload | by |");
        for (title, _, _) in COLUMNS {
            let _ = write!(text, " {title} |");
        }
        text.push_str("\n|---|---|");
        text.push_str(&"---:|".repeat(COLUMNS.len()));
        text.push('\n');
        for row in self.figures() {
            let word = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            let _ = write!(text, "| {} | {} |", word("group"), word("name"));
            for (_, key, digits) in COLUMNS {
                match row[*key].as_f64() {
                    Some(value) => {
                        let _ = write!(text, " {value:.digits$} |");
                    }
                    None => text.push_str(" |"),
                }
            }
            text.push('\n');
        }
        for note in &self.notes {
            let _ = write!(text, "\n{note}\n");
        }
        text
    }
}
