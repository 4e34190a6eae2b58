//! A copy of the repository in which each statement is conditional.
//!
//! ```text
//!   self.settle();     becomes     if !crate::__deleted(17) { self.settle(); }
//! ```
//!
//! Lines are added only at the end of a crate's root, and a removed `const` is replaced by spaces, so that line
//! numbers stay the same.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::source::{Form, Sources, hash};

/// Tells the tests which statement is deleted.
pub const VARIABLE: &str = "EVCORE_DELETED";

/// The name of a file with one byte for each statement, in which the tests mark what they reach.
pub const REACHED: &str = "EVCORE_REACHED";

/// The code added to a crate: the variables are read once per process. The marks are in memory that forks share,
/// written without a system call, as signal handlers require.
const SWITCH: &str = r#"
#[doc(hidden)]
mod __deletions {
    extern crate std;
    use core::ffi::{c_int, c_void};
    use core::ptr;
    use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, Ordering::Relaxed};
    use std::os::fd::AsRawFd;

    const UNREAD: u32 = u32::MAX;
    const MARKS: u32 = u32::MAX - 1;

    static DELETED: AtomicU32 = AtomicU32::new(UNREAD);
    static MARKED: AtomicPtr<AtomicU8> = AtomicPtr::new(ptr::null_mut());

    unsafe extern "C" {
        fn mmap(at: *mut c_void, len: usize, prot: c_int, flags: c_int, fd: c_int, offset: isize) -> *mut c_void;
    }

    #[inline]
    pub(crate) fn __deleted(number: u32) -> bool {
        let deleted = DELETED.load(Relaxed);
        if deleted >= MARKS { rare(number) } else { deleted == number }
    }

    #[cold]
    #[inline(never)]
    fn rare(number: u32) -> bool {
        if DELETED.load(Relaxed) == UNREAD {
            DELETED.store(read(), Relaxed);
        }
        let marked = MARKED.load(Relaxed);
        if !marked.is_null() {
            // SAFETY: the file has a byte for each statement, and is never unmapped.
            unsafe { (*marked.add(number as usize)).store(1, Relaxed) };
        }
        DELETED.load(Relaxed) == number
    }

    fn read() -> u32 {
        if let Ok(path) = std::env::var("REACHED") {
            let Ok(file) = std::fs::File::options().read(true).write(true).open(path) else { return UNREAD };
            let len = file.metadata().map_or(0, |data| data.len() as usize);
            // SAFETY: a new mapping of the whole file: readable, writable and shared.
            let at = unsafe { mmap(ptr::null_mut(), len, 3, 1, file.as_raw_fd(), 0) };
            if at as isize == -1 {
                return UNREAD;
            }
            MARKED.store(at.cast(), Relaxed);
            return MARKS;
        }
        std::env::var("VARIABLE").ok().and_then(|value| value.parse().ok()).unwrap_or(0)
    }
}
pub(crate) use __deletions::__deleted;
"#;

/// A file of the copy.
pub struct Rendered {
    pub text: String,
    /// The places of the statements in this text, by index.
    pub guards: Vec<(Range<usize>, usize)>,
    /// The places of the text inserted before them. For a mutant that is everything it adds.
    pub changed: Vec<(Range<usize>, usize)>,
    /// The insertions: their place in the original, and their length.
    inserted: Vec<(usize, usize)>,
}

impl Rendered {
    /// Converts a place in this text to a place in the original.
    pub fn original(&self, at: usize) -> usize {
        let mut before = 0;
        for &(place, length) in &self.inserted {
            if place + before >= at {
                break;
            }
            before += length;
        }
        at.saturating_sub(before)
    }
}

/// The text before and after a statement with this number.
fn conditional(form: &Form, number: usize) -> (String, &'static str) {
    let chosen = format!("crate::__deleted({number})");
    match form {
        Form::Whole => (format!("if !{chosen} {{ "), " }"),
        Form::Tail => (format!("if !{chosen} {{ "), "; }"),
        Form::Arm => (format!("{{ if !{chosen} {{ "), "; } }"),
        Form::Return(value) => (format!("if {chosen} {{ return {value}; }} "), ""),
        Form::Instead(text) => (format!("(if {chosen} {{ {text} }} else {{ "), " })"),
        Form::Guard => (format!("!{chosen} && ("), ")"),
        Form::Pattern => (format!(" if !{chosen}"), ""),
    }
}

/// `is_on` says whether a statement is conditional, `is_freed` whether a function loses its `const`.
pub fn render(
    sources: &Sources,
    file: usize,
    is_on: impl Fn(usize) -> bool,
    is_freed: impl Fn(usize) -> bool,
) -> Rendered {
    let mut original = sources.files[file].text.clone();
    for (number, function) in sources.functions.iter().enumerate() {
        if let (true, Some(word)) = (function.file == file && is_freed(number), &function.constant) {
            original.replace_range(word.clone(), &" ".repeat(word.len()));
        }
    }
    // For each piece: its place, whether it begins a range, how much surrounds it at the same place, the text, the
    // statement.
    let mut pieces = Vec::new();
    for (number, statement) in sources.statements.iter().enumerate() {
        if statement.file != file || !is_on(number) {
            continue;
        }
        let Range { start, end } = statement.bytes;
        let (before, after) = conditional(&statement.form, number + 1);
        let inside = (usize::MAX - (end - start), number);
        let outside = (end - start, usize::MAX - number);
        pieces.push((start, true, inside, before, number));
        if end > start {
            pieces.push((end, false, outside, after.to_owned(), number));
        }
    }
    pieces.sort_by_key(|(at, begins, order, ..)| (*at, *begins, *order));
    let (mut text, mut done) = (String::new(), 0);
    let (mut open, mut guards, mut inserted) = (Vec::new(), Vec::new(), Vec::new());
    let mut changed = Vec::new();
    for (at, begins, _, piece, number) in pieces {
        text.push_str(&original[done..at]);
        done = at;
        let start = text.len();
        inserted.push((at, piece.len()));
        text.push_str(&piece);
        if begins {
            changed.push((start..text.len(), number));
            open.push(start);
        }
        if !begins || sources.statements[number].bytes.is_empty() {
            // Ranges are nested, so this closes the one opened last.
            guards.extend(open.pop().map(|start| (start..text.len(), number)));
        }
    }
    text.push_str(&original[done..]);
    if sources.roots.contains(&file) {
        text.push_str(&SWITCH.replace("VARIABLE", VARIABLE).replace("\"REACHED\"", &format!("\"{REACHED}\"")));
    }
    Rendered { text, guards, changed, inserted }
}

/// The files of the repository that a build or a test may need.
pub fn files(repository: &Path) -> Result<Vec<PathBuf>, String> {
    let mut git = Command::new("git");
    git.arg("-C").arg(repository).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let output = git.output().map_err(|error| format!("git: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_needed =
        |name: &&str| !name.is_empty() && !name.starts_with(".ci/") && !name.starts_with("evcore-tests/deletions/");
    Ok(names.split('\0').filter(is_needed).map(PathBuf::from).filter(|path| repository.join(path).is_file()).collect())
}

/// The hash of all sources, on which a survivor's verdict depends.
pub fn hash_of(repository: &Path, files: &[PathBuf]) -> u64 {
    let is_source =
        |path: &&PathBuf| path.extension().is_some_and(|kind| kind == "rs" || kind == "lock" || kind == "toml");
    let texts = files.iter().filter(is_source).map(|path| fs::read(repository.join(path)).unwrap_or_default());
    let sums: Vec<String> = texts.map(|text| hash(&String::from_utf8_lossy(&text)).to_string()).collect();
    hash(&sums.join(" "))
}

/// Updates the copy, except for the files of `sources`. Unchanged files are not written, because cargo compares
/// modification times.
pub fn copy(repository: &Path, tree: &Path, files: &[PathBuf], sources: &Sources) -> Result<(), String> {
    fn fail(path: &Path) -> impl Fn(std::io::Error) -> String {
        move |error| format!("{}: {error}", path.display())
    }
    for path in files {
        let (from, to) = (repository.join(path), tree.join(path));
        let is_ours = sources.files.iter().any(|file| Path::new(&file.path) == path);
        let text = fs::read(&from).map_err(fail(&from))?;
        if is_ours || fs::read(&to).is_ok_and(|old| old == text) {
            continue;
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(fail(folder))?;
        }
        // With its permissions, as some tests run a script.
        fs::copy(&from, &to).map_err(fail(&to))?;
    }
    remove_strangers(tree, tree, files);
    Ok(())
}

/// Deletes from the copy what was deleted in the repository.
fn remove_strangers(tree: &Path, folder: &Path, files: &[PathBuf]) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            remove_strangers(tree, &path, files);
        } else if path.strip_prefix(tree).is_ok_and(|name| !files.iter().any(|file| file == name)) {
            let _ = fs::remove_file(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cfg::Cfg;

    const TEXT: &str = r"
pub fn f(x: &mut Vec<u32>) -> bool {
    x.push(1); // One.
    if x.is_empty() {
        return false;
    }
    match x.len() {
        1 => x.clear(),
        2 => {}
        _ => loop {
            let Some(_) = x.pop() else { break };
        },
    }
    let y = x.len();
    y > 1
}
impl Thing {
    const fn g(&mut self) {
        self.x = 1;
        self.h()
    }
    #[cfg(test)]
    fn h(&self) {
        self.g();
    }
}
";

    #[test]
    fn statements_are_found_and_put_under_conditions() {
        let root = std::env::temp_dir().join(format!("deletions-{}", std::process::id()));
        fs::create_dir_all(root.join("one/src")).unwrap();
        fs::write(root.join("one/src/lib.rs"), TEXT).unwrap();
        let mut sources = Sources::default();
        sources.add_crate(&root, "one", &Cfg::new(&[]).unwrap()).unwrap();
        fs::remove_dir_all(root).unwrap();
        let keys: Vec<_> =
            sources.statements.iter().map(|one| one.key.trim_start_matches("one/src/lib.rs: ")).collect();
        assert_eq!(
            keys,
            [
                "f: x.push(1);",
                "f: return false;",
                "f: match x.len() { … }",
                "f: x.clear()",
                "f: loop { … }",
                "Thing::g: self.x = 1;",
                "Thing::g: self.h()",
            ]
        );
        let rendered = render(&sources, 0, |number| number != 2, |_| true);
        assert!(rendered.text.contains("if !crate::__deleted(1) { x.push(1); } // One."));
        assert!(rendered.text.contains("1 => { if !crate::__deleted(4) { x.clear(); } },"));
        assert!(rendered.text.contains("          fn g(&mut self)"));
        assert!(rendered.text.contains("if !crate::__deleted(7) { self.h(); }"));
        let at = rendered.text.find("let y").unwrap();
        assert_eq!(&TEXT[rendered.original(at)..][..5], "let y");
        let (range, _) = rendered.guards.iter().find(|(_, number)| *number == 1).unwrap();
        assert_eq!(&rendered.text[range.clone()], "if !crate::__deleted(2) { return false; }");
    }
}
