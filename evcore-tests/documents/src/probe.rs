//! The link probe calls each public function of evcore; `.ci/link-probe` proves nothing about a function that it does
//! not call.

use std::collections::BTreeSet;

use crate::cases::identifier;
use crate::{Outcome, outcome};

const PROBE: &str = "evcore-tests/link-probe/src";

fn check(files: &[(String, String)], probe: &str) -> Outcome {
    let functions: BTreeSet<_> = files.iter().flat_map(|(_, text)| public_functions(text)).collect();
    let calls: BTreeSet<_> = probe.split(['.', ':']).map(identifier).collect();
    let missing = functions.difference(&calls).map(|name| format!("{PROBE} does not call {name}"));
    outcome(missing.collect(), format!("{} public functions", functions.len()))
}

/// The public functions of a file, without those of its unit tests and of the features `std` (sources on Unix) and
/// `check` (for tests).
fn public_functions(text: &str) -> Vec<&str> {
    let (mut names, mut is_gated) = (Vec::new(), false);
    for line in text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")) {
        let trimmed = line.trim_start();
        if line.contains("#[cfg(")
            && ["\"std", "\"check"].iter().any(|feature| line.contains(&format!("feature = {feature}")))
        {
            is_gated = true;
        } else if !is_gated {
            let rest = trimmed.strip_prefix("pub ").map(|rest| rest.strip_prefix("const ").unwrap_or(rest));
            names.extend(rest.and_then(|rest| rest.strip_prefix("fn ")).map(identifier));
        } else if !trimmed.starts_with("#[") && !trimmed.starts_with("//") {
            is_gated = false;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{all_files, joined};

    #[test]
    fn probe_calls_all_public_functions() {
        let mut files = all_files("evcore/src", "rs");
        files.retain(|(path, _)| {
            !["/unix.rs", "/base/check.rs", "/task", "/board/embassy.rs", "/board/hal.rs", "/board/io.rs"]
                .iter()
                .any(|part| path.contains(part))
        });
        crate::hold(check(&files, &joined(&all_files(PROBE, "rs"))));
    }

    const SOURCE: &str = "pub const fn one() {}\n    pub fn two<T>() {}\n    pub(crate) fn three() {}\n\
                          #[cfg(feature = \"check\")]\n/// Four.\npub fn four() {}\npub fn five() {}\n\
                          #[cfg(test)]\nmod tests {\n    pub fn six() {}\n";

    #[test]
    fn public_functions_are_found() {
        assert_eq!(public_functions(SOURCE), ["one", "two", "five"]);
    }

    #[test]
    fn notices_function_that_is_not_called() {
        let files = [("a.rs".to_owned(), SOURCE.to_owned())];
        assert_eq!(check(&files, "A::one(); a.two(); b\n.five();").unwrap(), "3 public functions");
        let wrong = check(&files, "A::one(); a.two_more(); five();").unwrap_err();
        assert_eq!(wrong, [format!("{PROBE} does not call five"), format!("{PROBE} does not call two")]);
    }
}
