//! A page taken apart as a browser does it, but stricter: a tag that is not one of ours fails.

use std::collections::BTreeSet;
use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Elements that stand in pages.
const ELEMENTS: &[&str] = &[
    "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "h4", "nav", "ol", "ul",
    "li", "a", "p", "button", "noscript", "main", "section", "article", "dl", "div", "dt", "dd", "code",
    "pre", "kbd", "span", "table", "caption", "thead", "tbody", "tr", "th", "td", "br", "label", "input",
    "canvas", "output", "details", "summary", "dialog", "form", "script",
];
const ATTRIBUTES: &[&str] = &[
    "lang",
    "charset",
    "name",
    "content",
    "http-equiv",
    "aria-label",
    "aria-labelledby",
    "aria-describedby",
    "class",
    "id",
    "href",
    "hidden",
    "type",
    "role",
    "tabindex",
    "scope",
    "for",
    "spellcheck",
    "autocomplete",
    "autocapitalize",
    "placeholder",
    "height",
    "min",
    "max",
    "value",
    "data-row",
    "method",
];

pub struct Tag {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    /// What stands behind it, up to the next tag; of style and script all of it.
    pub text: String,
}

pub struct Markup(Vec<Tag>);

impl Markup {
    pub fn read(page: &str) -> Markup {
        let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a page");
        let mut tags = Vec::new();
        while let Some(at) = rest.find('<') {
            let end = tag_end(&rest[at..]) + at;
            let inside = &rest[at + 1..end];
            rest = &rest[end + 1..];
            if inside.starts_with('/') {
                let length = rest.find('<').unwrap_or(rest.len());
                tags.push(Tag {
                    name: inside.to_owned(),
                    attributes: Vec::new(),
                    text: rest[..length].to_owned(),
                });
                continue;
            }
            let (name, attributes) = parted(inside);
            let length = match name.as_str() {
                raw @ ("script" | "style") => {
                    rest.to_ascii_lowercase().find(&format!("</{raw}")).expect("an end")
                }
                _ => rest.find('<').unwrap_or(rest.len()),
            };
            tags.push(Tag { name, attributes, text: rest[..length].to_owned() });
            rest = &rest[length..];
        }
        Markup(tags)
    }

    /// Everything is one of our elements with our attributes, and no text has what changes how it is read.
    pub fn assert_inert(&self) {
        for Tag { name, attributes, text } in &self.0 {
            let element = name.trim_start_matches('/');
            assert!(ELEMENTS.contains(&element), "<{name}>: {text:.200}");
            for (attribute, value) in attributes {
                assert!(ATTRIBUTES.contains(&attribute.as_str()), "<{name} {attribute}={value}>");
            }
            let href = attributes.iter().find(|(attribute, _)| attribute == "href");
            assert!(href.is_none_or(|(_, value)| value.starts_with('#')), "<{name} {href:?}>");
            let odd = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
            assert!(name == "script" || !text.contains(odd), "{text:?}");
        }
        let scripts: Vec<_> = self.0.iter().filter(|tag| tag.name == "script").collect();
        assert_eq!(scripts.len(), 3);
        assert_eq!(scripts.iter().filter(|tag| tag.attributes.is_empty()).count(), 1);
    }

    pub fn ids(&self, name: &str) -> Vec<&str> {
        let of = |tag: &Tag| tag.name == name;
        self.0.iter().filter(|tag| of(tag)).filter_map(|tag| tag.attribute("id")).collect()
    }

    /// What a reader sees.
    pub fn text(&self) -> String {
        let seen = self.0.iter().filter(|tag| !matches!(tag.name.as_str(), "script" | "style" | "title"));
        let text: String = seen.map(|tag| tag.text.as_str()).collect::<Vec<_>>().join(" ");
        let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
        entities.iter().fold(text, |text, (entity, character)| text.replace(entity, character))
    }

    pub fn policy_hashes(&self) -> BTreeSet<String> {
        let policy = self.0.iter().find_map(|tag| {
            let is_it = tag.attribute("http-equiv") == Some("Content-Security-Policy");
            tag.attribute("content").filter(|_| is_it)
        });
        let policy = policy.expect("a policy");
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
        let hashes = policy.split('\'').filter_map(|part| part.strip_prefix("sha256-"));
        hashes.map(str::to_owned).collect()
    }

    /// Of the style, and of the one script that runs.
    pub fn own_hashes(&self) -> BTreeSet<String> {
        let own = self
            .0
            .iter()
            .filter(|tag| tag.name == "style" || tag.name == "script" && tag.attributes.is_empty());
        own.map(|tag| STANDARD.encode(Sha256::digest(tag.text.as_bytes()))).collect()
    }

    /// The parts of its data by name, as the script reads them.
    pub fn parts(&self) -> Vec<(String, Vec<u8>)> {
        let of =
            |id: &str| self.0.iter().find(|tag| tag.attribute("id") == Some(id)).expect("data").text.clone();
        let data = STANDARD.decode(of("data")).expect("base64");
        let (mut at, mut parts) = (0, Vec::new());
        for line in of("parts").lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let length: usize = words[1].parse().expect("a length");
            let mut out = flate2::write::DeflateDecoder::new(Vec::new());
            out.write_all(&data[at..at + length]).expect("a part");
            at += length;
            let bytes = out.finish().expect("a whole part");
            assert_eq!(bytes.len(), words[2].parse::<usize>().expect("a length"));
            parts.push((words[0].to_owned(), bytes));
        }
        assert_eq!(at, data.len());
        parts
    }
}

impl Tag {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Where a tag ends: at the first `>` outside of quotes.
fn tag_end(text: &str) -> usize {
    let mut is_quoted = false;
    text.bytes()
        .position(|byte| {
            is_quoted ^= byte == b'"';
            byte == b'>' && !is_quoted
        })
        .expect("a tag that ends")
}

fn parted(inside: &str) -> (String, Vec<(String, String)>) {
    let (name, mut rest) = inside.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((inside, ""));
    let mut attributes = Vec::new();
    while !rest.trim().is_empty() {
        rest = rest.trim_start();
        let end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let attribute = rest[..end].to_owned();
        rest = &rest[end..];
        let mut value = String::new();
        if let Some(quoted) = rest.strip_prefix("=\"") {
            let end = quoted.find('"').expect("a value that ends");
            value = quoted[..end].to_owned();
            rest = &quoted[end + 1..];
        }
        attributes.push((attribute, value));
    }
    (name.to_ascii_lowercase(), attributes)
}
