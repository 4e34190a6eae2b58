use std::collections::BTreeMap;
use std::vec::Vec;

use super::*;
use crate::Wait;
use crate::backend::{Manual, ManualError, WakeFlag};
use crate::ready::Ready;
use crate::{Event, EventBase, Fixed};

type Three = Either<Either<Manual, Manual<2>>, Manual<3>>;
type Base<B> = EventBase<B, Fixed<8>, u32>;

/// A backend that stores the interest as the fd's data. `KIND` distinguishes two of them.
struct Noting<const KIND: u16> {
    seen: Vec<u16>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
struct Note<const KIND: u16>(u16);

impl<const KIND: u16> EventOp for Noting<KIND> {
    type Fd = u32;
    type FdInfo = Note<KIND>;
    type Error = ManualError;

    fn name(&self) -> &'static str {
        if KIND == 1 { "one" } else { "two" }
    }

    fn features(&self) -> Features {
        Features::from_bits_retain(KIND)
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(KIND.into())
    }

    fn usable(&self) -> Result<(), ManualError> {
        if self.seen.is_empty() { Ok(()) } else { Err(ManualError::NoFlag) }
    }

    fn add(
        &mut self,
        _: u32,
        token: Token,
        new: Interest,
        infos: &mut impl FdInfos<Note<KIND>>,
    ) -> Result<(), ManualError> {
        infos.info(token).ok_or(ManualError::Full)?.0 = new.bits();
        Ok(())
    }

    fn modify(
        &mut self,
        _: u32,
        token: Token,
        old: Interest,
        new: Interest,
        infos: &mut impl FdInfos<Note<KIND>>,
    ) -> Result<Modified, ManualError> {
        let note = infos.info(token).ok_or(ManualError::Full)?;
        self.seen.push(note.0);
        assert_eq!(note.0, old.bits());
        note.0 = new.bits();
        Ok(Modified::Replaced)
    }

    fn del(&mut self, _: u32, token: Token, old: Interest, infos: &mut impl FdInfos<Note<KIND>>) {
        self.seen.extend(infos.info(token).map(|note| note.0));
        self.seen.push(old.bits());
    }

    fn dispatch(&mut self, _: Sleep, sink: &mut impl Sink<u32>) -> Result<(), ManualError> {
        sink.signal(KIND.into(), 1);
        Err(ManualError::Refused)
    }

    fn reinit(&mut self) -> Result<(), ManualError> {
        self.seen.push(u16::MAX);
        Ok(())
    }

    fn check_awake(&self) -> Result<(), ManualError> {
        if self.is_usual() { Ok(()) } else { Err(ManualError::Asleep) }
    }

    fn is_usual(&self) -> bool {
        self.seen.is_empty()
    }

    fn wake_sleeper(&mut self) {
        self.seen.push(KIND);
    }

    fn stands(&mut self, fd: u32, _: Token, _: &mut impl FdInfos<Note<KIND>>) -> bool {
        fd == KIND.into()
    }

    fn is_temporary(error: &ManualError) -> bool {
        *error == if KIND == 1 { ManualError::Full } else { ManualError::NoFlag }
    }

    fn look(&mut self, sink: &mut impl Sink<u32>) -> bool {
        sink.signal(KIND.into(), 1);
        KIND == 2
    }
}

type Pair = Either<Noting<1>, Noting<2>>;

#[derive(Default)]
struct Core {
    infos: BTreeMap<u64, (Note<1>, Note<2>)>,
    signals: Vec<i32>,
}

impl FdInfos<(Note<1>, Note<2>)> for Core {
    fn info(&mut self, token: Token) -> Option<&mut (Note<1>, Note<2>)> {
        self.infos.get_mut(&token.to_bits())
    }
}

impl Sink<u32> for Core {
    fn ready(&mut self, _: Token, _: Ready) -> bool {
        false
    }
    fn ready_fd(&mut self, _: u32, _: Ready) -> bool {
        false
    }
    fn failed(&mut self, _: Token) {}
    fn signal(&mut self, signum: i32, _: u32) {
        self.signals.push(signum);
    }
    fn woken(&mut self) {}
    fn rebuild(&mut self) {}
}

/// On either side: arguments, stored data, results.
#[test]
fn each_call_goes_to_the_one_that_it_is_with_its_own_data() {
    let (read, write, token) = (Interest::READ, Interest::WRITE, Token::from_bits(7));
    for (kind, name) in [(1, "one"), (2, "two")] {
        let mut backend: Pair = match kind {
            1 => Either::Left(Noting { seen: Vec::new() }),
            _ => Either::Right(Noting { seen: Vec::new() }),
        };
        let mut core = Core::default();
        assert_eq!((backend.name(), backend.features().bits()), (name, kind));
        assert_eq!((backend.now().as_nanos(), backend.usable()), (kind.into(), Ok(())));

        assert_eq!(backend.add(3, token, read, &mut core), Err(ManualError::Full), "the map knows no such token");
        core.infos.insert(7, Default::default());
        assert_eq!(backend.add(3, token, read, &mut core), Ok(()));
        assert_eq!(backend.modify(3, token, read, write, &mut core), Ok(Modified::Replaced));
        let kept = core.infos[&7];
        assert_eq!(kept, if kind == 1 { (Note(4), Note(0)) } else { (Note(0), Note(4)) });
        backend.del(3, token, write, &mut core);

        assert_eq!(backend.dispatch(Sleep::None, &mut core), Err(ManualError::Refused));
        assert_eq!(core.signals, [i32::from(kind)]);
        assert_eq!(backend.reinit(), Ok(()));
        assert!(backend.signals().is_none());
        assert_eq!(backend.usable(), Err(ManualError::NoFlag), "it has been used up");
        let seen = match backend {
            Either::Left(noting) => noting.seen,
            Either::Right(noting) => noting.seen,
        };
        assert_eq!(seen, [1, 4, 4, u16::MAX]);
    }
}

#[test]
fn each_call_with_a_default_goes_to_the_one_that_it_is() {
    for kind in [1, 2] {
        let mut backend: Pair = match kind {
            1 => Either::Left(Noting { seen: Vec::new() }),
            _ => Either::Right(Noting { seen: Vec::new() }),
        };
        let (mut core, token) = (Core::default(), Token::from_bits(7));
        assert_eq!((backend.check_awake(), backend.is_usual()), (Ok(()), true));
        backend.wake_sleeper();
        assert_eq!((backend.check_awake(), backend.is_usual()), (Err(ManualError::Asleep), false));
        let stands = [1, 2].map(|fd| backend.stands(fd, token, &mut core));
        assert_eq!(stands, [kind == 1, kind == 2]);
        assert_eq!((backend.look(&mut core), core.signals), (kind == 2, std::vec![kind]));
    }
    let temporary =
        [ManualError::Full, ManualError::NoFlag, ManualError::Refused].map(|error| Pair::is_temporary(&error));
    assert_eq!(temporary, [true, true, false]);
}

#[test]
fn sleeper_goes_back_to_the_one_that_it_came_from() {
    for mut backend in [Either::Left(Manual::<4>::with_room()), Either::Right(Manual::<2>::with_room())] {
        let (first, second) = (backend.begin_sleep(Sleep::None).unwrap(), backend.begin_sleep(Sleep::None));
        assert_eq!(second.unwrap_err(), ManualError::Asleep);
        assert_eq!(backend.end_sleep(first), Ok(()));
        let other = Manual::new().begin_sleep(Sleep::None).unwrap();
        assert_eq!(backend.end_sleep(other), Err(ManualError::NotAsleep));
    }
}

fn each_of_three(flag: &'static WakeFlag) -> [Three; 3] {
    [
        Either::Left(Either::Left(Manual::new().with_flag(flag))),
        Either::Left(Either::Right(Manual::with_room().with_flag(flag))),
        Either::Right(Manual::with_room().with_flag(flag)),
    ]
}

fn set_ready(backend: &mut Three, fd: u32, ready: Ready) -> bool {
    match backend {
        Either::Left(Either::Left(manual)) => manual.set_ready(fd, ready),
        Either::Left(Either::Right(manual)) => manual.set_ready(fd, ready),
        Either::Right(manual) => manual.set_ready(fd, ready),
    }
}

fn raise(backend: &mut Three, signum: i32) {
    match backend {
        Either::Left(Either::Left(manual)) => manual.raise(signum),
        Either::Left(Either::Right(manual)) => manual.raise(signum),
        Either::Right(manual) => manual.raise(signum),
    }
}

fn turn(base: &mut Base<Three>) -> Vec<(u32, Ready)> {
    let mut found = Vec::new();
    assert!(base.poll(Wait::None).unwrap().is_running());
    while let Some(fired) = base.next_active() {
        found.push((*fired.data, fired.ready));
    }
    found
}

/// Reports and signals pass through two layers.
#[test]
fn a_base_works_on_each_of_three() {
    static FLAG: WakeFlag = WakeFlag::new();
    for backend in each_of_three(&FLAG) {
        let mut base = Base::new(backend);
        let event = base.insert(5, Interest::READ, 1).unwrap();
        base.insert_signal(10, 2).unwrap();
        assert!(base.features().contains(Features::all()));
        assert_eq!(turn(&mut base), []);
        assert!(set_ready(base.backend_mut(), 5, Ready::READ | Ready::WRITE));
        assert_eq!(turn(&mut base), [(1, Ready::READ)]);
        base.modify(event, Interest::WRITE).unwrap();
        raise(base.backend_mut(), 10);
        let mut found = turn(&mut base);
        found.sort_by_key(|(data, _)| *data);
        assert_eq!(found, [(1, Ready::WRITE), (2, Ready::SIGNAL)]);
        base.reinit().unwrap();
        assert_eq!(turn(&mut base), [(1, Ready::WRITE)]);
        assert_eq!(base.remove(event), Some(1));
        assert_eq!(turn(&mut base), []);
        assert!(base.check());
    }
}

#[test]
fn each_of_three_is_woken_by_its_own_waker() {
    static FLAG: WakeFlag = WakeFlag::new();
    for backend in each_of_three(&FLAG) {
        let mut base = Base::new(backend);
        base.start(Event::timer().timeout(core::time::Duration::from_secs(1)), 1).unwrap();
        base.waker().unwrap().wake();
        assert!(base.poll(Wait::Forever).unwrap().is_running());
        assert!(base.next_active().is_none(), "the wait went on to the timer");
        assert!(!FLAG.is_set());
    }
}

#[test]
fn the_error_is_the_one_of_the_one_that_it_is() {
    let mut base: Base<Three> = EventBase::new(Either::Right(Manual::with_room()));
    for fd in 0..3 {
        base.insert(fd, Interest::READ, fd).unwrap();
    }
    let rejected = base.insert(3, Interest::READ, 3).unwrap_err();
    assert_eq!((rejected.error, rejected.data), (crate::Error::Backend(ManualError::Full), 3));
}

#[test]
fn choosing_costs_no_room_in_the_base() {
    use core::mem::size_of;
    assert_eq!(size_of::<<Either<Manual, Manual> as EventOp>::FdInfo>(), 0);
}
