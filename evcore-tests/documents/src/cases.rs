//! The names of conformance cases and of functions.

use std::collections::BTreeSet;

pub(crate) const LIST: &str = "evcore-tests/src/list.rs";

/// The names that these macros list: one word a line, below a topic, for each macro up to the first unindented `}`.
pub(crate) fn listed(list: &str, macros: &[&str]) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_inside = false;
    for line in list.lines() {
        if let Some(rest) = line.strip_prefix("macro_rules! ") {
            is_inside = macros.contains(&identifier(rest));
        } else if line.starts_with('}') {
            is_inside = false;
        } else if is_inside && line.starts_with(' ') {
            let word = line.trim();
            let word = word.strip_suffix(';').unwrap_or(word);
            if is_name(word) {
                names.push(word.to_owned());
            }
        }
    }
    names
}

/// The functions that a source defines.
pub(crate) fn functions(source: &str) -> BTreeSet<&str> {
    source.lines().filter_map(function).collect()
}

/// The name of the function whose definition begins in this line.
fn function(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
        Some(rest) => rest.trim_start(),
        None => line,
    };
    Some(identifier(line.strip_prefix("fn ")?)).filter(|name| !name.is_empty())
}

/// The identifier at the beginning of a text.
pub(crate) fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// Whether this is a word that may name a case: lower case, digits and underscores.
pub(crate) fn is_name(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn lists_and_functions_are_found() {
    let list = "macro_rules! a {\n    topic:\n        one\n        two;\n    ($x:tt) => {};\n}\nmacro_rules! b {\n  three\n}\n";
    assert_eq!(listed(list, &["a"]), ["one", "two"]);
    assert_eq!(listed(list, &["b"]), ["three"]);
    let source = "pub fn one<F>() {}\n    pub(crate) fn two() {}\nfn three() {}\n// fn four\nstruct S;";
    assert_eq!(functions(source), BTreeSet::from(["one", "three", "two"]));
}
