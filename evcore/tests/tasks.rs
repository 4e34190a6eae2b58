//! Tasks on a backend driven by hand: faults that were found once.

use std::time::Duration;

use evcore::backend::Manual;
use evcore::task::{Executor, Handle, Item, yield_now};
use evcore::{EventBase, Growable, Interest, Ready};

type Tasks = Executor<Manual, Growable, u32>;

const SECOND: Duration = Duration::from_secs(1);

fn tasks() -> (Tasks, Handle<u32, evcore::backend::ManualError>) {
    let base: EventBase<Manual, Growable, Item<u32>> = EventBase::new(Manual::new());
    let executor = Executor::local(base);
    let handle = executor.handle();
    (executor, handle)
}

#[test]
fn error_that_was_awaited_does_not_spin_while_nobody_waits() {
    let (mut executor, handle) = tasks();
    let source = handle.source(3, ()).unwrap();
    executor.base().unwrap().backend_mut().set_ready(3, Ready::READ | Ready::ERROR | Ready::HANGUP);
    for _ in 0..2 {
        assert!(executor.block_on(source.ready(Interest::READ)).unwrap().unwrap().is_error());
        // The first of these turns may bring it once more, for nobody.
        executor
            .block_on(async {
                yield_now().await;
                yield_now().await;
            })
            .unwrap();
        assert_eq!(executor.base().unwrap().backend().watched(3).unwrap_or_default(), Interest::empty());
    }
    // On this backend time stands still while something is ready.
    executor.block_on(handle.sleep(SECOND)).unwrap().unwrap();
}
