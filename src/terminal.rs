//! What is known of the terminal: its width, and whether it is to be coloured.

use std::env;
use std::io::{self, IsTerminal};

use clap::ValueEnum;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set; elsewhere when CLICOLOR_FORCE is
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// Whether standard output is coloured.
    pub fn is_on(self) -> bool {
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let terminal =
                    io::stdout().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb");
                by_environment(|name| env::var(name).ok(), terminal)
            }
        }
    }
}

/// As no-color.org and bixense.com/clicolors have it: NO_COLOR wins over CLICOLOR_FORCE.
fn by_environment(variable: impl Fn(&str) -> Option<String>, is_terminal: bool) -> bool {
    if variable("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        return false;
    }
    is_terminal || variable("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0")
}

/// Characters of a line of standard output; `None` where it is no terminal.
pub fn width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    terminal_size::terminal_size_of(io::stdout())
        .map(|(terminal_size::Width(width), _)| width.into())
        .filter(|width| *width > 0)
}

/// Lines of standard output; `None` where it is no terminal.
#[cfg(feature = "record")]
pub fn height() -> Option<usize> {
    let size = terminal_size::terminal_size_of(io::stdout());
    size.map(|(_, terminal_size::Height(height))| height.into()).filter(|height| *height > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_wins_over_everything_else_that_the_environment_says() {
        let on = |set: &[(&str, &str)], is_terminal| {
            let set: Vec<(String, String)> =
                set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            by_environment(
                |name| set.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()),
                is_terminal,
            )
        };
        assert!(on(&[], true) && !on(&[], false));
        assert!(!on(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], true));
        assert!(on(&[("NO_COLOR", "")], true));
        assert!(on(&[("CLICOLOR_FORCE", "1")], false) && !on(&[("CLICOLOR_FORCE", "0")], false));
    }
}
