//! The links of all pages: each relative link leads to a file, and its anchor to a heading there; docs/README.md
//! lists each page of docs. Links to other sites are not checked.

use std::collections::BTreeMap;

use pulldown_cmark::{BrokenLink, Event, LinkType, Options, Parser, Tag, TagEnd};

use crate::{Outcome, outcome};

const LIST: &str = "docs/README.md";

/// `pages` are paths with their texts; `exists` returns whether a path of the repository does.
fn check(pages: &[(String, String)], exists: impl Fn(&str) -> bool) -> Outcome {
    let pages: BTreeMap<_, _> = pages.iter().map(|(path, text)| (path.as_str(), Page::parse(text))).collect();
    let (mut wrong, mut count) = (Vec::new(), 0);
    if pages.is_empty() {
        wrong.push("no pages found".to_owned());
    }
    for (&path, page) in &pages {
        wrong.extend(page.undefined.iter().map(|name| format!("{path}: [{name}] is defined nowhere")));
        for target in page.targets.iter().filter(|target| is_relative(target)) {
            count += 1;
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { path.to_owned() } else { resolve(path, file) };
            if !exists(&file) {
                wrong.push(format!("{path}: {target}: there is no such file"));
            } else if let (false, Some(page)) = (anchor.is_empty(), pages.get(file.as_str())) {
                if !page.anchors.iter().any(|found| found == anchor) {
                    wrong.push(format!("{path}: {target}: there is no such heading"));
                }
            }
        }
    }
    let is_listed = |path: &str| {
        pages.get(LIST).is_some_and(|list| list.targets.iter().any(|target| resolve(LIST, target) == path))
    };
    for path in pages.keys().filter(|path| path.starts_with("docs/") && **path != LIST && !is_listed(path)) {
        wrong.push(format!("{LIST} does not list {path}"));
    }
    outcome(wrong, format!("{} pages, {count} links", pages.len()))
}

fn is_relative(target: &str) -> bool {
    !["http://", "https://", "mailto:"].iter().any(|scheme| target.starts_with(scheme))
}

/// Converts a page's link to a path from the root.
fn resolve(page: &str, target: &str) -> String {
    let mut parts: Vec<_> = page.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[derive(Default)]
struct Page {
    targets: Vec<String>,
    anchors: Vec<String>,
    /// The undefined names of `[text][name]`.
    undefined: Vec<String>,
}

impl Page {
    fn parse(text: &str) -> Self {
        let (mut page, mut heading, mut undefined) = (Self::default(), None, Vec::new());
        let note = |link: BrokenLink<'_>| {
            if link.link_type == LinkType::Reference {
                undefined.push(link.reference.to_string());
            }
            None
        };
        let mut parser = Parser::new_with_broken_link_callback(text, Options::ENABLE_TABLES, Some(note));
        for event in &mut parser {
            match (event, &mut heading) {
                (Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }), _) => {
                    page.targets.push(dest_url.into_string());
                }
                (Event::Start(Tag::Heading { .. }), _) => heading = Some(String::new()),
                (Event::Text(text) | Event::Code(text), Some(heading)) => heading.push_str(&text),
                (Event::End(TagEnd::Heading(_)), Some(_)) => page.add_anchor(&heading.take().unwrap_or_default()),
                _ => {}
            }
        }
        // Including definitions that no link uses.
        page.targets.extend(parser.reference_definitions().iter().map(|(_, definition)| definition.dest.to_string()));
        drop(parser);
        page.undefined = undefined;
        page
    }

    /// As on GitHub: lower case, no punctuation, hyphens for spaces, a number if it is repeated.
    fn add_anchor(&mut self, heading: &str) {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-'));
        let plain = kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect::<String>();
        let mut numbered = (1..).map(|number| format!("{plain}-{number}"));
        let mut anchor = plain.clone();
        while self.anchors.contains(&anchor) {
            anchor = numbered.next().unwrap_or_default();
        }
        self.anchors.push(anchor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{all_files, root};

    #[test]
    fn links_lead_somewhere() {
        crate::hold(check(&all_files("", "md"), |path| root().join(path).exists()));
    }

    const LISTING: &str = "[a](a.md)\n\n[b](b.md)\n";
    const SOUND: &str = "# A `b`, c\n[x](b.md#d-e-1) [y](#a-b-c) [z](../src) `[k](k.md)` <https://a.b>\n[r][s] [no link]\n\n[s]: ./b.md\n";

    fn pages(a: &str, list: &str) -> Outcome {
        let b = "## D e\n## d (e)\n```\n[k](k.md)\n# f\n```\n";
        let pages = [("docs/README.md", list), ("docs/a.md", a), ("docs/b.md", b)];
        let exists = |path: &str| path == "src" || pages.iter().any(|(page, _)| *page == path);
        check(&pages.map(|(path, text)| (path.to_owned(), text.to_owned())), exists)
    }

    #[track_caller]
    fn complains(a: &str, complaint: &str) {
        assert_eq!(pages(a, LISTING).unwrap_err(), [complaint]);
    }

    #[test]
    fn sound_pages_pass() {
        assert_eq!(pages(SOUND, LISTING).unwrap(), "3 pages, 7 links");
    }

    #[test]
    fn notices_missing_file() {
        complains("[k](k.md)", "docs/a.md: k.md: there is no such file");
        complains("[k](../docs2/b.md)", "docs/a.md: ../docs2/b.md: there is no such file");
        complains("![k](k.svg)", "docs/a.md: k.svg: there is no such file");
        complains("[unused]: k.md", "docs/a.md: k.md: there is no such file");
        complains("| t |\n|---|\n| [k](k.md) |", "docs/a.md: k.md: there is no such file");
        complains("[two\nlines](k.md)", "docs/a.md: k.md: there is no such file");
    }

    #[test]
    fn notices_missing_heading() {
        complains("[k](b.md#f)", "docs/a.md: b.md#f: there is no such heading");
        complains("[k](b.md#d-e-2)", "docs/a.md: b.md#d-e-2: there is no such heading");
        complains("# K\n[k](#l)", "docs/a.md: #l: there is no such heading");
    }

    #[test]
    fn notices_reference_without_definition() {
        complains("[text][name]", "docs/a.md: [name] is defined nowhere");
    }

    #[test]
    fn notices_page_that_is_not_listed() {
        assert_eq!(pages(SOUND, "[a](a.md)").unwrap_err(), ["docs/README.md does not list docs/b.md"]);
        assert_eq!(check(&[], |_| true).unwrap_err(), ["no pages found"]);
    }
}
