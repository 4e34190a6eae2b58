//! The faults of a backend.

/// One way to break the contract.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    None,

    // Reports.
    /// Every second report is lost.
    LosesReports,
    /// Only the first three ready sources are ever reported.
    StarvesTheRest,
    /// An event that waits for WRITE alone is not reported while anything is readable.
    StarvesWriters,
    /// An event that waits for CLOSED or URGENT alone is not reported while anything is readable.
    StarvesRareKinds,
    /// Reports beyond the 16th, 32nd, 64th or 256th in one wait are lost.
    CutsAt16,
    CutsAt32,
    CutsAt64,
    CutsAt256,
    /// Eight are reported at a time, always those that were registered first.
    ServesTheFirstEight,
    /// Reports of an ended registration get the token of a current one.
    ReportsTheDeadAsTheLiving,
    /// A registration is reported once more after it has ended.
    ReportsOnceMore,
    /// The reports of the last wait are repeated by this one.
    ReportsTwice,
    /// Two reports of one wait have their tokens exchanged.
    SwapsTokens,
    /// A token is reported without its generation.
    DropsTheGeneration,
    /// Level-triggered readiness is reported once.
    LevelAsEdge,
    /// Room to write is reported once.
    RoomOnce,
    /// A hang-up is reported once.
    HangUpOnce,
    /// Level-triggered readiness is reported ten times.
    TiresAfterTen,
    /// Level-triggered readiness is reported by every second wait.
    LevelEachSecondTime,
    /// Edge-triggered readiness is reported for as long as it lasts.
    EdgeAsLevel,
    /// An edge in both directions is reported as READ only.
    EdgeReadHidesWrite,
    /// ERROR and HANGUP are declared but not reported.
    HidesErrors,
    /// ERROR is not reported.
    HidesError,
    /// HANGUP is not reported.
    HidesHangUp,
    /// A hang-up is not reported to an event that waits for WRITE alone.
    HidesHangUpFromWriters,
    /// A reset is not reported to an event that waits for CLOSED alone.
    HidesResets,
    /// WRITE is reported with each READ.
    WriteWithRead,
    /// READ is reported with each URGENT.
    ReadWithUrgent,
    /// After the peer has shut down its writing side, WRITE is not reported any more.
    HalfCloseStopsWriting,
    /// CLOSED is reported as READ to an event that waits for CLOSED alone.
    ClosedAsRead,
    /// A hang-up is reported as an error.
    HangUpAsError,
    /// After CLOSED a hang-up is not reported.
    ClosedHidesHangUp,
    /// Edge-triggered, CLOSED is not reported after READ.
    ReadHidesClosedEdge,
    /// READ is not reported together with urgent data.
    UrgentHidesRead,
    /// A hang-up is reported as if the system had ended the registration.
    FailsAtHangUp,
    /// A token's generation is truncated to eight bits.
    TruncatesTheGeneration,
    /// The same with sixteen bits.
    TruncatesTheGenerationTo16,
    /// A source that is not ready is reported without a bit.
    ReportsNothing,

    // Registrations.
    /// An fd that was registered before is not registered again.
    MissesTheReadd,
    /// `add` takes effect only after the next wait.
    AddsLate,
    /// `add` does not report what is already ready, until something changes.
    AddMissesWhatIsReady,
    /// `add` of READ | CLOSED registers READ.
    AddForgetsClosed,
    /// `add` of READ | URGENT registers READ.
    AddForgetsUrgent,
    /// `add` of READ | WRITE with EDGE registers READ with EDGE.
    AddForgetsWriteEdge,
    /// The 65th registration returns `Ok` and is not made.
    HoldsOnly64,
    /// The 33rd registration returns `Ok` and is not made.
    HoldsOnly32,
    /// Only the lower 16 bits of a descriptor's number count.
    TruncatesNumbers,
    /// `add` returns `Ok` although the system refuses.
    HidesRefusals,
    /// A registration is made although it is refused.
    LeavesRefusalsBehind,
    /// After a refused `add`, the next one of that fd does nothing.
    RefusedAddPoisons,
    /// A refused `add` ends the most recent registration.
    RefusedAddEndsAnother,
    /// A refused `modify` ends the registration.
    RefusedModifyEnds,
    /// A refused `modify` takes effect.
    RefusedModifyTakesHold,
    /// A refused `modify` ends the oldest registration.
    RefusedModifyEndsAnother,
    /// CLOSED is declared but refused.
    ClaimsTooMuch,

    // Changes.
    /// `modify` does nothing.
    IgnoresModify,
    /// `modify` to the same interest does nothing.
    IgnoresEqualModify,
    /// Only the first of several changes between two waits is made.
    OneModifyATurn,
    /// `modify` extends the interest but never reduces it.
    NeverNarrows,
    /// `modify` reduces the interest but never extends it.
    NeverWidens,
    /// `modify` ignores CLOSED.
    ModifyForgetsClosed,
    /// `modify` also changes the registration made before this one.
    ModifyHitsNeighbour,
    /// `modify` makes an edge-triggered registration level-triggered.
    ModifyForgetsEdge,
    /// `modify` of an edge-triggered registration does not report what is ready again.
    ModifyReportsNoEdge,
    /// `modify` of an edge-triggered registration loses the next edge.
    ModifyLosesNextEdge,
    /// A reused number is taken over without a report.
    ReplacedAsKept,
    /// Every eighth `modify` reports that the number was reused.
    KeptAsReplaced,

    // Deregistration.
    /// `del` does nothing.
    IgnoresDel,
    /// `del` takes effect at the next wait.
    DelsLate,
    /// `del` also ends the next registration.
    DelEndsNeighbour,
    /// After a `del`, changes of the most recent registration do nothing, as if it had moved to the deleted one's
    /// place.
    DelMovesTheLast,

    // Waits and time.
    /// Waits are five milliseconds too long.
    WakesLate,
    /// Waits are an eighth as long as they should be.
    WakesEarly,
    /// No wait ever sleeps.
    NeverSleeps,
    /// A wait without an end returns at once.
    ForeverIsNone,
    /// A wait of zero lasts a millisecond.
    NoneWaits,
    /// A wait of zero does not check for readiness.
    NoneDoesNotLook,
    /// A wait whose end has passed does not check for readiness.
    PastDoesNotLook,
    /// A wait ends at the last whole millisecond before its end.
    WaitsWholeMilliseconds,
    /// The clock stands still.
    ForgetsTheClock,
    /// The clock is rounded up to whole milliseconds.
    RoundsTheClock,
    /// The clock is updated only by waits that find nothing.
    ClockStopsWhenBusy,
    /// Every 16th reading of the clock is a millisecond behind.
    ClockStepsBack,
    /// Every 997th reading of the clock is 20 µs behind.
    ClockStepsBackRarely,
    /// A rebuild sets the clock back.
    ReinitSetsTheClockBack,
    /// The clock runs at half speed.
    ClockIsSlow,
    /// A wait until a point in time does not end there.
    ForgetsTheDeadline,
    /// With more than a hundred registrations no wait sleeps.
    NeverSleepsWithMany,
    /// Every eighth wait requests a rebuild.
    RebuildsOften,
    /// `look` returns that it has found something, and reports nothing.
    LookLies,
    /// What `look` finds is lost.
    LookLosesReports,

    // Wakes.
    /// A wake does not end a wait.
    LosesWakes,
    /// A wake ends a wait but is not reported.
    SaysNothingOfWakes,
    /// The same if something else was found as well.
    SaysNothingOfWakesWhenBusy,
    /// After a wake each wait reports a wake.
    SaysWokenEachTime,
    /// A wake ends all waits from then on.
    SpinsAfterAWake,
    /// A wake after a wait that has found something is lost.
    LosesWakesWhenBusy,
    /// The first wake works.
    WakesOnce,
    /// Only the first waker works.
    SecondWakerIsDead,
    /// A wake is lost if a registration is made or changed before the wait.
    ChangesLoseAWake,
    /// Wakers do not work after a rebuild.
    ReinitLosesWakers,
    /// A wake that came before a rebuild is lost.
    ReinitLosesAWake,

    // Signals.
    /// A signal that arrived several times is reported with a count of one.
    CountsToOne,
    /// Each signal is counted twice.
    CountsDouble,
    /// A signal's count has eight bits.
    CountsInAByte,
    /// Signals from 32 on are not watched.
    IgnoresHighSignals,
    /// A signal that arrived while it was not watched is reported to a later watcher.
    SignalsAreKept,
    /// Arrivals of a signal are lost when another one is watched.
    SignalAddLosesOthers,
    /// The second signal of one wait is lost.
    LosesSignals,
    /// A signal that is found together with readiness is lost.
    ReadinessHidesSignals,
    /// A signal is reported by the next wait, too.
    SignalsTwice,
    /// When one signal is no longer watched, none is.
    SignalDelEndsAll,
    /// Arrivals that were not reported are lost when the signal is no longer watched.
    SignalDelTellsNothing,
    /// A signal that is watched again is not.
    SignalReaddIsIgnored,
    /// After a refused `add` of a signal, the next one does nothing.
    RefusedSignalPoisons,
    /// Signals are not watched after a rebuild.
    ReinitLosesSignals,
    /// A signal that came before a rebuild is lost.
    ReinitLosesASignal,

    // Rebuilds.
    /// `reinit` loses all registrations, and returns `Ok` when they are made again.
    ForgetsAfterReinit,
    /// After a rebuild the fd registered first is not watched.
    ReinitForgetsTheFirst,
    /// After a rebuild edge-triggered registrations are level-triggered.
    ReinitForgetsEdge,
    /// After a rebuild readiness is not reported as an edge.
    ReinitReportsNoEdge,
    /// A rebuild keeps the old registrations, under their old tokens.
    ReinitKeepsTheOld,
    /// After a rebuild `del` does nothing.
    ReinitStopsDels,
}
