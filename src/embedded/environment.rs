//! The environment variables that decide where PostgreSQL's binaries are.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The environment of the search for binaries.
#[derive(Clone, Debug)]
pub struct Environment {
    /// `CLIENTELE_PG_BIN`: the only folder to use. An empty folder simulates a machine without PostgreSQL.
    pub pg_bin: Option<PathBuf>,
    /// `PATH`.
    pub path: Option<OsString>,
    /// `XDG_CACHE_HOME`: the folder of our cache; without it `.cache` in the home folder, else `/var/cache`.
    pub cache_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// The root of the packages' well-known folders: `/`, except in tests.
    pub root: PathBuf,
}

impl Environment {
    /// Reads this process's environment.
    #[expect(clippy::disallowed_methods, reason = "tests and benchmarks use it without a Config")]
    pub fn read() -> Self {
        // An empty variable counts as unset: `VARIABLE= command` unsets it for one command.
        let read = |name| env::var_os(name).filter(|value| !value.is_empty());
        Self {
            pg_bin: read("CLIENTELE_PG_BIN").map(PathBuf::from),
            path: read("PATH"),
            cache_home: read("XDG_CACHE_HOME").map(PathBuf::from),
            home: read("HOME").map(PathBuf::from),
            root: PathBuf::from("/"),
        }
    }

    /// Returns the folder of `CLIENTELE_PG_BIN`, unless it is empty.
    pub(super) fn named_bin(&self) -> Option<&Path> {
        let is_empty = |folder: &Path| fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
        self.pg_bin.as_deref().filter(|folder| !is_empty(folder))
    }
}
