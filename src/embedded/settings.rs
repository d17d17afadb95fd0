//! The settings of a private PostgreSQL.

use std::path::PathBuf;
use std::time::Duration;

/// The oldest supported major version of PostgreSQL.
pub(super) const OLDEST_VERSION: u32 = 15;
/// The superuser's name, also given to `initdb`.
pub(super) const USER: &str = "clientele";
/// How often a condition is checked while waiting.
pub(super) const POLL: Duration = Duration::from_millis(10);

/// The settings of a cluster.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// Where its data is, and for how long.
    pub location: ClusterLocation,
    /// Whether its data survives a crash.
    pub durability: Durability,
    /// Maximum connections; three of them are reserved for superusers.
    pub max_connections: u16,
}

/// Where a cluster's data is, and for how long.
#[derive(Clone, Debug)]
pub enum ClusterLocation {
    /// In `postgres` in this folder, kept over restarts; the log is beside it.
    Kept(PathBuf),
    /// In a temporary folder that is removed when the cluster stops; in memory if [`Durability::Fast`].
    Temporary,
}

/// Whether a cluster's data survives a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// No: for tests, which start with new data.
    Fast,
    /// Yes, with PostgreSQL's own defaults, on a disk: for `dev`, tests of faults and races, and benchmarks.
    Production,
}
