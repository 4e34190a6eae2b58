//! docs/semantics.md and the conformance suite: sentences are numbered from 1 without a gap, each names a case that
//! proves it, each named case exists, and each case proves a sentence.

use std::collections::BTreeSet;

use crate::cases::{LIST, identifier, listed};
use crate::{Outcome, outcome};

const PAGE: &str = "docs/semantics.md";

/// `cases` is the source of all cases.
fn check(page: &str, list: &str, cases: &str) -> Outcome {
    let mut wrong = Vec::new();
    let mut listed = listed(list, &["for_each_case", "for_each_split_case", "for_each_task_case"]);
    if listed.is_empty() {
        wrong.push(format!("{LIST}: no cases found"));
    }
    listed.sort();
    for pair in listed.windows(2).filter(|pair| pair[0] == pair[1]) {
        wrong.push(format!("{LIST}: {} is listed twice", pair[0]));
    }
    let listed = BTreeSet::from_iter(listed);

    let sentences = sentences(page);
    let count = sentences.len();
    for (expected, (number, proofs)) in (1..).zip(&sentences) {
        if *number != expected {
            wrong.push(format!("{PAGE}: sentence {expected} is missing, or out of order: found {number}"));
        }
        if proofs.is_empty() {
            wrong.push(format!("{PAGE}: sentence {number} names no case"));
        }
    }
    let named = BTreeSet::from_iter(sentences.into_iter().flat_map(|(_, proofs)| proofs));
    wrong.extend(named.difference(&listed).map(|name| format!("{PAGE}: there is no case {name}")));
    wrong.extend(listed.difference(&named).map(|name| format!("{LIST}: {name} proves no sentence of {PAGE}")));
    // A listed name without a function does not compile. The reverse is checked here:
    for name in cases_defined(cases).filter(|name| !listed.contains(*name)) {
        wrong.push(format!("evcore-tests/src/cases: {name} is not in the list"));
    }
    outcome(wrong, format!("{count} sentences, {} cases", listed.len()))
}

/// Each numbered sentence with the names after its arrow, up to the next sentence or empty line.
fn sentences(page: &str) -> Vec<(usize, Vec<String>)> {
    let mut sentences: Vec<(usize, Vec<String>)> = Vec::new();
    let mut is_proof = false;
    for line in page.lines() {
        let number = line.split_once(". ").and_then(|(number, _)| number.parse().ok());
        if let Some(number) = number {
            sentences.push((number, Vec::new()));
        }
        let names = line.trim_start().strip_prefix("→ ");
        is_proof = line.starts_with(' ') && (is_proof || names.is_some());
        if let (true, Some((_, proofs))) = (is_proof, sentences.last_mut()) {
            proofs.extend(names.unwrap_or(line).split_whitespace().map(|name| name.replace('`', "")));
        }
    }
    sentences
}

fn cases_defined(source: &str) -> impl Iterator<Item = &str> {
    let rest = source.lines().filter_map(|line| line.strip_prefix("pub fn "));
    rest.map(|rest| (identifier(rest), rest))
        .filter(|(name, rest)| rest[name.len()..].starts_with("<F: Fixture"))
        .map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{all_files, joined, read};

    const LIST: &str = "macro_rules! for_each_case {\n    t:\n        one\n        two;\n}\n";
    const CASES: &str = "pub fn one<F: Fixture>() {}\npub fn two<F: Fixture + X>() {}\npub fn helper() {}\n";
    const PAGE: &str = "## A\n1. First.\n   → `one`\n2. Second,\n   goes on.\n   → `one`\n     `two`\n";

    #[test]
    fn contract_names_its_cases() {
        let cases = joined(&all_files("evcore-tests/src/cases", "rs"));
        crate::hold(check(&read(super::PAGE), &read(super::LIST), &cases));
    }

    #[test]
    fn sound_page_passes() {
        assert_eq!(check(PAGE, LIST, CASES).unwrap(), "2 sentences, 2 cases");
    }

    #[track_caller]
    fn complains(page: &str, list: &str, cases: &str, complaint: &str) {
        let wrong = check(page, list, cases).unwrap_err();
        assert!(wrong.iter().any(|wrong| wrong.ends_with(complaint)), "{wrong:?}");
    }

    #[test]
    fn notices_gap_in_numbers() {
        complains(&PAGE.replace("2. ", "3. "), LIST, CASES, "sentence 2 is missing, or out of order: found 3");
        complains(&PAGE.replace("2. ", "1. "), LIST, CASES, "sentence 2 is missing, or out of order: found 1");
    }

    #[test]
    fn notices_sentence_without_case() {
        complains(&PAGE.replace("   → `one`\n2", "2"), LIST, CASES, "sentence 1 names no case");
    }

    #[test]
    fn notices_case_that_is_not_there() {
        complains(&PAGE.replace(" `two`", " `three` `two`"), LIST, CASES, "semantics.md: there is no case three");
    }

    #[test]
    fn notices_case_that_proves_nothing() {
        complains(&PAGE.replace("     `two`\n", ""), LIST, CASES, "two proves no sentence of docs/semantics.md");
    }

    #[test]
    fn notices_faults_of_list() {
        complains(PAGE, "", CASES, "no cases found");
        complains(PAGE, &LIST.replace("one\n", "one\n        one\n"), CASES, "one is listed twice");
        complains(PAGE, LIST, &CASES.replace("helper()", "three<F: Fixture>()"), "three is not in the list");
    }
}
