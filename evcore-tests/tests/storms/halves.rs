//! Threads that change a base behind a mutex while it sleeps.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use evcore::{End, Event, EventBase, EventId, Fd, Instant as Point, Interest, Ready, Turn, Wait};

use crate::{Backend, Base, Make, alone, storm, sys};

on_each_backend! {
    no_change_is_slept_over
    who_sleeps_wakes_when_the_base_goes
}

const THREADS: usize = 4;
/// An event that has not come by then was missed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The changes that a thread makes to the base, each with an event that must be handed out for it.
const KINDS: usize = 6;

type Counts = [[AtomicU32; KINDS]; THREADS];

fn counts() -> Counts {
    [const { [const { AtomicU32::new(0) }; KINDS] }; THREADS]
}

fn lock<B: Backend>(base: &Mutex<Base<B>>) -> MutexGuard<'_, Base<B>> {
    // A thread that panics prints why; the others continue until they time out.
    base.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The events of one thread. Each one's data has its thread and its kind.
struct Events {
    name: u32,
    user: EventId,
    timer: EventId,
    reader: EventId,
    silent: EventId,
    fd: Fd,
}

impl Events {
    fn new<B: Backend>(base: &mut Base<B>, thread: usize, fd: Fd) -> Self {
        let name = u32::try_from(thread * KINDS).unwrap();
        let user = base.create(Event::user(), name).unwrap();
        let timer = base.create(Event::timer(), name + 1).unwrap();
        let reader = base.create(Event::io(fd, Interest::READ), name + 2).unwrap();
        let silent = base.start(Event::io(fd, Interest::empty()), name + 3).unwrap();
        Self { name, user, timer, reader, silent, fd }
    }

    /// Makes one change, after which the event of this kind must be handed out.
    fn change<B: Backend>(&mut self, base: &mut Base<B>, kind: usize) {
        match kind {
            0 => base.activate(self.user, Ready::READ).unwrap(),
            1 => base.add(self.timer, Some(Duration::ZERO)).unwrap(),
            2 => {
                base.del(self.reader).unwrap();
                base.add(self.reader, None).unwrap();
            }
            3 => {
                base.remove(self.silent);
                self.silent = base.start(Event::io(self.fd, Interest::READ), self.name + 3).unwrap();
            }
            4 => _ = base.insert_timer(Duration::from_micros(50), self.name + 4).unwrap(),
            // Removed before it can be handed out, then replaced.
            _ => {
                let gone = base.insert(self.fd, Interest::READ, u32::MAX).unwrap();
                base.deregister(gone).unwrap();
                base.remove(gone).unwrap();
                let once = base.start(Event::user().once(), self.name + 5).unwrap();
                base.again(once).unwrap();
            }
        }
    }
}

/// Each thread changes the base and counts its changes; the loop, which sleeps without borrowing the base and without
/// a deadline, counts the hand-outs. Every few changes a thread waits for the loop, so that the next change finds it
/// asleep.
fn no_change_is_slept_over<B: Backend>(make: Make<B>) {
    let _alone = alone();
    let each = storm(60_000) / u32::try_from(THREADS).unwrap();
    let sources = [(); THREADS].map(|()| sys::readable());
    let mut base: Base<B> = EventBase::new(make().unwrap());
    let events: Vec<_> = (0..).zip(&sources).map(|(thread, fd)| Events::new(&mut base, thread, Fd::of(fd))).collect();
    let (base, sent, seen) = (Mutex::new(base), counts(), counts());
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let working: Vec<_> = (events.into_iter().zip(sent.iter().zip(&seen)).enumerate())
            .map(|(which, (mut events, (sent, seen)))| {
                let base = &base;
                scope.spawn(move || {
                    let mut random = u32::try_from(which).unwrap() + 1;
                    for number in 1..=each {
                        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        let kind = usize::try_from(random >> 16).unwrap() % KINDS;
                        {
                            let mut base = lock(base);
                            sent[kind].store(number, Ordering::Relaxed);
                            events.change(&mut base, kind);
                        }
                        if random >> 8 & 15 == 0 || number == each {
                            wait_for(sent, seen);
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            let panics = working.into_iter().filter_map(|thread| thread.join().err()).count();
            is_over.store(true, Ordering::Relaxed);
            lock(&base).loop_exit();
            assert_eq!(panics, 0);
        });
        run(&base, &sent, &seen);
        assert!(is_over.load(Ordering::Relaxed));
    });
    assert!(lock(&base).check());
}

fn run<B: Backend>(base: &Mutex<Base<B>>, sent: &Counts, seen: &Counts) {
    loop {
        // Longer than the threads wait for it, but bounded, so that a failing storm ends.
        let mut asleep = lock(base).begin_sleep(Wait::For(PATIENCE * 2)).unwrap();
        asleep.sleep();
        let mut base = lock(base);
        match base.end_sleep(asleep).unwrap() {
            Turn::Ended(end) => return assert_eq!(end, End::Exit),
            turn => assert_eq!(turn, Turn::Running),
        }
        while let Some(fired) = base.next_active() {
            let name = usize::try_from(*fired.data).unwrap();
            let (thread, kind) = (name / KINDS, name % KINDS);
            seen[thread][kind].store(sent[thread][kind].load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }
}

/// Waits until the loop has seen the last change of each kind.
fn wait_for(sent: &[AtomicU32; KINDS], seen: &[AtomicU32; KINDS]) {
    let begin = Instant::now();
    for (kind, (sent, seen)) in sent.iter().zip(seen).enumerate() {
        while seen.load(Ordering::Relaxed) < sent.load(Ordering::Relaxed) {
            assert!(begin.elapsed() < PATIENCE, "a change of kind {kind} was missed");
            thread::yield_now();
        }
    }
}

/// Bases are dropped while another thread sleeps for them, is about to, or sleeps again.
fn who_sleeps_wakes_when_the_base_goes<B: Backend>(make: Make<B>) {
    let _alone = alone();
    let source = sys::never_readable();
    for round in 0..storm(100_000) / 1_000 {
        let mut base: Base<B> = EventBase::new(make().unwrap());
        base.insert(Fd::of(&source), Interest::READ, 1).unwrap();
        let mut asleep = base.begin_sleep(Wait::Until(Point::MAX)).unwrap();
        let (sender, receiver) = mpsc::channel();
        let sleeper = thread::spawn(move || {
            for _ in 0..3 {
                asleep.sleep();
            }
            sender.send(()).unwrap();
        });
        if round % 3 > 0 {
            thread::sleep(Duration::from_micros(u64::from(round % 7) * 40));
        }
        if round % 2 > 0 {
            base.reinit().unwrap();
        }
        drop(base);
        receiver.recv_timeout(PATIENCE).expect("it sleeps on without a base");
        sleeper.join().unwrap();
    }
}
