//! `defmt` formats that look like those of `core::fmt` and cannot be derived.

use defmt::{Format, Formatter, write};

use crate::backend::{Features, Token};
use crate::base::{Fired, Mode};
use crate::error::Rejected;
use crate::event::EventId;
use crate::ready::{Interest, Ready};
use crate::time::Instant;

/// The names of set bits, and the rest in hexadecimal.
macro_rules! flags {
    ($($flags:ident),*) => { $(
        impl Format for $flags {
            fn format(&self, f: Formatter<'_>) {
                write!(f, "{=str}(", stringify!($flags));
                let mut names = self.iter_names();
                for (place, (name, _)) in names.by_ref().enumerate() {
                    if place > 0 {
                        write!(f, " | ");
                    }
                    write!(f, "{=str}", name);
                }
                match names.remaining().bits() {
                    0 => {}
                    rest => write!(f, " | {:#x}", rest),
                }
                write!(f, ")");
            }
        }
    )* };
}
flags!(Features, Interest, Mode, Ready);

impl Format for EventId {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "{=u32}v{=u32}", self.slot, self.generation.get());
    }
}

impl Format for Token {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "Token({=u32}v{=u32})", self.row(), self.generation());
    }
}

#[cfg(all(feature = "std", unix))]
impl Format for crate::unix::Fd {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "Fd({=u32})", crate::backend::Descriptor::number(*self));
    }
}

impl Format for Instant {
    fn format(&self, f: Formatter<'_>) {
        match *self {
            Self::MAX => write!(f, "Instant(never)"),
            _ => write!(f, "Instant({=u64} ns)", self.as_nanos()),
        }
    }
}

/// Without the data, which need not be formattable.
impl<D> Format for Fired<D> {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "Fired({}, {}, {=u32})", self.id, self.ready, self.count);
    }
}

impl<T, E: Format> Format for Rejected<T, E> {
    fn format(&self, f: Formatter<'_>) {
        write!(f, "Rejected({})", self.error);
    }
}
