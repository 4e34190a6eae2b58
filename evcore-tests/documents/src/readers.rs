//! Code on pages: each page with Rust or C code is read by something that compiles or runs it.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag};

use crate::cases::identifier;
use crate::{Outcome, outcome};

/// Which file compiles the code of which page. The file contains the page's name.
const READERS: [(&str, &str); 11] = [
    ("README.md", "evcore-tests/src/lib.rs"),
    ("docs/async.md", "evplat-linux/src/lib.rs"),
    ("docs/guide.md", ".ci/newcomer"),
    ("docs/from-libevent.md", ".ci/newcomer"),
    ("docs/from-mio.md", ".ci/newcomer"),
    ("docs/from-calloop.md", ".ci/newcomer"),
    ("docs/writing-a-backend.md", "evcore-tests/tests/backends/guide.rs"),
    ("docs/embedded.md", "evcore-tests/documents/src/snippets.rs"),
    ("evcore/README.md", "evcore-tests/src/lib.rs"),
    ("evplat-linux/README.md", "evplat-linux/src/lib.rs"),
    ("evplat-posix/README.md", "evcore-tests/src/lib.rs"),
];

fn check(pages: &[(String, String)], readers: &[(&str, &str)], read: impl Fn(&str) -> Option<String>) -> Outcome {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (page, _) in pages.iter().filter(|(_, text)| has_code(text)) {
        count += 1;
        let name = page.rsplit('/').next().unwrap_or(page);
        let Some((_, reader)) = readers.iter().find(|(path, _)| path == page) else {
            wrong.push(format!("{page} has code, and READERS names nothing that compiles it"));
            continue;
        };
        match read(reader) {
            None => wrong.push(format!("{page}: {reader} is to compile its code, and does not exist")),
            // A script that reads several such pages contains their common name.
            Some(text) if text.contains(name) || name.starts_with("from-") && text.contains("from-$crate.md") => {}
            Some(_) => wrong.push(format!("{page}: {reader} does not read it")),
        }
    }
    outcome(wrong, format!("{count} pages with code"))
}

fn has_code(text: &str) -> bool {
    Parser::new(text).any(|event| match event {
        Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => matches!(identifier(&info), "rust" | "c"),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::tree::{all_files, root};

    #[test]
    fn code_on_pages_is_compiled() {
        crate::hold(check(&all_files("", "md"), &READERS, |path| fs::read_to_string(root().join(path)).ok()));
    }

    fn one(page: &str, text: &str) -> Outcome {
        let readers = [("a.md", "a.rs"), ("b.md", "b.rs"), ("from-x.md", "c"), ("d.md", "c")];
        let read = |path: &str| match path {
            "a.rs" => Some("include_str!(\"a.md\")".to_owned()),
            "c" => Some("docs/from-$crate.md".to_owned()),
            _ => None,
        };
        check(&[(page.to_owned(), text.to_owned())], &readers, read)
    }

    const CODE: &str = "text\n\n- item\n\n  ```rust,no_run\n  x\n  ```\n";

    #[test]
    fn page_that_is_read_passes() {
        assert_eq!(one("a.md", CODE).unwrap(), "1 pages with code");
        assert_eq!(one("from-x.md", "```c\nx\n```").unwrap(), "1 pages with code");
        assert_eq!(one("e.md", "```console\nx\n```\n    fn x()").unwrap(), "0 pages with code");
    }

    #[test]
    fn notices_code_that_nothing_compiles() {
        assert_eq!(one("e.md", CODE).unwrap_err(), ["e.md has code, and READERS names nothing that compiles it"]);
        assert_eq!(one("b.md", CODE).unwrap_err(), ["b.md: b.rs is to compile its code, and does not exist"]);
        assert_eq!(one("d.md", CODE).unwrap_err(), ["d.md: c does not read it"]);
    }
}
