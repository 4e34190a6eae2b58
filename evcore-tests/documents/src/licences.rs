//! Each crate is published with its own copies of the licences. The published crates are the crates in the root's
//! folders.

use std::fs;

use crate::tree::root;
use crate::{Outcome, outcome};

const LICENCES: [&str; 2] = ["LICENSE-MIT", "LICENSE-APACHE"];

fn check(crates: &[String], read: impl Fn(&str) -> Option<String>) -> Outcome {
    let copies = crates.iter().flat_map(|name| LICENCES.map(|licence| (licence, format!("{name}/{licence}"))));
    let wrong: Vec<_> = copies
        .filter(|(licence, copy)| read(licence).is_none() || read(licence) != read(copy))
        .map(|(licence, copy)| format!("{copy} is not a copy of {licence}"))
        .collect();
    outcome(wrong, format!("{} crates", crates.len()))
}

#[test]
fn crates_have_their_licences() {
    let folders = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap());
    let crates = folders.filter(|folder| folder.path().join("Cargo.toml").exists());
    let crates: Vec<_> = crates.map(|folder| folder.file_name().into_string().unwrap()).collect();
    assert!(crates.len() >= 4, "{crates:?}");
    crate::hold(check(&crates, |path| fs::read_to_string(root().join(path)).ok()));
}

#[test]
fn notices_other_and_missing_copies() {
    let read = |path: &str| match path {
        "LICENSE-MIT" | "a/LICENSE-MIT" | "b/LICENSE-MIT" => Some("MIT".to_owned()),
        "LICENSE-APACHE" | "a/LICENSE-APACHE" => Some("Apache".to_owned()),
        "c/LICENSE-MIT" => Some("MIT, changed".to_owned()),
        _ => None,
    };
    assert_eq!(check(&["a".to_owned()], read).unwrap(), "1 crates");
    assert_eq!(check(&["b".to_owned()], read).unwrap_err(), ["b/LICENSE-APACHE is not a copy of LICENSE-APACHE"]);
    assert_eq!(check(&["c".to_owned()], read).unwrap_err().len(), 2);
    assert_eq!(check(&["a".to_owned()], |_| None).unwrap_err().len(), 2);
}
