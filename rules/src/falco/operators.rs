//! Operators and their values to tests.

use super::parse::{Check, Value};
use crate::form::{Case, Cidr, Comparison, Pattern, Piece, Regex, Test};

/// Addresses, networks, or both.
pub fn addresses(check: &Check) -> Result<Test, String> {
    let mut networks = Vec::new();
    for value in &check.values {
        let Value::Text(text) = value else { return Err("addresses are compared with texts".into()) };
        let text = text.trim_matches('"');
        match Cidr::parse(text) {
            Some(network) => networks.push(network),
            // Names in lists of addresses are those that Falco resolves while it runs.
            None => return Err(format!("{text:?} is neither an address nor a network")),
        }
    }
    match check.op.as_str() {
        "=" | "==" | "!=" | "in" | "intersects" => Ok(Test::Cidr(networks)),
        op => Err(format!("{op} does not fit an address")),
    }
}

/// The test of an operator, not negated.
pub fn test(check: &Check, folds: bool) -> Result<Test, String> {
    let texts = || {
        check.values.iter().filter_map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            Value::Field(_) => None,
        })
    };
    let case = if folds { Case::Folded } else { Case::Exact };
    let folded = |case: Case, patterns: Vec<Pattern>| match case {
        Case::Folded => Test::Fits(case, patterns.into_iter().map(Pattern::lower).collect()),
        Case::Exact => Test::Fits(case, patterns),
    };
    let fits = |case, make: &dyn Fn(Vec<u8>) -> Pattern| {
        folded(case, texts().map(|text| make(text.as_bytes().to_vec())).collect())
    };
    let bytes = |text: &str| -> Result<Vec<u8>, String> {
        let digits = text.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(pair, 16).ok()
        });
        digits.collect::<Option<Vec<u8>>>().ok_or_else(|| format!("{text:?} are no bytes in hexadecimal"))
    };
    let number = |comparison| -> Result<Test, String> {
        let text = texts().next().unwrap_or_default();
        let number = text.parse::<f64>().map_err(|_| format!("{text:?} is no number"))?;
        Ok(Test::Number(comparison, number))
    };
    Ok(match check.op.as_str() {
        "=" | "==" | "!=" | "in" | "intersects" => fits(case, &Pattern::Equals),
        "contains" => fits(case, &Pattern::Contains),
        "icontains" => fits(Case::Folded, &Pattern::Contains),
        "startswith" => fits(case, &Pattern::Prefix),
        "istartswith" => fits(Case::Folded, &Pattern::Prefix),
        "endswith" => fits(case, &Pattern::Suffix),
        "bcontains" | "bstartswith" => {
            let bytes: Vec<Vec<u8>> = texts().map(bytes).collect::<Result<_, _>>()?;
            let make = if check.op == "bcontains" { Pattern::Contains } else { Pattern::Prefix };
            Test::Fits(Case::Exact, bytes.into_iter().map(make).collect())
        }
        "glob" | "iglob" => {
            let case = if check.op == "iglob" { Case::Folded } else { case };
            if texts().any(|text| text.contains('[')) {
                let regexes = texts().map(|text| bracketed(text, case)).collect::<Result<_, _>>()?;
                Test::Regex(regexes)
            } else {
                folded(case, texts().map(glob).collect())
            }
        }
        "pmatch" => {
            let under = |text: &str| {
                let path = text.trim_end_matches('/');
                [glob(path), glob(&format!("{path}/*"))]
            };
            folded(case, texts().flat_map(under).collect())
        }
        "regex" => Test::Regex(
            texts()
                .map(|text| regex(&format!("(?s)^(?:{text})$")).map_err(|why| format!("{text:?}: {why}")))
                .collect::<Result<_, _>>()?,
        ),
        "<" => number(Comparison::Less)?,
        "<=" => number(Comparison::LessOrEqual)?,
        ">" => number(Comparison::Greater)?,
        ">=" => number(Comparison::GreaterOrEqual)?,
        op => return Err(format!("the operator {op:?} is not known")),
    })
}

fn regex(text: &str) -> Result<Regex, String> {
    let built = regex::bytes::RegexBuilder::new(text).unicode(false).size_limit(1 << 20).build();
    built.map(Regex).map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "this regular expression is too large".to_owned(),
        error => {
            format!("this is no regular expression: {}", error.to_string().lines().last().unwrap_or_default())
        }
    })
}

/// `*` and `?`, which go over slashes too, and backslashes before them.
fn glob(text: &str) -> Pattern {
    let mut pieces = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        pieces.push(match c {
            '*' => Piece::Many,
            '?' => Piece::One,
            '\\' => Piece::Literal(chars.next().unwrap_or('\\').to_string().into_bytes()),
            c => Piece::Literal(c.to_string().into_bytes()),
        });
    }
    Pattern::from_pieces(pieces)
}

/// Globs with sets of characters.
fn bracketed(text: &str, case: Case) -> Result<Regex, String> {
    let mut written = String::from(if case == Case::Folded { "(?is)^" } else { "(?s)^" });
    let mut is_inside = false;
    for c in text.chars() {
        match c {
            '[' if !is_inside => {
                is_inside = true;
                written.push('[');
            }
            ']' if is_inside => {
                is_inside = false;
                written.push(']');
            }
            '!' if is_inside && written.ends_with('[') => written.push('^'),
            c if is_inside && c != '\\' && c != '[' => written.push(c),
            '*' => written.push_str(".*"),
            '?' => written.push('.'),
            c => written.push_str(&regex::escape(&c.to_string())),
        }
    }
    written.push('$');
    regex(&written)
}
