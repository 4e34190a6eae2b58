use std::io;
use std::time::Duration;

use evplat_linux::{Epoll, EventBase, Wait};

enum Task {
    Tick,
}

fn main() -> io::Result<()> {
    let mut base = EventBase::new(Epoll::new()?);
    base.insert_interval(Duration::from_millis(100), Task::Tick)?;
    base.loop_exit_after(Duration::from_secs(1));
    while let Some(event) = base.next_event(Wait::Forever)? {
        match event.data {
            Task::Tick => println!("tick"),
        }
    }
    Ok(())
}
