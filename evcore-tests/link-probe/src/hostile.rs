//! A backend that returns and reports arbitrary values.

use core::fmt;
use core::hint::black_box;

use evcore::backend::{
    EventOp, FdInfos, Features, Modified, SignalOp, Signum, Sink, Sleep, Sleeper, Split, Token, Wake,
};
use evcore::{Instant, Interest, Ready};

#[derive(Debug)]
pub struct Hostile;

#[derive(Debug)]
pub struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl core::error::Error for Refused {}

fn outcome<T>(value: T) -> Result<T, Refused> {
    if black_box(true) { Ok(black_box(value)) } else { Err(Refused) }
}

fn touch(token: Token, infos: &mut impl FdInfos<u64>) {
    if let Some(info) = infos.info(black_box(token)) {
        *info = black_box(*info);
    }
}

impl EventOp for Hostile {
    type Fd = u32;
    type FdInfo = u64;
    type Error = Refused;

    fn name(&self) -> &'static str {
        black_box("hostile")
    }

    fn features(&self) -> Features {
        black_box(Features::all())
    }

    fn now(&self) -> Instant {
        black_box(Instant::ZERO)
    }

    fn check_awake(&self) -> Result<(), Refused> {
        outcome(())
    }

    fn wake_sleeper(&mut self) {
        black_box(self);
    }

    fn add(&mut self, _: u32, token: Token, _: Interest, infos: &mut impl FdInfos<u64>) -> Result<(), Refused> {
        touch(token, infos);
        outcome(())
    }

    fn modify(
        &mut self,
        _: u32,
        token: Token,
        _: Interest,
        _: Interest,
        infos: &mut impl FdInfos<u64>,
    ) -> Result<Modified, Refused> {
        touch(token, infos);
        outcome(Modified::Replaced)
    }

    fn del(&mut self, _: u32, token: Token, _: Interest, infos: &mut impl FdInfos<u64>) {
        touch(token, infos);
    }

    fn dispatch(&mut self, wait: Sleep, sink: &mut impl Sink<u32>) -> Result<(), Refused> {
        black_box(wait);
        while black_box(true) {
            let token = black_box(Token::from_bits(0));
            black_box(sink.ready(token, black_box(Ready::READ)));
            black_box(sink.ready_fd(black_box(1), black_box(Ready::READ)));
            sink.signal(black_box(2), black_box(3));
            if black_box(true) {
                sink.failed(black_box(token));
                sink.rebuild();
            }
            if black_box(true) {
                break;
            }
        }
        outcome(())
    }

    fn reinit(&mut self) -> Result<(), Refused> {
        outcome(())
    }

    fn signals(&mut self) -> Option<&mut dyn SignalOp<Error = Refused>> {
        if black_box(true) { Some(self) } else { None }
    }
}

impl SignalOp for Hostile {
    type Error = Refused;

    fn add(&mut self, signum: Signum) -> Result<(), Refused> {
        black_box(signum);
        outcome(())
    }

    fn del(&mut self, signum: Signum) -> u32 {
        black_box(signum).unsigned_abs()
    }
}

impl Wake for Hostile {
    type Waker = u8;

    fn waker(&mut self) -> Result<u8, Refused> {
        outcome(1)
    }
}

impl Split for Hostile {
    type Sleeper = Hostile;

    fn begin_sleep(&mut self, sleep: Sleep) -> Result<Hostile, Refused> {
        black_box(sleep);
        outcome(Hostile)
    }

    fn end_sleep(&mut self, sleeper: Hostile) -> Result<(), Refused> {
        black_box(sleeper);
        outcome(())
    }
}

impl Sleeper for Hostile {
    fn until(&self) -> Sleep {
        black_box(Sleep::Forever)
    }

    fn sleep(&mut self) {
        black_box(self);
    }
}
