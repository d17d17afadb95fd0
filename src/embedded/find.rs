//! Where installed PostgreSQL binaries are. Rule: look, never install; the first usable folder wins.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Error;

/// The oldest major version of PostgreSQL that Clientele supports.
pub(super) const OLDEST: u32 = 15;

/// What the search for binaries reads from the process's surroundings.
#[derive(Clone, Debug)]
pub struct Environment {
    /// `CLIENTELE_PG_BIN`: the folder to use and no other.
    pub pg_bin: Option<PathBuf>,
    /// `PATH`.
    pub path: Option<OsString>,
    /// `XDG_CACHE_HOME`: where our own cache lies, `.cache` in the home folder without it.
    pub cache_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// The folder under which the packagers' well-known places are looked for: `/`, but for tests.
    pub root: PathBuf,
}

impl Environment {
    /// Reads this process's environment.
    #[expect(clippy::disallowed_methods, reason = "tests and benchmarks come here without a Config")]
    pub fn read() -> Self {
        // An empty variable is as good as none: that is how a shell line unsets one for a command.
        let read = |name| env::var_os(name).filter(|value| !value.is_empty());
        Self {
            pg_bin: read("CLIENTELE_PG_BIN").map(PathBuf::from),
            path: read("PATH"),
            cache_home: read("XDG_CACHE_HOME").map(PathBuf::from),
            home: read("HOME").map(PathBuf::from),
            root: PathBuf::from("/"),
        }
    }

    /// The folders that may hold the binaries, best first.
    fn candidates(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = self.path.iter().flat_map(env::split_paths).collect();
        found.extend(versions(&self.root.join("usr/lib/postgresql"), ""));
        found.extend(versions(&self.root.join("usr"), "pgsql-"));
        for brew in ["opt/homebrew/opt", "usr/local/opt", "home/linuxbrew/.linuxbrew/opt"] {
            found.extend(versions(&self.root.join(brew), "postgresql@"));
        }
        let cache = self.cache_home.clone().or_else(|| Some(self.home.as_ref()?.join(".cache")));
        found.extend(cache.iter().flat_map(|cache| versions(&cache.join("clientele/postgresql"), "")));
        found
    }
}

/// Finds the folder that holds `initdb` and `postgres` of PostgreSQL 15 or later.
///
/// `CLIENTELE_PG_BIN` if set and nothing else; then `PATH`, the places of Debian's, PGDG's and Homebrew's packages with
/// the highest version first, and `clientele/postgresql/*/bin` in the user's cache.
pub fn find_binaries(environment: &Environment) -> Result<PathBuf, Error> {
    if let Some(named) = &environment.pg_bin {
        let bin = resolve(named).ok_or_else(|| Error::Incomplete(named.clone()))?;
        return supported(bin);
    }
    let mut refused = None;
    for bin in environment.candidates().iter().filter_map(|folder| resolve(folder)) {
        match supported(bin) {
            Ok(bin) => return Ok(bin),
            // The first refusal is the PostgreSQL that the user sees on the command line: the one to talk about.
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    Err(refused.unwrap_or(Error::NotFound))
}

/// The major version of the binaries in a folder.
pub(super) fn major_version(bin: &Path) -> Result<u32, Error> {
    let program = bin.join("postgres");
    let output = Command::new(&program).arg("--version").output().map_err(Error::io("run", &program))?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "postgres (PostgreSQL) 19beta1"
    let number = said.split(") ").nth(1).unwrap_or_default();
    let digits = number.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().map_err(|_| Error::NoVersion { program, said })
}

fn supported(bin: PathBuf) -> Result<PathBuf, Error> {
    match major_version(&bin)? {
        major if major < OLDEST => Err(Error::TooOld { bin, major }),
        _ => Ok(bin),
    }
}

/// The folder that `postgres` in this folder really lies in, if `initdb` is there too.
///
/// Links are followed because distributions put single links, or wrappers of the clients alone, on `PATH`.
fn resolve(folder: &Path) -> Option<PathBuf> {
    let bin = fs::canonicalize(folder.join("postgres")).ok()?.parent()?.to_owned();
    (bin.join("postgres").is_file() && bin.join("initdb").is_file()).then_some(bin)
}

/// `PREFIX*/bin` in a folder, the highest version first.
fn versions(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<(Vec<u32>, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, bin)| bin).collect()
}
