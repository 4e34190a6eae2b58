//! Interest in an fd, and its readiness.

use bitflags::bitflags;

bitflags! {
    /// What an event waits for on its fd. The values are those of Linux's `poll(2)`, so backends translate by a mask.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct Interest: u16 {
        /// Input, or its end (`EV_READ`).
        #[doc(alias = "EV_READ")]
        const READ = 0x0001;
        /// Urgent data (`EPOLLPRI`). libevent has no such flag.
        const URGENT = 0x0002;
        /// Room to write (`EV_WRITE`).
        #[doc(alias = "EV_WRITE")]
        const WRITE = 0x0004;
        /// The peer has shut down its writing side (`EV_CLOSED`).
        #[doc(alias = "EV_CLOSED")]
        const CLOSED = 0x2000;
        /// Edge-triggered (`EV_ET`): reported when readiness changes, so read or write until `WouldBlock`. Without it an event is
        /// level-triggered: reported in every turn while it is ready. All events on one fd must agree.
        #[doc(alias = "EV_ET")]
        const EDGE = 0x8000;
    }
}

bitflags! {
    /// Why an event is handed out: all bits found since its last hand-out. [`activate`](crate::EventBase::activate) may
    /// set any of the 16 bits.
    ///
    /// ```
    /// use evcore::Ready;
    ///
    /// let ready = Ready::READ | Ready::HANGUP | Ready::TIMEOUT;
    /// assert!(ready.is_io() && ready.is_readable() && ready.is_hangup() && ready.is_timeout());
    /// assert!(!ready.is_writable() && !ready.is_urgent() && !ready.is_closed() && !ready.is_error());
    /// assert!(!ready.is_signal() && !ready.is_again());
    /// assert!(!Ready::TIMEOUT.is_io());
    /// ```
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct Ready: u16 {
        /// Input, its end, or a pending error (`EV_READ`).
        #[doc(alias = "EV_READ")]
        const READ = 0x0001;
        /// Urgent data.
        const URGENT = 0x0002;
        /// Room to write, or a pending error (`EV_WRITE`).
        #[doc(alias = "EV_WRITE")]
        const WRITE = 0x0004;
        /// The descriptor has an error. READ or WRITE is also set if the event waits for it.
        const ERROR = 0x0008;
        /// Both directions are shut down. READ or WRITE is also set if the event waits for it.
        const HANGUP = 0x0010;
        /// The event's timeout (`EV_TIMEOUT`).
        #[doc(alias = "EV_TIMEOUT")]
        const TIMEOUT = 0x0100;
        /// The event's signal has arrived (`EV_SIGNAL`).
        #[doc(alias = "EV_SIGNAL")]
        const SIGNAL = 0x0200;
        /// The event was queued by [`again`](crate::EventBase::again).
        const AGAIN = 0x0400;
        /// The peer has shut down its writing side (`EV_CLOSED`).
        #[doc(alias = "EV_CLOSED")]
        const CLOSED = 0x2000;
        /// All bits that concern an fd.
        const IO = 0x201f;
        const _ = !0;
    }
}

impl Ready {
    /// Whether any bit concerns the event's fd.
    #[must_use]
    pub const fn is_io(self) -> bool {
        self.intersects(Self::IO)
    }

    /// Input, its end, or a pending error.
    #[must_use]
    pub const fn is_readable(self) -> bool {
        self.contains(Self::READ)
    }

    /// Room to write, or a pending error.
    #[must_use]
    pub const fn is_writable(self) -> bool {
        self.contains(Self::WRITE)
    }

    /// Urgent data.
    #[must_use]
    pub const fn is_urgent(self) -> bool {
        self.contains(Self::URGENT)
    }

    /// The peer has shut down its writing side.
    #[must_use]
    pub const fn is_closed(self) -> bool {
        self.contains(Self::CLOSED)
    }

    /// The descriptor has an error, or can no longer be watched.
    #[must_use]
    pub const fn is_error(self) -> bool {
        self.contains(Self::ERROR)
    }

    /// Both directions are shut down.
    #[must_use]
    pub const fn is_hangup(self) -> bool {
        self.contains(Self::HANGUP)
    }

    /// The event's timeout. Other bits may be set too: see [`is_io`](Ready::is_io).
    #[must_use]
    pub const fn is_timeout(self) -> bool {
        self.contains(Self::TIMEOUT)
    }

    /// The event's signal has arrived.
    #[must_use]
    pub const fn is_signal(self) -> bool {
        self.contains(Self::SIGNAL)
    }

    /// The event was queued by [`again`](crate::EventBase::again).
    #[must_use]
    pub const fn is_again(self) -> bool {
        self.contains(Self::AGAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::Ready;

    type Predicate = fn(Ready) -> bool;

    #[test]
    fn each_predicate_is_about_its_bit() {
        let predicates: [(Ready, Predicate); 9] = [
            (Ready::READ, Ready::is_readable),
            (Ready::WRITE, Ready::is_writable),
            (Ready::URGENT, Ready::is_urgent),
            (Ready::CLOSED, Ready::is_closed),
            (Ready::ERROR, Ready::is_error),
            (Ready::HANGUP, Ready::is_hangup),
            (Ready::TIMEOUT, Ready::is_timeout),
            (Ready::SIGNAL, Ready::is_signal),
            (Ready::AGAIN, Ready::is_again),
        ];
        for (bit, predicate) in predicates {
            assert!(predicate(bit) && predicate(Ready::all()), "{bit:?}");
            assert!(!predicate(Ready::all().difference(bit)) && !predicate(Ready::empty()), "{bit:?}");
            assert_eq!(bit.is_io(), Ready::IO.contains(bit), "{bit:?}");
        }
    }
}
