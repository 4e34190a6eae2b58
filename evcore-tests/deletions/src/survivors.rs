//! `.ci/deletions.survivors`: the statements whose deletion no test detects, each with a reason.

use std::collections::BTreeSet;

/// The beginning of the line with the result of the last whole run.
const SUMMARY: &str = "# Last whole run";

#[derive(Default)]
pub struct Survivors {
    pub known: BTreeSet<String>,
    /// Those without a reason.
    pub unexplained: Vec<String>,
}

/// Parses the file: a line for each survivor, in groups that begin with a comment.
pub fn parse(text: &str) -> Survivors {
    let mut survivors = Survivors::default();
    let mut is_explained = false;
    for line in text.lines() {
        if line.is_empty() {
            is_explained = false;
        } else if line.starts_with('#') {
            is_explained = true;
        } else {
            if !is_explained {
                survivors.unexplained.push(line.to_owned());
            }
            survivors.known.insert(line.to_owned());
        }
    }
    survivors
}

/// The file with an updated summary for these sources.
pub fn with_summary(text: &str, of: &str, summary: &str) -> String {
    let begin = format!("{SUMMARY} of {of}: ");
    let line = format!("{begin}{summary}");
    let mut lines: Vec<&str> = text.lines().collect();
    match lines.iter().position(|line| line.starts_with(&begin)) {
        Some(at) => lines[at] = &line,
        None => {
            let at = lines.iter().position(|line| line.is_empty()).unwrap_or(lines.len());
            lines.insert(at, &line);
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_survivor_needs_a_reason() {
        let survivors = parse("# What this is.\n\n# Because.\na\nb\n\nc\n");
        assert_eq!(survivors.known.into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(survivors.unexplained, ["c"]);
    }

    #[test]
    fn the_summary_replaces_the_one_before() {
        let text = with_summary("# What this is.\n\n# Because.\na\n", "evcore", "one");
        let text = with_summary(&text, "evcore", "two");
        assert_eq!(text, "# What this is.\n# Last whole run of evcore: two\n\n# Because.\na\n");
    }
}
