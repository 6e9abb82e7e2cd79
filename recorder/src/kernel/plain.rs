//! Values as the bytes that the programs' read-only data is made of.

/// A value without padding and without pointers, whose bytes may be read.
///
/// # Safety
/// Every byte of the type is initialised: no padding.
pub unsafe trait Plain: Copy {}

// SAFETY: numbers of 4 and 8 bytes in an order without gaps; the size is asserted beside the type.
unsafe impl Plain for events::abi::tables::Config {}
// SAFETY: numbers of 1 to 4 bytes in an order without gaps; the size is asserted beside the type.
unsafe impl Plain for events::abi::tables::SyscallEntry {}
// SAFETY: six numbers of 4 bytes, then numbers of 8; the size is asserted beside the type.
unsafe impl Plain for events::abi::lower::Scopes {}
// SAFETY: a number.
unsafe impl Plain for u32 {}
// SAFETY: a number.
unsafe impl Plain for u64 {}

pub fn bytes_of<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: `Plain` promises initialised bytes, and the slice spans exactly the values.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}
