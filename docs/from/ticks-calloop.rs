use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use calloop::generic::Generic;
use calloop::timer::{TimeoutAction, Timer};
use calloop::{EventLoop, Interest, LoopSignal, Mode, PostAction};

struct State {
    ticks: u32,
    signal: LoopSignal,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut event_loop: EventLoop<State> = EventLoop::try_new()?;
    let handle = event_loop.handle();
    let (near, mut far) = UnixStream::pair()?;
    far.write_all(b"hello")?;

    handle.insert_source(Generic::new(near, Interest::READ, Mode::Level), |_, stream, _| {
        let mut buffer = [0; 1024];
        let len = (&**stream).read(&mut buffer)?;
        println!("{}", String::from_utf8_lossy(&buffer[..len]));
        Ok(PostAction::Remove)
    })?;
    handle.insert_source(Timer::from_duration(Duration::from_millis(10)), |_, _, state: &mut State| {
        state.ticks += 1;
        println!("tick {}", state.ticks);
        if state.ticks == 3 {
            state.signal.stop();
        }
        TimeoutAction::ToDuration(Duration::from_millis(10))
    })?;

    let mut state = State { ticks: 0, signal: event_loop.get_signal() };
    event_loop.run(None, &mut state, |_| {})?;
    Ok(())
}
