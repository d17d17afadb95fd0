//! Where PostgreSQL's binaries are. Rule: what is installed comes first, the first usable folder wins, and nothing is ever
//! installed; only where there is none does a cache of our own get one.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::RunAs;
use super::{Error, fetch};

/// The oldest major version of PostgreSQL that Clientele supports.
pub(super) const OLDEST: u32 = 15;

/// What the search for binaries reads from the process's surroundings.
#[derive(Clone, Debug)]
pub struct Environment {
    /// `CLIENTELE_PG_BIN`: the folder to use and no other; an empty one stands for a machine that has none installed.
    pub pg_bin: Option<PathBuf>,
    /// `PATH`.
    pub path: Option<OsString>,
    /// `XDG_CACHE_HOME`: where our own cache lies; without it `.cache` in the home folder, else `/var/cache`.
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

    /// The folder of `CLIENTELE_PG_BIN`, unless there is nothing in it.
    fn named(&self) -> Option<&Path> {
        let is_empty = |folder: &Path| fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
        self.pg_bin.as_deref().filter(|folder| !is_empty(folder))
    }

    /// The folders in which packages put the binaries, best first.
    fn installed(&self) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = self.path.iter().flat_map(env::split_paths).collect();
        found.extend(versions(&self.root.join("usr/lib/postgresql"), ""));
        found.extend(versions(&self.root.join("usr"), "pgsql-"));
        for brew in ["opt/homebrew/opt", "usr/local/opt", "home/linuxbrew/.linuxbrew/opt"] {
            found.extend(versions(&self.root.join(brew), "postgresql@"));
        }
        found
    }

    /// The folders of our own binaries, best first: in `XDG_CACHE_HOME`, or else in the user's cache and in the machine's,
    /// which root fills for all. Left out are those where PostgreSQL, which refuses to run as root, could not be run from.
    pub(super) fn shelves(&self) -> Vec<PathBuf> {
        let shelf = |cache: &Path| {
            let shelf = cache.join("clientele/postgresql");
            (cache.is_absolute() && can_be_entered(&shelf)).then_some(shelf)
        };
        if let Some(named) = self.cache_home.as_deref().and_then(shelf) {
            return vec![named];
        }
        let home = self.home.as_ref().map(|home| home.join(".cache"));
        home.into_iter().chain([self.root.join("var/cache")]).filter_map(|cache| shelf(&cache)).collect()
    }
}

/// The folder that holds `initdb` and `postgres` of PostgreSQL 15 or later: see [`find_binaries`]. Where there is none,
/// one is fetched into our own cache, and said so on standard error.
pub async fn binaries(environment: &Environment) -> Result<PathBuf, Error> {
    match find_binaries(environment) {
        Err(found) if environment.named().is_none() => {
            fetch::fetch(environment).await.map_err(|why| Error::NotFetched { found: Box::new(found), why })
        }
        found => found,
    }
}

/// Finds the folder that holds `initdb` and `postgres` of PostgreSQL 15 or later.
///
/// `CLIENTELE_PG_BIN` if set and nothing else; else `PATH`, then the places of Debian's, PGDG's and Homebrew's packages
/// with the highest version first. Where these have none, what was fetched: `clientele/postgresql/*/bin` in the cache. An
/// empty folder in `CLIENTELE_PG_BIN` leaves only that.
pub fn find_binaries(environment: &Environment) -> Result<PathBuf, Error> {
    if let Some(named) = environment.named() {
        let bin = resolve(named).ok_or_else(|| Error::Incomplete(named.to_owned()))?;
        return supported(bin);
    }
    let installed = if environment.pg_bin.is_some() { Vec::new() } else { environment.installed() };
    match first_usable(&installed) {
        Some(Ok(bin)) => Ok(bin),
        refused => {
            let fetched: Vec<PathBuf> = environment.shelves().iter().flat_map(|shelf| versions(shelf, "")).collect();
            // The first refusal is the PostgreSQL that the user sees on the command line: the one to talk about.
            match first_usable(&fetched) {
                Some(Ok(bin)) => Ok(bin),
                later => refused.or(later).unwrap_or(Err(Error::NotFound)),
            }
        }
    }
}

/// The first of the folders whose binaries can be used, or why the first that has some cannot.
fn first_usable(folders: &[PathBuf]) -> Option<Result<PathBuf, Error>> {
    let mut refused = None;
    for bin in folders.iter().filter_map(|folder| resolve(folder)) {
        match supported(bin) {
            Ok(bin) => return Some(Ok(bin)),
            Err(error) => refused = refused.or(Some(Err(error))),
        }
    }
    refused
}

/// Whether the user that PostgreSQL runs as may enter a folder, or will once it is made.
fn can_be_entered(folder: &Path) -> bool {
    let there = folder.ancestors().find(|path| path.exists()).unwrap_or(folder);
    RunAs::choose(Path::new("")).and_then(|run_as| run_as.barred_from(there)).is_ok_and(|barred| barred.is_none())
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
pub(super) fn resolve(folder: &Path) -> Option<PathBuf> {
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
