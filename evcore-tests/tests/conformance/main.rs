//! Runs the suite on every backend of this project.

#[cfg(target_os = "linux")]
use evcore::backend::Either;
use evcore::backend::WakeFlag;
#[cfg(unix)]
use evcore_tests::Unix;
use evcore_tests::{ByHand, conformance, split_conformance, task_conformance};
#[cfg(target_os = "linux")]
use evplat_linux::Epoll;
#[cfg(target_os = "linux")]
use evplat_posix::{Error, Preferences};
#[cfg(unix)]
use evplat_posix::{Poll, Select, Waker};

#[cfg(unix)]
mod sys;

conformance!(manual, {
    static FLAG: WakeFlag = WakeFlag::new();
    ByHand::with_flag(&FLAG)
});

#[cfg(target_os = "linux")]
conformance!(epoll, Unix::new(Epoll::new, Waker::wake).with(sys::powers()));

#[cfg(unix)]
conformance!(poll, Unix::new(Poll::new, Waker::wake).with(sys::powers()));

#[cfg(unix)]
conformance!(select, Unix::new(Select::new, Waker::wake).with(sys::powers()));

#[cfg(target_os = "linux")]
conformance!(chosen_epoll, Unix::new(|| choose(&[]), Waker::wake).with(sys::powers()));

#[cfg(target_os = "linux")]
conformance!(chosen_poll, Unix::new(|| choose(&["epoll"]), Waker::wake).with(sys::powers()));

#[cfg(target_os = "linux")]
conformance!(chosen_select, Unix::new(|| choose(&["epoll", "poll"]), Waker::wake).with(sys::powers()));

split_conformance!(manual_asleep, {
    static FLAG: WakeFlag = WakeFlag::new();
    ByHand::with_flag(&FLAG)
});

#[cfg(target_os = "linux")]
split_conformance!(epoll_asleep, Unix::new(Epoll::new, Waker::wake).with(sys::powers()));

#[cfg(unix)]
split_conformance!(poll_asleep, Unix::new(Poll::new, Waker::wake).with(sys::powers()));

#[cfg(unix)]
split_conformance!(select_asleep, Unix::new(Select::new, Waker::wake).with(sys::powers()));

#[cfg(target_os = "linux")]
split_conformance!(chosen_asleep, Unix::new(|| choose(&["epoll"]), Waker::wake).with(sys::powers()));

task_conformance!(manual_tasks, {
    static FLAG: WakeFlag = WakeFlag::new();
    ByHand::with_flag(&FLAG)
});

#[cfg(target_os = "linux")]
task_conformance!(epoll_tasks, Unix::new(Epoll::new, Waker::wake).with(sys::powers()));

#[cfg(unix)]
task_conformance!(poll_tasks, Unix::new(Poll::new, Waker::wake).with(sys::powers()));

#[cfg(unix)]
task_conformance!(select_tasks, Unix::new(Select::new, Waker::wake).with(sys::powers()));

#[cfg(target_os = "linux")]
task_conformance!(chosen_tasks, Unix::new(|| choose(&["epoll"]), Waker::wake).with(sys::powers()));

/// The backend of a program that chooses at run time, and avoids some.
#[cfg(target_os = "linux")]
fn choose(avoided: &[&'static str]) -> Result<Either<Either<Epoll, Poll>, Select>, Error> {
    let preferences = avoided.iter().fold(Preferences::new().ignore_environment(), |all, name| all.avoid(name));
    let choice = preferences.pick("epoll", Epoll::new).or("poll", Poll::new).or("select", Select::new);
    Ok(choice.backend().expect("one of the three"))
}
