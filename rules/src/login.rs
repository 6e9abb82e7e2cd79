//! Logins over SSH, as sshd tells them to the log.
//!
//! ```text
//! Accepted publickey for root from 10.0.0.9 port 5022 ssh2: ED25519 SHA256:...
//! Failed password for invalid user eve from 10.0.0.9 port 5022 ssh2
//! ```

/// What of a login is asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum LoginPart {
    /// `success` or `failure`.
    Outcome,
    /// `password`, `publickey` and so on.
    Method,
    User,
    /// Where it came from.
    Address,
    Port,
}

impl LoginPart {
    pub fn name(self) -> &'static str {
        match self {
            LoginPart::Outcome => "login's outcome",
            LoginPart::Method => "login's method",
            LoginPart::User => "login's user",
            LoginPart::Address => "login's address",
            LoginPart::Port => "login's port",
        }
    }

    /// The part of a line; `None` where the line tells of no login.
    pub fn of(self, line: &[u8]) -> Option<&[u8]> {
        let outcomes = [(&b"Accepted "[..], &b"success"[..]), (b"Failed ", b"failure")];
        let (rest, outcome) =
            outcomes.iter().find_map(|(word, outcome)| Some((line.strip_prefix(*word)?, *outcome)))?;
        let (method, rest) = split(rest, b" for ")?;
        let rest = rest.strip_prefix(b"invalid user ").unwrap_or(rest);
        // A name may be anything that somebody typed: the last `from` is sshd's own.
        let at = memchr::memmem::rfind(rest, b" from ")?;
        let (user, rest) = (rest.get(..at)?, rest.get(at + b" from ".len()..)?);
        let (address, rest) = split(rest, b" port ")?;
        let port = rest.split(|byte| !byte.is_ascii_digit()).next()?;
        Some(match self {
            LoginPart::Outcome => outcome,
            LoginPart::Method => method,
            LoginPart::User => user,
            LoginPart::Address => address,
            LoginPart::Port => port,
        })
    }
}

fn split<'a>(text: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let place = memchr::memmem::find(text, at)?;
    Some((text.get(..place)?, text.get(place + at.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(line: &str) -> Vec<String> {
        use LoginPart::{Address, Method, Outcome, Port, User};
        let parts = [Outcome, Method, User, Address, Port].into_iter();
        parts
            .filter_map(|part| Some(String::from_utf8_lossy(part.of(line.as_bytes())?).into_owned()))
            .collect()
    }

    #[test]
    fn lines_of_logins_have_all_parts_and_others_none() {
        assert_eq!(
            parts("Accepted publickey for root from 10.0.0.9 port 5022 ssh2: ED25519 SHA256:x"),
            ["success", "publickey", "root", "10.0.0.9", "5022"]
        );
        assert_eq!(
            parts("Failed password for invalid user eve from ::1 port 22 from fe80::1 port 5022 ssh2"),
            ["failure", "password", "eve from ::1 port 22", "fe80::1", "5022"]
        );
        assert_eq!(parts("Connection closed by 10.0.0.9 port 5022"), [""; 0]);
        assert_eq!(parts("Accepted "), [""; 0]);
    }
}
