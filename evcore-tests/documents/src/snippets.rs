//! docs/embedded.md quotes compiled code: each `rust` block follows a comment `<!-- FILE NAME -->`, and is the
//! passage of that file between `// [snippet: NAME]` and `// [end]`, without its indentation. For `all` it is the
//! whole file. A NAME of several words is the beginning of an item's first line, and the passage ends with its `}`;
//! this is for files that users copy, which should have no markers.

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

use crate::{Outcome, outcome};

const PAGE: &str = "docs/embedded.md";

fn check(page: &str, read: impl Fn(&str) -> Option<String>) -> Outcome {
    let mut wrong = Vec::new();
    let blocks = blocks(page);
    if blocks.is_empty() {
        wrong.push(format!("{PAGE}: it has no code"));
    }
    for (source, block) in &blocks {
        let complaint = match source {
            None => Some(format!(
                "a block of code does not say where it is from: {}",
                block.lines().next().unwrap_or_default()
            )),
            Some((file, name)) => match read(file) {
                None => Some(format!("there is no file {file}")),
                Some(text) => compare(block, &passage(&text, name)).map(|wrong| format!("{file}, {name}: {wrong}")),
            },
        };
        wrong.extend(complaint.map(|complaint| format!("{PAGE}: {complaint}")));
    }
    outcome(wrong, format!("{} passages", blocks.len()))
}

/// Each block of Rust with the file and the name in the comment above it.
fn blocks(page: &str) -> Vec<(Option<(String, String)>, String)> {
    let (mut blocks, mut source, mut block) = (Vec::new(), None, None);
    for event in Parser::new(page) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) if info.starts_with("rust") => {
                block = Some(String::new())
            }
            Event::Text(text) if block.is_some() => {
                block.iter_mut().for_each(|block: &mut String| block.push_str(&text))
            }
            Event::End(TagEnd::CodeBlock) if block.is_some() => {
                blocks.extend(block.take().map(|block| (source.take(), block)))
            }
            Event::Html(comment) => source = source_of(&comment),
            Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => {}
            _ => source = None,
        }
    }
    blocks
}

fn source_of(comment: &str) -> Option<(String, String)> {
    let (file, name) = comment.trim().strip_prefix("<!-- ")?.strip_suffix(" -->")?.split_once(' ')?;
    Some((file.to_owned(), name.to_owned()))
}

/// The lines of a passage, without the indentation of the first one.
fn passage<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    if name == "all" {
        return text.lines().collect();
    }
    if name.contains(' ') {
        let mut lines: Vec<_> = text.lines().skip_while(|line| !line.starts_with(name)).collect();
        lines.truncate(lines.iter().position(|line| *line == "}").map_or(0, |end| end + 1));
        return lines;
    }
    let begin = format!("// [snippet: {name}]");
    let lines = text.lines().skip_while(|line| line.trim_start() != begin).skip(1);
    let lines: Vec<_> = lines.take_while(|line| line.trim_start() != "// [end]").collect();
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let first = lines.first().map_or(0, |line| indent(line));
    lines.into_iter().map(|line| &line[first.min(indent(line))..]).collect()
}

fn compare(block: &str, passage: &[&str]) -> Option<String> {
    if passage.is_empty() {
        return Some("there is no such passage".to_owned());
    }
    let block: Vec<_> = block.lines().collect();
    let differs = |at: &usize| block.get(*at) != passage.get(*at);
    let at = (0..block.len().max(passage.len())).find(differs)?;
    let line = |lines: &[&str]| lines.get(at).map_or("nothing".to_owned(), |line| format!("`{line}`"));
    Some(format!("line {} is {} on the page, and {} in the file", at + 1, line(&block), line(passage)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::tree::{read, root};

    #[test]
    fn embedded_quotes_what_is_compiled() {
        crate::hold(check(&read(PAGE), |path| fs::read_to_string(root().join(path)).ok()));
    }

    const SOUND: &str = "text\n\n<!-- a.rs one -->\n```rust\nfn a() {\n    b\n\n}\n```\n";

    fn of(page: &str) -> Outcome {
        let file = "    // [snippet: one]\n    fn a() {\n        b\n\n    }\n    // [end]\n    more\n";
        check(page, |path| (path == "a.rs").then(|| file.to_owned()))
    }

    #[track_caller]
    fn complains(from: &str, to: &str, complaint: &str) {
        assert_eq!(of(&SOUND.replace(from, to)).unwrap_err(), [format!("docs/embedded.md: {complaint}")]);
    }

    #[test]
    fn sound_page_passes() {
        assert_eq!(of(SOUND).unwrap(), "1 passages");
    }

    #[test]
    fn whole_file_passes() {
        let page = "<!-- a.rs all -->\n```rust\nuse b;\n\nfn a() {}\n```\n";
        let check = |file: &str| check(page, |_| Some(file.to_owned()));
        assert_eq!(check("use b;\n\nfn a() {}\n").unwrap(), "1 passages");
        let complaint = "docs/embedded.md: a.rs, all: line 1 is `use b;` on the page, and `use c;` in the file";
        assert_eq!(check("use c;\n\nfn a() {}\n").unwrap_err(), [complaint]);
    }

    #[test]
    fn item_passes() {
        let page = "<!-- a.rs impl A for -->\n```rust\nimpl A for B {\n    fn a() {\n    }\n}\n```\n";
        let check = |file: &str| check(page, |_| Some(file.to_owned()));
        assert_eq!(check("use b;\n\nimpl A for B {\n    fn a() {\n    }\n}\n\nfn c() {\n}\n").unwrap(), "1 passages");
        let complaint = "docs/embedded.md: a.rs, impl A for: there is no such passage";
        assert_eq!(check("impl C for B {\n}\n").unwrap_err(), [complaint]);
        assert_eq!(check("impl A for B {\n").unwrap_err(), [complaint]);
    }

    #[test]
    fn notices_difference() {
        complains("    b", "    c", "a.rs, one: line 2 is `    c` on the page, and `    b` in the file");
        complains("    b", "b", "a.rs, one: line 2 is `b` on the page, and `    b` in the file");
        complains("}\n```", "}\nd\n```", "a.rs, one: line 5 is `d` on the page, and nothing in the file");
        complains("}\n```", "```", "a.rs, one: line 4 is nothing on the page, and `}` in the file");
    }

    #[test]
    fn notices_passage_that_is_not_there() {
        complains("a.rs one", "a.rs two", "a.rs, two: there is no such passage");
        complains("a.rs one", "b.rs one", "there is no file b.rs");
    }

    #[test]
    fn notices_block_without_source() {
        let complaint = "a block of code does not say where it is from: fn a() {";
        complains("<!-- a.rs one -->\n", "", complaint);
        complains("one -->\n", "one -->\n\nThis:\n", complaint);
        complains("```rust", "```text", "it has no code");
    }
}
