//! Builds the copy, and determines from the compiler's errors which statements cannot be made conditional.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::source::{Form, Sources};
use crate::tree::{Rendered, render};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Constant {
    /// It is unchanged.
    Kept,
    /// Its `const` is removed in the copy.
    Freed,
    /// It is called where only a `const fn` can be.
    Needed,
}

/// A test program.
pub struct Program {
    pub package: String,
    pub target: String,
    pub path: PathBuf,
}

pub struct Compile<'a> {
    sources: &'a Sources,
    tree: PathBuf,
    target: PathBuf,
    is_optimised: bool,
    /// Which statements are conditional, if their function allows that.
    is_on: Vec<bool>,
    constants: Vec<Constant>,
    rendered: Vec<Rendered>,
    /// Statements that may have caused an error, and that have not been tried alone.
    suspects: BTreeSet<usize>,
}

/// An error of the compiler: its place in the copy, and whether that is the primary one.
struct Diagnostic {
    code: String,
    text: String,
    places: Vec<(String, usize, usize, bool)>,
}

impl<'a> Compile<'a> {
    pub fn new(
        sources: &'a Sources,
        tree: PathBuf,
        target: PathBuf,
        is_optimised: bool,
        is_on: Vec<bool>,
    ) -> Result<Self, String> {
        let mut constants = vec![Constant::Kept; sources.functions.len()];
        for (number, statement) in sources.statements.iter().enumerate() {
            if is_on[number] && sources.is_constant(number) {
                constants[statement.function] = Constant::Freed;
            }
        }
        let mut compile = Self {
            sources,
            tree,
            target,
            is_optimised,
            is_on,
            constants,
            rendered: Vec::new(),
            suspects: BTreeSet::new(),
        };
        compile.write()?;
        Ok(compile)
    }

    /// Whether the statement is conditional.
    pub fn is_on(&self, statement: usize) -> bool {
        self.is_on[statement] && !self.is_in_constant(statement)
    }

    /// The number of conditional statements.
    pub fn count(&self) -> usize {
        (0..self.is_on.len()).filter(|number| self.is_on(*number)).count()
    }

    /// Whether the statement is in a function that must be `const`.
    pub fn is_in_constant(&self, statement: usize) -> bool {
        let function = self.sources.statements[statement].function;
        self.sources.is_constant(statement) && self.constants[function] != Constant::Freed
    }

    fn write(&mut self) -> Result<(), String> {
        let is_freed = |function: usize| self.constants[function] == Constant::Freed;
        let files = 0..self.sources.files.len();
        self.rendered = files.map(|file| render(self.sources, file, |one| self.is_on(one), is_freed)).collect();
        for (file, rendered) in self.sources.files.iter().zip(&self.rendered) {
            let path = self.tree.join(&file.path);
            if fs::read_to_string(&path).is_ok_and(|old| old == rendered.text) {
                continue;
            }
            let folder = path.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
            fs::write(&path, &rendered.text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(())
    }

    /// Excludes what does not compile until `cargo` succeeds, then tries each of these statements alone.
    pub fn settle(&mut self, cargo: &[String]) -> Result<(), String> {
        self.build(cargo)?;
        for suspect in std::mem::take(&mut self.suspects) {
            if self.is_in_constant(suspect) || self.sources.statements[suspect].is_value {
                continue;
            }
            self.is_on[suspect] = true;
            self.write()?;
            if self.cargo(cargo)?.is_err() {
                self.is_on[suspect] = false;
            }
        }
        self.write()
    }

    /// Builds, and excludes what does not compile.
    pub fn build(&mut self, cargo: &[String]) -> Result<Vec<Program>, String> {
        loop {
            let diagnostics = match self.cargo(cargo)? {
                Ok(programs) => return Ok(programs),
                Err(diagnostics) => diagnostics,
            };
            let before = (self.is_on.clone(), self.constants.clone());
            for diagnostic in &diagnostics {
                self.handle(diagnostic);
            }
            if before == (self.is_on.clone(), self.constants.clone()) {
                let texts: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.text.as_str()).collect();
                return Err(format!(
                    "cargo {} fails, and not because of a condition:\n{}",
                    cargo.join(" "),
                    texts.join("\n")
                ));
            }
            self.write()?;
        }
    }

    fn handle(&mut self, diagnostic: &Diagnostic) {
        if diagnostic.code == "E0015" && self.handle_constant(diagnostic) {
            return;
        }
        if self.handle_mutant(diagnostic) {
            return;
        }
        let mut causes = BTreeSet::new();
        let mut functions = BTreeSet::new();
        for (name, start, end, is_main) in &diagnostic.places {
            let Some(file) = self.sources.files.iter().position(|file| file.path == *name) else { continue };
            let rendered = &self.rendered[file];
            let around = rendered.guards.iter().filter(|(range, _)| range.start <= *start && *end <= range.end);
            causes.extend(around.min_by_key(|(range, _)| range.len()).map(|(_, number)| *number));
            if *is_main {
                functions.extend(self.sources.function_at(file, rendered.original(*start)));
            }
        }
        causes.retain(|number| self.is_on[*number]);
        // If code continues where it used to diverge, the error may be anywhere in the function.
        for is_any in [false, true] {
            if causes.is_empty() {
                let all = self.sources.statements.iter().enumerate().filter(|(number, _)| self.is_on(*number));
                let inside = all.filter(|(_, statement)| functions.contains(&statement.function));
                causes.extend(inside.filter(|(_, statement)| is_any || statement.diverges).map(|(number, _)| number));
            }
        }
        for cause in causes {
            self.is_on[cause] = false;
            self.suspects.insert(cause);
        }
    }

    /// An error in the text that a mutant adds is caused by that mutant.
    fn handle_mutant(&mut self, diagnostic: &Diagnostic) -> bool {
        let mut is_found = false;
        for (name, start, end, _) in diagnostic.places.iter().filter(|(.., is_main)| *is_main) {
            let Some(file) = self.sources.files.iter().position(|file| file.path == *name) else { continue };
            for (range, number) in &self.rendered[file].changed {
                let is_mutant = matches!(self.sources.statements[*number].form, Form::Return(_) | Form::Instead(_));
                if is_mutant && range.start <= *start && *end <= range.end {
                    self.is_on[*number] = false;
                    is_found = true;
                }
            }
        }
        is_found
    }

    /// "Cannot call non-const … `path` in …": removes the caller's `const` as well, or restores the callee's.
    fn handle_constant(&mut self, diagnostic: &Diagnostic) -> bool {
        for (name, start, _, is_main) in &diagnostic.places {
            let Some(file) = self.sources.files.iter().position(|file| file.path == *name) else { continue };
            let caller = self.sources.function_at(file, self.rendered[file].original(*start));
            let Some(caller) = caller.filter(|_| *is_main) else { continue };
            if self.sources.functions[caller].constant.is_some() && self.constants[caller] == Constant::Kept {
                self.constants[caller] = Constant::Freed;
                return true;
            }
        }
        let path: Vec<&str> = diagnostic.text.split('`').nth(1).unwrap_or_default().split("::").collect();
        let Some(callee) = path.last() else { return false };
        let kind = path.iter().rev().skip(1).find(|part| !part.starts_with('<')).copied().unwrap_or_default();
        let kind = kind.split('<').next().unwrap_or_default();
        let mut is_found = false;
        for is_same_kind in [true, false] {
            for (number, function) in self.sources.functions.iter().enumerate() {
                let is_called = function.name.rsplit("::").next() == Some(callee);
                let is_wanted = !is_same_kind || function.name.contains(kind);
                if !is_found && is_called && is_wanted && self.constants[number] == Constant::Freed {
                    self.constants[number] = Constant::Needed;
                    is_found = true;
                }
            }
        }
        is_found
    }

    /// Environment variables for a build, also for tests that build an example.
    pub fn environment(&self) -> [(&'static str, &'static str); 5] {
        let level = if self.is_optimised { "1" } else { "0" };
        [
            ("RUSTFLAGS", "--cap-lints=allow"),
            ("CARGO_PROFILE_DEV_OPT_LEVEL", level),
            ("CARGO_PROFILE_DEV_DEBUG", "0"),
            ("CARGO_PROFILE_TEST_OPT_LEVEL", level),
            ("CARGO_PROFILE_TEST_DEBUG", "0"),
        ]
    }

    pub fn target(&self) -> &Path {
        &self.target
    }

    fn cargo(&self, arguments: &[String]) -> Result<Result<Vec<Program>, Vec<Diagnostic>>, String> {
        let mut cargo = Command::new("cargo");
        cargo.args(arguments).args(["--locked", "--quiet", "--message-format=json", "--config"]);
        // The model test spends half its time drawing programs. Tests of a real system wait, and compile faster
        // without optimisation.
        let level = if self.is_optimised { 2 } else { 0 };
        cargo
            .arg(format!("profile.dev.package.\"*\".opt-level={level}"))
            .current_dir(&self.tree)
            .stderr(Stdio::piped());
        cargo.env("CARGO_TARGET_DIR", &self.target).envs(self.environment());
        let output = cargo.output().map_err(|error| format!("cargo: {error}"))?;
        let (mut programs, mut diagnostics) = (Vec::new(), Vec::new());
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
            if let Some(path) = message["executable"].as_str() {
                let manifest = Path::new(message["manifest_path"].as_str().unwrap_or_default());
                let package = manifest.parent().and_then(Path::file_name).unwrap_or_default();
                programs.push(Program {
                    package: package.to_string_lossy().into_owned(),
                    target: message["target"]["name"].as_str().unwrap_or_default().to_owned(),
                    path: PathBuf::from(path),
                });
            }
            if message["message"]["level"] == "error" {
                let mut places = Vec::new();
                places_of(&message["message"], true, &mut places);
                if !places.is_empty() {
                    let text = message["message"]["rendered"].as_str().unwrap_or_default().to_owned();
                    let code = message["message"]["code"]["code"].as_str().unwrap_or_default().to_owned();
                    diagnostics.push(Diagnostic { code, text, places });
                }
            }
        }
        if output.status.success() {
            return Ok(Ok(programs));
        }
        if diagnostics.is_empty() {
            return Err(format!("cargo {} fails:\n{}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)));
        }
        Ok(Err(diagnostics))
    }
}

/// All places of an error, including those of its notes and the calls of macros.
fn places_of(message: &Value, is_main: bool, places: &mut Vec<(String, usize, usize, bool)>) {
    for span in message["spans"].as_array().into_iter().flatten() {
        let is_main = is_main && span["is_primary"] == true;
        let mut span = span;
        loop {
            let number = |name: &str| span[name].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
            let name = span["file_name"].as_str().unwrap_or_default().to_owned();
            places.push((name, number("byte_start"), number("byte_end"), is_main));
            if span["expansion"].is_null() {
                break;
            }
            span = &span["expansion"]["span"];
        }
    }
    for child in message["children"].as_array().into_iter().flatten() {
        places_of(child, false, places);
    }
}
