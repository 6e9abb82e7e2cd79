//! Partial evaluation of the kernel programs for this kernel and this recording, before the verifier sees them.
//!
//! What differs from kernel to kernel (where members of structures are) and from recording to recording (what is wanted)
//! stands in read-only data that is frozen before the programs are loaded. The verifier knows those numbers and leaves out
//! what they rule out, but it leaves the loads of them: each member of a structure takes a load, a comparison and an addition
//! at every event, and each setting a load. Here such loads become numbers in the instructions, branches that they decide go
//! away, offsets go into the loads that they are for, and what nothing depends on any more is dropped: the programs are
//! shorter to verify and to run.
//!
//! Each function is taken by itself: [`constants`] finds what registers hold on every way to an instruction, [`addresses`]
//! what is a register and a number, [`words`] which extensions of 32 bits to 64 change nothing, and [`unused`] what nobody
//! reads. [`object`] takes the functions out of the object and puts them back.

mod addresses;
mod constants;
mod function;
mod instruction;
mod object;
mod unused;
mod words;

pub(super) use self::object::{Error, specialize};
use self::{constants::Data, function::Function};

/// Makes a function what it comes to where the read-only data is this.
fn evaluate(function: &mut Function, data: &Data<'_>) {
    constants::fold(function, data);
    words::fold(function);
    addresses::fold(function);
    unused::drop(function);
}

#[cfg(test)]
mod tests;
