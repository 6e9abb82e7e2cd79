//! Which artifacts are wanted: `exec,memfd,module,write=/tmp/**,bpf`.

use scopes::pattern::Pattern;

/// What is to be kept.
#[derive(Clone, Debug, Default)]
pub struct Kinds {
    pub exec: bool,
    pub memfd: bool,
    pub module: bool,
    pub bpf: bool,
    /// Paths of written files, with wildcards.
    pub write: Vec<(String, Pattern)>,
}

impl Kinds {
    /// Reads what was given; each is a kind, and `write` says of which paths.
    pub fn parse(given: &[String]) -> Result<Kinds, String> {
        let mut kinds = Kinds::default();
        for word in given {
            match word.split_once('=') {
                None if word == "exec" => kinds.exec = true,
                None if word == "memfd" => kinds.memfd = true,
                None if word == "module" => kinds.module = true,
                None if word == "bpf" => kinds.bpf = true,
                None if word == "write" => {
                    return Err("write needs the paths of the files, such as write=/tmp/**".into());
                }
                Some(("write", paths)) if paths.starts_with(['/', '*']) => {
                    kinds.write.push((paths.to_owned(), Pattern::parse(paths)));
                }
                Some(("write", paths)) => {
                    return Err(format!("{paths} is no path from the root, such as /tmp/**"));
                }
                _ => {
                    return Err(format!(
                        "{word} is no kind of artifact; there are exec, memfd, module, write=PATHS and bpf"
                    ));
                }
            }
        }
        Ok(kinds)
    }

    pub fn is_empty(&self) -> bool {
        !(self.exec || self.memfd || self.module || self.bpf) && self.write.is_empty()
    }

    /// Whether bytes of written files are wanted from this path.
    pub fn wants_written(&self, path: &[u8]) -> bool {
        let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
        self.write.iter().any(|(_, pattern)| pattern.matches(path))
    }

    /// The events that say when there is something to keep.
    pub fn events(&self) -> Vec<&'static str> {
        let mut events = vec!["sched_process_fork", "sched_process_exec", "sched_process_exit"];
        if self.module {
            events.extend(["finit_module", "init_module"]);
        }
        if self.bpf {
            events.push("bpf");
        }
        if self.memfd {
            events.push("memfd_create");
        }
        if !self.write.is_empty() {
            events.extend(["open", "openat", "openat2", "creat"]);
        }
        if self.memfd || !self.write.is_empty() {
            events.extend(["close", "close_range", "dup", "dup2", "dup3", "fcntl"]);
        }
        events
    }

    /// As it is told.
    pub fn words(&self) -> Vec<String> {
        let flags = [(self.exec, "exec"), (self.memfd, "memfd"), (self.module, "module"), (self.bpf, "bpf")];
        let flags = flags.into_iter().filter(|(is, _)| *is).map(|(_, name)| name.to_owned());
        flags.chain(self.write.iter().map(|(paths, _)| format!("write={paths}"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Kinds, String> {
        Kinds::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn kinds_are_read_and_what_is_none_is_refused() {
        let kinds = parse(&["exec", "bpf", "write=/tmp/**", "write=*.so"]).unwrap();
        assert_eq!(kinds.words(), ["exec", "bpf", "write=/tmp/**", "write=*.so"]);
        for (path, is) in [
            ("/tmp/x", true),
            ("/tmp/a/b (deleted)", true),
            ("/var/tmp/x", false),
            ("/usr/lib/x.so", true),
            ("/tmp", false),
        ] {
            assert_eq!(kinds.wants_written(path.as_bytes()), is, "{path}");
        }
        for wrong in ["write", "write=tmp/**", "execs", ""] {
            assert!(parse(&[wrong]).is_err(), "{wrong}");
        }
        assert!(kinds.events().iter().all(|name| events::catalogue::by_name(name).is_some()));
    }
}
