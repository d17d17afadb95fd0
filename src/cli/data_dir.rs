//! The data folder of `dev`, by default `.clientele`. It contains the database and everything else that must survive a
//! restart.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf, absolute},
    process,
};

use super::output::Failure;

/// The default path.
pub(super) const DEFAULT: &str = ".clientele";

/// A data folder.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
}

/// The lock of the folder against other `dev` processes. The kernel releases it when the process ends, in any way.
#[must_use = "dropping it unlocks the folder"]
pub(super) struct Lock {
    _file: File,
}

impl DataDir {
    /// Opens the folder at this path; creates it if absent.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let path = absolute(path)?;
        fs::create_dir_all(&path).map_err(|error| io_failure("create the folder", &path, &error))?;
        Ok(Self { path })
    }

    /// Returns its absolute path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of a file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Locks the folder for this process.
    pub(super) fn lock(&self) -> Result<Lock, Failure> {
        let path = self.file("lock");
        let failed = |error: &io::Error| io_failure("open", &path, error);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .read(true)
            .open(&path)
            .map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(self.locked()),
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        // A second process reports this id.
        file.set_len(0).and_then(|()| writeln!(file, "{}", process::id())).map_err(|error| failed(&error))?;
        Ok(Lock { _file: file })
    }

    fn locked(&self) -> Failure {
        let owner = fs::read_to_string(self.file("lock")).unwrap_or_default();
        let owner = owner.trim();
        let owner = if owner.is_empty() { String::new() } else { format!(" (process {owner})") };
        Failure(format!(
            "another `clientele dev`{owner} uses {}: stop it, or choose another folder with --data-dir DIR",
            self.path.display()
        ))
    }

    /// Returns a file's content; none if there is no such file.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        match fs::read(self.file(name)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_failure("read", &self.file(name), &error)),
        }
    }

    /// Writes a file atomically: a reader never sees half of it, even if this process is killed.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        let path = self.file(name);
        let write = || {
            let temporary = self.temporary_file(name, 0o644, content)?;
            fs::rename(temporary, &path)
        };
        write().map_err(|error| io_failure("write", &path, &error))
    }

    /// Returns the secret in a file that only its owner may read; makes it if absent. If several processes make it at the
    /// same time, all get the same one.
    pub(super) fn secret(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Vec<u8>, Failure>,
    ) -> Result<Vec<u8>, Failure> {
        if let Some(existing) = self.read(name)? {
            return Ok(existing);
        }
        let (path, new) = (self.file(name), make()?);
        let write = || {
            let temporary = self.temporary_file(name, 0o600, &new)?;
            let linked = fs::hard_link(&temporary, &path); // unlike a rename it never replaces a file
            fs::remove_file(temporary)?;
            linked.or_else(|error| if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })
        };
        write().map_err(|error| io_failure("write", &path, &error))?;
        self.read(name)?.ok_or_else(|| Failure(format!("{} has been removed meanwhile", path.display())))
    }

    /// Writes a temporary file of this process beside the final one.
    fn temporary_file(&self, name: &str, mode: u32, content: &[u8]) -> io::Result<PathBuf> {
        let temporary = self.file(&format!("{name}.{}", process::id()));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        Ok(temporary)
    }
}

fn io_failure(doing: &str, path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    Failure(format!(
        "cannot {doing} {path}: {error}; it may belong to another user: choose a folder with --data-dir DIR"
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_only_its_owner_may_read_it() {
        let temp = tempfile::tempdir().unwrap();
        let data_dir = DataDir::create(&temp.path().join("deep/data")).unwrap();

        assert_eq!(data_dir.secret("key", || Ok(b"first".to_vec())).unwrap(), b"first");
        assert_eq!(data_dir.secret("key", || Ok(b"second".to_vec())).unwrap(), b"first");

        assert_eq!(fs::metadata(data_dir.file("key")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(data_dir.path()).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn processes_that_make_a_secret_at_once_get_the_same() {
        let temp = tempfile::tempdir().unwrap();
        let data_dir = DataDir::create(temp.path()).unwrap();
        fs::write(data_dir.file("other"), "kept").unwrap();
        // Another process is faster: its file appears while ours is being made.
        let late = data_dir.secret("key", || {
            fs::write(data_dir.file("key"), "theirs").unwrap();
            Ok(b"ours".to_vec())
        });
        assert_eq!(late.unwrap(), b"theirs");
    }

    #[test]
    fn a_folder_is_locked_by_one_process_at_a_time() {
        let temp = tempfile::tempdir().unwrap();
        let (one, two) = (DataDir::create(temp.path()).unwrap(), DataDir::create(temp.path()).unwrap());

        let lock = one.lock().unwrap();
        let Failure(message) = two.lock().err().unwrap();
        assert!(message.contains(temp.path().to_str().unwrap()) && message.contains(&process::id().to_string()));
        drop(lock);
        drop(two.lock().unwrap());
    }
}
