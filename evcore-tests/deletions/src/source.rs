//! Finds the statements of a crate that can be deleted.
//!
//! ```text
//!   src/lib.rs ── mod … ──▶ files ──▶ functions ──▶ statements   f(x);   x = y;   if c { … }   return x;   A => f(x),
//! ```

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, Expr, ImplItem, Item, Meta, Pat, ReturnType, Signature, Stmt, TraitItem};

use crate::cfg::Cfg;

/// How many characters of a statement are in its name.
const TEXT: usize = 100;

/// A function whose body is searched for statements.
pub struct Function {
    pub file: usize,
    /// For example `EventBase<B, S, T>::poll`.
    pub name: String,
    pub bytes: Range<usize>,
    /// The place of the `const` of a `const fn`.
    pub constant: Option<Range<usize>>,
    /// Of its tokens, so that comments and white space do not count, and of the names of its statements.
    pub hash: u64,
}

/// How a statement is made conditional.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Form {
    /// It ends with a semicolon or a brace.
    Whole,
    /// The expression at the end of a block of type `()`.
    Tail,
    /// The body of an arm of a `match` of type `()`.
    Arm,
    /// A function's body, before which `return` with this value is inserted.
    Return(String),
    /// An expression that is replaced by this text.
    Instead(String),
    /// The guard of an arm that is removed.
    Guard,
    /// The end of the pattern of an arm that is removed.
    Pattern,
}

pub struct Statement {
    pub file: usize,
    pub function: usize,
    pub line: usize,
    pub bytes: Range<usize>,
    pub form: Form,
    /// `return`, `break` or `continue`.
    pub diverges: bool,
    /// It is the value of its block, so it is known that the block does not compile without it.
    pub is_value: bool,
    /// Identifies it across runs: the file, the function, the text, and a number among equal ones.
    pub key: String,
}

pub struct File {
    /// Relative to the root of the repository.
    pub path: String,
    pub text: String,
}

#[derive(Default)]
pub struct Sources {
    pub files: Vec<File>,
    pub functions: Vec<Function>,
    pub statements: Vec<Statement>,
    /// The roots of the crates, into which the switch is inserted.
    pub roots: Vec<usize>,
}

impl Sources {
    /// Adds the crate whose folder is `package`.
    pub fn add_crate(&mut self, repository: &Path, package: &str, cfg: &Cfg) -> Result<(), String> {
        let mut open =
            VecDeque::from([(PathBuf::from(package).join("src/lib.rs"), PathBuf::from(package).join("src"))]);
        let mut off_macros = HashSet::new();
        let mut found = Vec::new();
        self.roots.push(self.files.len());
        while let Some((path, folder)) = open.pop_front() {
            let text =
                fs::read_to_string(repository.join(&path)).map_err(|error| format!("{}: {error}", path.display()))?;
            let syntax = syn::parse_file(&text).map_err(|error| format!("{}: {error}", path.display()))?;
            if !cfg.holds(&syntax.attrs) {
                continue;
            }
            let file = self.files.len();
            let mut scan = Scan {
                sources: self,
                cfg,
                text: &text,
                file,
                scope: Vec::new(),
                functions: Vec::new(),
                directory: path.parent().map(Path::to_path_buf).unwrap_or_default(),
                folder,
                modules: Vec::new(),
                off_macros: &mut off_macros,
                found: &mut found,
            };
            for item in &syntax.items {
                scan.item(item);
            }
            for (candidates, folder) in std::mem::take(&mut scan.modules) {
                let path = candidates.iter().find(|path| repository.join(path).exists());
                open.push_back((path.ok_or_else(|| format!("no file for a module: {candidates:?}"))?.clone(), folder));
            }
            self.files.push(File { path: path.display().to_string(), text });
        }
        // A macro with a second definition, behind a feature that is off, does nothing here.
        found.retain(|(_, name)| name.as_ref().is_none_or(|name| !off_macros.contains(name)));
        let mut equals = HashMap::new();
        for (mut statement, _) in found {
            let text = std::mem::take(&mut statement.key);
            let function = &self.functions[statement.function].name;
            let mut key = format!("{}: {function}: {text}", self.files[statement.file].path);
            let count = equals.entry(key.clone()).and_modify(|count| *count += 1).or_insert(1);
            if *count > 1 {
                key = format!("{key} #{count}");
            }
            // A name is only valid among the same other names, so they are part of the function's hash. Its file is
            // not.
            let function = &mut self.functions[statement.function];
            function.hash = hash(&format!("{} {}", function.hash, without_file(&key)));
            statement.key = key;
            self.statements.push(statement);
        }
        Ok(())
    }

    /// The innermost function that contains a place.
    pub fn function_at(&self, file: usize, at: usize) -> Option<usize> {
        let around =
            |number: &usize| self.functions[*number].file == file && self.functions[*number].bytes.contains(&at);
        (0..self.functions.len()).filter(around).min_by_key(|number| self.functions[*number].bytes.len())
    }

    pub fn is_constant(&self, statement: usize) -> bool {
        self.functions[self.statements[statement].function].constant.is_some()
    }
}

struct Scan<'a> {
    sources: &'a mut Sources,
    cfg: &'a Cfg,
    text: &'a str,
    file: usize,
    /// The enclosing names: modules, the type of an `impl`, functions.
    scope: Vec<String>,
    /// The enclosing functions.
    functions: Vec<usize>,
    /// The folder of the file.
    directory: PathBuf,
    /// The folder of the files of its modules.
    folder: PathBuf,
    /// Possible files of each module, and the folder of its own modules.
    modules: Vec<(Vec<PathBuf>, PathBuf)>,
    /// Macros with a definition that is not compiled.
    off_macros: &'a mut HashSet<String>,
    /// Each with the name of the macro, if the statement is a macro call.
    found: &'a mut Vec<(Statement, Option<String>)>,
}

impl Scan<'_> {
    fn item(&mut self, item: &Item) {
        if !self.cfg.holds_before(item.to_token_stream()) {
            if let Item::Macro(definition) = item {
                self.off_macros.extend(definition.ident.as_ref().map(ToString::to_string));
            }
            return;
        }
        match item {
            Item::Mod(module) => self.module(module),
            Item::Fn(function) => self.function(&function.sig, &function.block, function.span().byte_range()),
            Item::Impl(block) => {
                let of = self.written(block.self_ty.to_token_stream(), false);
                let name = match &block.trait_ {
                    Some((_, path, _)) => format!("<{} for {of}>", self.written(path.to_token_stream(), false)),
                    None => of,
                };
                self.scope.push(name);
                for item in &block.items {
                    if let ImplItem::Fn(function) = item {
                        if self.cfg.holds(&function.attrs) {
                            self.function(&function.sig, &function.block, function.span().byte_range());
                        }
                    }
                }
                self.scope.pop();
            }
            Item::Trait(block) => {
                self.scope.push(block.ident.to_string());
                for item in &block.items {
                    if let TraitItem::Fn(function) = item {
                        if let (true, Some(body)) = (self.cfg.holds(&function.attrs), &function.default) {
                            self.function(&function.sig, body, function.span().byte_range());
                        }
                    }
                }
                self.scope.pop();
            }
            _ => {}
        }
    }

    fn module(&mut self, module: &syn::ItemMod) {
        let name = module.ident.to_string();
        let mut folder = self.folder.join(&name);
        if let Some((_, items)) = &module.content {
            let outer = std::mem::replace(&mut self.folder, folder);
            self.scope.push(name);
            for item in items {
                self.item(item);
            }
            self.scope.pop();
            self.folder = outer;
            return;
        }
        let mut candidates = vec![self.folder.join(format!("{name}.rs")), folder.join("mod.rs")];
        for attribute in &module.attrs {
            if let Meta::NameValue(pair) = &attribute.meta {
                if let (true, Expr::Lit(value)) = (pair.path.is_ident("path"), &pair.value) {
                    if let syn::Lit::Str(path) = &value.lit {
                        let path = self.directory.join(path.value());
                        folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
                        candidates = vec![path];
                    }
                }
            }
        }
        self.modules.push((candidates, folder));
    }

    fn function(&mut self, signature: &Signature, body: &Block, bytes: Range<usize>) {
        self.scope.push(signature.ident.to_string());
        let returns_nothing = match &signature.output {
            ReturnType::Default => true,
            ReturnType::Type(_, kind) => matches!(&**kind, syn::Type::Tuple(tuple) if tuple.elems.is_empty()),
        };
        self.functions.push(self.sources.functions.len());
        self.sources.functions.push(Function {
            file: self.file,
            name: self.scope.join("::"),
            bytes,
            constant: signature.constness.map(|word| word.span.byte_range()),
            hash: hash(&format!("{} {}", signature.to_token_stream(), body.to_token_stream())),
        });
        self.block(body, returns_nothing);
        self.functions.pop();
        self.scope.pop();
    }

    /// `is_unit`: the block is known to have the type `()`.
    fn block(&mut self, block: &Block, is_unit: bool) {
        for (number, statement) in block.stmts.iter().enumerate() {
            let is_last = number + 1 == block.stmts.len();
            if !self.cfg.holds_before(statement.to_token_stream()) {
                continue;
            }
            match statement {
                Stmt::Local(local) => {
                    let Some(init) = &local.init else { continue };
                    if matches!(local.pat, Pat::Wild(_)) && init.diverge.is_none() {
                        self.found(statement, &init.expr, Form::Whole, false);
                    }
                    self.visit_expr(&init.expr);
                    if let Some((_, otherwise)) = &init.diverge {
                        self.expr(otherwise, false);
                    }
                }
                Stmt::Item(item) => self.item(item),
                Stmt::Expr(expr, Some(_)) => {
                    self.found(statement, expr, Form::Whole, is_last && !is_unit);
                    self.expr(expr, false);
                }
                Stmt::Expr(expr, None) => {
                    if is_unit || !is_last {
                        let form = if is_block(expr) { Form::Whole } else { Form::Tail };
                        self.found(statement, expr, form, false);
                    }
                    self.expr(expr, is_unit || !is_last);
                }
                Stmt::Macro(call) => {
                    let name = call.mac.path.segments.last().map(|part| part.ident.to_string()).unwrap_or_default();
                    let is_check = name.contains("assert") || ["panic", "unreachable", "todo"].contains(&name.as_str());
                    if !is_check && (call.semi_token.is_some() || is_unit || !is_last) {
                        let form = if call.semi_token.is_none() && is_last { Form::Tail } else { Form::Whole };
                        self.push(statement.to_token_stream(), false, form, false, false, Some(name));
                    }
                }
            }
        }
    }

    fn expr(&mut self, expr: &Expr, is_unit: bool) {
        match expr {
            Expr::If(branch) => {
                self.visit_expr(&branch.cond);
                self.block(&branch.then_branch, is_unit || branch.else_branch.is_none());
                if let Some((_, otherwise)) = &branch.else_branch {
                    self.expr(otherwise, is_unit);
                }
            }
            Expr::Match(choice) => {
                self.visit_expr(&choice.expr);
                for arm in &choice.arms {
                    if !self.cfg.holds(&arm.attrs) {
                        continue;
                    }
                    if let Some((_, guard)) = &arm.guard {
                        self.visit_expr(guard);
                    }
                    let is_empty = matches!(&*arm.body, Expr::Tuple(tuple) if tuple.elems.is_empty());
                    if is_unit && !is_empty && !matches!(&*arm.body, Expr::Block(_)) {
                        self.found(&arm.body, &arm.body, Form::Arm, false);
                    }
                    self.expr(&arm.body, is_unit);
                }
            }
            Expr::Block(inner) => self.block(&inner.block, is_unit),
            Expr::Unsafe(inner) => self.block(&inner.block, is_unit),
            Expr::While(inner) => {
                self.visit_expr(&inner.cond);
                self.block(&inner.body, true);
            }
            Expr::ForLoop(inner) => {
                self.visit_expr(&inner.expr);
                self.block(&inner.body, true);
            }
            Expr::Loop(inner) => self.block(&inner.body, true),
            Expr::Repeat(repeat) => self.visit_expr(&repeat.expr),
            Expr::Const(_) => {}
            _ => visit::visit_expr(self, expr),
        }
    }

    fn found(&mut self, whole: &impl ToTokens, expr: &Expr, form: Form, is_value: bool) {
        // An `if` around one statement, whose condition has no effect, is deleted together with it.
        if let Expr::If(branch) = expr {
            let is_single = branch.else_branch.is_none() && branch.then_branch.stmts.len() == 1;
            let has_one = matches!(branch.then_branch.stmts.first(), Some(Stmt::Expr(..)));
            if is_single && has_one && has_no_effect(&branch.cond) {
                return;
            }
        }
        let diverges = matches!(expr, Expr::Return(_) | Expr::Break(_) | Expr::Continue(_));
        self.push(whole.to_token_stream(), is_block(expr), form, diverges, is_value && diverges, None);
    }

    fn push(
        &mut self,
        tokens: TokenStream,
        is_block: bool,
        form: Form,
        diverges: bool,
        is_value: bool,
        name: Option<String>,
    ) {
        let Some(&function) = self.functions.last() else { return };
        let mut text = self.written(tokens.clone(), is_block);
        if text.chars().count() > TEXT {
            text = text.chars().take(TEXT).chain(['…']).collect();
        }
        let Some(bytes) = bytes_of(&tokens) else { return };
        let line = self.text[..bytes.start].matches('\n').count() + 1;
        let statement = Statement { file: self.file, function, line, bytes, form, diverges, is_value, key: text };
        self.found.push((statement, name));
    }

    /// Tokens as in the file, without comments, and with one space for any white space. `is_short` omits what is in
    /// braces.
    fn written(&self, tokens: TokenStream, is_short: bool) -> String {
        let (mut text, mut end) = (String::new(), None);
        self.write(tokens, is_short, &mut text, &mut end);
        text
    }

    fn write(&self, tokens: TokenStream, is_short: bool, text: &mut String, end: &mut Option<usize>) {
        let put = |piece: &str, bytes: Range<usize>, text: &mut String, end: &mut Option<usize>| {
            if end.is_some_and(|end| end < bytes.start) {
                text.push(' ');
            }
            text.push_str(piece);
            *end = Some(bytes.end);
        };
        for token in tokens {
            match token {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && is_short => {
                    put("{ … }", group.span().byte_range(), text, end);
                }
                TokenTree::Group(group) if group.delimiter() != Delimiter::None => {
                    let (open, close) = (group.span_open().byte_range(), group.span_close().byte_range());
                    put(&self.text[open.clone()], open, text, end);
                    self.write(group.stream(), is_short, text, end);
                    put(&self.text[close.clone()], close, text, end);
                }
                TokenTree::Group(group) => self.write(group.stream(), is_short, text, end),
                other => put(&other.to_string(), other.span().byte_range(), text, end),
            }
        }
    }
}

impl<'ast> Visit<'ast> for Scan<'_> {
    fn visit_expr(&mut self, expr: &'ast Expr) {
        self.expr(expr, false);
    }

    fn visit_block(&mut self, block: &'ast Block) {
        self.block(block, false);
    }

    // Expressions in a type, a pattern or a path are evaluated at compile time.
    fn visit_type(&mut self, _: &'ast syn::Type) {}
    fn visit_pat(&mut self, _: &'ast Pat) {}
    fn visit_path(&mut self, _: &'ast syn::Path) {}
}

/// A statement's key without the file; the crate stays.
pub fn without_file(key: &str) -> String {
    let (path, rest) = key.split_once(": ").unwrap_or((key, ""));
    let package = path.split('/').next().unwrap_or_default();
    format!("{package}: {rest}")
}

fn is_block(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::If(_)
            | Expr::Match(_)
            | Expr::While(_)
            | Expr::ForLoop(_)
            | Expr::Loop(_)
            | Expr::Block(_)
            | Expr::Unsafe(_)
    )
}

/// Whether a condition calls only functions whose names show that they have no effect.
fn has_no_effect(condition: &Expr) -> bool {
    struct Calls(bool);
    impl Visit<'_> for Calls {
        fn visit_expr(&mut self, expr: &Expr) {
            match expr {
                Expr::MethodCall(call) => {
                    let name = call.method.to_string();
                    let looks = ["is_", "was_", "has_"].iter().any(|begin| name.starts_with(begin));
                    let looks =
                        looks || ["contains", "intersects", "union", "difference", "len"].contains(&name.as_str());
                    self.0 &= looks;
                }
                Expr::Call(_) | Expr::Macro(_) | Expr::Assign(_) => self.0 = false,
                _ => {}
            }
            visit::visit_expr(self, expr);
        }
    }
    let mut calls = Calls(true);
    calls.visit_expr(condition);
    calls.0
}

fn bytes_of(tokens: &TokenStream) -> Option<Range<usize>> {
    let start = tokens.clone().into_iter().next()?.span().byte_range().start;
    let end = tokens.clone().into_iter().last()?.span().byte_range().end;
    Some(start..end)
}

/// FNV-1a: the same in every version of the compiler.
pub fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
