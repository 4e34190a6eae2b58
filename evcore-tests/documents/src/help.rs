//! Each script of `.ci` prints the comment at its top for `--help`, before it does anything.

use std::fs;

use crate::tree::root;
use crate::{Outcome, outcome};

const FIRST: &str = r#"source "$(dirname "${BASH_SOURCE[0]}")/help.bash""#;

fn check(scripts: &[(String, String)]) -> Outcome {
    let answers = |text: &str| text.lines().find(|line| !line.starts_with('#')) == Some(FIRST);
    let wrong = scripts.iter().filter(|(_, text)| !answers(text));
    let wrong = wrong.map(|(name, _)| format!(".ci/{name}: help.bash must be sourced before anything else")).collect();
    outcome(wrong, format!("all {} scripts answer --help", scripts.len()))
}

fn scripts() -> Vec<(String, String)> {
    let entries = fs::read_dir(root().join(".ci")).unwrap().map(Result::unwrap);
    let files = entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path())));
    files
        .filter_map(|(name, text)| Some((name, text.ok()?)))
        .filter(|(_, text)| text.starts_with("#!/usr/bin/env bash"))
        .collect()
}

#[test]
fn each_script_answers_help() {
    assert!(scripts().len() > 20);
    crate::hold(check(&scripts()));
}

#[test]
fn a_script_that_begins_with_something_else_is_noticed() {
    let script = |text: &str| check(&[("x".to_owned(), text.to_owned())]);
    assert!(script(&format!("#!/usr/bin/env bash\n# What it does.\n{FIRST}\nset -e\n")).is_ok());
    assert!(script(&format!("#!/usr/bin/env bash\nset -e\n{FIRST}\n")).is_err());
    assert!(script("#!/usr/bin/env bash\n# What it does.\n").is_err());
}
