//! The core forbids `unsafe`; a platform crate denies it at the root, and allows it only for its module `sys`.

use crate::{Outcome, outcome};

const FORBID: &str = "#![forbid(unsafe_code)]";
const DENY: &str = "#![deny(unsafe_code)]";

/// `files` are those of the crate's `src`, with their paths from the root.
fn core(files: &[(String, String)]) -> Outcome {
    let mut wrong = Vec::new();
    if !root_of(files).lines().any(|line| line == FORBID) {
        wrong.push(format!("lib.rs does not say {FORBID}"));
    }
    for (path, number, line) in lines(files).filter(|(.., line)| line.contains("unsafe")) {
        if !(path.ends_with("src/lib.rs") && line == FORBID) {
            wrong.push(format!("{path}:{number}: {line}"));
        }
    }
    outcome(wrong, format!("{} files without unsafe", files.len()))
}

fn platform(files: &[(String, String)]) -> Outcome {
    let mut wrong = Vec::new();
    if !root_of(files).lines().any(|line| line == DENY) {
        wrong.push(format!("lib.rs does not say {DENY}"));
    }
    let mut allowed = 0;
    for (path, number, line) in lines(files) {
        if line.contains("allow(unsafe_code)") || line.contains("expect(unsafe_code)") {
            let next = root_of(files).lines().nth(number).unwrap_or_default();
            let is_sys = line == "#[allow(unsafe_code)] mod sys;"
                || line == "#[allow(unsafe_code)]" && matches!(next, "mod sys;" | "pub(crate) mod sys;");
            allowed += 1;
            if !(path.ends_with("src/lib.rs") && is_sys) || allowed > 1 {
                wrong.push(format!("{path}:{number}: {line}"));
            }
        }
        if is_unsafe(line) && !path.contains("/src/sys/") && !path.ends_with("/src/sys.rs") {
            wrong.push(format!("{path}:{number}: {line}"));
        }
    }
    outcome(wrong, format!("{} files, unsafe only in sys", files.len()))
}

fn root_of(files: &[(String, String)]) -> &str {
    files.iter().find(|(path, _)| path.ends_with("src/lib.rs")).map_or("", |(_, text)| text)
}

/// Each line with its file and its number.
fn lines(files: &[(String, String)]) -> impl Iterator<Item = (&str, usize, &str)> {
    files
        .iter()
        .flat_map(|(path, text)| (1..).zip(text.lines()).map(move |(number, line)| (path.as_str(), number, line)))
}

/// Whether this line contains the keyword, and not only the word.
fn is_unsafe(line: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.contains("#[unsafe")
        || line.match_indices("unsafe").any(|(at, word)| {
            let rest = line[at + word.len()..].trim_start_matches(' ');
            !line[..at].ends_with(is_part)
                && ["{", "fn", "impl", "extern", "trait"].iter().any(|next| rest.starts_with(next))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::all_files;

    #[test]
    fn unsafe_stands_in_sys_alone() {
        crate::hold(core(&all_files("evcore/src", "rs")));
        crate::hold(platform(&all_files("evplat-posix/src", "rs")));
        crate::hold(platform(&all_files("evplat-linux/src", "rs")));
    }

    fn files<const N: usize>(files: [(&str, &str); N]) -> [(String, String); N] {
        files.map(|(path, text)| (format!("x/src/{path}"), text.to_owned()))
    }

    #[test]
    fn notices_unsafe_in_core() {
        assert!(core(&files([("lib.rs", FORBID), ("a.rs", "fn a() {}")])).is_ok());
        assert_eq!(core(&files([("lib.rs", "")])).unwrap_err(), ["lib.rs does not say #![forbid(unsafe_code)]"]);
        assert_eq!(core(&files([("lib.rs", FORBID), ("a.rs", "// unsafe")])).unwrap_err(), ["x/src/a.rs:1: // unsafe"]);
        assert_eq!(core(&files([("lib.rs", FORBID), ("b/lib.rs", FORBID)])).unwrap_err().len(), 1);
    }

    const ROOT: &str = "#![deny(unsafe_code)]\n#[allow(unsafe_code)]\nmod sys;\n";

    #[test]
    fn notices_unsafe_outside_sys() {
        let sys = ("sys.rs", "unsafe { x() }");
        assert!(
            platform(&files([("lib.rs", ROOT), sys, ("sys/a.rs", "unsafe impl A {}"), ("a.rs", "// not unsafe")]))
                .is_ok()
        );
        for line in [
            "unsafe { x() }",
            "    unsafe  fn x() {}",
            "(unsafe{x})",
            "#[unsafe(no_mangle)]",
            "unsafe extern \"C\" {",
            "#![allow(unsafe_code)]",
        ] {
            assert_eq!(
                platform(&files([("lib.rs", ROOT), sys, ("a.rs", line)])).unwrap_err(),
                [format!("x/src/a.rs:1: {line}")]
            );
        }
    }

    #[test]
    fn notices_more_that_is_allowed() {
        assert_eq!(
            platform(&files([("lib.rs", &ROOT[22..])])).unwrap_err(),
            ["lib.rs does not say #![deny(unsafe_code)]"]
        );
        let twice = format!("{ROOT}#[allow(unsafe_code)]\nmod sys;\n");
        assert_eq!(platform(&files([("lib.rs", &twice)])).unwrap_err(), ["x/src/lib.rs:4: #[allow(unsafe_code)]"]);
        let other = ROOT.replace("mod sys", "mod other");
        assert_eq!(platform(&files([("lib.rs", &other)])).unwrap_err(), ["x/src/lib.rs:2: #[allow(unsafe_code)]"]);
    }
}
