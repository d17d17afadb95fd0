//! The user that PostgreSQL runs as.

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{Gid, Uid, User};

use super::environment::Environment;
use super::error::Error;

/// The shell by its path, and the folders of its tools (`rm`, `sleep`), so that an empty `PATH` cannot keep PostgreSQL from
/// being stopped.
pub(super) const SHELL: &str = "/bin/sh";
const TOOLS: [&str; 2] = ["/usr/bin", "/bin"];

/// A user's variables for other PostgreSQL servers, which must not affect this one.
const PG_VARIABLES: [&str; 7] = ["PGDATA", "PGPORT", "PGHOST", "PGOPTIONS", "PGDATESTYLE", "PGTZ", "PGCLIENTENCODING"];

/// The user that PostgreSQL runs as: this process's, or another one if that is root, as PostgreSQL refuses to run as root.
#[derive(Clone, Debug)]
pub(super) struct RunAs(Option<User>);

impl RunAs {
    /// Chooses the user. For root: the owner of the data if there is data, else `postgres`, else `nobody`.
    pub(super) fn choose(data: &Path) -> Result<Self, Error> {
        if !Uid::effective().is_root() {
            return Ok(Self(None));
        }
        let owner = fs::metadata(data).ok().map(|data| Uid::from_raw(data.uid())).filter(|uid| !uid.is_root());
        let owner = owner.and_then(|uid| User::from_uid(uid).ok().flatten());
        let named = |name| User::from_name(name).ok().flatten();
        let user = owner.or_else(|| named("postgres")).or_else(|| named("nobody")).ok_or(Error::NoUser)?;
        Ok(Self(Some(user)))
    }

    /// Makes the user the owner of one of our files or folders.
    pub(super) fn own(&self, path: &Path) -> Result<(), Error> {
        let Some(User { uid, gid, .. }) = &self.0 else {
            return Ok(());
        };
        chown(path, Some(uid.as_raw()), Some(gid.as_raw())).map_err(Error::io("change the owner of", path))
    }

    /// Returns the first folder on the path that the user may not enter, and the user's name; none if it may enter all.
    ///
    /// The kernel decides, in a process of that user: modes alone do not include access control lists.
    pub(super) fn inaccessible_parent(&self, path: &Path) -> Result<Option<(String, String)>, Error> {
        let Some(user) = &self.0 else { return Ok(None) };
        let mut folders: Vec<&Path> = path.ancestors().collect();
        folders.reverse();
        let mut check = self.command(SHELL);
        check.args(["-c", r#"for d do [ -x "$d" ] || { printf %s "$d"; exit; }; done"#, "check"]).args(folders);
        let output = check.output().map_err(Error::io("run", Path::new(SHELL)))?.stdout;
        let folder = String::from_utf8_lossy(&output).into_owned();
        Ok((!folder.is_empty()).then(|| (folder, user.name.clone())))
    }

    /// Returns a command that runs as the user.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").env("LC_ALL", "C"); // the user may not have access to our folder; messages in English
        for name in PG_VARIABLES {
            command.env_remove(name);
        }
        let path = Environment::read().path;
        let folders = path.iter().flat_map(env::split_paths).chain(TOOLS.map(PathBuf::from));
        if let Ok(path) = env::join_paths(folders) {
            command.env("PATH", path);
        }
        if let Some(User { uid, gid, .. }) = &self.0 {
            command.uid(Uid::as_raw(*uid)).gid(Gid::as_raw(*gid));
        }
        command
    }
}
