//! Ticks of a counter, without division: the smallest parts have none.

/// How many ticks to set an alarm by, so that it goes off in `nanos` nanoseconds: rounded up by less than 3 ticks. `ticks_per_4s` is how
/// many there are in 2^32 ns, rounded up.
///
/// A time beyond 4 s is rounded down, by less than a thousandth, and bounded to what the counter can hold: the alarm goes
/// off early then, and is set for the rest.
// [snippet: ticks]
pub const fn ticks(nanos: u64, ticks_per_4s: u32) -> u32 {
    if nanos >> 32 == 0 {
        return (((nanos * ticks_per_4s as u64) >> 32) as u32).saturating_add(2);
    }
    let upper = if nanos >> 44 == 0 { (nanos >> 12) as u32 } else { u32::MAX };
    let ticks = (upper as u64 * ticks_per_4s as u64) >> 20;
    if ticks > MAX_TICKS as u64 { MAX_TICKS } else { ticks as u32 }
}
// [end]

/// Half of what a counter of 32 bits can hold.
const MAX_TICKS: u32 = 1 << 31;
