//! The core's files and the functions of a turn are short.

use crate::cases::identifier;
use crate::{Outcome, outcome};

const FILE_MOST: usize = 450;
/// The steps of a turn, and their files.
const STEPS: [(&str, &[&str]); 2] =
    [("evcore/src/base.rs", &["poll", "next", "next_active"]), ("evcore/src/engine/turn.rs", &["poll", "next", "pop"])];
const STEP_MOST: usize = 40;

fn check(files: &[(String, String)], steps: &[(&str, &[&str])]) -> Outcome {
    let mut wrong = Vec::new();
    for (path, text) in files {
        let count = text.lines().count();
        if count > FILE_MOST {
            wrong.push(format!("{path} has {count} lines, more than {FILE_MOST}"));
        }
    }
    for (path, names) in steps {
        let text = files.iter().find(|(file, _)| file == path).map_or("", |(_, text)| text);
        for name in *names {
            match method(text, name) {
                Some(..=STEP_MOST) => {}
                Some(count) => wrong.push(format!("{path}: {name} has {count} lines, more than {STEP_MOST}")),
                None => wrong.push(format!("{path}: there is no method {name}")),
            }
        }
    }
    outcome(wrong, format!("{} files", files.len()))
}

/// The lines of a method.
fn method(text: &str, name: &str) -> Option<usize> {
    let is_head = |line: &str| {
        let line = line.strip_prefix("    ").unwrap_or_default();
        let line = line.strip_prefix("pub(").and_then(|rest| rest.split_once(") ")).map_or(line, |(_, rest)| rest);
        let rest = line.strip_prefix("pub ").unwrap_or(line).strip_prefix("fn ").unwrap_or_default();
        identifier(rest) == name && rest[name.len()..].starts_with('(')
    };
    text.lines().skip_while(|line| !is_head(line)).position(|line| line == "    }").map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::all_files;

    #[test]
    fn core_is_in_short_files() {
        crate::hold(check(&all_files("evcore/src", "rs"), &STEPS));
    }

    #[test]
    fn notices_long_file() {
        let file = |count| [("a.rs".to_owned(), "\n".repeat(count))];
        assert_eq!(check(&file(450), &[]).unwrap(), "1 files");
        assert_eq!(check(&file(451), &[]).unwrap_err(), ["a.rs has 451 lines, more than 450"]);
    }

    #[test]
    fn notices_long_step() {
        let step = |head: &str, count: usize| {
            let text = format!("    fn poller() {{\n    }}\n    {head}(&self) {{\n{}    }}\n", "\n".repeat(count - 2));
            check(&[("a.rs".to_owned(), text)], &[("a.rs", &["poll"])])
        };
        for head in ["fn poll", "pub fn poll", "pub(crate) fn poll"] {
            assert!(step(head, 40).is_ok());
            assert_eq!(step(head, 41).unwrap_err(), ["a.rs: poll has 41 lines, more than 40"]);
        }
        assert_eq!(step("fn pol", 40).unwrap_err(), ["a.rs: there is no method poll"]);
    }
}
