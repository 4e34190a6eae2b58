//! What the backends log.
#![cfg(feature = "log")]

use std::os::unix::net::UnixStream;
use std::sync::Mutex;

use evcore::{Fd, Interest, Wait};
use evplat_posix::{EventBase, Poll, Preferences, Select, SelectBase};
use log::{Level, LevelFilter, Log, Metadata, Record};

struct Told(Mutex<Vec<(Level, String)>>);

static LOGGED: Told = Told(Mutex::new(Vec::new()));

impl Log for Told {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &Record<'_>) {
        self.0.lock().unwrap().push((record.level(), record.args().to_string()));
    }
    fn flush(&self) {}
}

/// One test, because a process has one logger.
#[test]
fn what_no_result_reports_is_logged() {
    log::set_logger(&LOGGED).unwrap();
    log::set_max_level(LevelFilter::Trace);

    let (near, _far) = UnixStream::pair().unwrap();
    let mut base: EventBase<()> = EventBase::new(Poll::new().unwrap());
    base.insert(Fd::of(&near), Interest::READ, ()).unwrap();
    let mut select: SelectBase<()> = SelectBase::new(Select::new().unwrap());
    select.insert(Fd::of(&near), Interest::READ, ()).unwrap();
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert_eq!(LOGGED.0.lock().unwrap().len(), 0, "an ordinary turn is no news");

    drop(near);
    assert!(base.poll(Wait::None).unwrap().is_running());
    assert!(select.poll(Wait::None).unwrap().is_running());
    let refused = Preferences::new().ignore_environment().avoid("poll").pick("poll", Poll::new).backend();
    assert!(refused.is_err());

    let logged = LOGGED.0.lock().unwrap();
    let said = |level, words: &str| logged.iter().filter(|(at, text)| *at == level && text.contains(words)).count();
    assert_eq!(said(Level::Warn, "poll: descriptor"), 1, "{logged:?}");
    assert_eq!(said(Level::Warn, "select: descriptor"), 1, "{logged:?}");
    assert_eq!(said(Level::Debug, "poll: the program avoids it"), 1, "{logged:?}");
    assert_eq!(logged.len(), 3, "{logged:?}");
}
