//! The habits of manual pages: no long lines, no blanks at ends, no request that does nothing.

const WIDTH: usize = 78;

/// The same page as `mandoc -Tlint` likes it.
pub fn tidy(page: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    let (mut is_code, mut is_tag) = (false, false);
    for line in page.lines() {
        let line = line.trim_end();
        match line {
            ".EX" => is_code = true,
            ".EE" => is_code = false,
            _ => {}
        }
        let last = out.last().map_or("", String::as_str);
        let is_heading = |line: &str| line.starts_with(".SH") || line.starts_with(".SS");
        // Names of characters that only old formatters lack, said before each section.
        let is_preamble = line.starts_with(".ie \\n(.g") || line.starts_with(".el .ds Aq");
        let is_idle =
            matches!(line, ".PP" | ".br" | ".sp") && (is_heading(last) || matches!(last, ".sp" | ".br"));
        if is_preamble && out.iter().any(|known| known == line) || is_idle || line.is_empty() && !is_code {
            continue;
        }
        if is_heading(line) || line == ".TP" {
            while matches!(out.last().map(String::as_str), Some(".sp" | ".br" | ".PP")) {
                out.pop();
            }
        }
        let is_request = line.starts_with(['.', '\'']);
        if is_code && !is_request {
            out.extend(folded(line, "\\"));
        } else if is_request || is_tag {
            out.push(line.to_owned());
        } else {
            out.extend(folded(line, ""));
        }
        is_tag = line == ".TP";
    }
    out.join("\n") + "\n"
}

/// A line in pieces that are parted at blanks. `joint` stands at the end of each but the last.
fn folded(line: &str, joint: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for word in line.split_inclusive(' ') {
        let is_begun = pieces.last().is_some_and(|piece| !piece.trim().is_empty());
        if is_begun && pieces.last().is_some_and(|piece| piece.len() + word.trim_end().len() > WIDTH) {
            pieces.push(String::new());
        }
        if let Some(piece) = pieces.last_mut() {
            piece.push_str(word);
        }
    }
    let last = pieces.len() - 1;
    let mut folded: Vec<String> = Vec::new();
    for (at, piece) in pieces.into_iter().enumerate() {
        // In text a new line is a blank; in code it is joined without one.
        let mut piece = if joint.is_empty() { piece.trim_end().to_owned() } else { piece };
        if joint.is_empty() && piece.starts_with(['.', '\'']) {
            piece.insert_str(0, "\\&");
        }
        if at < last {
            piece.push_str(joint);
        }
        folded.push(piece);
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_folded_and_idle_requests_are_gone() {
        let words = "word ".repeat(30);
        let page = format!(".SH A\n.PP\n{words}\n.br\n.sp\n.br\n.SH B\n.EX\n{words}x\n.EE\n");
        let tidied = tidy(&page);
        assert!(tidied.lines().all(|line| line.len() <= 80), "{tidied}");
        assert!(tidied.starts_with(".SH A\nword word") && tidied.contains("word\n.SH B\n.EX\n"), "{tidied}");
        let code = tidied.split(".EX\n").nth(1).unwrap().split(".EE").next().unwrap();
        assert_eq!(code.replace("\\\n", ""), format!("{words}x\n"));
    }
}
