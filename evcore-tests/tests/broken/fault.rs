//! What is wrong with a backend.

/// One way to break the contract.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    None,

    // Reports.
    /// Every second report is lost.
    LosesReports,
    /// Of what is ready only the first three are ever reported.
    StarvesTheRest,
    /// What waits for WRITE alone is not reported while anything can be read.
    StarvesWriters,
    /// What waits for CLOSED or URGENT alone is not reported while anything can be read.
    StarvesRareKinds,
    /// What is found beyond the 16th, 32nd, 64th or 256th in one wait is lost.
    CutsAt16,
    CutsAt32,
    CutsAt64,
    CutsAt256,
    /// Eight are reported at a time, and always those that were registered first.
    ServesTheFirstEight,
    /// What is found for a registration that has ended is reported under one that lives.
    ReportsTheDeadAsTheLiving,
    /// A registration that has ended is reported once more.
    ReportsOnceMore,
    /// What was found by the last wait is reported by this one too.
    ReportsTwice,
    /// Two that are found by one wait are reported as each other.
    SwapsTokens,
    /// A token is reported without its generation.
    DropsTheGeneration,
    /// What is ready by level is reported once.
    LevelAsEdge,
    /// Room to write is reported once.
    RoomOnce,
    /// A hang-up is reported once.
    HangUpOnce,
    /// What is ready by level is reported ten times.
    TiresAfterTen,
    /// What is ready by level is reported by each second wait.
    LevelEachSecondTime,
    /// What is ready by edge is reported until it is not.
    EdgeAsLevel,
    /// Of an edge in both directions only READ is reported.
    EdgeReadHidesWrite,
    /// ERROR and HANGUP are declared and not reported.
    HidesErrors,
    /// ERROR is not reported.
    HidesError,
    /// HANGUP is not reported.
    HidesHangUp,
    /// A hang-up is no news to who waits for WRITE alone.
    HidesHangUpFromWriters,
    /// A reset is no news to who waits for CLOSED alone.
    HidesResets,
    /// WRITE is reported with each READ.
    WriteWithRead,
    /// READ is reported with each URGENT.
    ReadWithUrgent,
    /// After the peer has shut down its writing side, there is no room to write any more.
    HalfCloseStopsWriting,
    /// CLOSED is reported as READ to who waits for it alone.
    ClosedAsRead,
    /// A hang-up is reported as an error.
    HangUpAsError,
    /// After CLOSED a hang-up is not reported.
    ClosedHidesHangUp,
    /// By edge, CLOSED is not reported after READ.
    ReadHidesClosedEdge,
    /// What can be read is not reported with urgent data.
    UrgentHidesRead,
    /// A hang-up is reported as a registration that the system has ended.
    FailsAtHangUp,
    /// Of a token's generation eight bits are kept.
    TruncatesTheGeneration,
    /// The same with sixteen bits.
    TruncatesTheGenerationTo16,
    /// What is not ready is reported all the same, without a bit.
    ReportsNothing,

    // Registrations.
    /// An fd that was registered before is not registered a second time.
    MissesTheReadd,
    /// `add` takes hold only after the next wait.
    AddsLate,
    /// `add` does not see what is ready already, until something changes.
    AddMissesWhatIsReady,
    /// `add` of READ | CLOSED is one of READ.
    AddForgetsClosed,
    /// `add` of READ | URGENT is one of READ.
    AddForgetsUrgent,
    /// `add` of READ | WRITE with EDGE is one of READ with EDGE.
    AddForgetsWriteEdge,
    /// The 65th registration is answered with `Ok`, and is none.
    HoldsOnly64,
    /// The 33rd registration is answered with `Ok`, and is none.
    HoldsOnly32,
    /// A descriptor is known by the lower 16 bits of its number.
    TruncatesNumbers,
    /// What the system refuses is answered with `Ok`.
    HidesRefusals,
    /// What the system refuses is registered all the same.
    LeavesRefusalsBehind,
    /// After an `add` that was refused, the next one of that fd does nothing.
    RefusedAddPoisons,
    /// A refused `add` ends the registration that was made last.
    RefusedAddEndsAnother,
    /// A refused `modify` ends the registration.
    RefusedModifyEnds,
    /// A refused `modify` takes hold.
    RefusedModifyTakesHold,
    /// A refused `modify` ends the registration that was made first.
    RefusedModifyEndsAnother,
    /// CLOSED is declared, and asking for it is refused.
    ClaimsTooMuch,

    // Changes.
    /// `modify` does nothing.
    IgnoresModify,
    /// `modify` to the same interest does nothing.
    IgnoresEqualModify,
    /// Of the changes between two waits only the first is made.
    OneModifyATurn,
    /// `modify` adds to the interest and never takes away.
    NeverNarrows,
    /// `modify` takes away from the interest and never adds.
    NeverWidens,
    /// `modify` forgets CLOSED.
    ModifyForgetsClosed,
    /// `modify` also changes the registration that was made before this one.
    ModifyHitsNeighbour,
    /// `modify` makes an edge-triggered registration one by level.
    ModifyForgetsEdge,
    /// `modify` of an edge-triggered registration does not report again what is ready.
    ModifyReportsNoEdge,
    /// `modify` of an edge-triggered registration loses the edge that comes next.
    ModifyLosesNextEdge,
    /// A number that is another file's now is taken over without a report.
    ReplacedAsKept,
    /// Each eighth `modify` answers that the number is another file's.
    KeptAsReplaced,

    // Ends.
    /// `del` does nothing.
    IgnoresDel,
    /// `del` takes hold at the next wait.
    DelsLate,
    /// `del` also ends the registration that was made next.
    DelEndsNeighbour,
    /// After a `del`, changes of the registration that was made last do nothing: it has moved to the other's place.
    DelMovesTheLast,

    // Waits and time.
    /// Waits are five milliseconds too long.
    WakesLate,
    /// Waits are half as long as they should be.
    WakesEarly,
    /// Every wait is none.
    NeverSleeps,
    /// A wait without an end does not wait.
    ForeverIsNone,
    /// A wait that is no wait lasts a millisecond.
    NoneWaits,
    /// A wait that is no wait does not look.
    NoneDoesNotLook,
    /// A wait whose end has come does not look.
    PastDoesNotLook,
    /// A wait ends at the millisecond before its end.
    WaitsWholeMilliseconds,
    /// The clock stands still.
    ForgetsTheClock,
    /// The clock shows whole milliseconds, the next one.
    RoundsTheClock,
    /// The clock is read when a wait has found nothing, and stands still until then.
    ClockStopsWhenBusy,
    /// Each 16th look at the clock is a millisecond behind.
    ClockStepsBack,
    /// Each 997th look at the clock is 20 µs behind.
    ClockStepsBackRarely,
    /// A rebuild sets the clock back.
    ReinitSetsTheClockBack,
    /// The clock goes at half its speed.
    ClockIsSlow,
    /// A wait past a point in time does not end there.
    ForgetsTheDeadline,
    /// With more than a hundred registrations no wait sleeps.
    NeverSleepsWithMany,
    /// A rebuild is asked for by each eighth wait.
    RebuildsOften,
    /// A look answers that it has found something, and reports nothing.
    LookLies,
    /// What a look finds is lost.
    LookLosesReports,

    // Wakes.
    /// A wake does not end a wait.
    LosesWakes,
    /// A wake ends a wait, and it is not said why.
    SaysNothingOfWakes,
    /// The same when something was found besides.
    SaysNothingOfWakesWhenBusy,
    /// After a wake each wait is said to have been ended by one.
    SaysWokenEachTime,
    /// A wake ends all waits from then on.
    SpinsAfterAWake,
    /// A wake after a wait that has found something is lost.
    LosesWakesWhenBusy,
    /// The first wake works.
    WakesOnce,
    /// Only the first waker works.
    SecondWakerIsDead,
    /// A wake is lost when a registration is made or changed before the wait.
    ChangesLoseAWake,
    /// Wakers do not work after a rebuild.
    ReinitLosesWakers,
    /// A wake that came before a rebuild is lost.
    ReinitLosesAWake,

    // Signals.
    /// A signal that came more than once is reported as one.
    CountsToOne,
    /// Each signal is counted twice.
    CountsDouble,
    /// A signal is counted in eight bits.
    CountsInAByte,
    /// Signals from 32 on are not watched.
    IgnoresHighSignals,
    /// A signal that came while nobody waited for it is reported to who waits for it later.
    SignalsAreKept,
    /// A signal that has come is lost when another one is watched.
    SignalAddLosesOthers,
    /// A second signal of the same wait is lost.
    LosesSignals,
    /// A signal that comes together with readiness is lost.
    ReadinessHidesSignals,
    /// A signal is reported by the next wait too.
    SignalsTwice,
    /// With one signal, all are no longer watched.
    SignalDelEndsAll,
    /// Arrivals that were not reported are lost when the signal is not watched any more.
    SignalDelTellsNothing,
    /// A signal that is watched a second time is not.
    SignalReaddIsIgnored,
    /// After a refused `add` of a signal the next one does nothing.
    RefusedSignalPoisons,
    /// Signals are not watched after a rebuild.
    ReinitLosesSignals,
    /// A signal that came before a rebuild is lost.
    ReinitLosesASignal,

    // Rebuilds.
    /// `reinit` forgets what is watched and says nothing when it is registered again.
    ForgetsAfterReinit,
    /// After a rebuild the fd that is registered first is not.
    ReinitForgetsTheFirst,
    /// After a rebuild edges are levels.
    ReinitForgetsEdge,
    /// After a rebuild what is ready is not reported as an edge.
    ReinitReportsNoEdge,
    /// A rebuild keeps what was registered, under the old tokens.
    ReinitKeepsTheOld,
    /// After a rebuild `del` does nothing.
    ReinitStopsDels,
}
