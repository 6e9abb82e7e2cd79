//! The kernel programs of tracer. What they write and read is described in `events::abi`.
#![feature(asm_experimental_arch, stmt_expr_attributes)]
#![no_std]
#![no_main]

mod capture;
mod context;
mod descriptors;
mod emit;
mod gather;
mod hash;
mod hook;
mod kernel;
mod logs;
mod marks;
mod parts;
mod path;
mod probes;
mod record;
mod registers;
mod scopes;
mod spare;
mod statics;
mod strict;
mod timing;
mod user_memory;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The helpers that the programs call are given to GPL-compatible ones only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
