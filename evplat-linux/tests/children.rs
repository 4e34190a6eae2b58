//! Child processes as event sources: each end is reported once, with its status, and no zombie is left.

#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use evplat_linux::{Child, Epoll, Event, EventBase, EventId, Fd, Interest, Wait};

/// How long a test waits for something immediate before it fails.
const PATIENCE: Duration = Duration::from_secs(20);

fn base<T>() -> EventBase<T> {
    let mut base = EventBase::new(Epoll::new().unwrap());
    base.loop_exit_after(PATIENCE);
    base
}

fn shell(script: &str) -> Child {
    Child::new(Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap()).unwrap()
}

fn watch(base: &mut EventBase<Child>, child: Child) -> EventId {
    base.insert(Fd::of(&child), Interest::READ, child).unwrap()
}

/// The exit statuses of `count` children of the base, by process number; each must be reported once.
fn ends(base: &mut EventBase<Child>, count: usize) -> BTreeMap<u32, ExitStatus> {
    let mut ends = BTreeMap::new();
    while ends.len() < count {
        let fired = base.next_event(Wait::Forever).unwrap().expect("they all end in time");
        let (id, number) = (fired.id, fired.data.id());
        assert!(fired.ready.is_readable(), "{:?}", fired.ready);
        let status = fired.data.try_wait().unwrap().expect("it is reported when it has ended");
        assert!(ends.insert(number, status).is_none(), "{number} has ended twice");
        assert_eq!(state(number), None, "a zombie is left");
        base.remove(id).unwrap();
    }
    assert_eq!(base.counts().pending, 0, "more of them were watched");
    ends
}

/// The state of a process as the kernel shows it, `Z` for a zombie; `None` if it does not exist.
fn state(number: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    stat.rsplit(')').next()?.trim_start().chars().next()
}

fn until_zombie(number: u32) {
    let begin = std::time::Instant::now();
    while state(number) != Some('Z') {
        assert!(begin.elapsed() < PATIENCE, "{number} does not end");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn exit_codes_and_signals_differ() {
    let mut base = base();
    let children = ["exit 0", "exit 7", "kill -TERM $$", "kill -KILL $$"].map(shell);
    let numbers = children.each_ref().map(Child::id);
    for child in children {
        watch(&mut base, child);
    }
    let ends = ends(&mut base, 4);
    let found = numbers.map(|number| (ends[&number].code(), ends[&number].signal()));
    assert_eq!(found, [(Some(0), None), (Some(7), None), (None, Some(15)), (None, Some(9))]);
}

#[test]
fn one_that_ended_before_is_reported_in_the_first_turn() {
    let process = Command::new("sh").args(["-c", "exit 4"]).spawn().unwrap();
    until_zombie(process.id());
    // One ended before its pidfd was opened, the other between the pidfd and the event.
    let first = Child::new(process).unwrap();
    let second = shell("read line; exit 5");
    let (numbers, mut base) = ([first.id(), second.id()], base());
    let mut second = second;
    second.get_mut().stdin.take().unwrap().write_all(b"\n").unwrap();
    until_zombie(second.id());
    watch(&mut base, first);
    watch(&mut base, second);
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert!([base.next_active().is_some(), base.next_active().is_some()] == [true, true]);
    // Level-triggered: a child that was not waited for is reported again.
    let ends = ends(&mut base, 2);
    assert_eq!(numbers.map(|number| ends[&number].code()), [Some(4), Some(5)]);
}

#[test]
fn killed_while_registered() {
    let mut base = base();
    let id = watch(&mut base, shell("read line"));
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert!(base.next_active().is_none(), "it has not ended");
    assert_eq!(base.get_mut(id).unwrap().try_wait().unwrap(), None);
    base.get_mut(id).unwrap().get_mut().kill().unwrap();
    assert_eq!(ends(&mut base, 1).into_values().map(|status| status.signal()).collect::<Vec<_>>(), [Some(9)]);
}

#[test]
fn grandchildren_do_not_hold_up_the_end() {
    let mut command = Command::new("sh");
    // The grandchild lives until its input ends, at the end of this test.
    command.args(["-c", "exec 3<&0; cat <&3 & exit 6"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = Child::new(command.spawn().unwrap()).unwrap();
    let (mut stdin, mut stdout) = (child.get_mut().stdin.take().unwrap(), child.get_mut().stdout.take().unwrap());
    let mut base = base();
    watch(&mut base, child);
    assert_eq!(ends(&mut base, 1).into_values().map(|status| status.code()).collect::<Vec<_>>(), [Some(6)]);
    // The grandchild is alive: it echoes.
    stdin.write_all(b"x").unwrap();
    let mut byte = [0];
    stdout.read_exact(&mut byte).unwrap();
    assert_eq!(byte, *b"x");
}

#[test]
fn a_hundred_at_once_each_with_its_own_status() {
    let mut base = base();
    let mut codes = BTreeMap::new();
    for code in 0..100 {
        let child = shell(&format!("exit {code}"));
        codes.insert(child.id(), Some(code));
        watch(&mut base, child);
    }
    assert_eq!(
        ends(&mut base, 100).into_iter().map(|(id, status)| (id, status.code())).collect::<BTreeMap<_, _>>(),
        codes
    );
}

#[test]
fn the_end_or_the_timeout_whichever_is_first() {
    let mut base = base();
    let child = shell("read line");
    base.start(Event::io(Fd::of(&child), Interest::READ).timeout(Duration::from_millis(10)), child).unwrap();
    let fired = base.next_event(Wait::Forever).unwrap().unwrap();
    assert!(fired.ready.is_timeout() && !fired.ready.is_io(), "{:?}", fired.ready);
    let id = fired.id;
    assert_eq!(fired.data.try_wait().unwrap(), None);
    fired.data.get_mut().kill().unwrap();
    base.add(id, None).unwrap();
    assert_eq!(ends(&mut base, 1).len(), 1);
}

#[test]
fn the_process_may_be_waited_for_elsewhere_by_its_owner() {
    let mut base = base();
    let id = watch(&mut base, shell("exit 2"));
    // Waited for with the standard library's own call before the event is reported: it is still reported, and the
    // status is still available.
    assert_eq!(base.get_mut(id).unwrap().get_mut().wait().unwrap().code(), Some(2));
    assert_eq!(ends(&mut base, 1).into_values().map(|status| status.code()).collect::<Vec<_>>(), [Some(2)]);
}

#[cfg(feature = "async")]
mod tasks {
    use std::os::fd::{AsFd, AsRawFd};
    use std::task::{Context, Waker};

    use evplat_linux::task::{Executor, Handle, executor};

    use super::*;

    fn start() -> (Executor, Handle) {
        let executor = executor().unwrap();
        let handle = executor.handle();
        (executor, handle)
    }

    #[test]
    fn a_task_for_each_child_gets_its_status() {
        let (mut executor, handle) = start();
        let waiting: Vec<_> = (0..20)
            .map(|code| {
                let (mut child, handle) = (shell(&format!("exit {code}")), handle.clone());
                let number = child.id();
                let wait = async move { child.wait(&handle).await.unwrap().code() };
                (number, code, executor.handle().spawn(wait).unwrap())
            })
            .collect();
        executor
            .block_on(async {
                for (number, code, task) in waiting {
                    assert_eq!(task.await.unwrap(), Some(code));
                    assert_eq!(state(number), None, "a zombie is left");
                }
            })
            .unwrap();
        assert_eq!(executor.base().unwrap().counts().events, 0, "an event is left");
    }

    #[test]
    fn wait_dropped_by_a_timeout_may_follow_again() {
        let (mut executor, handle) = start();
        let mut child = shell("read line");
        let status = executor.block_on(async {
            assert!(handle.timeout(Duration::from_millis(5), child.wait(&handle)).await.is_err());
            child.get_mut().kill().unwrap();
            child.wait(&handle).await.unwrap()
        });
        assert_eq!(status.unwrap().signal(), Some(9));
        // The child has ended, and its status stays.
        assert_eq!(executor.block_on(child.wait(&handle)).unwrap().unwrap().signal(), Some(9));
        assert_eq!(executor.base().unwrap().counts().events, 0, "an event is left");
    }

    #[test]
    fn child_dropped_in_its_wait_closes_nothing_that_is_watched() {
        let (mut executor, handle) = start();
        let child = shell("read line");
        let number = child.id();
        let task = handle.spawn({
            let (mut child, handle) = (child, handle.clone());
            async move { child.wait(&handle).await.map(drop) }
        });
        let task = task.unwrap();
        executor
            .block_on(async {
                evplat_linux::task::yield_now().await;
                // Dropping the child closes its input, so it ends, and nobody waits for it.
                task.abort();
                assert!(task.await.is_err());
            })
            .unwrap();
        until_zombie(number);
        // Its descriptors' numbers are reused.
        let mut next = shell("exit 8");
        assert_eq!(executor.block_on(next.wait(&handle)).unwrap().unwrap().code(), Some(8));
        assert_eq!(executor.base().unwrap().counts().events, 0, "an event is left");
    }

    #[test]
    fn child_dropped_while_the_base_is_lent_keeps_its_descriptor_until_its_event_is_gone() {
        let (mut executor, handle) = start();
        let mut child = shell("read line");
        let descriptor = format!("/proc/self/fd/{}", child.as_fd().as_raw_fd());
        let mut wait = Box::pin(async move { child.wait(&handle).await });
        assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let mut base = executor.base().unwrap();
        drop(wait);
        assert!(fs::read_link(descriptor).is_ok(), "it was closed while it was registered");
        base.insert_timer(PATIENCE, ().into()).unwrap();
        assert_eq!(base.counts().events, 1, "its event was there still");
    }
}
