//! The results of earlier runs: a line for each statement, in a file of `target`.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use crate::source::without_file;

/// The result for a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// A test fails, or does not end.
    Noticed(String),
    Survives,
    /// The remaining code does not compile.
    CannotBeDeleted,
    /// It is in a function that must be `const`.
    InConstant,
}

impl Outcome {
    fn name(&self) -> &str {
        match self {
            Self::Noticed(judge) => judge,
            Self::Survives => "survives",
            Self::CannotBeDeleted => "cannot be deleted",
            Self::InConstant => "in a const fn",
        }
    }

    fn of(name: &str) -> Self {
        match name {
            "survives" => Self::Survives,
            "cannot be deleted" => Self::CannotBeDeleted,
            "in a const fn" => Self::InConstant,
            judge => Self::Noticed(judge.to_owned()),
        }
    }
}

pub struct State {
    known: HashMap<String, (u64, u64, Outcome)>,
    /// Results of statements that are no longer in the same place, by their key without the file: a function may have
    /// moved.
    gone: HashMap<String, (u64, u64, Outcome)>,
    file: File,
    /// The hash of all sources and tests.
    tree: u64,
}

impl State {
    /// `is_current`: whether a statement with this key exists.
    pub fn open(path: &Path, tree: u64, is_fresh: bool, is_current: impl Fn(&str) -> bool) -> Result<Self, String> {
        let fail = |error| format!("{}: {error}", path.display());
        let text = if is_fresh { String::new() } else { std::fs::read_to_string(path).unwrap_or_default() };
        let (known, gone): (HashMap<_, _>, HashMap<_, _>) =
            text.lines().filter_map(parse).partition(|(key, _)| is_current(key));
        let gone = gone.into_iter().map(|(key, what)| (without_file(&key), what)).collect();
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(fail)?;
        if is_fresh {
            file.set_len(0).map_err(fail)?;
        }
        Ok(Self { known, gone, file, tree })
    }

    /// The result for a statement whose function is unchanged. A survivor's result is valid only for the same tests.
    /// (Statements that could not be deleted are not tried again, because each needs a build: `--fresh` tries them.)
    pub fn get(&self, key: &str, function: u64) -> Option<&Outcome> {
        let (hash, tree, outcome) = self.known.get(key).or_else(|| self.gone.get(&without_file(key)))?;
        let holds = *hash == function && (*tree == self.tree || *outcome != Outcome::Survives);
        holds.then_some(outcome)
    }

    pub fn set(&mut self, key: &str, function: u64, outcome: Outcome) -> Result<(), String> {
        let line = format!("{function:016x}\t{:016x}\t{}\t{key}\n", self.tree, outcome.name());
        self.file.write_all(line.as_bytes()).map_err(|error| format!("the state: {error}"))?;
        self.known.insert(key.to_owned(), (function, self.tree, outcome));
        Ok(())
    }
}

fn parse(line: &str) -> Option<(String, (u64, u64, Outcome))> {
    let mut parts = line.splitn(4, '\t');
    let mut hash = || u64::from_str_radix(parts.next()?, 16).ok();
    let (function, tree) = (hash()?, hash()?);
    let outcome = Outcome::of(parts.next()?);
    Some((parts.next()?.to_owned(), (function, tree, outcome)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_survivor_is_judged_again_when_the_tests_change() {
        let path = std::env::temp_dir().join(format!("deletions-state-{}", std::process::id()));
        let mut state = State::open(&path, 1, true, |_| true).unwrap();
        state.set("a", 5, Outcome::Survives).unwrap();
        state.set("b", 5, Outcome::Noticed("unit tests".into())).unwrap();
        let same = State::open(&path, 1, false, |_| true).unwrap();
        let other = State::open(&path, 2, false, |_| true).unwrap();
        std::fs::remove_file(path).unwrap();
        assert_eq!(same.get("a", 5), Some(&Outcome::Survives));
        assert_eq!(same.get("a", 6), None);
        assert_eq!(other.get("a", 5), None);
        assert_eq!(other.get("b", 5), Some(&Outcome::Noticed("unit tests".into())));
    }

    #[test]
    fn a_function_that_moves_to_another_file_keeps_its_verdict() {
        let path = std::env::temp_dir().join(format!("deletions-moved-{}", std::process::id()));
        let mut state = State::open(&path, 1, true, |_| true).unwrap();
        state.set("one/src/a.rs: f: x();", 5, Outcome::Noticed("unit tests".into())).unwrap();
        let moved = State::open(&path, 1, false, |key| key.starts_with("one/src/b.rs")).unwrap();
        let stays = State::open(&path, 1, false, |_| true).unwrap();
        std::fs::remove_file(path).unwrap();
        assert_eq!(moved.get("one/src/b.rs: f: x();", 5), Some(&Outcome::Noticed("unit tests".into())));
        assert_eq!(moved.get("two/src/b.rs: f: x();", 5), None);
        assert_eq!(stays.get("one/src/b.rs: f: x();", 5), None);
    }
}
