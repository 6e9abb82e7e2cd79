//! What this program's own JSON says of what a task acts with, and where its process stands. See [`crate::render::acting`].

use events::context::{Credentials, Standing};
use events::terminal;
use serde::Deserialize;

use crate::render::json_text;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Acting {
    #[serde(default)]
    euid: Option<u32>,
    #[serde(default)]
    egid: Option<u32>,
    #[serde(default)]
    suid: Option<u32>,
    #[serde(default)]
    sgid: Option<u32>,
    #[serde(default)]
    fsuid: Option<u32>,
    #[serde(default)]
    fsgid: Option<u32>,
    #[serde(default)]
    cap: Option<String>,
    #[serde(default)]
    cap_permitted: Option<String>,
    #[serde(default)]
    cap_inheritable: Option<String>,
    #[serde(default)]
    cap_bounding: Option<String>,
    #[serde(default)]
    cap_ambient: Option<String>,
    #[serde(default)]
    cwd: Option<String>,
    #[serde(default)]
    session: Option<u32>,
    #[serde(default)]
    pgid: Option<u32>,
    #[serde(default)]
    loginuid: Option<u32>,
    #[serde(default)]
    audit_session: Option<u32>,
    #[serde(default)]
    tty: Option<String>,
    /// The directory as bytes: see [`Acting::complete`].
    #[serde(skip)]
    directory: Option<Vec<u8>>,
}

impl Acting {
    /// Turns strings back to the bytes that they stand for.
    pub fn complete(&mut self) {
        self.directory = self.cwd.as_deref().map(json_text::bytes_of);
    }

    /// Known as a whole, or not at all.
    pub fn credentials(&self) -> Option<Credentials> {
        let set = |text: &Option<String>| u64::from_str_radix(text.as_deref()?, 16).ok();
        Some(Credentials {
            euid: self.euid?,
            egid: self.egid?,
            suid: self.suid?,
            sgid: self.sgid?,
            fsuid: self.fsuid?,
            fsgid: self.fsgid?,
            effective: set(&self.cap)?,
            permitted: set(&self.cap_permitted)?,
            inheritable: set(&self.cap_inheritable)?,
            bounding: set(&self.cap_bounding)?,
            ambient: set(&self.cap_ambient)?,
        })
    }

    pub fn standing(&self) -> Standing<'_> {
        Standing {
            cwd: self.directory.as_deref().filter(|cwd| !cwd.is_empty()),
            session: self.session,
            group: self.pgid,
            terminal: self.tty.as_deref().and_then(terminal::by_name),
            login_uid: self.loginuid,
            audit_session: self.audit_session,
        }
    }
}
