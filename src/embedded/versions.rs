//! The versions of PostgreSQL's binaries in a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::Error;
use super::settings::OLDEST_VERSION;

/// Returns the major version of the binaries in a folder.
pub(super) fn major_version(bin: &Path) -> Result<u32, Error> {
    let program = bin.join("postgres");
    let output = Command::new(&program).arg("--version").output().map_err(Error::io("run", &program))?;
    let output = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "postgres (PostgreSQL) 19beta1"
    let number = output.split(") ").nth(1).unwrap_or_default();
    let digits = number.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().map_err(|_| Error::NoVersion { program, output })
}

/// Returns the folder, if its version is supported.
pub(super) fn supported(bin: PathBuf) -> Result<PathBuf, Error> {
    match major_version(&bin)? {
        major if major < OLDEST_VERSION => Err(Error::TooOld { bin, major }),
        _ => Ok(bin),
    }
}

/// Returns the real folder of the `postgres` in this folder, if `initdb` is there too.
///
/// Links are followed, because distributions put single links, or wrappers of only the clients, into `PATH`.
pub(super) fn resolve(folder: &Path) -> Option<PathBuf> {
    let bin = fs::canonicalize(folder.join("postgres")).ok()?.parent()?.to_owned();
    (bin.join("postgres").is_file() && bin.join("initdb").is_file()).then_some(bin)
}

/// Lists `PREFIX*/bin` in a folder, the highest version first.
pub(super) fn versions(parent: &Path, prefix: &str) -> Vec<PathBuf> {
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
