//! Wildcards of the tools: the same as those of filters.

use format::redact::Glob;
use scopes::pattern::Pattern;

/// A pattern for whole values, and the same for stretches of them.
#[derive(Debug)]
struct Wildcard {
    whole: Pattern,
    inside: Pattern,
}

impl Glob for Wildcard {
    fn fits(&self, value: &[u8]) -> bool {
        self.whole.matches(value)
    }

    fn is_inside(&self, value: &[u8]) -> bool {
        self.inside.matches(value)
    }
}

pub fn read(text: &str) -> Box<dyn Glob> {
    Box::new(Wildcard { whole: Pattern::parse(text), inside: Pattern::parse(&format!("*{text}*")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_fits_whole_values_and_is_looked_for_inside_others() {
        let glob = read("/home/*");
        assert!(glob.fits(b"/home/a") && !glob.fits(b"x/home/a") && glob.is_inside(b"x/home/a"));
        let glob = read(r"a\*b");
        assert!(
            glob.fits(b"a*b") && !glob.fits(b"axb") && glob.is_inside(b"xa*bx") && !glob.is_inside(b"axxb")
        );
    }
}
