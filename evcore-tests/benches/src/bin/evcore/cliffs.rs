//! W8.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use evcore::backend::Manual;
use evcore::{Event, EventBase, Fd, Fixed, Interest, Wait};
use evcore_benchmarks::options::Options;
use evcore_benchmarks::{Figures, cliffs, sys};
use evplat_linux::Epoll;

/// An event owns the descriptor that it watches, or none.
type Base = crate::Base<Epoll, Option<OwnedFd>>;

pub(crate) fn measure(options: &Options) -> io::Result<Figures> {
    match options.kind.as_str() {
        "files-turn" => files_turn(options),
        "files-add" => files_add(options),
        "signal" => signal(options),
        "fd-report" => fd_report(options),
        "fd-insert" => fd_insert(options),
        "high-fd" => high_fd(options),
        "fixed" => match options.n {
            16 => fixed::<16>(options),
            64 => fixed::<64>(options),
            256 => fixed::<256>(options),
            1_024 => fixed::<1_024>(options),
            4_096 => fixed::<4_096>(options),
            _ => Err(io::Error::other("--n 16|64|256|1024|4096")),
        },
        kind => Err(io::Error::other(format!("no such kind: {kind}"))),
    }
}

fn open() -> io::Result<Base> {
    Ok(Base::new(Epoll::new()?))
}

/// Hands out `count` events, in as many turns as that takes.
fn hand_out(base: &mut Base, count: u64) -> io::Result<u64> {
    let mut done = 0;
    while done < count && base.poll(Wait::None)?.is_running() {
        while base.next_active().is_some() {
            done += 1;
        }
    }
    Ok(done)
}

/// Files are always ready. With edges each has been reported once, and is not due again.
fn with_files(count: usize) -> io::Result<Base> {
    let (mut base, file) = (open()?, File::open("/proc/self/exe")?);
    for _ in 0..count {
        let file = OwnedFd::from(file.try_clone()?);
        base.start(Event::io(Fd::of(&file), Interest::READ | Interest::EDGE).persist(), Some(file))?;
    }
    hand_out(&mut base, count as u64)?;
    Ok(base)
}

fn files_turn(options: &Options) -> io::Result<Figures> {
    let mut base = with_files(options.n)?;
    let (reader, writer) = sys::pipe()?;
    sys::write(&writer, &[0])?;
    base.insert(Fd::of(&reader), Interest::READ, Some(reader))?;
    cliffs::measure(options, || hand_out(&mut base, 1))
}

fn files_add(options: &Options) -> io::Result<Figures> {
    let mut base = with_files(options.n)?;
    let (reader, _writer) = sys::pipe()?;
    insert_and_remove(options, &mut base, &reader)
}

fn insert_and_remove(options: &Options, base: &mut Base, reader: &OwnedFd) -> io::Result<Figures> {
    cliffs::measure(options, || {
        let id = base.insert(Fd::of(reader), Interest::READ, None)?;
        base.remove(id);
        Ok(1)
    })
}

fn signal(options: &Options) -> io::Result<Figures> {
    let mut base = open()?;
    for _ in 0..options.n {
        base.insert_signal(libc::SIGUSR1, None)?;
    }
    cliffs::measure(options, || {
        sys::raise(libc::SIGUSR1)?;
        hand_out(&mut base, options.n as u64)
    })
}

fn fd_report(options: &Options) -> io::Result<Figures> {
    let (mut base, (reader, writer)) = (open()?, sys::pipe()?);
    sys::write(&writer, &[0])?;
    for _ in 0..options.n {
        base.insert(Fd::of(&reader), Interest::READ, None)?;
    }
    cliffs::measure(options, || hand_out(&mut base, options.n as u64))
}

fn fd_insert(options: &Options) -> io::Result<Figures> {
    let (mut base, (reader, _writer)) = (open()?, sys::pipe()?);
    let mut ids = Vec::with_capacity(options.n);
    cliffs::measure(options, || {
        for _ in 0..options.n {
            ids.push(base.insert(Fd::of(&reader), Interest::READ, None)?);
        }
        for id in ids.drain(..) {
            base.remove(id);
        }
        Ok(options.n as u64)
    })
}

fn high_fd(options: &Options) -> io::Result<Figures> {
    let (mut base, (reader, _writer)) = (open()?, sys::pipe()?);
    let high = sys::duplicate_to(&reader, options.n)?;
    insert_and_remove(options, &mut base, &high)
}

fn fixed<const N: usize>(options: &Options) -> io::Result<Figures> {
    let mut base: Box<EventBase<Manual<N>, Fixed<N>, ()>> = Box::new(EventBase::new(Manual::with_room()));
    let mut fd = 0;
    while base.counts().events + 1 < N as u32 {
        base.start(Event::io(fd, Interest::READ).persist(), ()).map_err(|_| io::Error::other("no room"))?;
        fd += 1;
    }
    cliffs::measure(options, || {
        fd += 1;
        let id = base.create(Event::io(fd, Interest::READ), ()).map_err(|_| io::Error::other("no room"))?;
        base.remove(id);
        Ok(1)
    })
}
