//! What an event is, and where in its life.

use bitflags::bitflags;

use crate::event::{Event, Missed, Source};

/// The state of an event: four bytes, one for each question.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::engine) struct State {
    pub(in crate::engine) kind: Kind,
    pub(in crate::engine) options: Options,
    pub(in crate::engine) life: Life,
    pub(in crate::engine) timing: Timing,
}

/// What an event waits for besides time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::engine) enum Kind {
    /// Nothing: a timer, or an event that is only activated by hand.
    #[default]
    Plain,
    /// Readiness of an fd.
    Io,
    Signal,
    /// The wait itself: a prepare or check event.
    Watcher,
}

bitflags! {
    /// What an event was created with.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub(in crate::engine) struct Options: u8 {
        /// Is not pending any more once it is handed out.
        const ONE_SHOT = 1;
        /// Is removed after it has been handed out.
        const ONCE = 2;
        /// Its hand-out carries a count.
        const COUNTED = 4;
        /// Does not keep the loop alive.
        const BACKGROUND = 8;
        const BURST = 16;
        const DELAY = 32;
    }
}

/// Whether an event's fd, signal or watcher is registered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in crate::engine) enum Life {
    #[default]
    Idle,
    Registered,
    /// Registered, and its fd left alone until its timer ends the pause.
    Paused,
}

/// Whether an event has a timeout.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub(in crate::engine) enum Timing {
    #[default]
    None = 0,
    /// Begins anew when the pause ends.
    Suspended = 1,
    /// In the heap; or expired, and queued.
    Armed = TIMED,
    /// In the heap, and counts anew from the end of this turn's hand-outs.
    Restarting = TIMED | 1,
}

const TIMED: u8 = 2;

impl State {
    /// The state of an event that has just been created.
    pub(in crate::engine) fn of<Fd>(event: &Event<Fd>) -> Self {
        let kind = match event.source {
            Source::Io(..) => Kind::Io,
            Source::Signal(_) => Kind::Signal,
            Source::Prepare | Source::Check => Kind::Watcher,
            Source::None => Kind::Plain,
        };
        let mut options = Options::empty();
        options.set(Options::ONE_SHOT, !event.persist);
        options.set(Options::ONCE, event.once);
        options.set(Options::COUNTED, kind == Kind::Signal);
        options.set(Options::BACKGROUND, event.background);
        options.set(Options::BURST, event.missed == Missed::Burst);
        options.set(Options::DELAY, event.missed == Missed::Delay);
        Self { kind, options, life: Life::Idle, timing: Timing::None }
    }

    pub(in crate::engine) const fn missed(self) -> Missed {
        if self.options.contains(Options::BURST) {
            Missed::Burst
        } else if self.options.contains(Options::DELAY) {
            Missed::Delay
        } else {
            Missed::Skip
        }
    }

    /// Whether a hand-out changes nothing of the event but its timeout.
    #[inline]
    pub(in crate::engine) const fn is_simple(self) -> bool {
        !self.options.intersects(Options::ONE_SHOT.union(Options::ONCE).union(Options::COUNTED))
    }

    /// Whether a hand-out changes nothing of the event.
    #[inline]
    #[expect(clippy::as_conversions, reason = "as bits, which are tested together")]
    pub(in crate::engine) const fn is_plain(self) -> bool {
        let changed = Options::ONE_SHOT.union(Options::ONCE).union(Options::COUNTED);
        u16::from_ne_bytes([self.options.bits() & changed.bits(), self.timing as u8 & TIMED]) == 0
    }

    /// Whether it has a timeout that runs or has expired.
    #[inline]
    #[expect(clippy::as_conversions, reason = "as a bit, so that it is tested together with the options")]
    pub(in crate::engine) const fn is_timed(self) -> bool {
        self.timing as u8 & TIMED != 0
    }

    /// Whether it is pending: waits for anything.
    pub(in crate::engine) const fn is_pending(self) -> bool {
        !matches!(self.life, Life::Idle) || self.is_timed()
    }

    pub(in crate::engine) const fn is_registered(self) -> bool {
        !matches!(self.life, Life::Idle)
    }

    /// Whether its fd, signal or watcher is still to be registered, or again after a pause.
    pub(in crate::engine) const fn is_to_be_registered(self) -> bool {
        !matches!(self.kind, Kind::Plain) && !matches!(self.life, Life::Registered)
    }

    /// The same event, pending for nothing.
    pub(in crate::engine) const fn disarmed(mut self) -> Self {
        self.life = Life::Idle;
        self.timing = Timing::None;
        self
    }
}

static_assertions::assert_eq_size!(State, u32);
