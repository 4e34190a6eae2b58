//! One of two backends, chosen at run time.

use core::marker::PhantomData;

use crate::backend::{EventOp, FdInfos, Features, Modified, SignalOp, Sink, Split, Token, Wake};
use crate::ready::Interest;
use crate::time::{Instant, Sleep};

/// One of two backends, as a backend. It nests: `Either<Either<Epoll, Poll>, Select>` is one of three.
///
/// ```text
///                        ┌─ Left(A)
///   EventBase ─ EventOp ─┤            each call goes to the one that is there
///                        └─ Right(B)
/// ```
///
/// Both must have the same descriptor and error, as all backends on Unix do. It costs a comparison for each call of the
/// backend, and with each registered fd room for the data of both.
///
/// ```
/// use core::time::Duration;
/// use evcore::{EventBase, Fixed, Wait, backend::{Either, Manual}};
///
/// type Backend = Either<Manual<4>, Manual<64>>;
///
/// let connections = 20;
/// let backend: Backend = match connections {
///     0..=4 => Either::Left(Manual::with_room()),
///     _ => Either::Right(Manual::with_room()),
/// };
///
/// let mut base: EventBase<Backend, Fixed<32>, &str> = EventBase::new(backend);
/// base.insert_timer(Duration::from_secs(1), "tick").unwrap();
/// assert!(base.poll(Wait::Forever).unwrap().is_running());
/// assert_eq!(base.next_active().map(|fired| *fired.data), Some("tick"));
/// assert_eq!(base.method(), "manual");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Either<A, B> {
    /// The first.
    Left(A),
    /// The second.
    Right(B),
}

impl<A, B> EventOp for Either<A, B>
where
    A: EventOp,
    B: EventOp<Fd = A::Fd, Error = A::Error>,
{
    type Fd = A::Fd;
    /// Data of both; the other one's stays at its default.
    type FdInfo = (A::FdInfo, B::FdInfo);
    type Error = A::Error;
    const IS_SHARED: bool = A::IS_SHARED || B::IS_SHARED;
    const HAS_SIGNALS: bool = A::HAS_SIGNALS || B::HAS_SIGNALS;
    const HAS_EDGE: bool = A::HAS_EDGE || B::HAS_EDGE;

    fn name(&self) -> &'static str {
        match self {
            Self::Left(backend) => backend.name(),
            Self::Right(backend) => backend.name(),
        }
    }

    fn features(&self) -> Features {
        match self {
            Self::Left(backend) => backend.features(),
            Self::Right(backend) => backend.features(),
        }
    }

    #[inline]
    fn usable(&self) -> Result<(), Self::Error> {
        match self {
            Self::Left(left) => left.usable(),
            Self::Right(right) => right.usable(),
        }
    }

    #[inline]
    fn check_awake(&self) -> Result<(), Self::Error> {
        match self {
            Self::Left(left) => left.check_awake(),
            Self::Right(right) => right.check_awake(),
        }
    }

    #[inline]
    fn is_usual(&self) -> bool {
        match self {
            Self::Left(left) => left.is_usual(),
            Self::Right(right) => right.is_usual(),
        }
    }

    #[inline]
    fn wake_sleeper(&mut self) {
        match self {
            Self::Left(left) => left.wake_sleeper(),
            Self::Right(right) => right.wake_sleeper(),
        }
    }

    #[inline]
    fn now(&self) -> Instant {
        match self {
            Self::Left(backend) => backend.now(),
            Self::Right(backend) => backend.now(),
        }
    }

    #[inline]
    fn add(
        &mut self,
        fd: Self::Fd,
        token: Token,
        interest: Interest,
        infos: &mut impl FdInfos<Self::FdInfo>,
    ) -> Result<(), Self::Error> {
        match self {
            Self::Left(backend) => backend.add(fd, token, interest, &mut Lefts::of(infos)),
            Self::Right(backend) => backend.add(fd, token, interest, &mut Rights::of(infos)),
        }
    }

    fn modify(
        &mut self,
        fd: Self::Fd,
        token: Token,
        old: Interest,
        new: Interest,
        infos: &mut impl FdInfos<Self::FdInfo>,
    ) -> Result<Modified, Self::Error> {
        match self {
            Self::Left(backend) => backend.modify(fd, token, old, new, &mut Lefts::of(infos)),
            Self::Right(backend) => backend.modify(fd, token, old, new, &mut Rights::of(infos)),
        }
    }

    #[inline]
    fn del(&mut self, fd: Self::Fd, token: Token, old: Interest, infos: &mut impl FdInfos<Self::FdInfo>) {
        match self {
            Self::Left(backend) => backend.del(fd, token, old, &mut Lefts::of(infos)),
            Self::Right(backend) => backend.del(fd, token, old, &mut Rights::of(infos)),
        }
    }

    fn stands(&mut self, fd: Self::Fd, token: Token, infos: &mut impl FdInfos<Self::FdInfo>) -> bool {
        match self {
            Self::Left(backend) => backend.stands(fd, token, &mut Lefts::of(infos)),
            Self::Right(backend) => backend.stands(fd, token, &mut Rights::of(infos)),
        }
    }

    /// Temporary for either: the error does not say whose it is.
    fn is_temporary(error: &Self::Error) -> bool {
        A::is_temporary(error) || B::is_temporary(error)
    }

    // Part of each turn, and called once.
    #[inline(always)]
    fn look(&mut self, sink: &mut impl Sink<Self::Fd>) -> bool {
        match self {
            Self::Left(backend) => backend.look(sink),
            Self::Right(backend) => backend.look(sink),
        }
    }

    #[inline]
    fn dispatch(&mut self, sleep: Sleep, sink: &mut impl Sink<Self::Fd>) -> Result<(), Self::Error> {
        match self {
            Self::Left(backend) => backend.dispatch(sleep, sink),
            Self::Right(backend) => backend.dispatch(sleep, sink),
        }
    }

    fn reinit(&mut self) -> Result<(), Self::Error> {
        match self {
            Self::Left(backend) => backend.reinit(),
            Self::Right(backend) => backend.reinit(),
        }
    }

    fn signals(&mut self) -> Option<&mut dyn SignalOp<Error = Self::Error>> {
        match self {
            Self::Left(backend) => backend.signals(),
            Self::Right(backend) => backend.signals(),
        }
    }
}

/// If both have the same type of waker.
impl<A, B> Wake for Either<A, B>
where
    A: Wake,
    B: Wake<Fd = A::Fd, Error = A::Error, Waker = A::Waker>,
{
    type Waker = A::Waker;

    fn waker(&mut self) -> Result<Self::Waker, Self::Error> {
        match self {
            Self::Left(backend) => backend.waker(),
            Self::Right(backend) => backend.waker(),
        }
    }
}

/// If both have the same type of sleeper.
impl<A, B> Split for Either<A, B>
where
    A: Split,
    B: Split<Fd = A::Fd, Error = A::Error, Sleeper = A::Sleeper>,
{
    type Sleeper = A::Sleeper;

    fn begin_sleep(&mut self, sleep: Sleep) -> Result<Self::Sleeper, Self::Error> {
        match self {
            Self::Left(backend) => backend.begin_sleep(sleep),
            Self::Right(backend) => backend.begin_sleep(sleep),
        }
    }

    fn end_sleep(&mut self, sleeper: Self::Sleeper) -> Result<(), Self::Error> {
        match self {
            Self::Left(backend) => backend.end_sleep(sleeper),
            Self::Right(backend) => backend.end_sleep(sleeper),
        }
    }
}

/// The fd map as the first sees it; `J` is the other one's data.
struct Lefts<'a, M, J>(&'a mut M, PhantomData<J>);

impl<'a, M, J> Lefts<'a, M, J> {
    const fn of(infos: &'a mut M) -> Self {
        Self(infos, PhantomData)
    }
}

impl<I, J, M: FdInfos<(I, J)>> FdInfos<I> for Lefts<'_, M, J> {
    #[inline]
    fn info(&mut self, token: Token) -> Option<&mut I> {
        self.0.info(token).map(|(left, _)| left)
    }
}

/// The fd map as the second sees it; `I` is the other one's data.
struct Rights<'a, M, I>(&'a mut M, PhantomData<I>);

impl<'a, M, I> Rights<'a, M, I> {
    const fn of(infos: &'a mut M) -> Self {
        Self(infos, PhantomData)
    }
}

impl<I, J, M: FdInfos<(I, J)>> FdInfos<J> for Rights<'_, M, I> {
    #[inline]
    fn info(&mut self, token: Token) -> Option<&mut J> {
        self.0.info(token).map(|(_, right)| right)
    }
}

#[cfg(test)]
mod tests;
