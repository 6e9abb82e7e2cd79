//! Captures in object stores: `s3://bucket/path`. Of an object only those ranges are fetched that a question reads.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use format::{PublicKey, ReadAt};
use futures::TryStreamExt;
use interchange::catalog::folder::{Contents, Found, Stamp};
use interchange::catalog::{self, Catalog, FILE, SIGNATURE};
use interchange::upload::Store;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectMeta, ObjectStore, ObjectStoreExt, RetryConfig};
use tokio::runtime::Runtime;
use url::Url;

/// What is fetched at once, so that neighbouring small reads are one request.
const CHUNK: u64 = 256 << 10;
/// Chunks that are kept of each object.
const KEPT: usize = 8;

pub fn is_url(name: &str) -> bool {
    name.contains("://")
}

/// The store of a URL, one for each bucket, and the path in it. Keys, region and endpoint are those of the environment
/// (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`).
fn store(name: &str) -> Result<(Arc<dyn ObjectStore>, Path)> {
    static STORES: Mutex<Option<HashMap<String, Arc<dyn ObjectStore>>>> = Mutex::new(None);
    let url = Url::parse(name).with_context(|| name.to_owned())?;
    let bucket = url[..url::Position::BeforePath].to_owned();
    let mut stores = STORES.lock().unwrap_or_else(PoisonError::into_inner);
    let stores = stores.get_or_insert_default();
    if let Some(known) = stores.get(&bucket) {
        let (_, path) = object_store::ObjectStoreScheme::parse(&url).with_context(|| name.to_owned())?;
        return Ok((Arc::clone(known), Path::parse(path)?));
    }
    let options = std::env::vars().filter(|(key, _)| key.starts_with("AWS_"));
    let options = options.map(|(key, value)| (key.to_ascii_lowercase(), value));
    let (made, path) = object_store::parse_url_opts(&url, options).with_context(|| name.to_owned())?;
    let made: Arc<dyn ObjectStore> = Arc::from(made);
    stores.insert(bucket, Arc::clone(&made));
    Ok((made, path))
}

/// Requests run on threads of their own: whoever waits for one may be a thread of the query.
fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let made = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_name("object-store")
        .build()?;
    Ok(RUNTIME.get_or_init(|| made))
}

fn wait<T: Send + 'static>(request: impl Future<Output = T> + Send + 'static) -> io::Result<T> {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    runtime()?.spawn(async move { sender.send(request.await) });
    receiver.recv().map_err(|_| io::Error::other("the request ended without an answer"))
}

/// What a URL names: the object itself, or all objects below it whose names end in `.trz`, and where catalogues of these are.
pub fn contents(name: &str) -> Result<Contents> {
    let (store, prefix) = store(name)?;
    if name.ends_with(".trz") {
        // What is not there is told when it is opened.
        let files = vec![Found { path: name.into(), stamp: Stamp::default() }];
        return Ok(Contents { files, cataloged: Vec::new() });
    }
    let listed = async move { store.list(Some(&prefix)).try_collect::<Vec<_>>().await };
    let listed = wait(listed)?.with_context(|| format!("listing {name}"))?;
    let url = Url::parse(name).with_context(|| name.to_owned())?;
    let bucket = &url[..url::Position::BeforePath];
    let mut contents = Contents::default();
    for object in &listed {
        let path = object.location.as_ref();
        if path.ends_with(".trz") {
            contents.files.push(Found { path: format!("{bucket}/{path}").into(), stamp: stamp(object) });
        } else if let Some(folder) = path.strip_suffix(FILE).filter(|it| it.is_empty() || it.ends_with('/')) {
            let folder = format!("{bucket}/{folder}");
            contents.cataloged.push(folder.trim_end_matches('/').into());
        }
    }
    contents.files.sort_by(|a, b| a.path.as_os_str().cmp(b.path.as_os_str()));
    contents.cataloged.sort();
    if contents.files.is_empty() {
        bail!(
            "{name}: there is no capture here ({} other objects); names of captures end in .trz",
            listed.len()
        );
    }
    Ok(contents)
}

/// What tells an object from what stood under its name before.
fn stamp(object: &ObjectMeta) -> Stamp {
    Stamp {
        bytes: i64::try_from(object.size).unwrap_or(i64::MAX),
        modified_ns: object.last_modified.timestamp_nanos_opt().unwrap_or_default(),
        tag: object.e_tag.clone(),
    }
}

/// An object's bytes; `None` where there is none.
pub fn bytes(name: &str) -> Result<Option<Bytes>> {
    let (store, path) = store(name)?;
    let get = async move { store.get(&path).await?.bytes().await };
    match wait(get)? {
        Ok(bytes) => Ok(Some(bytes)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error).with_context(|| name.to_owned()),
    }
}

/// Puts an object in the place of the one that is there.
pub fn put(name: &str, bytes: Vec<u8>) -> Result<()> {
    let (store, path) = store(name)?;
    wait(async move { store.put(&path, bytes.into()).await })?.map(drop).with_context(|| name.to_owned())
}

/// Removes an object, if there is one.
pub fn remove(name: &str) -> Result<()> {
    let (store, path) = store(name)?;
    match wait(async move { store.delete(&path).await })? {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error).with_context(|| name.to_owned()),
    }
}

/// The catalogue of a path in a store.
pub fn catalog(folder: &str, key: Option<&PublicKey>) -> Result<Catalog, catalog::Error> {
    let get = |file: &str| bytes(&format!("{folder}/{file}")).map_err(io::Error::other);
    let found = get(FILE)?.ok_or(io::ErrorKind::NotFound).map_err(io::Error::from)?;
    let signature = if key.is_some() { get(SIGNATURE)? } else { None };
    let signature = signature.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Catalog::of_bytes(found, signature.as_deref(), key)
}

/// Reads an object by ranges.
pub fn reader(name: &str) -> Result<Box<dyn ReadAt>> {
    let (store, path) = store(name)?;
    let (of, at) = (Arc::clone(&store), path.clone());
    let head = wait(async move { of.head(&at).await })?.with_context(|| name.to_owned())?;
    Ok(Box::new(Object { store, path, bytes: head.size, chunks: Mutex::default() }))
}

/// An object, and what was fetched of it last.
#[derive(Debug)]
struct Object {
    store: Arc<dyn ObjectStore>,
    path: Path,
    bytes: u64,
    chunks: Mutex<Vec<(u64, Bytes)>>,
}

impl Object {
    fn fetch(&self, range: Range<u64>) -> io::Result<Bytes> {
        let (store, path) = (Arc::clone(&self.store), self.path.clone());
        let length = range.end - range.start;
        let bytes = wait(async move { store.get_range(&path, range).await })?.map_err(io::Error::other)?;
        match bytes.len() as u64 == length {
            true => Ok(bytes),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn chunk(&self, number: u64) -> io::Result<Bytes> {
        let known = |chunks: &[(u64, Bytes)]| {
            chunks.iter().find(|(at, _)| *at == number).map(|(_, bytes)| bytes.clone())
        };
        if let Some(bytes) = known(&self.chunks.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(bytes);
        }
        let start = number * CHUNK;
        let bytes = self.fetch(start..(start + CHUNK).min(self.bytes))?;
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        if chunks.len() >= KEPT {
            chunks.remove(0);
        }
        chunks.push((number, bytes.clone()));
        Ok(bytes)
    }
}

impl ReadAt for Object {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset + buffer.len() as u64;
        if end > self.bytes {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if buffer.len() as u64 >= CHUNK {
            buffer.copy_from_slice(&self.fetch(offset..end)?);
            return Ok(());
        }
        let mut at = offset;
        while at < end {
            let chunk = self.chunk(at / CHUNK)?;
            let rest = chunk.get((at % CHUNK) as usize..).unwrap_or_default();
            let length = rest.len().min((end - at) as usize);
            let (from, to) = ((at - offset) as usize, (at - offset) as usize + length);
            let (Some(part), Some(rest)) = (buffer.get_mut(from..to), rest.get(..length)) else { break };
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            part.copy_from_slice(rest);
            at += length as u64;
        }
        Ok(())
    }
}

/// An object of at most so many bytes is put at once; larger ones in pieces.
const PIECE: u64 = 8 << 20;
/// Stores take so many pieces of an object.
const MOST_PIECES: u64 = 9_000;

/// A place in a bucket, to be written to.
#[derive(Debug)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl Objects {
    /// Tries of a request are left to whoever counts them, but for those that cost no time.
    pub fn open(url: &str) -> Result<Objects> {
        crate::upload::check_url(url)?;
        let parsed = Url::parse(url).with_context(|| url.to_owned())?;
        let (_, prefix) = object_store::ObjectStoreScheme::parse(&parsed).with_context(|| url.to_owned())?;
        let prefix = Path::parse(prefix)?;
        if !url.starts_with("s3://") {
            let folder = url.trim_start_matches("file://");
            std::fs::create_dir_all(folder).with_context(|| url.to_owned())?;
        }
        let options = std::env::vars().filter(|(key, _)| key.starts_with("AWS_"));
        let options = options.map(|(key, value)| (key.to_ascii_lowercase(), value));
        let store: Arc<dyn ObjectStore> = if url.starts_with("s3://") {
            let retry = RetryConfig { max_retries: 1, ..RetryConfig::default() };
            let client = ClientOptions::new().with_timeout(REQUEST).with_connect_timeout(CONNECT);
            let mut builder =
                AmazonS3Builder::new().with_client_options(client).with_url(url).with_retry(retry);
            for (key, value) in options {
                if let Ok(key) = key.parse::<AmazonS3ConfigKey>() {
                    builder = builder.with_config(key, value);
                }
            }
            Arc::new(builder.build().with_context(|| url.to_owned())?)
        } else {
            Arc::from(object_store::parse_url_opts(&parsed, options).with_context(|| url.to_owned())?.0)
        };
        Ok(Objects { store, prefix })
    }

    fn path(&self, name: &str) -> Path {
        name.split('/').fold(self.prefix.clone(), |path, part| path.join(part))
    }
}

const CONNECT: Duration = Duration::from_secs(10);
/// A piece over a slow line.
const REQUEST: Duration = Duration::from_secs(300);

impl Store for Objects {
    fn put(&mut self, name: &str, file: &std::path::Path) -> io::Result<()> {
        let (store, path) = (Arc::clone(&self.store), self.path(name));
        let mut file = File::open(file)?;
        let bytes = file.metadata()?.len();
        if bytes <= PIECE {
            let mut whole = Vec::new();
            file.read_to_end(&mut whole)?;
            let put = async move { store.put(&path, whole.into()).await };
            return wait(put)?.map(drop).map_err(io::Error::other);
        }
        let piece = PIECE.max(bytes.div_ceil(MOST_PIECES));
        wait(async move {
            let mut upload = store.put_multipart(&path).await.map_err(io::Error::other)?;
            let sent = async {
                loop {
                    let mut buffer = Vec::new();
                    (&mut file).take(piece).read_to_end(&mut buffer)?;
                    if buffer.is_empty() {
                        break;
                    }
                    upload.put_part(buffer.into()).await.map_err(io::Error::other)?;
                }
                upload.complete().await.map_err(io::Error::other)
            };
            let sent = sent.await;
            if sent.is_err() {
                // What is left of it is no object, and costs room.
                let _ = upload.abort().await;
            }
            sent.map(drop)
        })?
    }

    fn bytes(&mut self, name: &str) -> io::Result<Option<u64>> {
        let (store, path) = (Arc::clone(&self.store), self.path(name));
        match wait(async move { store.head(&path).await })? {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}
