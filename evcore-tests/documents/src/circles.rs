//! The files of a platform crate do not import each other in a circle, so each can be read after those it uses.

use std::collections::{BTreeMap, BTreeSet};

use crate::cases::identifier;
use crate::{Outcome, outcome};

/// `files` are those of the crate's `src`, with their paths from the root. Tests may import anything.
fn check(files: &[(String, String)]) -> Outcome {
    let code: Vec<(&str, String)> = files.iter().map(|(path, text)| (path.as_str(), without_tests(text))).collect();
    let paths: BTreeSet<&str> = code.iter().map(|(path, _)| *path).collect();
    let is_test = |path: &str| code.iter().any(|(parent, text)| is_test_module(parent, text, path));
    let code: Vec<_> = code.iter().filter(|(path, _)| !is_test(path)).collect();
    let imports: BTreeMap<&str, BTreeSet<&str>> =
        code.iter().map(|(path, text)| (*path, imports(path, text, &paths))).collect();
    let arrows: usize = imports.values().map(BTreeSet::len).sum();
    match circle(&imports) {
        Some(circle) => outcome(vec![format!("a circle: {}", circle.join(" -> "))], String::new()),
        None => outcome(Vec::new(), format!("{} files, {arrows} imports, no circle", imports.len())),
    }
}

/// The text without comments, and without `#[cfg(test)]` code at the end of the file.
fn without_tests(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..end].lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether `path` is a test module of `parent`, or in the folder of one.
fn is_test_module(parent: &str, text: &str, path: &str) -> bool {
    let mut is_behind = false;
    text.lines().map(str::trim).any(|line| {
        if line.starts_with("#[") {
            is_behind |= line == "#[cfg(test)]";
            return false;
        }
        let name = module(line).filter(|_| is_behind);
        is_behind = false;
        let Some(name) = name else { return false };
        let root = format!("{}{name}", folder(parent));
        path == format!("{root}.rs") || path.starts_with(&format!("{root}/"))
    })
}

/// The module that a line declares, if it has a file of its own.
fn module(line: &str) -> Option<&str> {
    let line = line.trim().strip_suffix(';')?;
    let line = line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub ")).unwrap_or(line);
    line.strip_prefix("mod ").filter(|name| identifier(name) == *name)
}

/// The folder of a file's modules, with a slash at the end.
fn folder(path: &str) -> String {
    match path.strip_suffix("lib.rs") {
        Some(folder) => folder.to_owned(),
        None => format!("{}/", path.trim_end_matches(".rs")),
    }
}

/// The files whose items a file uses, through `crate::…`, `super::…` or a module of its own.
fn imports<'a>(path: &str, text: &str, paths: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    let root = format!("{}src/", path.split_once("src/").map_or("", |(before, _)| before));
    let above = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned() + "/";
    let parent = if above == root { format!("{root}lib.rs") } else { format!("{}.rs", above.trim_end_matches('/')) };
    let own = folder(path);
    let modules: Vec<&str> = text.lines().filter_map(module).collect();
    // In an inline module, `super` is the file itself.
    let top: String = text.lines().filter(|line| !line.starts_with(' ')).map(|line| format!("{line}\n")).collect();
    let mut found = BTreeSet::new();
    for (word, folder, otherwise) in
        [("crate::", &root, Some(format!("{root}lib.rs"))), ("super::", &above, Some(parent)), ("", &own, None)]
    {
        let names: Vec<&str> = if word.is_empty() {
            modules.iter().copied().filter(|name| names(text, &format!("{name}::")).count() > 0).collect()
        } else {
            names(if word == "super::" { &top } else { text }, word).collect()
        };
        for name in names {
            let file = format!("{folder}{name}.rs");
            let file = if paths.contains(file.as_str()) { Some(file) } else { otherwise.clone() };
            found.extend(file.and_then(|file| paths.get(file.as_str()).copied()));
        }
    }
    // A file's own items may be reached through `super` or `crate`.
    found.remove(path);
    found
}

/// The identifiers after a word that begins a path: several after a brace.
fn names<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    text.match_indices(word).filter(move |(at, _)| !text[..*at].ends_with(is_part)).flat_map(move |(at, word)| {
        let rest = &text[at + word.len()..];
        let list = rest.strip_prefix('{').map(|list| list.split('}').next().unwrap_or_default());
        list.unwrap_or(identifier(rest)).split(',').map(|name| identifier(name.trim())).filter(|name| !name.is_empty())
    })
}

fn circle<'a>(imports: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Option<Vec<&'a str>> {
    let mut rest = imports.clone();
    // A file that imports none of the remaining files is in no circle.
    loop {
        let left: BTreeSet<&str> = rest.keys().copied().collect();
        let before = rest.len();
        rest.retain(|_, files| files.iter().any(|file| left.contains(file)));
        if rest.len() == before {
            break;
        }
    }
    let mut way = vec![*rest.keys().next()?];
    loop {
        let next = *rest.get(way.last()?)?.iter().find(|file| rest.contains_key(*file))?;
        let begin = way.iter().position(|file| *file == next);
        way.push(next);
        if let Some(begin) = begin {
            return Some(way.split_off(begin));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::all_files;

    #[test]
    fn platform_crates_have_no_circle_of_imports() {
        crate::hold(check(&all_files("evplat-posix/src", "rs")));
        crate::hold(check(&all_files("evplat-linux/src", "rs")));
    }

    fn checked(files: &[(&str, &str)]) -> Outcome {
        let files: Vec<_> = files.iter().map(|(path, text)| (format!("x/src/{path}"), (*text).to_owned())).collect();
        check(&files)
    }

    #[test]
    fn notices_circle() {
        let lib = ("lib.rs", "mod a;\nmod b;\npub use a::A;\n#[cfg(test)]\nmod t;\n");
        let a = ("a.rs", "use crate::b::B;\n// crate::lib\n#[cfg(test)]\nmod tests {\n use crate::t;\n}\n");
        assert_eq!(
            checked(&[lib, a, ("b.rs", "x();"), ("t.rs", "use crate::a;")]).unwrap(),
            "3 files, 2 imports, no circle"
        );
        for b in ["use crate::{a, c};", "let a = crate::a::A;", "use super::a::A;", "use crate::A;"] {
            let wrong = checked(&[lib, a, ("b.rs", b)]).unwrap_err();
            assert!(wrong[0].starts_with("a circle: x/src/a.rs -> x/src/b.rs"), "{b}: {wrong:?}");
        }
    }

    #[test]
    fn notices_circle_with_module_inside() {
        let lib = ("lib.rs", "mod a;");
        let inner = ("a/c.rs", "use super::checked;");
        assert!(checked(&[lib, ("a.rs", "mod c;\nfn checked() {}"), inner]).is_ok());
        assert!(checked(&[lib, ("a.rs", "mod c;\nuse c::C;"), inner]).is_err());
        assert!(
            checked(&[lib, ("a.rs", "mod c;\nmod d;\nuse c::C;"), ("a/c.rs", "use super::d::D;"), ("a/d.rs", "")])
                .is_ok()
        );
    }
}
