//! Which cores the client has, and which everything else. A client that shares them takes with each call too many what
//! the service would have answered others with, and no service could help it.

use std::thread;

use super::Result;

/// One of so many cores is the client's.
const CLIENTS_SHARE: usize = 4;

/// The cores of a machine that has some for either. When dropped, everybody may use all again.
pub struct Cores {
    all: usize,
    clients: usize,
}

impl Cores {
    /// None if there is one core, or no way to choose.
    pub fn divided() -> Result<Option<Self>> {
        let all = thread::available_parallelism()?.get();
        Ok((all > 1 && cfg!(target_os = "linux")).then_some(Self { all, clients: (all / CLIENTS_SHARE).max(1) }))
    }

    /// What is started from now on has the servers' cores.
    pub fn start_servers(&self) -> Result<()> {
        pin(0..self.all - self.clients)
    }

    /// We, and what we start from now on, have the client's.
    pub fn be_client(&self) -> Result<()> {
        pin(self.all - self.clients..self.all)
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        pin(0..self.all).expect("what was allowed before");
    }
}

impl std::fmt::Display for Cores {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} for the client, {} for the service and PostgreSQL", self.clients, self.all - self.clients)
    }
}

/// Lets all of our threads run on these cores alone, of those that we may use.
#[cfg(target_os = "linux")]
fn pin(cores: std::ops::Range<usize>) -> Result<()> {
    use nix::{
        sched::{CpuSet, sched_setaffinity},
        unistd::Pid,
    };

    let mut set = CpuSet::new();
    for core in cores {
        set.set(core)?;
    }
    for task in std::fs::read_dir("/proc/self/task")? {
        if let Some(thread) = task?.file_name().to_str().and_then(|id| id.parse().ok()) {
            sched_setaffinity(Pid::from_raw(thread), &set)?;
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn pin(_: std::ops::Range<usize>) -> Result<()> {
    Err("there is no way to choose cores here".into())
}
