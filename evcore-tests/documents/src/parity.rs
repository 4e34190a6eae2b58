//! docs/parity.md: each test that it names exists in the named place, and each row for a test of libevent names one
//! of ours or says why there is none.

use std::collections::BTreeSet;

use crate::cases::{LIST, functions, listed};
use crate::tree::{all_files, joined, read};
use crate::{Outcome, outcome};

const PAGE: &str = "docs/parity.md";
/// libevent's known defects are B1 to this number.
const DEFECTS: usize = 20;

/// `exists` has each test as `place::name`.
fn check(page: &str, exists: &BTreeSet<String>) -> Outcome {
    let mut wrong = Vec::new();
    let places = places(page);
    if places.is_empty() {
        wrong.push(format!("{PAGE}: no table of places"));
    }
    for (place, _) in places {
        if !exists.iter().any(|name| name.strip_prefix(place).is_some_and(|rest| rest.starts_with("::"))) {
            wrong.push(format!("{PAGE}: {place} has no tests"));
        }
    }
    let named = BTreeSet::from_iter(tests(page).filter(|name| *name != "place::name"));
    wrong
        .extend(named.iter().filter(|name| !exists.contains(**name)).map(|name| format!("{PAGE}: there is no {name}")));

    let rows: Vec<_> = rows(page).collect();
    if rows.is_empty() {
        wrong.push(format!("{PAGE}: no rows"));
    }
    let (mut with_tests, mut with_reasons, mut open) = (0, 0, String::new());
    for row in &rows {
        let [what, here] = row[..] else {
            wrong.push(format!("{PAGE}: not two columns: {}", row.join(" | ")));
            continue;
        };
        let is_open = here.contains("Open: ");
        if tests(here).next().is_some() {
            with_tests += 1;
        } else if here.starts_with("None") {
            with_reasons += 1;
        } else if !is_open {
            wrong.push(format!("{PAGE}: neither a test nor a reason: {what}"));
        }
        if is_open {
            open += &format!("\nopen: {what}: {here}");
        }
    }
    for number in 1..=DEFECTS {
        let begin = format!("| B{number}: ");
        if page.lines().filter(|line| line.starts_with(&begin)).count() != 1 {
            wrong.push(format!("{PAGE}: B{number} is not there once"));
        }
    }
    let (all, tests) = (rows.len(), named.len());
    outcome(wrong, format!("{all} rows: {with_tests} with {tests} tests, {with_reasons} with a reason why not{open}"))
}

/// Each place with its folder, `| `suite` | [evcore-tests/src/cases](…) | … |`.
fn places(page: &str) -> Vec<(&str, &str)> {
    let place = |line| {
        let (place, rest) = str::strip_prefix(line, "| `")?.split_once("` | [")?;
        let (folder, _) = rest.split_once(']')?;
        place.chars().all(|c| c.is_ascii_lowercase()).then_some((place, folder))
    };
    page.lines().filter_map(place).collect()
}

/// Each `place::name` in backquotes.
fn tests(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    quoted.filter(|quoted| {
        quoted.split_once("::").is_some_and(|(place, name)| {
            place.chars().all(|c| c.is_ascii_lowercase()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
    })
}

/// The columns of each row in the tables of libevent's tests and of its defects.
fn rows(page: &str) -> impl Iterator<Item = Vec<&str>> {
    let mut is_inside = false;
    page.lines().filter_map(move |line| {
        if line.starts_with("| libevent |") || line.starts_with("| defect |") {
            is_inside = true;
            return None;
        }
        is_inside &= line.starts_with('|');
        let cells = line.strip_prefix('|')?.trim_end();
        let cells = cells.strip_suffix('|').unwrap_or(cells);
        (is_inside && !line.starts_with("|-")).then(|| cells.split('|').map(str::trim).collect())
    })
}

/// All tests of a place. Those of the suite must also be in the list of cases.
fn existing(place: &str, folder: &str) -> BTreeSet<String> {
    let mut files = all_files(folder, "rs");
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    match place {
        "parity" => files.retain(|(path, _)| name(path).starts_with("parity")),
        "allocation" => files.retain(|(path, _)| name(path) == "allocation.rs"),
        _ => {}
    }
    let source = joined(&files);
    let mut names = functions(&source);
    let list = listed(&read(LIST), &["for_each_case"]);
    if place == "suite" {
        names.retain(|name| list.iter().any(|listed| listed == name));
    }
    names.iter().map(|name| format!("{place}::{name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libevents_tests_have_counterparts() {
        let page = read(PAGE);
        let exists = places(&page).into_iter().flat_map(|(place, folder)| existing(place, folder)).collect();
        crate::hold(check(&page, &exists));
    }

    fn page() -> String {
        let rows = "| `core` | [evcore/src](../evcore/src) | |\n\n| libevent | here |\n|---|---|\n\
                    | one | `core::one` |\n| two | None: C only. |\n| three | Open: it. |\n\n| defect | here |\n";
        (1..=DEFECTS).fold(rows.to_owned(), |page, number| page + &format!("| B{number}: x | `core::one` |\n"))
    }

    #[track_caller]
    fn complains(page: &str, complaint: &str) {
        let wrong = check(page, &BTreeSet::from(["core::one".to_owned()])).unwrap_err();
        assert!(wrong.iter().any(|wrong| wrong.ends_with(complaint)), "{wrong:?}");
    }

    #[test]
    fn sound_page_passes() {
        let summary = check(&page(), &BTreeSet::from(["core::one".to_owned()])).unwrap();
        assert_eq!(summary, "23 rows: 21 with 1 tests, 1 with a reason why not\nopen: three: Open: it.");
    }

    #[test]
    fn notices_test_that_is_not_there() {
        complains(&page().replace("| one | `core::one`", "| one | `core::two`"), "there is no core::two");
    }

    #[test]
    fn notices_row_without_test_and_reason() {
        complains(&page().replace("None: C only.", "C only."), "neither a test nor a reason: two");
        complains(&page().replace("| one | `core::one`", "| one | `core`"), "neither a test nor a reason: one");
        complains(&page().replace("Open: it.", "It."), "neither a test nor a reason: three");
    }

    #[test]
    fn notices_faults_of_tables() {
        complains(&page().replace("| two |", "| two | |"), "not two columns: two |  | None: C only.");
        complains(&page().replace("`core` |", "core |"), "no table of places");
        complains(&page().replace("`core` |", "`model` |"), "model has no tests");
        complains(&page().replace("| libevent |", "| x |").replace("| defect |", "| x |"), "no rows");
    }

    #[test]
    fn notices_defect_that_is_not_there_once() {
        complains(&page().replace("| B7: ", "| B8: "), "B7 is not there once");
        complains(&page().replace("| B7: ", "| B8: "), "B8 is not there once");
    }
}
