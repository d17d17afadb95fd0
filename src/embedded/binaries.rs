//! Where PostgreSQL's binaries are. Rule: installed binaries come first, the first usable folder is used, and nothing is
//! installed. Only if there is none, one is fetched into our own cache.

use std::env;
use std::path::PathBuf;

use super::cache::cache_dirs;
use super::environment::Environment;
use super::error::Error;
use super::fetch;
use super::versions::{resolve, supported, versions};

/// Returns the folder with `initdb` and `postgres` of PostgreSQL 15 or later: see [`find_binaries`]. If there is none, one is
/// fetched into our own cache, with a message on standard error.
pub async fn binaries(environment: &Environment) -> Result<PathBuf, Error> {
    match find_binaries(environment) {
        Err(found) if environment.named_bin().is_none() => {
            fetch::fetch(environment).await.map_err(|cause| Error::NotFetched { found: Box::new(found), cause })
        }
        found => found,
    }
}

/// Finds the folder with `initdb` and `postgres` of PostgreSQL 15 or later.
///
/// If `CLIENTELE_PG_BIN` is set, only that folder; else `PATH`, then the folders of Debian's, PGDG's and Homebrew's packages,
/// the highest version first, then fetched binaries: `clientele/postgresql/*/bin` in the cache. An empty folder in
/// `CLIENTELE_PG_BIN` leaves only the fetched ones.
pub fn find_binaries(environment: &Environment) -> Result<PathBuf, Error> {
    if let Some(named) = environment.named_bin() {
        let bin = resolve(named).ok_or_else(|| Error::Incomplete(named.to_owned()))?;
        return supported(bin);
    }
    let installed = if environment.pg_bin.is_some() { Vec::new() } else { installed_dirs(environment) };
    match first_usable(&installed) {
        Some(Ok(bin)) => Ok(bin),
        installed_error => {
            let fetched: Vec<PathBuf> =
                cache_dirs(environment).iter().flat_map(|cache_dir| versions(cache_dir, "")).collect();
            // The installed PostgreSQL is the one that the user sees on the command line, so its error is reported first.
            match first_usable(&fetched) {
                Some(Ok(bin)) => Ok(bin),
                fetched_error => installed_error.or(fetched_error).unwrap_or(Err(Error::NotFound)),
            }
        }
    }
}

/// Lists the folders in which packages install the binaries, best first.
fn installed_dirs(environment: &Environment) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = environment.path.iter().flat_map(env::split_paths).collect();
    found.extend(versions(&environment.root.join("usr/lib/postgresql"), ""));
    found.extend(versions(&environment.root.join("usr"), "pgsql-"));
    for brew in ["opt/homebrew/opt", "usr/local/opt", "home/linuxbrew/.linuxbrew/opt"] {
        found.extend(versions(&environment.root.join(brew), "postgresql@"));
    }
    found
}

/// Returns the first folder with usable binaries, or the error of the first folder with binaries.
fn first_usable(folders: &[PathBuf]) -> Option<Result<PathBuf, Error>> {
    let mut first_error = None;
    for bin in folders.iter().filter_map(|folder| resolve(folder)) {
        match supported(bin) {
            Ok(bin) => return Some(Ok(bin)),
            Err(error) => first_error = first_error.or(Some(Err(error))),
        }
    }
    first_error
}
