//! Which cores the client has, and which everything else. A client that shares them takes with each call too many what
//! the service would have answered others with, and no service could help it.

use std::fmt;

use super::Result;

/// One of so many cores is the client's.
const CLIENTS_SHARE: usize = 4;

/// The cores of a machine that has some for either. When dropped, everybody may use all again.
pub struct Cores {
    servers: Vec<usize>,
    client: Vec<usize>,
}

impl Cores {
    /// None if there is one core for us, or no way to choose.
    pub fn divided() -> Result<Option<Self>> {
        let mut servers = allowed()?;
        if servers.len() < 2 {
            return Ok(None);
        }
        let client = servers.split_off(servers.len() - (servers.len() / CLIENTS_SHARE).max(1));
        Ok(Some(Self { servers, client }))
    }

    /// What is started from now on has the servers' cores.
    pub fn start_servers(&self) -> Result<()> {
        pin(&self.servers)
    }

    /// We, and what we start from now on, have the client's.
    pub fn be_client(&self) -> Result<()> {
        pin(&self.client)
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        pin(&[&self.servers[..], &self.client].concat()).expect("what was allowed before");
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} for the client, {} for the service and PostgreSQL", self.client.len(), self.servers.len())
    }
}

/// The cores that we may use; none where that cannot be chosen.
#[cfg(target_os = "linux")]
fn allowed() -> Result<Vec<usize>> {
    use nix::sched::{CpuSet, sched_getaffinity};

    let set = sched_getaffinity(nix::unistd::Pid::from_raw(0))?;
    Ok((0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or_default()).collect())
}

/// Lets all of our threads run on these cores alone.
#[cfg(target_os = "linux")]
fn pin(cores: &[usize]) -> Result<()> {
    use nix::{
        sched::{CpuSet, sched_setaffinity},
        unistd::Pid,
    };

    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core)?;
    }
    for task in std::fs::read_dir("/proc/self/task")? {
        if let Some(thread) = task?.file_name().to_str().and_then(|id| id.parse().ok()) {
            sched_setaffinity(Pid::from_raw(thread), &set)?;
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn allowed() -> Result<Vec<usize>> {
    Ok(Vec::new())
}

#[cfg(not(target_os = "linux"))]
fn pin(_: &[usize]) -> Result<()> {
    Err("there is no way to choose cores here".into())
}
