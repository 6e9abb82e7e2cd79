//! How containers were made.

use format::Settings;

use super::Value;

pub(super) fn privileged(settings: &Settings) -> Value {
    settings.privileged.map_or(Value::Unknown, Value::Flag)
}

/// Each `SOURCE:DESTINATION`, and behind it `:ro` where it cannot be written.
pub(super) fn mounts(settings: &Settings) -> Value {
    let text = |it: &format::ContainerMount| {
        let read_only = if it.is_writable { "" } else { ":ro" };
        format!("{}:{}{read_only}", it.source, it.destination).into_bytes()
    };
    let texts = settings.mounts.as_ref().map(|all| all.iter().map(text).collect());
    texts.map_or(Value::Unknown, Value::Texts)
}

pub(super) fn added_capabilities(settings: &Settings) -> Value {
    let texts = settings.added_capabilities.as_ref();
    texts.map_or(Value::Unknown, |all| Value::Texts(all.iter().map(|it| it.clone().into_bytes()).collect()))
}
