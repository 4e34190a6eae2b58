//! A process that is stopped and continued, by a shell, a debugger or a suspended machine. Some waits of Linux then
//! fail with EINTR, even without a signal handler.

use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use evcore::{Event, Fd, Interest, Ready, Wait};

use crate::backend::{Backend, Base, Make, base, turn};

on_each_backend! {
    a_wait_without_end_bears_stops
    a_wait_until_a_point_bears_stops_and_is_not_early
    a_sleep_without_the_base_bears_stops
}

const STOPS: u32 = 20;

/// The maximum number of turns: one for each stop, one for each verification of numbers, and a few more.
const TURNS: u32 = 3 * STOPS;

/// A shell that repeatedly stops this process and, when it has really stopped, continues it. The shell closes its
/// output when it is done.
fn stops() -> (Child, ChildStdout) {
    let script = format!(
        "for i in $(seq {STOPS}); do
            kill -STOP $PPID || exit
            until ! kill -0 $PPID || grep -q '^State:.T' /proc/$PPID/status; do :; done
            kill -CONT $PPID
            sleep 0.01
        done"
    );
    let mut shell = Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
    let output = shell.stdout.take().unwrap();
    (shell, output)
}

fn end(mut shell: Child) {
    assert!(shell.wait().unwrap().success());
}

/// Runs turns until one hands something out.
fn first<B: Backend>(base: &mut Base<B>, mut turn: impl FnMut(&mut Base<B>) -> Vec<(u32, Ready)>) -> (u32, Ready) {
    for _ in 0..TURNS {
        if let [found] = turn(base)[..] {
            return found;
        }
    }
    panic!("more than {TURNS} turns for {STOPS} stops");
}

fn a_wait_without_end_bears_stops<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let (shell, output) = stops();
    base.insert(Fd::of(&output), Interest::READ, 1).unwrap();
    let (number, _) = first(&mut base, |base| turn(base, Wait::Forever));
    assert_eq!(number, 1);
    end(shell);
}

fn a_wait_until_a_point_bears_stops_and_is_not_early<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let (shell, output) = stops();
    let deadline = base.update_now().saturating_add(Duration::from_millis(150));
    let timer = base.create(Event::timer(), 2).unwrap();
    base.add_at(timer, deadline).unwrap();
    let far = deadline.saturating_add(Duration::from_secs(60));
    assert_eq!(first(&mut base, |base| turn(base, Wait::Until(far))), (2, Ready::TIMEOUT));
    assert!(base.update_now() >= deadline, "early");
    base.insert(Fd::of(&output), Interest::READ, 1).unwrap();
    assert_eq!(first(&mut base, |base| turn(base, Wait::Until(far))).0, 1);
    end(shell);
}

fn a_sleep_without_the_base_bears_stops<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let (shell, output) = stops();
    base.insert(Fd::of(&output), Interest::READ, 1).unwrap();
    let (number, _) = first(&mut base, |base| {
        let mut asleep = base.begin_sleep(Wait::Forever).unwrap();
        asleep.sleep();
        assert!(base.end_sleep(asleep).unwrap().is_running());
        base.next_active().map(|fired| (*fired.data, fired.ready)).into_iter().collect()
    });
    assert_eq!(number, 1);
    end(shell);
}
