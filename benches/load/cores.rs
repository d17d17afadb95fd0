//! Divides the cores between the client and everything else. A client on shared cores would take, with every excess call,
//! time in which the service could have answered other calls.

use std::fmt;

use super::Result;

/// The client has one of so many cores.
const CLIENTS_SHARE: usize = 4;

/// The divided cores. When dropped, all processes may use all cores again.
pub struct Cores {
    servers: Vec<usize>,
    client: Vec<usize>,
}

impl Cores {
    /// Divides the cores. None if there is only one, or the system cannot restrict a process to some.
    pub fn divided() -> Result<Option<Self>> {
        let mut servers = allowed()?;
        if servers.len() < 2 {
            return Ok(None);
        }
        let client = servers.split_off(servers.len() - (servers.len() / CLIENTS_SHARE).max(1));
        Ok(Some(Self { servers, client }))
    }

    /// Processes that are started from now on use the servers' cores.
    pub fn use_server_cores(&self) -> Result<()> {
        pin(&self.servers)
    }

    /// This process, and those that it starts from now on, use the client's cores.
    pub fn use_client_cores(&self) -> Result<()> {
        pin(&self.client)
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        pin(&[&self.servers[..], &self.client].concat()).expect("the cores that were allowed before");
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} for the client, {} for the service and PostgreSQL", self.client.len(), self.servers.len())
    }
}

/// The cores that this process may use; empty if the system cannot restrict them.
#[cfg(target_os = "linux")]
fn allowed() -> Result<Vec<usize>> {
    use nix::sched::{CpuSet, sched_getaffinity};

    let set = sched_getaffinity(nix::unistd::Pid::from_raw(0))?;
    Ok((0..CpuSet::count()).filter(|core| set.is_set(*core).unwrap_or_default()).collect())
}

/// Restricts all threads of this process to these cores.
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
    Err("this system cannot restrict a process to some cores".into())
}
