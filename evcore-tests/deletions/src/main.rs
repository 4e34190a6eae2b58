//! Deletes statements and runs the mutants of cargo-mutants. `.ci/deletions` and `.ci/mutants` run it and have its
//! help.
//!
//! ```text
//!   source    finds the statements            mutants    or instead, the changes of cargo-mutants
//!   cfg       determines which code is compiled
//!   tree      writes the copy                 compile    excludes what does not compile
//!   judges    runs the tests                  reach      runs only the tests that reach a statement
//!   state     the results of earlier runs     survivors  the committed list
//! ```

mod cfg;
mod compile;
mod judges;
mod mutants;
mod options;
mod reach;
mod source;
mod state;
mod survivors;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use cfg::Cfg;
use compile::Compile;
use judges::{Judge, Suite, Verdict};
use options::Options;
use reach::Reach;
use source::Sources;
use state::{Outcome, State};

/// How many percent of the mutants the tests must kill.
const LEAST: f64 = 95.0;
/// The number of statements between progress messages.
const PROGRESS: usize = 50;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Returns `false` if there is a survivor that is not in the list.
fn run(options: &Options) -> Result<bool, String> {
    // `.ci/deletions` starts it in the repository's root.
    let repository = std::env::current_dir().map_err(|error| error.to_string())?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(PathBuf::from("target"), PathBuf::from).join("deletions");
    let target = repository.join(target);
    let (crates, features, suites): (&[&str], &[&str], &'static [Suite]) = if options.is_backends {
        (&["evplat-posix", "evplat-linux"], &[], judges::BACKENDS)
    } else {
        (&["evcore"], &["alloc", "std"], judges::CORE)
    };
    let cfg = Cfg::new(features)?;
    let mut sources = Sources::default();
    for name in crates {
        sources.add_crate(&repository, name, &cfg)?;
    }
    if options.is_mutants {
        let strangers = mutants::add(&mut sources, &repository, crates)?;
        println!("{strangers} mutants are in code that is not compiled");
    }
    let chosen = chosen(&sources, options)?;
    if options.is_list {
        for &number in &chosen {
            let constant = if sources.is_constant(number) { " [const fn]" } else { "" };
            println!("{}{constant}", numbered(&sources, number));
        }
        println!("{} {}", chosen.len(), if options.is_mutants { "mutants" } else { "statements" });
        return Ok(true);
    }

    fs::create_dir_all(&target).map_err(|error| format!("{}: {error}", target.display()))?;
    let files = tree::files(&repository)?;
    let hash = tree::hash_of(&repository, &files);
    let mut state_name = String::from(if options.is_mutants { "mutants" } else { "state" });
    if options.is_backends {
        state_name += ".backends";
    }
    let state = Mutex::new(State::open(&target.join(&state_name), hash, options.is_fresh, |key| {
        sources.statements.iter().any(|statement| statement.key == key)
    })?);
    let outcome = |number: usize| {
        let statement: &source::Statement = &sources.statements[number];
        let state = state.lock().unwrap_or_else(|error| error.into_inner());
        state.get(&statement.key, sources.functions[statement.function].hash).cloned()
    };
    let set = |number: usize, outcome: Outcome| {
        let statement: &source::Statement = &sources.statements[number];
        let mut state = state.lock().unwrap_or_else(|error| error.into_inner());
        state.set(&statement.key, sources.functions[statement.function].hash, outcome)
    };

    if chosen.iter().any(|number| outcome(*number).is_none()) {
        let copy = target.join("tree");
        tree::copy(&repository, &copy, &files, &sources)?;
        let can_be_deleted =
            |number: usize| !sources.statements[number].is_value && outcome(number) != Some(Outcome::CannotBeDeleted);
        let is_on = (0..sources.statements.len()).map(can_be_deleted).collect();
        let mut compile = Compile::new(&sources, copy.clone(), target.join("build"), !options.is_backends, is_on)?;
        let begun = Instant::now();
        for name in crates {
            let features: &[&str] = if *name == "evcore" { &["--features", "std,check"] } else { &[] };
            let words: Vec<_> = [&["check", "-p", *name], features].concat().into_iter().map(str::to_owned).collect();
            compile.settle(&words)?;
        }
        let mut judges = judges::build_all(suites, &mut compile, &copy)?;
        println!("built in {} s", begun.elapsed().as_secs());
        let begun = Instant::now();
        let reach = if options.is_backends {
            let path = target.join("reach.backends");
            let reach = Reach::record(&judges, sources.statements.len(), options.jobs, &path, hash)?;
            let unreached = chosen.iter().filter(|&&number| compile.is_on(number) && reach.count(number) == 0).count();
            println!(
                "{} tests, in {} s; {unreached} statements that none reaches",
                reach.tests(),
                begun.elapsed().as_secs()
            );
            Some(reach)
        } else {
            println!("with nothing deleted the tests take");
            judges::time_all(&mut judges)?;
            None
        };
        for number in 0..sources.statements.len() {
            let impossible = if compile.is_in_constant(number) {
                Outcome::InConstant
            } else if !compile.is_on(number) {
                Outcome::CannotBeDeleted
            } else {
                continue;
            };
            if outcome(number).as_ref() != Some(&impossible) {
                set(number, impossible)?;
            }
        }
        let open: Vec<usize> = chosen.iter().copied().filter(|number| outcome(*number).is_none()).collect();
        let judge = |number: usize| match &reach {
            Some(reach) => reach.verdict(&judges, number),
            None => judges::verdict_of_all(&judges, number + 1),
        };
        judge_all(&sources, &judges, &open, options.jobs, &judge, &set)?;
    }
    report(&repository, &target, &sources, &chosen, options, outcome)
}

/// The statements to test in this run.
fn chosen(sources: &Sources, options: &Options) -> Result<Vec<usize>, String> {
    let is_in =
        |path: &str, name: &str| path == name || path.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'));
    for name in &options.files {
        if !sources.files.iter().any(|file| is_in(&file.path, name)) {
            return Err(format!("{name} is not a source, or not one that is compiled"));
        }
    }
    let is_wanted = |number: &usize| {
        let path = &sources.files[sources.statements[*number].file].path;
        options.files.is_empty() || options.files.iter().any(|name| is_in(path, name))
    };
    let all: Vec<usize> = (0..sources.statements.len()).filter(is_wanted).collect();
    let (first, step) = options.sample.unwrap_or((0, 1));
    Ok(all.into_iter().skip(first).step_by(step).collect())
}

fn judge_all(
    sources: &Sources,
    judges: &[Judge],
    open: &[usize],
    jobs: usize,
    judge: &(impl Fn(usize) -> (Verdict, usize) + Sync),
    set: &(impl Fn(usize, Outcome) -> Result<(), String> + Sync),
) -> Result<(), String> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let begun = Instant::now();
    let work = || {
        while let Some(&number) = open.get(next.fetch_add(1, Relaxed)) {
            let (verdict, judge) = judge(number);
            let name = judges.get(judge).map_or("", |judge| judge.suite.name);
            let outcome = match verdict {
                Verdict::Passed => Outcome::Survives,
                Verdict::Failed => Outcome::Noticed(name.to_owned()),
                Verdict::DidNotEnd => Outcome::Noticed(format!("{name} does not end")),
            };
            if outcome == Outcome::Survives {
                println!("survives: {}", numbered(sources, number));
            }
            set(number, outcome)?;
            let done = done.fetch_add(1, Relaxed) + 1;
            if done % PROGRESS == 0 || done == open.len() {
                let each = begun.elapsed().as_secs_f64() / done as f64;
                println!("{done} of {} judged, {each:.1} s each", open.len());
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| Err("a worker panicked".into())))
    })
}

fn report(
    repository: &Path,
    target: &Path,
    sources: &Sources,
    chosen: &[usize],
    options: &Options,
    outcome: impl Fn(usize) -> Option<Outcome>,
) -> Result<bool, String> {
    let mut lists: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut by_judge: BTreeMap<String, usize> = BTreeMap::new();
    for &number in chosen {
        let list = match outcome(number) {
            Some(Outcome::Noticed(judge)) => {
                *by_judge.entry(judge).or_default() += 1;
                "noticed"
            }
            Some(Outcome::Survives) => "survive",
            Some(Outcome::InConstant) => "in functions that have to be const",
            Some(Outcome::CannotBeDeleted) | None => "cannot be deleted",
        };
        lists.entry(list).or_default().push(number);
    }
    let of = |list: &str| lists.get(list).cloned().unwrap_or_default();
    let mut text = String::new();
    for list in ["survive", "in functions that have to be const", "cannot be deleted"] {
        text += &format!("# {list}\n\n");
        of(list).iter().for_each(|&number| text += &format!("{}\n", numbered(sources, number)));
        text += "\n";
    }
    let (of_survivors, report) = match options.is_mutants {
        true => (".ci/mutants.survivors", "mutants.report"),
        false => (".ci/deletions.survivors", "report"),
    };
    let path = target.join(report);
    fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("noticed by:");
    by_judge.iter().for_each(|(judge, count)| println!("  {judge:40} {count:5}"));

    let (noticed, alive) = (of("noticed").len(), of("survive"));
    let (whole, constant) = (of("cannot be deleted").len(), of("in functions that have to be const").len());
    let score = 100.0 * noticed as f64 / (noticed + alive.len()).max(1) as f64;
    let summary = if options.is_mutants {
        format!(
            "{} mutants; {noticed} killed, {} alive, {score:.1} % killed; {whole} do not compile, \
             {constant} in functions that have to be const",
            chosen.len(),
            alive.len()
        )
    } else {
        format!(
            "{} statements; {noticed} deletions noticed, {} not; {whole} cannot be deleted, \
             {constant} in functions that have to be const",
            chosen.len(),
            alive.len()
        )
    };
    println!("{summary}\nthe lists are in {}", path.display());

    let list = repository.join(of_survivors);
    let committed = fs::read_to_string(&list).map_err(|error| format!("{}: {error}", list.display()))?;
    let survivors = survivors::parse(&committed);
    let new: Vec<_> =
        alive.iter().filter(|number| !survivors.known.contains(&sources.statements[**number].key)).collect();
    if !new.is_empty() {
        println!("not noticed, and not in {of_survivors}:");
        new.iter().for_each(|number| println!("{}", numbered(sources, **number)));
    }
    for key in &survivors.unexplained {
        println!("without a reason in {of_survivors}: {key}");
    }
    // A line is stale if its statement no longer exists, or is detected now. Lines of files outside this run are not
    // checked.
    let all: BTreeSet<&str> = sources.statements.iter().map(|statement| statement.key.as_str()).collect();
    let judged: BTreeSet<&str> = chosen.iter().map(|number| sources.statements[*number].key.as_str()).collect();
    let living: BTreeSet<&str> = alive.iter().map(|number| sources.statements[*number].key.as_str()).collect();
    let is_backend = |key: &str| key.starts_with("evplat-");
    for key in survivors.known.iter().filter(|key| is_backend(key) == options.is_backends) {
        let key = key.as_str();
        if !all.contains(key) {
            println!("stale in {of_survivors}, there is no such statement: {key}");
        } else if judged.contains(key) && !living.contains(key) {
            println!("stale in {of_survivors}, it does not survive: {key}");
        }
    }
    if options.is_record {
        let of = if options.is_backends { "the platform crates" } else { "the core" };
        fs::write(&list, survivors::with_summary(&committed, of, &summary))
            .map_err(|error| format!("{of_survivors}: {error}"))?;
    }
    if options.is_mutants && score < LEAST {
        println!("wanted: at least {LEAST} % killed");
        return Ok(false);
    }
    Ok(new.is_empty() && survivors.unexplained.is_empty())
}

/// The name of a statement with its line number, for the output.
fn numbered(sources: &Sources, number: usize) -> String {
    let statement = &sources.statements[number];
    let path = &sources.files[statement.file].path;
    let rest = statement.key.strip_prefix(path.as_str()).unwrap_or(&statement.key);
    format!("{path}:{}{rest}", statement.line)
}
