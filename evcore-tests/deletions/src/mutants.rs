//! The mutants of cargo-mutants, which lists the changes: each is made conditional, like the statements.
//!
//! ```text
//!   replace F -> bool with true     if __chosen(17) { return true; } …
//!   replace < with <=               (if __chosen(18) { a <= b } else { a < b })
//!   delete match arm A              A if !__chosen(19) => …
//! ```

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Arm, Expr, ExprStruct};

use crate::source::{Form, Sources, Statement, hash, without_file};

/// Adds to `sources` what cargo-mutants would change in `packages`. Returns the number of those that are not in the
/// code that the suites compile.
pub fn add(sources: &mut Sources, repository: &Path, packages: &[&str]) -> Result<usize, String> {
    let mut command = Command::new("cargo");
    command.args(["mutants", "--list", "--json"]).current_dir(repository);
    command.args(packages.iter().map(|package| format!("--package={package}")));
    let output = command.output().map_err(|error| format!("cargo mutants: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo mutants --list: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let list: Vec<Value> =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo mutants --list: {error}"))?;
    sources.statements.clear();
    let (mut strangers, mut equals) = (0, HashMap::new());
    let mut nodes: HashMap<usize, Nodes> = HashMap::new();
    for mutant in &list {
        let path = mutant["file"].as_str().unwrap_or_default();
        let Some(file) = sources.files.iter().position(|file| file.path == path) else {
            strangers += 1;
            continue;
        };
        let text = &sources.files[file].text;
        let bytes = byte(text, &mutant["span"]["start"])..byte(text, &mutant["span"]["end"]);
        let Some(function) = sources.function_at(file, bytes.start) else {
            strangers += 1;
            continue;
        };
        let nodes = nodes.entry(file).or_insert_with(|| Nodes::of(text));
        let name = mutant["name"].as_str().unwrap_or_default();
        let line = mutant["span"]["start"]["line"].as_u64().and_then(|line| usize::try_from(line).ok()).unwrap_or(0);
        let (bytes, form) = nodes.form(text, bytes, mutant).ok_or_else(|| format!("no expression for {name}"))?;
        let mut key = format!("{path}: {}", name.splitn(4, ':').nth(3).unwrap_or(name).trim());
        let count = equals.entry(key.clone()).and_modify(|count| *count += 1).or_insert(1);
        if *count > 1 {
            key = format!("{key} #{count}");
        }
        let of = &mut sources.functions[function];
        of.hash = hash(&format!("{} {}", of.hash, without_file(&key)));
        sources.statements.push(Statement { file, function, line, bytes, form, diverges: false, is_value: false, key });
    }
    Ok(strangers)
}

/// The byte offset of a line and a column, both counted from 1.
fn byte(text: &str, at: &Value) -> usize {
    let number = |name: &str| at[name].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(1) - 1;
    let start: usize = text.split_inclusive('\n').take(number("line")).map(str::len).sum();
    let line = &text[start..];
    start + line.char_indices().nth(number("column")).map_or(line.len(), |(at, _)| at)
}

/// The places of the expressions and match arms of a file.
#[derive(Default)]
struct Nodes {
    expressions: Vec<Range<usize>>,
    structs: Vec<Range<usize>>,
    arms: Vec<Place>,
}

/// The start of an arm, the end of its pattern, and its guard.
struct Place {
    start: usize,
    pattern_end: usize,
    guard: Option<Range<usize>>,
}

impl Nodes {
    fn of(text: &str) -> Self {
        let mut nodes = Self::default();
        if let Ok(file) = syn::parse_file(text) {
            nodes.visit_file(&file);
        }
        nodes
    }

    /// The range that becomes conditional, and how.
    fn form(&self, text: &str, bytes: Range<usize>, mutant: &Value) -> Option<(Range<usize>, Form)> {
        let replacement = mutant["replacement"].as_str().unwrap_or_default();
        let around = |list: &[Range<usize>]| {
            let is_around = |range: &&Range<usize>| range.start <= bytes.start && bytes.end <= range.end;
            list.iter().filter(is_around).min_by_key(|range| range.len()).cloned()
        };
        let whole = match mutant["genre"].as_str().unwrap_or_default() {
            "FnValue" => return Some((bytes, Form::Return(replacement.to_owned()))),
            "MatchArm" => {
                let arm = self.arms.iter().find(|arm| arm.start == bytes.start)?;
                return Some(match &arm.guard {
                    Some(guard) => (guard.clone(), Form::Guard),
                    None => (arm.pattern_end..arm.pattern_end, Form::Pattern),
                });
            }
            "StructField" => around(&self.structs)?,
            _ => around(&self.expressions)?,
        };
        let (before, after) = (&text[whole.start..bytes.start], &text[bytes.end..whole.end]);
        let form = Form::Instead(format!("{before}{replacement}{after}"));
        Some((whole, form))
    }
}

impl<'ast> Visit<'ast> for Nodes {
    fn visit_expr(&mut self, expr: &'ast Expr) {
        self.expressions.push(expr.span().byte_range());
        visit::visit_expr(self, expr);
    }

    fn visit_expr_struct(&mut self, expr: &'ast ExprStruct) {
        self.structs.push(expr.span().byte_range());
        visit::visit_expr_struct(self, expr);
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        let guard = arm.guard.as_ref().map(|(_, guard)| guard.span().byte_range());
        let (start, pattern_end) = (arm.span().byte_range().start, arm.pat.span().byte_range().end);
        self.arms.push(Place { start, pattern_end, guard });
        visit::visit_arm(self, arm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
fn f(x: u8, y: u8) -> bool {
    match x {
        1 => x < y && y > 2,
        2 if y > 1 => !true,
        _ => S { x, ..s }.g(),
    }
}
";

    /// The changed text when cargo-mutants replaces some columns of a line.
    fn changed(genre: &str, line: usize, columns: Range<usize>, replacement: &str) -> (String, Form) {
        let at = |column: usize| serde_json::json!({ "line": line, "column": column });
        let mutant = serde_json::json!({ "genre": genre, "replacement": replacement });
        let bytes = byte(TEXT, &at(columns.start))..byte(TEXT, &at(columns.end));
        let (bytes, form) = Nodes::of(TEXT).form(TEXT, bytes, &mutant).unwrap();
        (TEXT[bytes].to_owned(), form)
    }

    #[test]
    fn what_a_mutant_changes_is_found() {
        let instead = |text: &str| Form::Instead(text.to_owned());
        assert_eq!(changed("BinaryOperator", 3, 16..17, "=="), ("x < y".into(), instead("x == y")));
        assert_eq!(changed("BinaryOperator", 3, 20..22, "||"), ("x < y && y > 2".into(), instead("x < y || y > 2")));
        assert_eq!(changed("UnaryOperator", 4, 23..24, ""), ("!true".into(), instead("true")));
        assert_eq!(changed("MatchArmGuard", 4, 14..19, "true"), ("y > 1".into(), instead("true")));
        assert_eq!(changed("MatchArm", 3, 9..29, ""), (String::new(), Form::Pattern));
        assert_eq!(changed("MatchArm", 4, 9..29, ""), ("y > 1".into(), Form::Guard));
        assert_eq!(changed("StructField", 5, 18..20, ""), ("S { x, ..s }".into(), instead("S {  ..s }")));
        let (body, form) = changed("FnValue", 2, 5..14, "true");
        assert!(body.starts_with("match x"));
        assert_eq!(form, Form::Return("true".to_owned()));
    }
}
