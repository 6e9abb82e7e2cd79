//! What the parts of a program that writes leave for each other: global functions take and return numbers only, and the
//! stack is small. A write has one such place, of which each word belongs to whoever has put it there.

use core::ptr::{read_volatile, write_volatile};

use events::abi::{files::found, region::WriteState};

#[derive(Clone, Copy)]
pub struct Notes(pub(super) *mut WriteState);

macro_rules! word {
    ($notes:ident.$field:ident) => {
        // SAFETY: words of a map value.
        unsafe { read_volatile(&raw const (*$notes.0).$field) }
    };
    ($notes:ident.$field:ident = $value:expr) => {{
        let value = $value;
        // SAFETY: as above.
        unsafe { write_volatile(&raw mut (*$notes.0).$field, value) }
    }};
}

impl Notes {
    /// No write's.
    pub const NONE: Notes = Notes(core::ptr::null_mut());

    #[inline(always)]
    pub fn is_none(self) -> bool {
        self.0.is_null()
    }

    /// Whose context the records have.
    #[inline(always)]
    pub fn context(self) -> u64 {
        word!(self.context)
    }

    #[inline(always)]
    pub fn set_context(self, context: u64) {
        word!(self.context = context);
    }

    /// How a call is recorded.
    #[inline(always)]
    pub fn how(self) -> u64 {
        word!(self.how)
    }

    #[inline(always)]
    pub fn set_how(self, how: u64) {
        word!(self.how = how);
    }

    /// What a call came to.
    #[inline(always)]
    pub fn result(self) -> i64 {
        word!(self.result)
    }

    #[inline(always)]
    pub fn set_result(self, result: i64) {
        word!(self.result = result);
    }

    /// When a call began.
    #[inline(always)]
    pub fn began(self) -> u64 {
        word!(self.began)
    }

    #[inline(always)]
    pub fn set_began(self, began: u64) {
        word!(self.began = began);
    }

    /// Whether the file of the descriptor that the call returned was made as it was opened: one of [`told`](events::abi::files::told).
    #[inline(always)]
    pub fn created(self) -> u64 {
        word!(self.created)
    }

    #[inline(always)]
    pub fn set_created(self, created: u64) {
        word!(self.created = created);
    }

    /// An argument of a call whose arguments are in no registers. Written out, for the compiler would make one load of this
    /// and of that from a register, and the verifier lets no instruction load from two kinds of memory.
    #[inline(always)]
    pub fn argument(self, position: usize) -> u64 {
        let argument: u64;
        // SAFETY: a word of a map value; positions are at most 5.
        unsafe {
            let place = (&raw const (*self.0).arguments).cast::<u64>().add(position);
            core::arch::asm!("{0} = *(u64 *)({1} + 0)", out(reg) argument, in(reg) place, options(nostack, readonly));
        }
        argument
    }

    #[inline(always)]
    pub fn set_argument(self, position: usize, value: u64) {
        // SAFETY: a word of a map value; positions are at most 5.
        unsafe { write_volatile((&raw mut (*self.0).arguments).cast::<u64>().add(position), value) };
    }

    /// A file that is to be sent: file, dentry and mount.
    #[inline(always)]
    pub fn file(self) -> (u64, u64, u64) {
        (word!(self.file), word!(self.dentry), word!(self.mount))
    }

    #[inline(always)]
    pub fn set_file(self, file: u64, dentry: u64, mount: u64) {
        word!(self.file = file);
        word!(self.dentry = dentry);
        word!(self.mount = mount);
    }

    /// Where the walk of a path has come to: dentry and mount.
    #[inline(always)]
    pub fn walk(self) -> [u64; 2] {
        word!(self.walk)
    }

    #[inline(always)]
    pub fn set_walk(self, dentry: u64, mount: u64) {
        word!(self.walk = [dentry, mount]);
    }

    /// What the call's descriptors stand for, by [`found`].
    #[inline(always)]
    pub fn found(self, which: usize) -> u64 {
        // SAFETY: a word of a map value.
        unsafe { read_volatile((&raw const (*self.0).found).cast::<u64>().add(which)) }
    }

    #[inline(always)]
    pub fn all_found(self) -> [u64; found::COUNT] {
        word!(self.found)
    }

    #[inline(always)]
    pub fn set_found(self, which: usize, id: u64) {
        // SAFETY: as above.
        unsafe { write_volatile((&raw mut (*self.0).found).cast::<u64>().add(which), id) };
    }
}
