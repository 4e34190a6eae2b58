//! What a board's event waits for.

use crate::backend::Descriptor;

/// One of a board's `N` lines: a UART, a pin, a converter, anything that raises interrupts. Its number is checked when
/// it is made, so no later use fails.
///
/// ```
/// use evcore::board::Line;
///
/// const UART: Line<2> = Line::new(0).unwrap(); // a 2 would not compile
/// assert_eq!(Line::<2>::new(2), None);
/// assert_ne!(Line::new(1), Some(UART));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Line<const N: usize>(u8);

impl<const N: usize> Line<N> {
    /// The line of a number. `None`: the board has no such line.
    #[must_use]
    #[expect(clippy::as_conversions, reason = "`From` is not const")]
    pub const fn new(number: u8) -> Option<Self> {
        if (number as usize) < N { Some(Self(number)) } else { None }
    }

    pub(super) fn place(self) -> usize {
        self.0.into()
    }
}

impl<const N: usize> Descriptor for Line<N> {
    fn number(self) -> u32 {
        self.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_keeps_its_number_and_there_are_no_more_than_the_board_has() {
        let numbers = [0, 1, 2].map(|number| Line::<3>::new(number).map(|line| (line.number(), line.place())));
        assert_eq!(numbers, [Some((0, 0)), Some((1, 1)), Some((2, 2))]);
        assert_eq!(Line::<3>::new(3), None);
    }
}
