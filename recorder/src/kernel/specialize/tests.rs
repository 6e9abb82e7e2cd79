//! Whole functions, run before and after by an interpreter.
