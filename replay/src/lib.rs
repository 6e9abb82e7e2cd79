//! From capture files to answers: rendering events, reports on captures. No root, no BPF, any system.

pub mod render;
