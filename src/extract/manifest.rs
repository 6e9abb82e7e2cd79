//! What is told of artifacts: `manifest.json`.

use std::collections::BTreeMap;

use format::{Artifact, Sha256, hex};
use pipeline::Source;
use replay::render::json_text;
use serde_json::{Map, Value, json};

use super::Places;
use super::events::{Chosen, Key, Told, key};
use super::folder::safe_name;

pub const MANIFEST: &str = "manifest.json";

#[derive(Debug, Default)]
pub struct Manifest {
    entries: Vec<Entry>,
    left_out: Vec<LeftOut>,
}

/// Bytes that the captures hold.
#[derive(Debug)]
pub struct Entry {
    pub sha256: Sha256,
    /// In the folder.
    pub name: String,
    pub size: u64,
    /// Of the whole, where there was more than was kept.
    pub whole: Option<u64>,
    pub origins: Vec<Origin>,
    /// Execs of these bytes beside those that are told.
    pub more_execs: u64,
    failed: Option<String>,
}

/// An event that the bytes were taken at, or that has their hash.
#[derive(Clone, Debug)]
pub struct Origin {
    pub kind: String,
    pub path: Vec<u8>,
    pub found: String,
    pub host: String,
    /// `None`: it is not in the captures.
    pub event: Option<Told>,
}

/// Bytes that the captures do not hold.
#[derive(Debug)]
pub struct LeftOut {
    pub reason: String,
    pub count: u64,
    pub size: u64,
    pub sha256: Option<Sha256>,
    pub origin: Origin,
}

impl Entry {
    /// Says that it could not be written.
    pub fn fail(&mut self, what: String) {
        self.failed = Some(what);
    }
}

impl Manifest {
    pub fn of(source: &Source, places: &Places, chosen: &Chosen) -> Manifest {
        let mut entries: BTreeMap<Sha256, Entry> = BTreeMap::new();
        let mut left_out = Vec::new();
        let mut told: BTreeMap<Sha256, Vec<Key>> = BTreeMap::new();
        let entry = |sha256: &Sha256| {
            let size = places.get(sha256).map_or(0, |(_, info)| info.size);
            let (origins, name) = (Vec::new(), String::new());
            Entry { sha256: *sha256, name, size, whole: None, origins, more_execs: 0, failed: None }
        };
        for (number, file) in source.files().iter().enumerate() {
            for artifact in file.capture.artifacts() {
                let key = key(source, number, artifact);
                let event = key.and_then(|key| chosen.events.get(&key));
                let is_wanted = chosen.is_all || event.is_some();
                if !is_wanted {
                    continue;
                }
                let host = file.hosts.get(usize::from(artifact.host));
                let origin = Origin {
                    kind: artifact.kind.clone(),
                    path: artifact.path.clone(),
                    found: artifact.found.clone(),
                    host: host.map(|host| host.name.clone()).unwrap_or_default(),
                    event: event.cloned(),
                };
                let kept = artifact.content().filter(|sha256| places.contains_key(*sha256));
                match kept {
                    Some(sha256) => {
                        let entry = entries.entry(*sha256).or_insert_with(|| entry(sha256));
                        if artifact.is_cut() {
                            entry.whole = entry.whole.max(Some(artifact.size));
                        }
                        entry.origins.push(origin);
                        told.entry(*sha256).or_default().extend(key);
                    }
                    None => left_out.push(left_out_of(artifact, origin)),
                }
            }
        }
        for (sha256, (keys, count)) in &chosen.execs {
            let of_hash = entries.entry(*sha256).or_insert_with(|| entry(sha256));
            let known = told.get(sha256).map(Vec::as_slice).unwrap_or_default();
            for event in
                keys.iter().filter(|key| !known.contains(key)).filter_map(|key| chosen.events.get(key))
            {
                of_hash.origins.push(Origin {
                    kind: "exec".to_owned(),
                    path: event.exe.clone(),
                    found: String::new(),
                    host: String::new(),
                    event: Some(event.clone()),
                });
            }
            of_hash.more_execs = count.saturating_sub(keys.len() as u64);
        }
        // Bytes that nothing tells of any more.
        if chosen.is_all {
            for sha256 in places.keys() {
                entries.entry(*sha256).or_insert_with(|| entry(sha256));
            }
        }
        let mut entries: Vec<Entry> = entries.into_values().collect();
        for entry in &mut entries {
            entry.origins.sort_by_key(|origin| origin.event.as_ref().map_or(u64::MAX, |event| event.number));
            let name =
                entry.origins.iter().map(|origin| safe_name(&origin.path)).find(|name| !name.is_empty());
            entry.name = match name {
                Some(name) => format!("{}-{name}", hex(&entry.sha256)),
                None => hex(&entry.sha256),
            };
        }
        entries.sort_by_key(|entry| {
            let first = entry.origins.first().and_then(|origin| origin.event.as_ref());
            (first.map_or(u64::MAX, |event| event.number), entry.sha256)
        });
        Manifest { entries, left_out }
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn entries_mut(&mut self) -> &mut [Entry] {
        &mut self.entries
    }

    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// What could not be written, and why.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().filter_map(|entry| Some((entry.name.as_str(), entry.failed.as_deref()?)))
    }

    pub fn is_partial(&self) -> bool {
        self.failures().next().is_some()
    }

    /// In words.
    pub fn sum(&self) -> String {
        let written = self.entries.iter().filter(|entry| entry.failed.is_none());
        let (files, bytes) = written.fold((0, 0), |(files, bytes), entry| (files + 1, bytes + entry.size));
        let left_out: u64 = self.left_out.iter().map(|it| it.count.max(1)).sum();
        let noun = if files == 1 { "file" } else { "files" };
        format!(
            "{files} {noun}, {bytes} bytes; {left_out} artifacts were left out when it was recorded or since"
        )
    }

    pub fn to_json(&self) -> Vec<u8> {
        let entries: Vec<Value> = self.entries.iter().map(entry_json).collect();
        let left_out: Vec<Value> = self.left_out.iter().map(left_out_json).collect();
        let all = json!({ "artifacts": entries, "left_out": left_out });
        let mut text = serde_json::to_vec_pretty(&all).unwrap_or_default();
        text.push(b'\n');
        text
    }
}

fn left_out_of(artifact: &Artifact, origin: Origin) -> LeftOut {
    // One that should be there and is not: in a part of the set that was not given, perhaps.
    let reason = match artifact.left_out.as_str() {
        "" => "not in the captures that were given",
        reason => reason,
    };
    let Artifact { count, size, sha256, .. } = *artifact;
    LeftOut { reason: reason.to_owned(), count, size, sha256, origin }
}

/// Bytes as JSON has them, as everywhere: see the README.
fn text(bytes: &[u8]) -> Value {
    let mut quoted = Vec::new();
    json_text::quoted(bytes, &mut quoted);
    serde_json::from_slice(&quoted).unwrap_or_default()
}

fn entry_json(entry: &Entry) -> Value {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    match &entry.failed {
        None => put("file", entry.name.as_str().into()),
        Some(what) => put("error", what.as_str().into()),
    };
    put("sha256", hex(&entry.sha256).into());
    put("size", entry.size.into());
    put("cut", entry.whole.is_some().into());
    if let Some(whole) = entry.whole {
        put("whole_size", whole.into());
    }
    put("origins", entry.origins.iter().map(origin_json).collect());
    if entry.more_execs > 0 {
        put("more_execs", entry.more_execs.into());
    }
    Value::Object(out)
}

fn left_out_json(it: &LeftOut) -> Value {
    let mut value = origin_json(&it.origin);
    if let Value::Object(out) = &mut value {
        out.insert("reason".into(), text(it.reason.as_bytes()));
        out.insert("count".into(), it.count.into());
        out.insert("size".into(), it.size.into());
        out.insert("sha256".into(), it.sha256.as_ref().map(hex).into());
    }
    value
}

fn origin_json(origin: &Origin) -> Value {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    put("kind", text(origin.kind.as_bytes()));
    put("path", text(&origin.path));
    if !origin.found.is_empty() {
        put("found", text(origin.found.as_bytes()));
    }
    if !origin.host.is_empty() {
        put("host", text(origin.host.as_bytes()));
    }
    if let Some(event) = &origin.event {
        put("event", event.name.into());
        put("event_number", event.number.into());
        put("timestamp", event.wall_ns.into());
        put("pid", event.pid.into());
        put("comm", text(&event.comm));
        put("executable", text(&event.exe));
        if !event.container.is_empty() {
            put("container", event.container.as_str().into());
        }
    }
    Value::Object(out)
}
