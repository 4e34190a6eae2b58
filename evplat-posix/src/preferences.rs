//! Chooses a backend at run time.

use core::fmt;
use std::io::{self, Write};

use evcore::Fd;
use evcore::backend::{Either, EventOp, Features};

use crate::error::Error;
use crate::sys;

/// What a program requires of its backend (`struct event_config`): features it must have, and methods to avoid.
///
/// Candidates are tried in order. The first that is not avoided, can be made and has the features is chosen. An
/// avoided candidate is not even made. A candidate that lacks a feature is dropped before the next is tried.
///
/// ```text
///   avoided? ──▶ EVENT_NO… set? ──▶ make ──▶ features? ──▶ the backend
///      └──────────────┴──────────────┴──────────┴────────▶ a refusal; the next candidate
/// ```
///
/// ```
/// use evcore::backend::Features;
/// use evcore::{EventBase, Growable};
/// use evplat_posix::{Poll, Preferences, Select};
///
/// // With `evplat-linux`, begin with `.pick("epoll", Epoll::new)`.
/// let backend = Preferences::new()
///     .require(Features::FILES | Features::SIGNALS)
///     .avoid("poll")
///     .ignore_environment()
///     .pick("poll", Poll::new)
///     .or("select", Select::new)
///     .backend()?;
/// let base: EventBase<_, Growable, u32> = EventBase::new(backend);
/// assert_eq!(base.method(), "select");
/// # Ok::<(), evplat_posix::choice::NoBackend>(())
/// ```
///
/// # The environment
///
/// The environment can rule methods out, too:
///
/// - `EVENT_NOEPOLL`, `EVENT_NOPOLL`, `EVENT_NOSELECT`, and so on for any method: if set, whatever the value, the
///   method is not used;
/// - `EVENT_SHOW_METHOD`: if set, whatever the value, the chosen method is printed to standard error.
///
/// These are ignored after [`ignore_environment`](Preferences::ignore_environment), and in a program that runs with
/// more rights than its caller (set-user-id, set-group-id; on Linux also other privileges).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[doc(alias = "event_config")]
#[doc(alias = "event_config_free")]
pub struct Preferences {
    required: Features,
    avoided: Vec<String>,
    ignores_environment: bool,
}

impl Preferences {
    /// No preferences (`event_config_new`).
    #[doc(alias = "event_config_new")]
    #[must_use]
    pub const fn new() -> Self {
        Self { required: Features::empty(), avoided: Vec::new(), ignores_environment: false }
    }

    /// Requires these features, in addition to those required before.
    #[doc(alias = "event_config_require_features")]
    #[must_use]
    pub fn require(mut self, features: Features) -> Self {
        self.required |= features;
        self
    }

    /// Does not use the backend of this name: "epoll", "poll", "select", …
    #[doc(alias = "event_config_avoid_method")]
    #[must_use]
    pub fn avoid(mut self, method: &str) -> Self {
        self.avoided.push(method.to_owned());
        self
    }

    /// Ignores the environment (`EVENT_BASE_FLAG_IGNORE_ENV`).
    #[doc(alias = "EVENT_BASE_FLAG_IGNORE_ENV")]
    #[doc(alias = "event_config_set_flag")]
    #[must_use]
    pub fn ignore_environment(mut self) -> Self {
        self.ignores_environment = true;
        self
    }

    /// Tries the first candidate: its [name](EventOp::name), and a function that makes it.
    pub fn pick<B>(self, method: &'static str, make: impl FnOnce() -> Result<B, Error>) -> Choice<B>
    where
        B: EventOp<Fd = Fd, Error = Error>,
    {
        let environment = Environment::of_process(self.ignores_environment);
        self.pick_in(environment, method, make)
    }

    fn pick_in<B>(
        self,
        environment: Environment,
        method: &'static str,
        make: impl FnOnce() -> Result<B, Error>,
    ) -> Choice<B>
    where
        B: EventOp<Fd = Fd, Error = Error>,
    {
        let mut rules = Rules { preferences: self, environment, refusals: Vec::new() };
        let made = rules.make(method, make);
        Choice { rules, made }
    }
}

/// A choice between candidates: see [`Preferences::pick`].
#[must_use = "the choice is made by `backend`"]
pub struct Choice<B> {
    rules: Rules,
    made: Option<B>,
}

impl<B: EventOp<Fd = Fd, Error = Error>> Choice<B> {
    /// Tries the next candidate: its [name](EventOp::name), and a function that makes it. Does nothing if one has
    /// already been chosen.
    pub fn or<C>(mut self, method: &'static str, make: impl FnOnce() -> Result<C, Error>) -> Choice<Either<B, C>>
    where
        C: EventOp<Fd = Fd, Error = Error>,
    {
        let made = match self.made {
            Some(backend) => Some(Either::Left(backend)),
            None => self.rules.make(method, make).map(Either::Right),
        };
        Choice { rules: self.rules, made }
    }

    /// Returns the chosen backend (`event_base_new_with_config`).
    ///
    /// # Errors
    ///
    /// When no candidate could be used. The error has the reason for each.
    #[doc(alias = "event_base_new_with_config")]
    #[doc(alias = "EVENT_SHOW_METHOD")]
    pub fn backend(self) -> Result<B, NoBackend> {
        let Some(backend) = self.made else { return Err(NoBackend { refusals: self.rules.refusals }) };
        if self.rules.environment.has("EVENT_SHOW_METHOD") {
            // If standard error is closed, there is no other place to report it.
            let _ = writeln!(io::stderr(), "evcore: the method is {}", backend.name());
        }
        Ok(backend)
    }
}

impl<B> fmt::Debug for Choice<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Choice")
            .field("is_made", &self.made.is_some())
            .field("refusals", &self.rules.refusals)
            .finish_non_exhaustive()
    }
}

/// No candidate could be used; has the reason for each.
///
/// ```
/// use evplat_posix::choice::Reason;
/// use evplat_posix::{Poll, Preferences};
///
/// let none = Preferences::new().avoid("poll").pick("poll", Poll::new).backend().unwrap_err();
/// assert_eq!(none.refusals()[0].reason, Reason::Avoided);
/// assert_eq!(none.to_string(), "no backend is left; poll: the program avoids it");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoBackend {
    refusals: Vec<Refusal>,
}

impl NoBackend {
    /// Why each candidate was refused, in the order in which they were tried.
    #[must_use]
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }
}

/// Why a candidate was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Refusal {
    /// The candidate's name.
    pub method: &'static str,
    /// The reason.
    pub reason: Reason,
}

/// The reason why a candidate was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The program excluded it with [`Preferences::avoid`].
    Avoided,
    /// `EVENT_NO…` is set in the environment.
    Environment,
    /// It lacks these required features.
    Lacks(Features),
    /// Making it failed.
    Failed(Error),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.method)?;
        match self.reason {
            Reason::Avoided => f.write_str("the program avoids it"),
            Reason::Environment => write!(f, "{} is set", variable(self.method)),
            Reason::Lacks(features) => {
                f.write_str("it lacks ")?;
                write_names(features, f)
            }
            Reason::Failed(error) => error.fmt(f),
        }
    }
}

/// The names of some features, joined by plus signs.
fn write_names(features: Features, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (count, (name, _)) in features.iter_names().enumerate() {
        f.write_str(if count > 0 { " + " } else { "" })?;
        f.write_str(name)?;
    }
    Ok(())
}

impl fmt::Display for NoBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no backend is left")?;
        self.refusals.iter().try_for_each(|refusal| write!(f, "; {refusal}"))
    }
}

impl core::error::Error for NoBackend {}

impl From<NoBackend> for io::Error {
    fn from(error: NoBackend) -> Self {
        let has_failed = error.refusals.iter().any(|refusal| matches!(refusal.reason, Reason::Failed(_)));
        let kind = if has_failed { io::ErrorKind::Other } else { io::ErrorKind::Unsupported };
        Self::new(kind, error)
    }
}

/// What candidates must satisfy, and the refusals so far.
struct Rules {
    preferences: Preferences,
    environment: Environment,
    refusals: Vec<Refusal>,
}

impl Rules {
    /// Makes a candidate, or records why it is refused.
    fn make<B>(&mut self, method: &'static str, make: impl FnOnce() -> Result<B, Error>) -> Option<B>
    where
        B: EventOp<Fd = Fd, Error = Error>,
    {
        let made = self.judge(method).and_then(|()| make().map_err(Reason::Failed)).and_then(|backend| {
            // The program may have passed another name than the backend's own.
            if backend.name() != method {
                self.judge(backend.name())?;
            }
            let lacking = self.preferences.required.difference(backend.features());
            if lacking.is_empty() { Ok(backend) } else { Err(Reason::Lacks(lacking)) }
        });
        made.map_err(|reason| {
            let refusal = Refusal { method, reason };
            log!(Debug, "not this backend: {refusal}");
            self.refusals.push(refusal);
        })
        .ok()
    }

    /// Whether the method's name alone rules it out.
    fn judge(&self, method: &str) -> Result<(), Reason> {
        if self.preferences.avoided.iter().any(|avoided| avoided == method) {
            Err(Reason::Avoided)
        } else if self.environment.has(&variable(method)) {
            Err(Reason::Environment)
        } else {
            Ok(())
        }
    }
}

/// The environment variable that rules a method out.
fn variable(method: &str) -> String {
    format!("EVENT_NO{}", method.to_ascii_uppercase())
}

/// The environment variables, if they are not ignored.
struct Environment {
    is_set: fn(&str) -> bool,
}

impl Environment {
    fn of_process(is_ignored: bool) -> Self {
        let is_set: fn(&str) -> bool = if is_ignored {
            |_| false
        } else {
            // The variable is checked first: usually it is unset, and the privilege check is not needed.
            |name| std::env::var_os(name).is_some() && !sys::is_privileged()
        };
        Self { is_set }
    }

    fn has(&self, name: &str) -> bool {
        (self.is_set)(name)
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;
    use crate::{Poll, Select};

    const NOTHING: Environment = Environment { is_set: |_| false };

    fn names(none: &NoBackend) -> Vec<(&'static str, Reason)> {
        none.refusals().iter().map(|refusal| (refusal.method, refusal.reason)).collect()
    }

    fn refused<B>(choice: Result<B, NoBackend>) -> NoBackend {
        choice.err().unwrap()
    }

    #[test]
    fn the_first_that_is_allowed_wins_and_no_other_is_made() {
        let made = Cell::new(0);
        let count = || made.set(made.get() + 1);
        let poll = || {
            count();
            Poll::new()
        };
        let select = || {
            count();
            Select::new()
        };
        let choose = |preferences: Preferences| {
            made.set(0);
            let choice = preferences.pick_in(NOTHING, "poll", poll).or("select", select).or("poll", poll);
            (choice.backend().map(|backend| backend.name()), made.get())
        };
        assert_eq!(choose(Preferences::new()), (Ok("poll"), 1));
        assert_eq!(choose(Preferences::new().avoid("poll")), (Ok("select"), 1), "one to be avoided was made");
        assert_eq!(choose(Preferences::new().avoid("epoll")), (Ok("poll"), 1));
        assert_eq!(choose(Preferences::new().avoid("POLL")), (Ok("poll"), 1), "another name");
        let (none, made) = choose(Preferences::new().avoid("select").avoid("poll"));
        assert_eq!((none.unwrap_err().refusals().len(), made), (3, 0));
    }

    #[test]
    fn required_features_add_up_and_the_error_tells_what_is_lacking() {
        let both = || Preferences::new().require(Features::ERRORS).require(Features::FILES);
        let backend = both().pick_in(NOTHING, "select", Select::new).or("poll", Poll::new).backend().unwrap();
        assert_eq!(backend.name(), "poll");
        let more = both().require(Features::EDGE);
        let none = refused(more.pick_in(NOTHING, "select", Select::new).or("poll", Poll::new).backend());
        let expected =
            [("select", Reason::Lacks(Features::EDGE | Features::ERRORS)), ("poll", Reason::Lacks(Features::EDGE))];
        assert_eq!(names(&none), expected);
        assert_eq!(none.to_string(), "no backend is left; select: it lacks EDGE + ERRORS; poll: it lacks EDGE");
    }

    #[test]
    fn one_that_cannot_be_made_is_passed_over_and_its_error_kept() {
        let error = Error::system("epoll_create1", libc::EMFILE);
        let fails = || Err::<Poll, _>(error);
        let backend = Preferences::new().pick_in(NOTHING, "epoll", fails).or("poll", Poll::new).backend().unwrap();
        assert!(matches!(backend, Either::Right(_)));
        let none = refused(Preferences::new().pick_in(NOTHING, "epoll", fails).backend());
        assert_eq!(names(&none), [("epoll", Reason::Failed(error))]);
        assert!(none.to_string().contains("epoll: epoll_create1: "));
        assert_eq!(io::Error::from(none).kind(), io::ErrorKind::Other);
    }

    #[test]
    fn any_method_can_be_ruled_out_by_the_environment() {
        let environment = || Environment { is_set: |name| name == "EVENT_NOPOLL" };
        let backend =
            Preferences::new().pick_in(environment(), "poll", Poll::new).or("select", Select::new).backend().unwrap();
        assert_eq!(backend.name(), "select");
        let none = refused(Preferences::new().pick_in(environment(), "poll", Poll::new).backend());
        assert_eq!(names(&none), [("poll", Reason::Environment)]);
        assert!(none.to_string().ends_with("poll: EVENT_NOPOLL is set"));
        assert_eq!(io::Error::from(none).kind(), io::ErrorKind::Unsupported);
    }

    #[test]
    fn another_name_does_not_get_one_round_what_is_avoided() {
        let none = refused(Preferences::new().avoid("poll").pick_in(NOTHING, "fast", Poll::new).backend());
        assert_eq!(names(&none), [("fast", Reason::Avoided)]);
    }

    #[test]
    fn tests_have_no_more_rights_than_their_caller() {
        assert!(!sys::is_privileged());
    }
}
