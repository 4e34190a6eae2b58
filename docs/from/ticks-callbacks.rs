use std::io::Read;
use std::time::Duration;

use evcore::callback::Callback;
use evcore::{EventBase, Fd, Fired, Growable, Interest, Mode};
use evplat_linux::Epoll;

type Task = Callback<Epoll, Growable, Counter>;
type Base = EventBase<Epoll, Growable, Task>;

struct Counter {
    ticks: u32,
}

fn on_tick(base: &mut Base, counter: &mut Counter, _: Fired, _: usize) {
    counter.ticks += 1;
    println!("tick {}", counter.ticks);
    if counter.ticks == 3 {
        base.loop_exit();
    }
}

fn on_input(base: &mut Base, _: &mut Counter, event: Fired, _: usize) {
    match std::io::stdin().read(&mut [0; 100]) {
        Ok(0) | Err(_) => drop(base.remove(event.id)),
        Ok(_) => println!("input"),
    }
}

fn on_stop(base: &mut Base, _: &mut Counter, _: Fired, _: usize) {
    base.loop_break();
}

fn main() -> std::io::Result<()> {
    let mut base = Base::new(Epoll::new()?);
    base.insert_interval(Duration::from_millis(10), Callback::new(on_tick, 0))?;
    base.insert(Fd::of(&std::io::stdin()), Interest::READ, Callback::new(on_input, 0))?;
    base.insert_signal(libc::SIGTERM, Callback::new(on_stop, 0))?;
    let mut counter = Counter { ticks: 0 };
    base.run_callbacks(Mode::empty(), &mut counter)?;
    println!("{} ticks", counter.ticks);
    Ok(())
}
