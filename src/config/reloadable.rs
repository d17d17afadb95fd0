//! Values read from files, and reloaded when the files change: a rotated password, key or certificate needs no restart.
//!
//! The files' content is compared every two seconds. When a Secret changes, Kubernetes replaces a symbolic link of a parent
//! folder, which a watch on the file itself does not notice.

use std::{
    fmt, fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use tokio::time::{self, MissedTickBehavior};
use tracing::{error, info};

/// How often the files' content is compared.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// A value that may be replaced while the server runs. Clones share it.
pub struct Reloadable<T>(Arc<Inner<T>>);

struct Inner<T> {
    current: RwLock<Arc<T>>,
    origin: Option<Origin<T>>,
}

/// The files that a value is read from.
struct Origin<T> {
    files: Vec<PathBuf>,
    read: Box<Read<T>>,
    last: Mutex<Vec<Fingerprint>>,
}

type Read<T> = dyn Fn() -> Result<T, String> + Send + Sync;

/// A file's content for comparison, or why it cannot be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fingerprint {
    Hash([u8; 32]),
    Unreadable(io::ErrorKind),
}

impl<T: Send + Sync + 'static> Reloadable<T> {
    /// Reads the value now, and again whenever one of the files has changed.
    ///
    /// # Errors
    /// The error of `read`. At a reload the error is logged and the previous value stays. So the error must name the file
    /// and contain no secret.
    pub fn from_files(
        files: Vec<PathBuf>,
        read: impl Fn() -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        // Fingerprints first: the next check then finds a change that happens in between.
        let last = Mutex::new(fingerprints(&files));
        let current = RwLock::new(Arc::new(read()?));
        Ok(Self(Arc::new(Inner { current, origin: Some(Origin { files, read: Box::new(read), last }) })))
    }

    /// Returns the current value.
    #[must_use]
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Checks the files again and again; ends at once if there are none.
    pub async fn watch(self) {
        if self.0.origin.as_ref().is_none_or(|origin| origin.files.is_empty()) {
            return;
        }
        let mut checks = time::interval(CHECK_INTERVAL);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            checks.tick().await;
            let value = self.clone();
            // A file may be on a slow volume.
            match tokio::task::spawn_blocking(move || value.reload_if_changed()).await {
                Ok(Some(Reload { changed, outcome: Ok(()) })) => info!(files = ?changed, "changed files reloaded"),
                Ok(Some(Reload { changed, outcome: Err(cause) })) => {
                    error!(files = ?changed, cause, "changed files are invalid; the previous content stays in use");
                }
                Ok(None) | Err(_) => {}
            }
        }
    }

    /// Reads the files if they have changed. The same content is read once, so that its error is logged once.
    fn reload_if_changed(&self) -> Option<Reload> {
        let origin = self.0.origin.as_ref()?;
        let now = fingerprints(&origin.files);
        let mut last = origin.last.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs = origin.files.iter().zip(now.iter().zip(&*last));
        let changed: Vec<PathBuf> = pairs.filter(|(_, (now, old))| now != old).map(|(file, _)| file.clone()).collect();
        if changed.is_empty() {
            return None;
        }
        *last = now;
        let outcome = (origin.read)().map(|value| {
            *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
        });
        Some(Reload { changed, outcome })
    }
}

/// The changed files, and whether the new value is in use.
struct Reload {
    changed: Vec<PathBuf>,
    outcome: Result<(), String>,
}

fn fingerprints(files: &[PathBuf]) -> Vec<Fingerprint> {
    let fingerprint = |file: &PathBuf| match fs::read(file) {
        Ok(bytes) => {
            let mut hash = [0; 32];
            hash.copy_from_slice(digest(&SHA256, &bytes).as_ref());
            Fingerprint::Hash(hash)
        }
        Err(error) => Fingerprint::Unreadable(error.kind()),
    };
    files.iter().map(fingerprint).collect()
}

impl<T> Clone for Reloadable<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> From<T> for Reloadable<T> {
    /// A value that never changes.
    fn from(value: T) -> Self {
        Self(Arc::new(Inner { current: RwLock::new(Arc::new(value)), origin: None }))
    }
}

impl<T: fmt::Debug> fmt::Debug for Reloadable<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::symlink,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use super::*;

    fn number(file: PathBuf, reads: Arc<AtomicUsize>) -> impl Fn() -> Result<usize, String> {
        move || {
            reads.fetch_add(1, Ordering::Relaxed);
            let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
            text.parse().map_err(|_| format!("{} contains no number", file.display()))
        }
    }

    #[test]
    fn an_invalid_file_is_reported_once_by_its_name_and_not_by_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let [file, other] = ["number", "other"].map(|name| folder.path().join(name));
        fs::write(&file, "1").unwrap();
        let value = Reloadable::from_files(vec![other, file.clone()], number(file.clone(), Arc::default())).unwrap();
        assert!(value.reload_if_changed().is_none());
        fs::write(&file, "hunter2").unwrap();
        let Reload { changed, outcome } = value.reload_if_changed().unwrap();
        assert_eq!((&changed, outcome), (&vec![file.clone()], Err(format!("{} contains no number", file.display()))));
        assert!(value.reload_if_changed().is_none(), "reported once");
        fs::write(&file, "2").unwrap();
        assert!(value.reload_if_changed().unwrap().outcome.is_ok());
    }

    #[test]
    fn a_changed_file_replaces_the_value_and_an_invalid_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let (file, reads) = (folder.path().join("number"), Arc::new(AtomicUsize::new(0)));
        fs::write(&file, "1").unwrap();
        let value = Reloadable::from_files(vec![file.clone()], number(file.clone(), Arc::clone(&reads))).unwrap();
        // The file's content, the value after it, and how often the file was read by then.
        for (content, current, read) in [
            (Some("1"), 1, 1),
            (Some("2"), 2, 2),
            (Some("two"), 2, 3),
            (None, 2, 4),
            (Some("3"), 3, 5),
            (Some("2"), 2, 6),
        ] {
            match content {
                Some(content) => fs::write(&file, content).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
            value.reload_if_changed();
            value.reload_if_changed();
            assert_eq!((*value.get(), reads.load(Ordering::Relaxed)), (current, read), "{content:?}");
        }
    }

    #[test]
    fn a_replaced_link_above_the_file_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        for version in ["1", "2"] {
            fs::create_dir(folder.path().join(version)).unwrap();
            fs::write(folder.path().join(version).join("number"), version).unwrap();
        }
        let (data, next) = (folder.path().join("..data"), folder.path().join("..data_tmp"));
        symlink("1", &data).unwrap();
        symlink("..data/number", folder.path().join("number")).unwrap();
        let file = folder.path().join("number");
        let value = Reloadable::from_files(vec![file.clone()], number(file, Arc::default())).unwrap();
        assert_eq!(*value.get(), 1);
        symlink("2", &next).unwrap();
        fs::rename(next, data).unwrap();
        value.reload_if_changed();
        assert_eq!(*value.get(), 2);
    }

    #[test]
    fn files_that_cannot_be_read_at_first_are_an_error() {
        let file = PathBuf::from("/nowhere/number");
        assert!(Reloadable::from_files(vec![file.clone()], number(file, Arc::default())).is_err());
    }
}
