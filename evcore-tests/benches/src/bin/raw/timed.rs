//! W2 with a heap: each connection has its own timeout, which expires on time. The clock is read once per turn. An
//! event only stores the new deadline beside its timer; the heap's entry is corrected when it reaches the top.

use std::io;
use std::time::{Duration, Instant};

use evcore_benchmarks::ring::{Link, RingLoop, Round, Setup};
use evcore_benchmarks::sys::EpollSet;

use crate::heap::Heap;

pub(crate) struct Ring {
    set: EpollSet,
    /// A connection's timer has the number of its index.
    connections: Vec<Option<Link>>,
    heap: Heap,
    /// In nanoseconds, like the heap's deadlines, which count from `epoch`.
    idle: u64,
    epoch: Instant,
}

impl RingLoop for Ring {
    fn new(links: Vec<Link>, Setup { idle, .. }: Setup) -> io::Result<Self> {
        let idle = idle.unwrap_or(Duration::MAX).as_nanos() as u64;
        let (mut set, mut heap) = (EpollSet::new(256)?, Heap::default());
        for (index, link) in links.iter().enumerate() {
            set.add(&link.reader, libc::EPOLLIN, index as u64)?;
            let timer = heap.create();
            heap.arm(timer, idle);
        }
        let connections = links.into_iter().map(Some).collect();
        Ok(Self { set, connections, heap, idle, epoch: Instant::now() })
    }

    fn run(&mut self, round: &mut Round) -> io::Result<()> {
        let mut now = self.epoch.elapsed().as_nanos() as u64;
        while !round.is_over() {
            let wait = self.heap.first().map(|first| Duration::from_nanos(first.saturating_sub(now)));
            let events = self.set.wait(wait)?;
            now = self.epoch.elapsed().as_nanos() as u64;
            for event in events {
                if let Some(Some(link)) = self.connections.get(event.u64 as usize) {
                    self.heap.arm(event.u64 as u32, now + self.idle);
                    link.pass_on(round)?;
                }
            }
            if self.heap.pop(now).is_some() {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(())
    }
}
