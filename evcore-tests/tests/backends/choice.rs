//! The choice between backends, with environment variables and with few descriptors.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use evcore::backend::{EventOp, Features};
use evplat_posix::choice::Reason;
use evplat_posix::{Error, Preferences};

use crate::backend::choose;
use crate::sys;

/// The path of the example that chooses its backend.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        // A relative target directory is relative to the workspace.
        cargo.current_dir(workspace).args(["build", "--example", "method", "--message-format", "json"]);
        cargo.arg("--manifest-path").arg(workspace.join("evplat-linux/Cargo.toml"));
        let output = cargo.output().expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let messages = String::from_utf8(output.stdout).unwrap();
        let built = messages.split("\"executable\":\"").nth(1).and_then(|rest| rest.split('"').next());
        built.expect("cargo names what it has built").into()
    })
}

/// Runs it with these variables. Returns its exit status, and what it printed to its two streams.
fn run(program: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(program);
    for name in ["EVENT_NOEPOLL", "EVENT_NOPOLL", "EVENT_NOSELECT", "EVENT_SHOW_METHOD"] {
        command.env_remove(name);
    }
    let output = command.envs(variables.iter().copied()).args(arguments).output().expect("the example starts");
    let text = |bytes| String::from_utf8(bytes).unwrap().trim_end().to_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn method(variables: &[(&str, &str)], arguments: &[&str]) -> String {
    let (status, method, stderr) = run(program(), variables, arguments);
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
    method
}

const NO_EPOLL: (&str, &str) = ("EVENT_NOEPOLL", "1");
const NO_POLL: (&str, &str) = ("EVENT_NOPOLL", "");
const NO_SELECT: (&str, &str) = ("EVENT_NOSELECT", "no");
const SHOW: (&str, &str) = ("EVENT_SHOW_METHOD", "0");

#[test]
fn any_value_of_a_variable_rules_its_method_out() {
    assert_eq!(method(&[], &[]), "epoll");
    assert_eq!(method(&[NO_EPOLL], &[]), "poll");
    assert_eq!(method(&[NO_EPOLL, NO_POLL], &[]), "select");
    assert_eq!(method(&[NO_POLL, NO_SELECT], &[]), "epoll");
    assert_eq!(method(&[("EVENT_NOepoll", "1"), ("event_noepoll", "1")], &[]), "epoll");
    let (status, stdout, stderr) = run(program(), &[NO_EPOLL, NO_POLL, NO_SELECT], &[]);
    assert_eq!((status, stdout.as_str()), (Some(1), ""));
    let why = "epoll: EVENT_NOEPOLL is set; poll: EVENT_NOPOLL is set; select: EVENT_NOSELECT is set";
    assert!(stderr.ends_with(why), "{stderr}");
}

#[test]
fn what_the_program_wants_counts_too() {
    assert_eq!(method(&[], &["--avoid", "epoll"]), "poll");
    assert_eq!(method(&[NO_POLL], &["--avoid", "epoll"]), "select");
    assert_eq!(method(&[NO_EPOLL], &["--require", "ERRORS"]), "poll");
    let (status, _, stderr) = run(program(), &[NO_EPOLL], &["--require", "ERRORS", "--avoid", "poll"]);
    assert_eq!(status, Some(1));
    assert!(stderr.ends_with("poll: the program avoids it; select: it lacks ERRORS"), "{stderr}");
}

#[test]
fn method_is_shown_on_request() {
    let shown = |variables: &[_], arguments: &[_]| run(program(), variables, arguments).2;
    assert_eq!(shown(&[SHOW], &[]), "evcore: the method is epoll");
    assert_eq!(shown(&[SHOW, NO_EPOLL], &[]), "evcore: the method is poll");
    assert_eq!(shown(&[SHOW], &["--avoid", "epoll", "--avoid", "poll"]), "evcore: the method is select");
}

#[test]
fn a_program_may_ignore_the_environment() {
    assert_eq!(method(&[NO_EPOLL, SHOW], &["--ignore-environment"]), "epoll");
    assert_eq!(method(&[NO_EPOLL, NO_POLL, NO_SELECT], &["--ignore-environment", "--avoid", "epoll"]), "poll");
}

/// A caller with fewer rights must neither choose the backend of such a program nor make it print.
#[test]
#[ignore = "needs root, to give a program to somebody else, and a target directory where set-user-id counts"]
fn a_program_with_more_rights_ignores_the_environment() {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).join("method-of-somebody-else");
    for mode in [0o4755, 0o2755] {
        let _ = fs::remove_file(&own);
        // Another process copies it: if a case forked meanwhile, its child would hold the copy open for writing, and
        // it could not be executed.
        assert!(Command::new("cp").arg(program()).arg(&own).status().unwrap().success());
        chown(&own, Some(65_534), Some(65_534)).expect("only root can");
        fs::set_permissions(&own, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(run(&own, &[NO_EPOLL, SHOW], &[]), (Some(0), "epoll".to_owned(), String::new()), "{mode:o}");
    }
    fs::remove_file(own).unwrap();
}

#[test]
fn what_was_made_in_vain_leaves_no_descriptor() {
    sys::alone(|| {
        let open = || fs::read_dir("/proc/self/fd").unwrap().count();
        let before = open();
        for _ in 0..50 {
            // No backend has this feature, so each is made.
            let unknown = Features::from_bits_retain(1 << 15);
            let none = choose(Preferences::new().ignore_environment().require(unknown)).unwrap_err();
            assert!(none.refusals().iter().all(|refusal| refusal.reason == Reason::Lacks(unknown)));
            assert_eq!(none.refusals().len(), 3);
        }
        assert_eq!(open(), before);
    });
}

/// Creating epoll needs a descriptor, creating poll does not.
#[test]
fn where_one_cannot_be_made_the_next_is() {
    sys::alone(|| {
        sys::limit_descriptors(0);
        let chosen = choose(Preferences::new().ignore_environment()).unwrap();
        assert_eq!(chosen.name(), "poll");
        let none = choose(Preferences::new().ignore_environment().require(Features::EDGE)).unwrap_err();
        let failed = Reason::Failed(Error::system("epoll_create1", libc::EMFILE));
        assert_eq!(
            none.refusals().iter().map(|refusal| refusal.method).collect::<Vec<_>>(),
            ["epoll", "poll", "select"]
        );
        assert_eq!(none.refusals()[0].reason, failed);
    });
}
