//! Keys that evolve and are erased: whoever takes over the host finds none that has signed anything.
//!
//! ```text
//! key file     seed 0 ---> seed 1 ---> seed 2 ...      one a file; the one before it is overwritten
//!                |           |
//! file's keys    0           0                         one a seal, in memory only; each is overwritten by the next
//!                1           1
//!                2           ...
//! ```
//! Every arrow is a hash, so there is no way back. When the key is made, its own secret signs the first key of each file
//! to come, with the file's number (the certificates), and is forgotten. Each seal signs the public part of the key that
//! the next seal will have. So one public key vouches for every seal; a seal that was made anew, moved or left out does
//! not fit the ones around it; and a file that took another's place has another number.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

use ed25519_dalek::{Signer as _, SigningKey as Ed25519};
use zeroize::Zeroizing;

use crate::archive::ForwardV5;
use crate::seal::{PUBLIC_PREFIX, PublicKey, Seal, is_signed, random};
use crate::{Error, Result};

/// What the files of a run are signed with.
#[derive(Clone, Debug)]
pub enum Signer {
    Key(Box<crate::SigningKey>),
    /// Each file takes the next key of it.
    Forward(Arc<Mutex<ForwardKey>>),
}

impl From<crate::SigningKey> for Signer {
    fn from(key: crate::SigningKey) -> Signer {
        Signer::Key(Box::new(key))
    }
}

impl Signer {
    pub fn public(&self) -> PublicKey {
        match self {
            Signer::Key(key) => key.public(),
            Signer::Forward(key) => key.lock().unwrap_or_else(PoisonError::into_inner).public,
        }
    }

    /// For one file.
    pub(crate) fn begin(&self) -> Result<SealSigner> {
        Ok(match self {
            Signer::Key(key) => SealSigner::Key(key.clone()),
            Signer::Forward(key) => {
                SealSigner::Forward(key.lock().unwrap_or_else(PoisonError::into_inner).take()?)
            }
        })
    }
}

/// What the seals of one file are signed with.
#[derive(Debug)]
pub(crate) enum SealSigner {
    Key(Box<crate::SigningKey>),
    Forward(FileKey),
}

impl SealSigner {
    pub(crate) fn sign(&self, seal: &mut Seal) {
        match self {
            SealSigner::Key(key) => key.sign(seal),
            SealSigner::Forward(key) => key.sign(seal),
        }
    }

    /// The seal that was signed last is in the file: its key is erased.
    pub(crate) fn advance(&mut self) {
        if let SealSigner::Forward(key) = self {
            *key.seed = *derive(NEXT_KEY, &key.seed);
        }
    }
}

type Seed = Zeroizing<[u8; 32]>;

/// The open file of a key, which no other run can open meanwhile.
pub struct ForwardKey {
    public: PublicKey,
    /// Of the file that is signed next, from 0.
    number: u64,
    seed: Seed,
    certificates: Vec<[u8; 64]>,
    file: File,
    /// Where the two slots stand in the file, and which of them holds the seed.
    slots: [u64; 2],
    slot: usize,
}

impl std::fmt::Debug for ForwardKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ForwardKey of {} at file {}", self.public, self.number)
    }
}

const TITLE: &str = "tracer-forward-key-1";
const SLOT: &str = "next-file:";
const CERTIFICATE: &str = "certificate:";
/// What a certificate is of, before the file's number and its first public key.
const CERTIFIED: &[u8] = b"tracer forward key 1\0";

const NEXT_FILE: &str = "tracer forward key 2026-11: the seed of the next file";
const FIRST_KEY: &str = "tracer forward key 2026-11: the first key of a file";
const NEXT_KEY: &str = "tracer forward key 2026-11: the key of the next seal";

fn derive(context: &str, seed: &Seed) -> Seed {
    Zeroizing::new(blake3::derive_key(context, seed.as_slice()))
}

fn public_of(seed: &Seed) -> [u8; 32] {
    Ed25519::from_bytes(seed).verifying_key().to_bytes()
}

fn certified(number: u64, first: &[u8; 32]) -> Vec<u8> {
    [CERTIFIED, &number.to_le_bytes(), first].concat()
}

impl ForwardKey {
    /// How many files a key can sign unless told otherwise: one an hour for more than five months.
    pub const FILES: u32 = 4096;

    /// Whether this is the text of such a key's file.
    pub fn is_text(text: &str) -> bool {
        text.lines().any(|line| line.trim() == TITLE)
    }

    /// The text of a new key's file, which can sign this many captures, and its public key.
    pub fn generate(files: u32) -> Result<(Zeroizing<String>, PublicKey)> {
        let root = Ed25519::from_bytes(&*random()?);
        let public = PublicKey(root.verifying_key().to_bytes());
        let first = random()?;
        let mut text = Zeroizing::new(format!(
            "# Signs {files} captures, each seal with a key of its own that is then erased. Keep it secret, and do not copy \
             it: a copy keeps what is erased here.\n# {public}\n{TITLE}\n{}{}",
            *slot(0, Some(&first)),
            *slot(0, None)
        ));
        let mut seed = first;
        for number in 0..u64::from(files) {
            let first = public_of(&derive(FIRST_KEY, &seed));
            let certificate = root.sign(&certified(number, &first)).to_bytes();
            text.push_str(&format!("{CERTIFICATE}{}\n", hex(&certificate)));
            seed = derive(NEXT_FILE, &seed);
        }
        Ok((text, public))
    }

    /// Takes the file of a key, open for reading and writing.
    pub fn open(mut file: File) -> Result<ForwardKey> {
        let io = Error::io("reading the key");
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Key {
                    what: "another run signs with it: each needs a key of its own".into(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).map_err(io)?;
        let torn = || Error::Key { what: "this is not a whole forward-secure key".into() };
        let public = text.lines().find_map(|line| line.trim_start_matches("# ").strip_prefix(PUBLIC_PREFIX));
        let public = public.and_then(|hex| blake3::Hash::from_hex(hex).ok()).ok_or_else(torn)?;
        let mut slots = Vec::new();
        let mut certificates = Vec::new();
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            if line.starts_with(SLOT) {
                slots.push((at, read_slot(line)));
            } else if let Some(certificate) = line.strip_prefix(CERTIFICATE) {
                certificates.push(unhex(certificate.trim()).ok_or_else(torn)?);
            }
            at += line.len() as u64;
        }
        let [(first_at, first), (second_at, second)] = <[_; 2]>::try_from(slots).map_err(|_| torn())?;
        // Both are there only when the last run ended between writing the one and erasing the other.
        let (slot, stale, (number, seed)) = match (first, second) {
            (Some(first), Some(second)) if first.0 > second.0 => (0, true, first),
            (first, Some(second)) => (1, first.is_some(), second),
            (Some(first), None) => (0, false, first),
            (None, None) => return Err(torn()),
        };
        let slots = [first_at, second_at];
        let public = PublicKey(*public.as_bytes());
        let mut key = ForwardKey { public, number, seed, certificates, file, slots, slot };
        if stale {
            key.write(1 - slot, &self::slot(0, None))?;
        }
        Ok(key)
    }

    /// The key of the next file. Before it is given, what it was made of is erased.
    fn take(&mut self) -> Result<FileKey> {
        let number = self.number;
        let certificate = usize::try_from(number).ok().and_then(|at| self.certificates.get(at));
        let Some(certificate) = certificate.copied() else {
            let files = self.certificates.len();
            return Err(Error::Key {
                what: format!(
                    "the key has signed its {files} files: `tracer keygen --forward` makes another"
                ),
            });
        };
        let next = derive(NEXT_FILE, &self.seed);
        self.write(1 - self.slot, &slot(number + 1, Some(&next)))?;
        self.write(self.slot, &slot(0, None))?;
        self.slot = 1 - self.slot;
        self.number += 1;
        let seed = derive(FIRST_KEY, &std::mem::replace(&mut self.seed, next));
        let first = public_of(&seed);
        Ok(FileKey { signer: self.public.0, number, first, certificate: certificate.to_vec(), seed })
    }

    /// Writes one of the slots, in its place, and waits until the disk has it.
    fn write(&mut self, slot: usize, text: &str) -> Result<()> {
        let at = self.slots.get(slot).copied().unwrap_or_default();
        let written = self
            .file
            .seek(SeekFrom::Start(at))
            .and_then(|_| self.file.write_all(text.as_bytes()))
            .and_then(|()| self.file.sync_data());
        written.map_err(Error::io("erasing what the key has used"))
    }
}

/// A slot's line, as long whatever it holds.
fn slot(number: u64, seed: Option<&Seed>) -> Zeroizing<String> {
    let seed = seed.map_or(Zeroizing::new("-".repeat(64)), |seed| Zeroizing::new(hex(seed.as_slice())));
    let line = format!("{number:016x}:{}", *seed);
    let check = crc32fast::hash(line.as_bytes());
    Zeroizing::new(format!("{SLOT}{line}:{check:08x}\n"))
}

fn read_slot(line: &str) -> Option<(u64, Seed)> {
    let rest = line.strip_prefix(SLOT)?.trim_end();
    let (line, check) = rest.rsplit_once(':')?;
    if u32::from_str_radix(check, 16).ok()? != crc32fast::hash(line.as_bytes()) {
        return None;
    }
    let (number, seed) = line.split_once(':')?;
    let seed = blake3::Hash::from_hex(seed).ok()?;
    Some((u64::from_str_radix(number, 16).ok()?, Zeroizing::new(*seed.as_bytes())))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; 64]> {
    let (first, second) = text.split_at_checked(64)?;
    let half = |hex| blake3::Hash::from_hex(hex).ok().map(|hash| *hash.as_bytes());
    <[u8; 64]>::try_from([half(first)?, half(second)?].concat()).ok()
}

/// The keys of one file's seals, the next of them.
pub(crate) struct FileKey {
    signer: [u8; 32],
    number: u64,
    first: [u8; 32],
    certificate: Vec<u8>,
    seed: Seed,
}

impl std::fmt::Debug for FileKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FileKey {} of {}", self.number, PublicKey(self.signer))
    }
}

impl FileKey {
    fn sign(&self, seal: &mut Seal) {
        let key = Ed25519::from_bytes(&self.seed);
        let next = derive(NEXT_KEY, &self.seed);
        let forward = ForwardV5 {
            signer: self.signer,
            file: self.number,
            first: self.first,
            certificate: self.certificate.clone(),
            next: if seal.is_last() { [0; 32] } else { public_of(&next) },
        };
        seal.it.forward = Some(forward);
        let signature = key.sign(&seal.signed_bytes());
        seal.it.signature = Some((key.verifying_key().to_bytes(), signature.to_bytes().to_vec()));
    }
}

/// Whether the file's first key is what the long-lived key, whose secret is gone, said that it would be.
pub(crate) fn is_certified(forward: &ForwardV5) -> bool {
    is_signed(&forward.signer, &certified(forward.file, &forward.first), &forward.certificate)
}

/// What is wrong with the place of a seal's key: the first seal of a file has the certified key, each other the one that
/// the seal before it announced.
pub(crate) fn misplaced(before: Option<&Seal>, seal: &Seal) -> Option<&'static str> {
    let forward = seal.it.forward.as_ref()?;
    let key = seal.it.signature.as_ref().map(|(key, _)| *key);
    let Some(before) = before else {
        return (key != Some(forward.first))
            .then_some("the first seal is not signed with the file's first key");
    };
    let Some(announced) = &before.it.forward else {
        return Some("the seals of the file are signed with different keys");
    };
    let of = |it: &ForwardV5| (it.signer, it.file, it.first);
    if of(announced) != of(forward) {
        return Some("the seals of the file are signed with different keys");
    }
    (key != Some(announced.next))
        .then_some("a seal is not signed with the key that the one before it announced")
}

#[cfg(test)]
mod tests;
