//! The machine that the figures were measured on.

use std::fmt;
use std::io;
use std::process::Command;

pub(crate) struct Machine {
    processor: String,
    /// They are numbered from 0.
    pub(crate) processors: usize,
    kernel: String,
    memory: u64,
    compilers: String,
    /// How many descriptors a process may have.
    pub(crate) descriptors: usize,
    /// The load average over the minute before.
    pub(crate) load: f64,
}

impl Machine {
    pub(crate) fn look() -> io::Result<Self> {
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
            line.split_once(':').map_or("unknown", |(_, value)| value).trim().to_owned()
        };
        let memory = field(&std::fs::read_to_string("/proc/meminfo")?, "MemTotal");
        let load = std::fs::read_to_string("/proc/loadavg")?;
        Ok(Self {
            processor: field(&std::fs::read_to_string("/proc/cpuinfo")?, "model name"),
            processors: std::thread::available_parallelism()?.get(),
            kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            memory: memory.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0) >> 20,
            compilers: [first_line("rustc"), first_line("cc")].join(", "),
            descriptors: evcore_benchmarks::sys::descriptors()?,
            load: load.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0.0),
        })
    }

    pub(crate) fn all(&self) -> Vec<usize> {
        (0..self.processors).collect()
    }
}

fn first_line(compiler: &str) -> String {
    let output = Command::new(compiler).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("no compiler").to_owned()
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, processors, kernel, memory, compilers, descriptors, load } = self;
        write!(
            f,
            "{processors} × {processor}, {memory} GiB, Linux {kernel}; {compilers}; RLIMIT_NOFILE {descriptors}; \
             load in the minute before: {load}"
        )
    }
}
