//! Python with packages that only tests need: `TRACER_PYTHON` names one that has them, otherwise it is `python3`.
#![allow(dead_code)] // each test uses its part

use std::process::Command;

pub fn python() -> String {
    std::env::var("TRACER_PYTHON").unwrap_or_else(|_| "python3".into())
}

/// Whether it has a module; where it has not, the test says so and is skipped.
pub fn has(module: &str) -> bool {
    let found = Command::new(python()).args(["-c", &format!("import {module}")]).output();
    let has = found.is_ok_and(|it| it.status.success());
    if !has {
        println!(
            "skipped: {} has no module {module} (pip install {module}; TRACER_PYTHON names the interpreter)",
            python()
        );
    }
    has
}
