//! The clients of W5: each sends 64 bytes, waits for the answer, and sends again.
//!
//! ```text
//! generator PORT --n CONNECTIONS --events MILLISECONDS
//! ```

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use evcore_benchmarks::options::Options;
use evcore_benchmarks::sys::{self, EpollSet};
use evcore_benchmarks::{Figures, peer};

const REQUEST: [u8; 64] = [b'.'; 64];
/// After this time without an answer, the run has failed.
const PATIENCE: Duration = Duration::from_secs(5);

struct Client {
    stream: TcpStream,
    asked: Instant,
    missing: usize,
}

impl Client {
    fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, asked: Instant::now(), missing: 0 })
    }

    fn ask(&mut self) -> io::Result<()> {
        self.asked = Instant::now();
        self.missing = REQUEST.len();
        self.stream.write_all(&REQUEST)
    }

    /// How long the answer took, once all of it has arrived.
    fn receive(&mut self) -> io::Result<Option<Duration>> {
        let mut answer = [0; REQUEST.len()];
        match self.stream.read(&mut answer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => self.missing = self.missing.saturating_sub(count),
        }
        Ok((self.missing == 0).then(|| self.asked.elapsed()))
    }
}

/// Counting starts after a fifth of the time.
fn load(port: u16, connections: usize, time: Duration) -> io::Result<Figures> {
    let mut set = EpollSet::new(256)?;
    let mut clients = (0..connections).map(|_| Client::connect(port)).collect::<io::Result<Vec<_>>>()?;
    for (index, client) in clients.iter().enumerate() {
        set.add(&client.stream, libc::EPOLLIN, index as u64)?;
    }
    clients.iter_mut().try_for_each(Client::ask)?;
    let (began, mut latencies) = (Instant::now(), Vec::with_capacity(1 << 20));
    let counted = began + time / 5;
    let end = began + time;
    loop {
        let ready = set.wait(Some(PATIENCE))?;
        if ready.is_empty() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        for event in ready {
            let Some(client) = clients.get_mut(event.u64 as usize) else { continue };
            if let Some(latency) = client.receive()? {
                if client.asked >= counted {
                    latencies.push(latency.as_nanos() as u32);
                }
                client.ask()?;
            }
        }
        if Instant::now() >= end {
            break;
        }
    }
    let seconds = counted.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let share = |part: usize| latencies.get(latencies.len() * part / 100).copied().unwrap_or_default().into();
    let rate = latencies.len() as f64 / seconds;
    Ok(Figures::default().with("rate", rate).with("p50", share(50)).with("p99", share(99)))
}

fn main() -> std::process::ExitCode {
    peer::run("generator", "-", |options: &Options| {
        let port = options.workload.parse().map_err(io::Error::other)?;
        sys::descriptors()?;
        load(port, options.n, Duration::from_millis(options.events))
    })
}
