//! A private PostgreSQL from installed or fetched binaries, for `clientele dev`, tests and benchmarks.
//!
//! Rule: no part of it outlives this process. A small shell script (`supervisor.sh`) runs the server, and stops it when a pipe
//! from this process is closed; the kernel closes it even if this process is killed. The server listens only on a Unix
//! socket in a folder of its own.

mod binaries;
mod cache;
mod cluster;
mod environment;
mod error;
mod fetch;
mod location;
mod log;
mod process;
mod run_as;
mod server_options;
mod settings;
mod versions;

pub use self::{
    binaries::{binaries, find_binaries},
    cluster::Cluster,
    environment::Environment,
    error::Error,
    settings::{ClusterLocation, ClusterSettings, Durability},
};
