//! Calls the base, and the core's own backend.

use core::hint::black_box;

use evcore::backend::{EventOp, Manual, Sleeper, Split, Wake, WakeFlag};
use evcore::callback::Callback;
use evcore::options::{Fairness, Limits};
use evcore::storage::{Complete, Storage};
use evcore::{EventBase, Fired, Interest, Mode, Ready, Wait};

use crate::hostile::Hostile;
use crate::values::{duration, event, id, instant};

type Base<B, S> = EventBase<B, S, u32>;

/// Calls every method of a base. After each call the optimiser must assume that the base is in any state.
pub fn every_call<B: Wake + Split + EventOp<Fd = u32>, S: Storage>(base: &mut Base<B, S>) {
    create(base);
    change(base);
    activate(base);
    turn(base);
    halves(base);
    run(base);
    control(base);
    tell(base);
}

fn create<B: EventOp<Fd = u32>, S: Storage>(base: &mut Base<B, S>) {
    let _ = black_box(black_box(&mut *base).create(event(), black_box(1)));
    let _ = black_box(black_box(&mut *base).start(event(), black_box(1)));
    let _ = black_box(black_box(&mut *base).insert(black_box(3), black_box(Interest::READ), black_box(1)));
    let _ = black_box(black_box(&mut *base).insert_interval(duration(), black_box(1)));
    let _ = black_box(black_box(&mut *base).insert_wake(black_box(1)));
    let _ = black_box(black_box(&mut *base).insert_signal(black_box(15), black_box(1)));
}

fn change<B: EventOp<Fd = u32>, S: Storage>(base: &mut Base<B, S>) {
    let _ = black_box(black_box(&mut *base).add(id(), black_box(Some(duration()))));
    let _ = black_box(black_box(&mut *base).add_at(id(), instant()));
    let _ = black_box(black_box(&mut *base).add_from(id(), instant(), duration()));
    let _ = black_box(black_box(&mut *base).restart(id()));
    let _ = black_box(black_box(&mut *base).modify(id(), black_box(Interest::WRITE)));
    let _ = black_box(black_box(&mut *base).replace_fd(id(), black_box(4)));
    let _ = black_box(black_box(&mut *base).clear_timeout(id()));
    let _ = black_box(black_box(&mut *base).del(id()));
    let _ = black_box(black_box(&mut *base).deregister(id()));
    let _ = black_box(black_box(&mut *base).remove(id()));
}

fn activate<B: EventOp<Fd = u32>, S: Storage>(base: &mut Base<B, S>) {
    let _ = black_box(black_box(&mut *base).activate(id(), black_box(Ready::READ)));
    let _ = black_box(black_box(&mut *base).again(id()));
    black_box(&mut *base).activate_fd(black_box(3), black_box(Ready::READ));
    black_box(&mut *base).activate_signal(black_box(15), black_box(2));
    let _ = black_box(black_box(&mut *base).activate_counted(id(), black_box(2)));
}

fn turn<B: EventOp<Fd = u32>, S: Storage>(base: &mut Base<B, S>) {
    let wait = match black_box(0_u8) {
        0 => Wait::None,
        1 => Wait::Until(instant()),
        2 => Wait::For(duration()),
        _ => Wait::Forever,
    };
    black_box(black_box(&mut *base).next_sleep(wait));
    if let Ok(Some(fired)) = black_box(black_box(&mut *base).next_event(wait)) {
        *fired.data = black_box(*fired.data);
    }
    black_box(black_box(&mut *base).ended());
    if let Ok(turn) = black_box(black_box(&mut *base).poll(wait)) {
        black_box(turn.is_running());
    }
    if let Some(fired) = black_box(black_box(&mut *base).next_active()) {
        *fired.data = black_box(*fired.data);
    }
}

fn halves<B: Split + EventOp<Fd = u32>, S: Storage>(base: &mut Base<B, S>) {
    let wait = if black_box(true) { Wait::None } else { Wait::Forever };
    if let Ok(mut asleep) = black_box(black_box(&mut *base).begin_sleep(wait)) {
        black_box(asleep.until());
        black_box(asleep.sleeper().until());
        black_box(&mut asleep).sleep();
        let _ = black_box(black_box(&mut *base).end_sleep(asleep));
    }
}

fn run<B: EventOp<Fd = u32>, S: Storage>(base: &mut Base<B, S>) {
    // Makes the probe end when it is run.
    black_box(&mut *base).loop_break();
    let end = black_box(&mut *base).run(black_box(Mode::empty()), |base, event| {
        black_box(event);
        black_box(base).loop_break();
    });
    let _ = black_box(end);
}

fn control<B: Wake + EventOp<Fd = u32>, S: Storage>(base: &mut Base<B, S>) {
    black_box(&mut *base).loop_exit();
    black_box(&mut *base).loop_exit_after(duration());
    black_box(&mut *base).loop_break();
    black_box(&mut *base).loop_continue();
    let _ = black_box(black_box(&mut *base).set_priorities(black_box(3)));
    let _ = black_box(black_box(&mut *base).set_priority(id(), black_box(1)));
    black_box(&mut *base).set_fairness(black_box(Fairness::Strict));
    black_box(&mut *base).set_slack(duration());
    let _ = black_box(black_box(&mut *base).reinit());
    black_box(black_box(&mut *base).now());
    black_box(black_box(&mut *base).update_now());
    let _ = black_box(black_box(&mut *base).waker());
    black_box(black_box(&mut *base).backend_mut());
}

/// Calls the methods that a storage without some parts does not have.
pub fn of_parts<B: EventOp<Fd = u32>, S: Complete>(base: &mut Base<B, S>) {
    black_box(&mut *base).set_limits(black_box(Limits::DEFAULT));
    let _ = black_box(black_box(&mut *base).pause_for(id(), duration()));
    let _ = black_box(black_box(&mut *base).insert_timer(duration(), black_box(1)));
    black_box(&mut *base).clear_max_counts();
    black_box(black_box(&mut *base).max_counts());
    black_box(black_box(&mut *base).stats());
}

fn tell<B: EventOp<Fd = u32>, S: Storage>(base: &mut Base<B, S>) {
    let base = black_box(base);
    black_box(base.contains(id()));
    black_box(base.get(id()));
    black_box(base.get_mut(id()));
    black_box(base.fd(id()));
    black_box(base.interest(id()));
    black_box(base.signum(id()));
    black_box(base.priority(id()));
    black_box(base.priorities());
    black_box(base.pending(id()));
    black_box(base.current_event());
    black_box(base.is_empty());
    black_box(base.counts());
    black_box(base.next_deadline());
    for (id, data) in base.iter() {
        black_box((id, data));
    }
    black_box(base.method());
    black_box(base.features());
    black_box(base.backend());
}

/// Calls the methods of `Manual` for tests.
pub fn manual<const N: usize>(manual: &mut Manual<N>) {
    static FLAG: WakeFlag = WakeFlag::new();
    black_box(&mut *manual).advance(duration());
    black_box(&mut *manual).set_now(instant());
    black_box(black_box(&mut *manual).set_ready(black_box(3), black_box(Ready::READ)));
    black_box(black_box(&mut *manual).ready(black_box(3)));
    black_box(black_box(&mut *manual).watched(black_box(3)));
    black_box(&mut *manual).raise(black_box(15));
    black_box(&mut *manual).refuse(black_box(1));
    black_box(&mut *manual).set_batch(black_box(1));
    black_box(black_box(&mut *manual).waits());
    black_box(Manual::new().with_flag(&FLAG));
    black_box(Manual::default());
}

/// Callbacks as data. Their behaviour is the user's.
pub fn callbacks<S: Storage>(base: &mut EventBase<Hostile, S, Callback<Hostile, S, u8>>) {
    fn called<S: Storage>(
        base: &mut EventBase<Hostile, S, Callback<Hostile, S, u8>>,
        context: &mut u8,
        event: Fired,
        arg: usize,
    ) {
        black_box((base.is_empty(), context, event, arg));
    }
    let callback = Callback::new(called::<S>, black_box(7));
    black_box(callback.arg());
    let _ = black_box(black_box(&mut *base).create(event(), callback).map_err(|rejected| rejected.error));
    black_box(&mut *base).loop_break();
    let _ = black_box(black_box(&mut *base).run_callbacks(black_box(Mode::ONCE), &mut black_box(1)));
}

/// Closures, boxed.
#[cfg(feature = "alloc")]
pub fn closures<S: Storage>(base: &mut EventBase<Hostile, S, evcore::callback::Closure<Hostile, S, u8>>) {
    black_box(&mut *base).loop_break();
    let _ = black_box(black_box(&mut *base).run_closures(black_box(Mode::ONCE), &mut black_box(1)));
}
