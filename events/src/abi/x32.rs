//! Numbers of x32, the 32-bit ABI of 64-bit registers: bit 30 tells them, and for calls whose structures are narrower
//! there it has numbers of its own. Kernels built without it refuse all of them.

/// Set in every number of x32.
pub const BIT: i32 = 0x4000_0000;
/// The first of its own numbers.
pub const FIRST: u32 = 512;

/// The native number of the call behind each of its own, from [`FIRST`] on.
pub const NATIVE: [u16; 36] = [
    13, 15, 16, 19, 20, 45, 46, 47, 59, 101, 127, 128, 129, 131, 222, 244, 246, 247, 273, 274, 278, 279, 295,
    296, 297, 299, 307, 310, 311, 54, 55, 206, 209, 322, 327, 328,
];

/// The native number of the call that is one of x32's own.
pub const fn native(number: u32) -> Option<u16> {
    let at = number.wrapping_sub(FIRST) as usize;
    if at < NATIVE.len() { Some(NATIVE[at]) } else { None }
}
