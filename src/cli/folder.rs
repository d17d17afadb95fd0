//! The data folder of `dev`: `.clientele` unless told otherwise. It holds the database and whatever else must be the same
//! after a restart.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf, absolute},
    process,
};

use super::Failure;

/// Where it is unless told otherwise.
pub(super) const DEFAULT: &str = ".clientele";

/// A data folder.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

/// That no other `dev` has the folder, for as long as this is kept; the kernel gives it back when the process ends,
/// however it ends.
#[must_use = "the folder is free again when this is dropped"]
pub(super) struct Lock {
    _file: File,
}

impl Folder {
    /// The folder at this path, made if absent.
    pub(super) fn make(path: &Path) -> Result<Self, Failure> {
        let path = absolute(path)?;
        fs::create_dir_all(&path).map_err(|error| refused("make the folder", &path, &error))?;
        Ok(Self { path })
    }

    /// Its absolute path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Takes the folder for this process alone.
    pub(super) fn lock(&self) -> Result<Lock, Failure> {
        let path = self.file("lock");
        let failed = |error: &io::Error| refused("open", &path, error);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .read(true)
            .open(&path)
            .map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(self.taken()),
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        // For whoever comes second: which process to stop.
        file.set_len(0).and_then(|()| writeln!(file, "{}", process::id())).map_err(|error| failed(&error))?;
        Ok(Lock { _file: file })
    }

    fn taken(&self) -> Failure {
        let owner = fs::read_to_string(self.file("lock")).unwrap_or_default();
        let owner = owner.trim();
        let owner = if owner.is_empty() { String::new() } else { format!(" (process {owner})") };
        Failure(format!(
            "another `clientele dev`{owner} works in {}: stop it, or give this one a folder of its own with --data DIR",
            self.path.display()
        ))
    }

    /// A file's content, if there is such a file.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        match fs::read(self.file(name)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(refused("read", &self.file(name), &error)),
        }
    }

    /// Puts a file in place as a whole: nobody reads half of it, whenever this process ends.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        let path = self.file(name);
        let place = || {
            let draft = self.draft(name, 0o644, content)?;
            fs::rename(draft, &path)
        };
        place().map_err(|error| refused("write", &path, &error))
    }

    /// The secret in a file that only its owner may read, made if absent. Of several processes that make it at the same
    /// time one does, and all have that one's.
    pub(super) fn secret(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Vec<u8>, Failure>,
    ) -> Result<Vec<u8>, Failure> {
        if let Some(kept) = self.read(name)? {
            return Ok(kept);
        }
        let (path, fresh) = (self.file(name), make()?);
        let place = || {
            let draft = self.draft(name, 0o600, &fresh)?;
            let placed = fs::hard_link(&draft, &path); // unlike a rename it replaces nothing
            fs::remove_file(draft)?;
            placed.or_else(|error| if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })
        };
        place().map_err(|error| refused("write", &path, &error))?;
        self.read(name)?.ok_or_else(|| Failure(format!("{} was there and is gone", path.display())))
    }

    /// A file of this process beside the one that it is to become.
    fn draft(&self, name: &str, mode: u32, content: &[u8]) -> io::Result<PathBuf> {
        let draft = self.file(&format!("{name}.{}", process::id()));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&draft)?;
        file.write_all(content)?;
        file.sync_all()?;
        Ok(draft)
    }
}

fn refused(doing: &str, path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    Failure(format!("cannot {doing} {path}: {error}; it may belong to another user: choose a folder with --data DIR"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_for_its_owner_alone() {
        let room = tempfile::tempdir().unwrap();
        let folder = Folder::make(&room.path().join("deep/data")).unwrap();

        assert_eq!(folder.secret("key", || Ok(b"first".to_vec())).unwrap(), b"first");
        assert_eq!(folder.secret("key", || Ok(b"second".to_vec())).unwrap(), b"first");

        assert_eq!(fs::metadata(folder.file("key")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft stays");
    }

    #[test]
    fn all_who_make_a_secret_at_once_have_the_same() {
        let room = tempfile::tempdir().unwrap();
        let folder = Folder::make(room.path()).unwrap();
        fs::write(folder.file("other"), "kept").unwrap();
        // Somebody else is faster: the file comes while ours is being made.
        let late = folder.secret("key", || {
            fs::write(folder.file("key"), "theirs").unwrap();
            Ok(b"ours".to_vec())
        });
        assert_eq!(late.unwrap(), b"theirs");
    }

    #[test]
    fn a_folder_has_one_owner_at_a_time() {
        let room = tempfile::tempdir().unwrap();
        let (one, two) = (Folder::make(room.path()).unwrap(), Folder::make(room.path()).unwrap());

        let lock = one.lock().unwrap();
        let Failure(refusal) = two.lock().err().unwrap();
        assert!(refusal.contains(room.path().to_str().unwrap()) && refusal.contains(&process::id().to_string()));
        drop(lock);
        drop(two.lock().unwrap());
    }
}
