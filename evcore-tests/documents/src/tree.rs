//! The files of the repository.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The repository's root: this crate is never published, so it is always in a repository.
pub(crate) fn root() -> PathBuf {
    // cargo also sets it at run time: in a target folder that clones share, the program may be another clone's.
    let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or(env!("CARGO_MANIFEST_DIR").into());
    let root = Path::new(&package).join("../..");
    assert!(root.join("docs/semantics.md").exists(), "{} is not the repository's root", root.display());
    root
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Files with this extension and their texts, at most `depth` folders deep, by paths from the root.
pub(crate) fn files(under: &str, extension: &str, depth: usize) -> Vec<(String, String)> {
    let mut paths = Vec::new();
    walk(&root().join(under), depth, &mut paths);
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    let name = |path: &PathBuf| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

pub(crate) fn all_files(under: &str, extension: &str) -> Vec<(String, String)> {
    files(under, extension, usize::MAX)
}

/// The texts of these files, joined.
pub(crate) fn joined(files: &[(String, String)]) -> String {
    files.iter().flat_map(|(_, text)| [text.as_str(), "\n"]).collect()
}

/// Skips what git ignores: the target folders.
fn walk(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        if !entry.file_type().unwrap().is_dir() {
            paths.push(path);
        } else if depth > 0 && name != "target" && name != ".git" {
            walk(&path, depth - 1, paths);
        }
    }
}
