//! Policy files: YAML or JSON, one scope each.

use crate::diagnostic::{Diagnostic, Severity};
use crate::set::ScopeSet;

pub(crate) fn read(file: &str, _text: &str, _set: &mut ScopeSet, errors: &mut Vec<Diagnostic>) {
    errors.push(Diagnostic {
        severity: Severity::Error,
        flag: file.to_owned(),
        text: String::new(),
        span: 0..0,
        message: "policy files are not read by this build".to_owned(),
        suggestion: None,
        allowed: None,
    });
}
