//! Ticks of a clock to nanoseconds and back, without a division, which the smallest parts lack.

use crate::time::Instant;

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// Converts ticks of a clock that counts `HZ` times a second, up to 10^9, to nanoseconds and back.
///
/// Divisions are done at compile time. At run time there are only multiplications, of 32 by 32 bits if `HZ` divides
/// 10^9 or the time is shorter than 4 s.
///
/// ```
/// use evcore::Instant;
/// use evcore::board::Ticks;
///
/// type Rtc = Ticks<32_768>;
///
/// let now = Rtc::instant(32_768);
/// assert_eq!(now, Instant::from_nanos(1_000_000_000));
/// // 10 ms are 327.68 ticks.
/// assert_eq!(Rtc::between(now, Instant::from_nanos(1_010_000_000)), 328);
/// ```
#[derive(Debug)]
pub struct Ticks<const HZ: u32>(());

impl<const HZ: u32> Ticks<HZ> {
    /// The maximum that [`between`](Ticks::between) returns: half the range of a 32-bit counter.
    pub const MAX: u32 = 1 << 31;

    #[expect(clippy::as_conversions, reason = "`From` is not const")]
    const RATE: u64 = {
        assert!(HZ > 0 && HZ as u64 <= NANOS_PER_SEC, "a clock counts once to a thousand million times a second");
        HZ as u64
    };
    /// Nanoseconds of a tick: the integer, and the fraction in 2^-32.
    #[expect(clippy::integer_division, reason = "constant")]
    const NANOS: u64 = NANOS_PER_SEC / Self::RATE;
    #[expect(clippy::integer_division, reason = "constant")]
    const FRACTION: u64 = ((NANOS_PER_SEC % Self::RATE) << 32) / Self::RATE;
    /// Ticks in 2^32 ns, rounded down and up; 2^32 at most.
    const PER_4S: u64 = if Self::IS_EXACT { Self::PER_4S_SHORT } else { Self::PER_4S_SHORT.wrapping_add(1) };
    /// Whether 2^32 ns are whole ticks and ticks are exact. Otherwise an alarm that is right to the tick may go off
    /// before [`Ticks::instant`] reaches it.
    const IS_EXACT: bool =
        (Self::RATE << 32) % NANOS_PER_SEC == 0 && ((NANOS_PER_SEC % Self::RATE) << 32) % Self::RATE == 0;
    #[expect(clippy::integer_division, reason = "constant")]
    const PER_4S_SHORT: u64 = (Self::RATE << 32) / NANOS_PER_SEC;

    /// The time after this many ticks, for 584 years. Exact if `HZ` divides 10^9 or is a power of two; otherwise each
    /// tick is short by less than 2^-32 ns, a nanosecond in six minutes at 12 MHz.
    ///
    /// ```
    /// use evcore::board::Ticks;
    ///
    /// assert_eq!(Ticks::<12_500_000>::instant(3).as_nanos(), 240);
    /// assert_eq!(Ticks::<3>::instant(2).as_nanos(), 666_666_666);
    /// ```
    #[must_use]
    pub const fn instant(ticks: u64) -> Instant {
        let rest =
            (ticks >> 32).wrapping_mul(Self::FRACTION).wrapping_add((ticks & LOW).wrapping_mul(Self::FRACTION) >> 32);
        Instant::from_nanos(ticks.wrapping_mul(Self::NANOS).wrapping_add(rest))
    }

    /// The number of ticks for an alarm at `at`, rounded up by less than two ticks; 0 once `at` has come.
    ///
    /// A time beyond 4 s is rounded down (by less than a thousandth from 1 kHz on, a quarter at 1 Hz) and limited to
    /// [`MAX`](Ticks::MAX): the alarm goes off early, and the loop sets it again.
    ///
    /// ```
    /// use evcore::Instant;
    /// use evcore::board::Ticks;
    ///
    /// type Clock = Ticks<1_000_000>;
    ///
    /// let now = Instant::from_nanos(1_000);
    /// assert_eq!(Clock::between(now, Instant::from_nanos(3_001)), 3);
    /// assert_eq!(Clock::between(now, Instant::ZERO), 0);
    /// assert_eq!(Clock::between(now, Instant::MAX), Clock::MAX);
    /// ```
    #[must_use]
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "no more than MAX")]
    pub const fn between(now: Instant, at: Instant) -> u32 {
        let nanos = at.nanos_since(now);
        let ticks = if nanos >> 32 == 0 {
            nanos.wrapping_mul(Self::PER_4S).wrapping_add(LOW) >> 32
        } else {
            let upper = if nanos >> 44 == 0 { nanos >> 12 } else { LOW };
            upper.wrapping_mul(Self::PER_4S_SHORT) >> 20
        };
        if ticks < 1 << 31 { ticks as u32 } else { Self::MAX }
    }
}

const LOW: u64 = 0xffff_ffff;

#[cfg(test)]
mod tests {
    use super::*;

    fn instant_never_runs_back_and_is_right<const HZ: u32>() {
        let mut last = Instant::ZERO;
        for shift in 0..40 {
            for near in 0..5u64 {
                let ticks = (1u64 << shift).wrapping_add(near).wrapping_sub(2);
                let Some(exact) = u128::from(ticks).checked_mul(1_000_000_000).map(|nanos| nanos / u128::from(HZ))
                else {
                    continue;
                };
                if exact >= 1 << 62 || ticks > 1 << 50 {
                    continue;
                }
                let nanos = u128::from(Ticks::<HZ>::instant(ticks).as_nanos());
                // At most 2^-32 of each tick is missing.
                assert!(nanos <= exact && exact - nanos <= 1 + (u128::from(ticks) >> 32), "{HZ}: {ticks}: {nanos}");
                if near > 1 {
                    assert!(Ticks::<HZ>::instant(ticks) >= Ticks::<HZ>::instant(ticks - 1));
                }
                last = last.max(Ticks::<HZ>::instant(ticks));
            }
        }
        assert!(last > Instant::ZERO);
    }

    fn between_is_enough_and_hardly_more<const HZ: u32>() {
        for shift in 0..32 {
            for near in 0..5u64 {
                let nanos = ((1u64 << shift) + near).saturating_sub(2).min(LOW);
                let now = Instant::from_nanos(77);
                let ticks = u128::from(Ticks::<HZ>::between(now, Instant::from_nanos(77 + nanos)));
                let exact = (u128::from(nanos) * u128::from(HZ)).div_ceil(1_000_000_000);
                let exact = exact.min(u128::from(Ticks::<HZ>::MAX));
                assert!(ticks >= exact && ticks <= exact + 1, "{HZ}: {nanos} ns: {ticks}, not {exact}");
            }
        }
        for shift in 32..64 {
            let nanos = 1u64 << shift;
            let ticks = u128::from(Ticks::<HZ>::between(Instant::ZERO, Instant::from_nanos(nanos)));
            let exact = u128::from(nanos) * u128::from(HZ) / 1_000_000_000;
            assert!(ticks > 0, "{HZ}: it would not sleep for {nanos} ns");
            assert!(ticks <= exact + 1, "{HZ}: {nanos} ns: {ticks} is late");
            if exact < u128::from(Ticks::<HZ>::MAX) && nanos < 1 << 44 {
                assert!(
                    ticks >= exact - exact / if HZ < 1_000 { 4 } else { 1_000 } - 1,
                    "{HZ}: {nanos} ns: {ticks} is early"
                );
            }
        }
    }

    /// Such an alarm, which compares for equality, has passed and comes again only a round later.
    fn between_is_enough_for_the_clock<const HZ: u32>() {
        for begin in [0, 1, 7, 1 << 20, 1 << 33] {
            let now = Ticks::<HZ>::instant(begin);
            for nanos in (1..5_000).chain([1_000_000]) {
                let at = Instant::from_nanos(now.as_nanos() + nanos);
                let ticks = Ticks::<HZ>::between(now, at);
                let then = Ticks::<HZ>::instant(begin + u64::from(ticks));
                assert!(then >= at, "{HZ}: {ticks} ticks after {begin} it is {then:?}, not {at:?}");
            }
        }
    }

    #[test]
    fn alarm_of_few_ticks_is_not_over_before_the_clock_says_so() {
        between_is_enough_for_the_clock::<1>();
        between_is_enough_for_the_clock::<32_768>();
        between_is_enough_for_the_clock::<5_859_375>();
        between_is_enough_for_the_clock::<12_000_000>();
        between_is_enough_for_the_clock::<46_875_000>();
        between_is_enough_for_the_clock::<168_000_000>();
        between_is_enough_for_the_clock::<1_000_000_000>();
    }

    #[test]
    fn alarm_is_never_beyond_the_longest() {
        for nanos in [(1u64 << 31) - 1, 1 << 31, (1 << 31) + 1] {
            let ticks = Ticks::<1_000_000_000>::between(Instant::ZERO, Instant::from_nanos(nanos));
            assert!(ticks <= Ticks::<1_000_000_000>::MAX, "{nanos} ns: {ticks}");
        }
    }

    macro_rules! rates {
        ($($name:ident $hz:literal)*) => { $(
            #[test]
            fn $name() {
                instant_never_runs_back_and_is_right::<$hz>();
                between_is_enough_and_hardly_more::<$hz>();
            }
        )* };
    }
    rates! {
        ticks_of_one_hertz 1
        ticks_of_a_watch_crystal 32_768
        ticks_of_a_microsecond 1_000_000
        ticks_of_12_mhz 12_000_000
        ticks_of_12_5_mhz 12_500_000
        ticks_of_168_mhz 168_000_000
        ticks_of_999_999_999_hz 999_999_999
        ticks_of_a_nanosecond 1_000_000_000
    }
}
