//! Numbers that were closed or now belong to another file, while an event waits for the old one.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use evcore::backend::Features;
use evcore::{Event, Fd, Interest, Ready, Wait};

use crate::backend::{Backend, Base, Make, Rest, base, readable, turn};
use crate::sys;

on_each_backend! {
    closed_but_inherited_is_reported_once
    closed_but_inherited_is_found_when_reported_rarely
    closed_edge_triggered_is_reported_once
    closed_file_is_reported_once
    file_whose_number_is_reused_is_reported
    number_of_an_unwatched_file_is_reported
    anonymous_file_of_another_kind_is_reported
    path_only_descriptor_is_refused_or_reported
    dup2_over_a_number_is_reported
    stream_replaced_by_its_handler_is_reported
    reinit_hands_no_number_on
    rebuild_hands_no_number_on
    dup2_by_a_silent_stream_beside_busy_ones_is_reported
    event_that_got_error_may_be_added_again
    reinit_spares_events_of_the_new_file
    pause_ends_with_the_new_file_beside_an_event_of_the_old_one
    changed_interest_of_a_closed_number_is_reported_once
    number_that_the_doorbell_has_leaves_that_alone
    dup2_during_a_sleep_without_the_base_is_reported
    sleeps_end_once_to_verify_numbers
    verified_numbers_stay_registered
    rebuild_at_the_limit_is_tried_again
}

/// The maximum number of reports of another file that an event gets.
const MOST: usize = 256;
const EVENT: u32 = 1;

/// What an event was handed out for.
#[derive(Debug, Default)]
struct Seen {
    reports: usize,
    errors: usize,
}

impl Seen {
    fn note(&mut self, found: &[(u32, Ready)]) {
        for (_, ready) in found.iter().filter(|(number, _)| *number == EVENT) {
            if *ready == Ready::ERROR { self.errors += 1 } else { self.reports += 1 }
        }
    }

    /// Runs turns until the event gets ERROR.
    fn of<B: Backend>(base: &mut Base<B>) -> Self {
        Self::with(base, |_| {})
    }

    /// The same, calling `before` before each turn.
    fn with<B: Backend>(base: &mut Base<B>, mut before: impl FnMut(&mut Base<B>)) -> Self {
        let mut seen = Self::default();
        let end = base.update_now().saturating_add(Duration::from_secs(5));
        while seen.errors == 0 && seen.reports <= MOST && base.update_now() < end {
            before(base);
            seen.note(&turn(base, Wait::Until(end)));
        }
        seen
    }

    /// Asserts that ERROR comes once, after at most this many reports, and that the loop then sleeps.
    #[track_caller]
    fn assert_error_within<B: Backend>(&self, most: usize, base: &mut Base<B>) {
        assert!(self.errors == 1 && self.reports <= most, "{self:?}");
        // If the system continues to report it, the backend is rebuilt first.
        for _ in 0..32 {
            let found = turn(base, Wait::None);
            assert!(!found.iter().any(|(number, _)| *number == EVENT), "{found:?}");
        }
        let rest = Rest::of(base, Duration::from_millis(50));
        assert!(!rest.found.iter().any(|(number, _)| *number == EVENT), "{:?}", rest.found);
        assert!(rest.turns <= 4 || !rest.found.is_empty(), "{} turns", rest.turns);
        assert!(base.check());
    }
}

fn watch<B: Backend>(base: &mut Base<B>, fd: Fd) {
    base.insert(fd, Interest::READ, EVENT).unwrap();
    turn(base, Wait::None);
}

/// F5: a child process inherits the connection; this process closes it without `remove`.
fn closed_but_inherited_is_reported_once<B: Backend>(make: Make<B>) {
    let (mut base, (near, _far)) = (base(make), readable());
    watch(&mut base, Fd::of(&near));
    let inherited = OwnedFd::from(near.try_clone().unwrap());
    let mut heir = Command::new("sleep").arg("60").stdin(Stdio::from(inherited)).spawn().unwrap();
    drop(near);
    Seen::of(&mut base).assert_error_within(MOST, &mut base);
    heir.kill().unwrap();
    heir.wait().unwrap();
}

/// The same, if it is reported in one of three turns, beside others.
fn closed_but_inherited_is_found_when_reported_rarely<B: Backend>(make: Make<B>) {
    let (mut base, (near, mut far), (busy, _peer)) = (base(make), UnixStream::pair().unwrap(), readable());
    watch(&mut base, Fd::of(&near));
    base.insert(Fd::of(&busy), Interest::READ, 2).unwrap();
    // With a distant number, as if it were another process's.
    let mut inherited = UnixStream::from(sys::duplicate(&near, 500));
    inherited.set_nonblocking(true).unwrap();
    drop(near);
    let mut turns = 0;
    let seen = Seen::with(&mut base, |_| {
        let _ = inherited.read(&mut [0; 8]);
        if turns % 3 == 0 {
            far.write_all(b"x").unwrap();
        }
        turns += 1;
    });
    assert!(seen.errors == 1 && seen.reports <= MOST, "{seen:?}");
}

fn closed_edge_triggered_is_reported_once<B: Backend>(make: Make<B>) {
    let (mut base, (near, mut far)) = (base(make), UnixStream::pair().unwrap());
    if !base.features().contains(Features::EDGE) {
        return;
    }
    base.insert(Fd::of(&near), Interest::READ | Interest::EDGE, EVENT).unwrap();
    turn(&mut base, Wait::None);
    let mut inherited = UnixStream::from(sys::duplicate(&near, 500));
    drop(near);
    let seen = Seen::with(&mut base, |_| {
        far.write_all(b"x").unwrap();
        inherited.read_exact(&mut [0]).unwrap();
        far.write_all(b"x").unwrap();
    });
    seen.assert_error_within(MOST, &mut base);
}

/// F6: a file that never blocks is always ready, but not after it was closed.
fn closed_file_is_reported_once<B: Backend>(make: Make<B>) {
    for path in ["/dev/null", "/proc/self/exe"] {
        let (mut base, file) = (base(make), File::open(path).unwrap());
        watch(&mut base, Fd::of(&file));
        drop(file);
        Seen::of(&mut base).assert_error_within(MOST, &mut base);
    }
}

fn file_whose_number_is_reused_is_reported<B: Backend>(make: Make<B>) {
    let other = File::open("/proc/self/exe").unwrap();
    let (quiet, _peer) = UnixStream::pair().unwrap();
    for other in [&other as &dyn AsRawFd, &quiet] {
        let (mut base, file) = (base(make), File::open("/dev/null").unwrap());
        watch(&mut base, Fd::of(&file));
        sys::dup2(other.as_raw_fd(), file.as_raw_fd());
        Seen::of(&mut base).assert_error_within(MOST, &mut base);
    }
}

/// F7: the file that has the number now has no event.
fn number_of_an_unwatched_file_is_reported<B: Backend>(make: Make<B>) {
    let (mut base, (near, _far)) = (base(make), UnixStream::pair().unwrap());
    watch(&mut base, Fd::of(&near));
    let number = near.as_raw_fd();
    drop(near);
    let (other, _peer) = readable();
    assert_eq!(other.as_raw_fd(), number);
    Seen::of(&mut base).assert_error_within(MOST, &mut base);
}

/// F8: anonymous files share an inode.
fn anonymous_file_of_another_kind_is_reported<B: Backend>(make: Make<B>) {
    let (mut base, timer) = (base(make), sys::timerfd());
    watch(&mut base, Fd::of(&timer));
    let number = timer.as_raw_fd();
    drop(timer);
    let counter = sys::eventfd(1);
    assert_eq!(counter.as_raw_fd(), number);
    base.insert(Fd::of(&counter), Interest::READ, 2).unwrap();
    assert_eq!(turn(&mut base, Wait::None), [(EVENT, Ready::ERROR), (2, Ready::READ)]);
    assert_eq!(turn(&mut base, Wait::None), [(2, Ready::READ)]);
}

/// F9: a descriptor that only names a file cannot be waited for.
fn path_only_descriptor_is_refused_or_reported<B: Backend>(make: Make<B>) {
    for path in ["/dev/null", "/tmp", "/proc/self/exe"] {
        let mut base = base(make);
        let named = File::options().read(true).custom_flags(libc::O_PATH).open(path).unwrap();
        if base.insert(Fd::of(&named), Interest::READ, EVENT).is_ok() {
            Seen::of(&mut base).assert_error_within(0, &mut base);
        }
        // Nor may a number belong to one later.
        let (near, _far) = UnixStream::pair().unwrap();
        watch(&mut base, Fd::of(&near));
        sys::dup2(named.as_raw_fd(), near.as_raw_fd());
        Seen::of(&mut base).assert_error_within(MOST, &mut base);
    }
}

/// F10: on all backends alike, even if the new file is silent.
fn dup2_over_a_number_is_reported<B: Backend>(make: Make<B>) {
    for new in [readable, || UnixStream::pair().unwrap()] {
        let (mut base, (near, _far)) = (base(make), UnixStream::pair().unwrap());
        watch(&mut base, Fd::of(&near));
        let (other, _peer) = new();
        sys::dup2(other.as_raw_fd(), near.as_raw_fd());
        Seen::of(&mut base).assert_error_within(MOST, &mut base);
    }
}

/// F10: each turn finds something, but never the new file.
fn dup2_by_a_silent_stream_beside_busy_ones_is_reported<B: Backend>(make: Make<B>) {
    let (mut base, (near, _far), (busy, _busy_far)) = (base(make), UnixStream::pair().unwrap(), readable());
    let (other, _other_far) = UnixStream::pair().unwrap();
    base.insert(Fd::of(&busy), Interest::READ, 2).unwrap();
    base.insert(Fd::of(&other), Interest::READ, 3).unwrap();
    watch(&mut base, Fd::of(&near));
    let (silent, _peer) = UnixStream::pair().unwrap();
    sys::dup2(silent.as_raw_fd(), near.as_raw_fd());
    let mut seen = Seen::default();
    for _ in 0..100_000 {
        seen.note(&turn(&mut base, Wait::Forever));
    }
    assert_eq!((seen.errors, seen.reports), (1, 0));
    assert_eq!(base.counts().pending, 2);
}

/// The new event is registered as if the old one had been removed.
fn reinit_spares_events_of_the_new_file<B: Backend>(make: Make<B>) {
    let (mut base, (near, _far)) = (base(make), UnixStream::pair().unwrap());
    watch(&mut base, Fd::of(&near));
    let (other, _peer) = readable();
    sys::dup2(other.as_raw_fd(), near.as_raw_fd());
    base.insert(Fd::of(&near), Interest::READ, 2).unwrap();
    base.reinit().unwrap();
    assert_eq!(turn(&mut base, Wait::Forever), [(EVENT, Ready::ERROR), (2, Ready::READ)]);
    assert_eq!(turn(&mut base, Wait::Forever), [(2, Ready::READ)]);
}

/// The number stays watched, for the other event.
fn pause_ends_with_the_new_file_beside_an_event_of_the_old_one<B: Backend>(make: Make<B>) {
    let (mut base, (near, _far)) = (base(make), UnixStream::pair().unwrap());
    watch(&mut base, Fd::of(&near));
    let paused = base.insert(Fd::of(&near), Interest::READ, 2).unwrap();
    turn(&mut base, Wait::None);
    base.pause_for(paused, Duration::from_millis(1)).unwrap();
    let (other, _peer) = readable();
    sys::dup2(other.as_raw_fd(), near.as_raw_fd());
    let mut found = Vec::new();
    while !found.contains(&(2, Ready::READ)) {
        found.extend(turn(&mut base, Wait::For(Duration::from_millis(2))));
    }
    found.retain(|event| *event != (EVENT, Ready::READ));
    assert_eq!(found, [(EVENT, Ready::ERROR), (2, Ready::READ)]);
}

/// A handler that reconnects gets the freed number, and adds its event again for that.
fn event_that_got_error_may_be_added_again<B: Backend>(make: Make<B>) {
    for interests in [&[Interest::READ][..], &[Interest::READ, Interest::WRITE]] {
        let (mut base, (mut near, mut far)) = (base(make), readable());
        let (fd, number) = (Fd::of(&near), near.as_raw_fd());
        let event = |interest| base.insert(fd, interest, EVENT).unwrap();
        let events: Vec<_> = interests.iter().copied().map(event).collect();
        for _ in 0..3 {
            turn(&mut base, Wait::None);
            drop(near);
            let mut errors = 0;
            while errors < events.len() {
                errors += turn(&mut base, Wait::Forever).iter().filter(|(_, ready)| ready.is_error()).count();
            }
            for event in &events {
                let refused = base.add(*event, None).unwrap_err();
                assert_eq!(refused.map_backend(|error| error.errno()), evcore::Error::Backend(Some(libc::EBADF)));
            }
            let fresh = readable();
            assert_eq!(fresh.0.as_raw_fd(), number);
            (near, far) = fresh;
            events.iter().for_each(|event| base.add(*event, None).unwrap());
            let ready: Ready = turn(&mut base, Wait::None).iter().map(|(_, ready)| *ready).collect();
            assert_eq!(ready.bits(), interests.iter().copied().collect::<Interest>().bits());
        }
        drop(far);
    }
}

/// F7 with a change: it is refused, as the file is no longer open.
fn changed_interest_of_a_closed_number_is_reported_once<B: Backend>(make: Make<B>) {
    for (file, is_alive_elsewhere) in [(false, false), (false, true), (true, false)] {
        let (mut base, (stream, _far)) = (base(make), readable());
        let near = if file { File::open("/dev/null").unwrap().into() } else { OwnedFd::from(stream) };
        let _duplicate = is_alive_elsewhere.then(|| near.try_clone().unwrap());
        let event = base.insert(Fd::of(&near), Interest::READ, EVENT).unwrap();
        turn(&mut base, Wait::None);
        drop(near);
        base.modify(event, Interest::READ | Interest::WRITE).unwrap();
        Seen::of(&mut base).assert_error_within(1, &mut base);
        assert_eq!(base.counts().pending, 0);
    }
}

/// The first waker of a base, and the first signal, take a free number. Epoll's set then has the doorbell under that
/// number, not the stream that was closed.
fn number_that_the_doorbell_has_leaves_that_alone<B: Backend>(make: Make<B>) {
    for act in 0..4 {
        let (mut base, (near, _far)) = (base(make), readable());
        let _duplicate = (act == 0).then(|| near.try_clone().unwrap());
        let event = base.insert(Fd::of(&near), Interest::READ, EVENT).unwrap();
        turn(&mut base, Wait::None);
        drop(near);
        let waker = base.waker().unwrap();
        match act {
            0 => Seen::of(&mut base).assert_error_within(MOST, &mut base),
            1 => {
                base.modify(event, Interest::WRITE).unwrap();
                Seen::of(&mut base).assert_error_within(1, &mut base);
            }
            2 => {
                base.del(event).unwrap();
                turn(&mut base, Wait::None);
                let refused = base.add(event, None).unwrap_err();
                assert_eq!(refused.map_backend(|error| error.errno()), evcore::Error::Backend(Some(libc::EBADF)));
            }
            _ => drop(base.remove(event)),
        }
        for _ in 0..3 {
            thread::scope(|scope| {
                scope.spawn(|| waker.wake());
                // Only this ends the wait.
                assert_eq!(turn(&mut base, Wait::For(Duration::from_secs(15))), []);
            });
        }
        let rest = Rest::of(&mut base, Duration::from_millis(50));
        assert!(rest.turns <= 4 && rest.found.is_empty(), "{act}: {} turns, {:?}", rest.turns, rest.found);
    }
}

/// A sleep that does not borrow the base.
fn sleep<B: Backend>(base: &mut Base<B>, wait: Wait) -> Vec<(u32, Ready)> {
    let mut asleep = base.begin_sleep(wait).unwrap();
    asleep.sleep();
    assert!(base.end_sleep(asleep).unwrap().is_running());
    let mut found = Vec::new();
    while let Some(fired) = base.next_active() {
        found.push((*fired.data, fired.ready));
    }
    found
}

/// The base is never asked to wait, and the new file is not ready for anything.
fn dup2_during_a_sleep_without_the_base_is_reported<B: Backend>(make: Make<B>) {
    for wait in [Duration::from_millis(30), Duration::from_secs(5)] {
        let (mut base, (near, _far)) = (base(make), UnixStream::pair().unwrap());
        watch(&mut base, Fd::of(&near));
        let (other, _peer) = UnixStream::pair().unwrap();
        sys::dup2(other.as_raw_fd(), near.as_raw_fd());
        let mut found = Vec::new();
        for _ in 0..20 {
            if found.is_empty() {
                found = sleep(&mut base, Wait::For(wait));
            }
        }
        assert_eq!(found, [(EVENT, Ready::ERROR)]);
        assert_eq!(sleep(&mut base, Wait::For(Duration::from_millis(30))), []);
    }
}

/// But not repeatedly: a base without reports sleeps.
fn sleeps_end_once_to_verify_numbers<B: Backend>(make: Make<B>) {
    let (mut base, (near, mut far)) = (base(make), UnixStream::pair().unwrap());
    watch(&mut base, Fd::of(&near));
    let end = base.update_now().saturating_add(Duration::from_millis(500));
    let mut turns = 0;
    while base.update_now() < end {
        assert_eq!(sleep(&mut base, Wait::Until(end)), []);
        turns += 1;
    }
    assert!((2..=3).contains(&turns), "{turns}");
    far.write_all(b"x").unwrap();
    assert_eq!(sleep(&mut base, Wait::Forever), [(EVENT, Ready::READ)]);
}

/// F10: the new stream gets the old one's number.
fn stream_replaced_by_its_handler_is_reported<B: Backend>(make: Make<B>) {
    let (mut base, (near, far)) = (base(make), readable());
    base.insert(Fd::of(&near), Interest::READ, EVENT).unwrap();
    assert_eq!(turn(&mut base, Wait::None), [(EVENT, Ready::READ)]);
    let number = near.as_raw_fd();
    drop((near, far));
    let (near, mut far) = UnixStream::pair().unwrap();
    assert_eq!(near.as_raw_fd(), number);
    far.write_all(b"x").unwrap();
    Seen::of(&mut base).assert_error_within(MOST, &mut base);
}

/// `reinit` registers numbers again, but not those of other files.
fn reinit_hands_no_number_on<B: Backend>(make: Make<B>) {
    let (mut base, (near, _far), (good, _peer)) = (base(make), UnixStream::pair().unwrap(), readable());
    let file = File::open("/dev/null").unwrap();
    watch(&mut base, Fd::of(&near));
    base.insert(Fd::of(&good), Interest::READ, 2).unwrap();
    base.insert(Fd::of(&file), Interest::READ, 3).unwrap();
    sys::dup2(good.as_raw_fd(), near.as_raw_fd());
    base.reinit().unwrap();
    assert_eq!(turn(&mut base, Wait::None), [(EVENT, Ready::ERROR), (2, Ready::READ), (3, Ready::READ)]);
    assert_eq!(turn(&mut base, Wait::None), [(2, Ready::READ), (3, Ready::READ)]);
    assert!(base.check());
}

/// The same if another number causes the rebuild.
fn rebuild_hands_no_number_on<B: Backend>(make: Make<B>) {
    let (mut base, (near, _far), (gone, _peer)) = (base(make), UnixStream::pair().unwrap(), readable());
    watch(&mut base, Fd::of(&near));
    let id = base.insert(Fd::of(&gone), Interest::READ, 2).unwrap();
    turn(&mut base, Wait::None);
    let alive = sys::duplicate(&gone, 500);
    drop(gone);
    base.remove(id);
    sys::dup2(alive.as_raw_fd(), near.as_raw_fd());
    let mut seen = Seen::default();
    for _ in 0..40 {
        seen.note(&turn(&mut base, Wait::None));
    }
    // poll and select are never rebuilt: they report the new file first.
    if base.method() == "epoll" {
        assert_eq!((base.stats().rebuilds, seen.errors, seen.reports), (1, 1, 0));
    }
}

/// Numbers that are verified repeatedly do not change: nothing is lost, and no edge is reported twice.
fn verified_numbers_stay_registered<B: Backend>(make: Make<B>) {
    let mut base = base(make);
    let edge = if base.features().contains(Features::EDGE) { Interest::EDGE } else { Interest::empty() };
    let (busy, _peer) = readable();
    let (near, mut far) = UnixStream::pair().unwrap();
    let file = File::open("/dev/null").unwrap();
    let counter = sys::eventfd(1);
    base.insert(Fd::of(&busy), Interest::READ, 2).unwrap();
    base.insert(Fd::of(&counter), Interest::READ, 3).unwrap();
    base.start(Event::io(Fd::of(&file), Interest::WRITE).persist(), 4).unwrap();
    base.insert(Fd::of(&near), Interest::READ | edge, 5).unwrap();
    for round in 0..1_000 {
        let found = turn(&mut base, Wait::None);
        assert_eq!(found, [(2, Ready::READ), (3, Ready::READ), (4, Ready::WRITE)], "round {round}");
    }
    far.write_all(b"x").unwrap();
    assert!(turn(&mut base, Wait::None).contains(&(5, Ready::READ)));
    if !edge.is_empty() {
        for _ in 0..300 {
            assert!(!turn(&mut base, Wait::None).contains(&(5, Ready::READ)), "an edge was reported twice");
        }
    }
    assert_eq!(base.stats().rebuilds, 0);
    assert_eq!(base.stats().stale, 0);
}

/// If there is no descriptor for a new set, the loop continues with the old one, and does not spin on stale reports.
fn rebuild_at_the_limit_is_tried_again<B: Backend>(make: Make<B>) {
    let (mut base, (near, _far), (good, mut peer)) = (base(make), readable(), UnixStream::pair().unwrap());
    if base.method() != "epoll" {
        return;
    }
    let id = base.insert(Fd::of(&near), Interest::READ, EVENT).unwrap();
    base.insert(Fd::of(&good), Interest::READ, 2).unwrap();
    turn(&mut base, Wait::None);
    let _alive = sys::duplicate(&near, 500);
    drop(near);
    base.remove(id);
    sys::limit_descriptors(1);
    // Stale reports are repeated this often before a new set is requested.
    for _ in 0..20 {
        turn(&mut base, Wait::None);
    }
    let rest = Rest::of(&mut base, Duration::from_millis(100));
    assert!(rest.found.is_empty() && rest.turns <= 40, "{} turns", rest.turns);
    peer.write_all(b"x").unwrap();
    assert_eq!(crate::backend::wait(&mut base), [(2, Ready::READ)]);
    assert!(base.stats().rebuilds == 0 && base.stats().refused > 0);
    sys::limit_descriptors(512);
    let end = base.update_now().saturating_add(Duration::from_secs(5));
    while base.stats().rebuilds == 0 && base.update_now() < end {
        turn(&mut base, Wait::Until(end));
    }
    assert_eq!(base.stats().rebuilds, 1);
    let _ = (&good).read(&mut [0; 8]).unwrap();
    Rest::of(&mut base, Duration::from_millis(50)).assert_idle("with a new set");
}
