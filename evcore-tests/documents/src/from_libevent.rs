//! docs/from-libevent.md is complete and correct: its tables contain exactly the names of `libevent-names`; each row
//! names a counterpart here, which exists, or says why there is none.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::cases::identifier;
use crate::{Outcome, outcome};

const PAGE: &str = "docs/from-libevent.md";
pub(crate) const LIST: &str = "evcore-tests/documents/libevent-names";

fn check(page: &str, list: &str, source: &str) -> Outcome {
    let mut wrong = Vec::new();
    let listed: BTreeSet<_> = list.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    let rows: Vec<_> = rows(page).collect();
    if rows.is_empty() {
        wrong.push(format!("{PAGE}: no rows"));
    }
    let mut named = BTreeMap::new();
    for (names, _) in &rows {
        quoted(names).filter(|name| identifier(name) == *name).for_each(|name| *named.entry(name).or_insert(0) += 1);
    }
    for (name, _) in named.iter().filter(|(_, count)| **count > 1) {
        wrong.push(format!("{PAGE}: {name} is in two rows"));
    }
    wrong.extend(
        listed.iter().filter(|name| !named.contains_key(**name)).map(|name| format!("{PAGE}: {name} is missing")),
    );
    wrong.extend(
        named.keys().filter(|name| !listed.contains(**name)).map(|name| format!("{PAGE}: libevent has no {name}")),
    );

    let declared = Declared::of(source);
    for (names, here) in &rows {
        if !here.starts_with('`') {
            if !here.starts_with("None") {
                wrong.push(format!("{PAGE}: neither a counterpart nor a reason: {names}"));
            }
            continue;
        }
        // After the counterparts, remarks may follow as sentences.
        let counterparts = here.split_once(". ").map_or(*here, |(counterparts, _)| counterparts);
        let missing = quoted(counterparts).filter(|path| is_path(path) && !declared.has(path));
        wrong.extend(missing.map(|path| format!("{PAGE}: there is no {path}")));
    }
    outcome(wrong, format!("{} names, {} rows", listed.len(), rows.len()))
}

/// The two columns of each row.
fn rows(page: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut is_inside = false;
    page.lines().filter_map(move |line| {
        if line.starts_with("| libevent |") {
            is_inside = true;
            return None;
        }
        is_inside &= line.starts_with('|');
        let mut cells = line.split('|').skip(1).map(|cell| cell.trim());
        let mut next = || cells.next().unwrap_or_default();
        (is_inside && !line.starts_with("|-")).then(|| (next(), next()))
    })
}

fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

fn is_path(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphabetic() || c == '_' || c == ':')
}

/// The names that the sources declare.
#[derive(Default)]
struct Declared<'a> {
    types: HashSet<&'a str>,
    /// Functions, constants, fields and variants.
    members: HashSet<&'a str>,
}

impl<'a> Declared<'a> {
    fn of(source: &'a str) -> Self {
        let mut declared = Self::default();
        for line in source.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for (word, next) in line.split(' ').zip(line.split(' ').skip(1)) {
                match word.rsplit(|c: char| !c.is_ascii_alphanumeric()).next() {
                    Some("struct" | "enum" | "trait" | "type") => drop(declared.types.insert(identifier(next))),
                    Some("fn" | "const") => drop(declared.members.insert(identifier(next))),
                    _ => {}
                }
            }
            let word = line.trim_start_matches(' ');
            if word.len() < line.len() {
                let name = identifier(word.strip_prefix("pub ").unwrap_or(word));
                let rest = &word.strip_prefix("pub ").unwrap_or(word)[name.len()..];
                if rest.starts_with([':', ',', '(']) || rest.trim_start_matches(' ').starts_with('=') {
                    declared.members.insert(name);
                }
            }
        }
        declared
    }

    /// Whether the type exists and, if the path has one, its member.
    fn has(&self, path: &str) -> bool {
        let (name, rest) = path.split_once("::").unwrap_or((path, ""));
        let member = rest.rsplit("::").next().unwrap_or_default();
        self.types.contains(name) && (member.is_empty() || self.members.contains(member))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{files, joined, read};

    #[test]
    fn every_name_of_libevent_has_its_row() {
        let source = [("evcore/src", 1), ("evplat-posix/src", 0), ("evplat-linux/src", 0)];
        let source: String = source.iter().map(|(folder, depth)| joined(&files(folder, "rs", *depth))).collect();
        crate::hold(check(&read(PAGE), &read(LIST), &source));
    }

    const PAGE_: &str = "| libevent | here |\n|---|---|\n| `event_new`, `event_free` | `Base::create`. `new` |\n\
                         | `EV_READ` | `Interest::READ`, `Ready` |\n| `event_debug` | None: it is a debugger's. |\n\n| `x` | |\n";
    const NAMES: &str = "event.h EV_READ\nevent.h event_new\nevent.h event_free\nevent.h event_debug\n";
    const SOURCE: &str = "pub struct Base<T> {}\n    pub fn create(&mut self) {}\n    pub struct Interest: u8 {\n        const READ = 1;\n\
                          pub enum Ready {\n    Idle,\n    name: u8,\n    Full(T),\n    One = 1,\n// struct Comment\n";

    #[track_caller]
    fn complains(from: &str, to: &str, complaint: &str) {
        let wrong = check(&PAGE_.replace(from, to), NAMES, SOURCE).unwrap_err();
        assert!(wrong.iter().any(|wrong| wrong.ends_with(complaint)), "{wrong:?}");
    }

    #[test]
    fn sound_page_passes() {
        assert_eq!(check(PAGE_, NAMES, SOURCE).unwrap(), "4 names, 3 rows");
    }

    #[test]
    fn notices_name_without_row() {
        complains(", `event_free`", "", "event_free is missing");
        complains("`event_free`", "`event_new`", "event_new is in two rows");
        complains("`event_free`", "`event_fre`", "libevent has no event_fre");
        complains("| libevent |", "| x |", "no rows");
    }

    #[test]
    fn notices_what_is_not_there() {
        complains("Base::create", "Base::creat", "there is no Base::creat");
        complains("Base::create", "Bas::create", "there is no Bas::create");
        complains("`Ready`", "`Comment`", "there is no Comment");
        complains("`Base::create`. `new`", "", "neither a counterpart nor a reason: `event_new`, `event_free`");
        complains("None: it", "It", "neither a counterpart nor a reason: `event_debug`");
    }

    #[test]
    fn members_are_found() {
        let declared = Declared::of(SOURCE);
        for path in ["Ready::Idle", "Ready::name", "Ready::Full", "Ready::One", "Interest::READ", "Base"] {
            assert!(declared.has(path), "{path}");
        }
        assert!(!declared.has("Ready::T") && !declared.has("Comment"));
    }
}
