//! Values that files say and that change with them: a rotated password, key or certificate needs no restart.
//!
//! Files are looked at every few seconds, by their content: Kubernetes swaps a link three folders up when a Secret
//! changes, which watches of the file itself do not see.

use std::{
    fmt, fs, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use tokio::time::{self, MissedTickBehavior};
use tracing::{error, info};

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A value that holds now, and may be another later. Its clones are the same one.
pub struct Reloadable<T>(Arc<Inner<T>>);

struct Inner<T> {
    current: RwLock<Arc<T>>,
    origin: Option<Origin<T>>,
}

/// Where a value comes from.
struct Origin<T> {
    files: Vec<PathBuf>,
    read: Box<Read<T>>,
    seen: Mutex<Vec<Content>>,
}

type Read<T> = dyn Fn() -> Result<T, String> + Send + Sync;

/// What tells a file's content from another; an unreadable file's by why it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    Hash([u8; 32]),
    Unreadable(io::ErrorKind),
}

impl<T: Send + Sync + 'static> Reloadable<T> {
    /// What `read` makes of these files, now and whenever one of them has changed.
    ///
    /// # Errors
    /// What `read` says. Later it is logged, and what was read before holds: it must name the file and hold no secret.
    pub fn of_files(
        files: Vec<PathBuf>,
        read: impl Fn() -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        // Looked at before they are read: a change in between is seen at the next look, and not missed.
        let seen = Mutex::new(look(&files));
        let current = RwLock::new(Arc::new(read()?));
        Ok(Self(Arc::new(Inner { current, origin: Some(Origin { files, read: Box::new(read), seen }) })))
    }

    /// What holds now.
    #[must_use]
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at the files again and again; ends at once if there are none.
    pub async fn follow(self) {
        if self.0.origin.as_ref().is_none_or(|origin| origin.files.is_empty()) {
            return;
        }
        let mut looks = time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let live = self.clone();
            // A file may lie on a volume that answers late.
            match tokio::task::spawn_blocking(move || live.look()).await {
                Ok(Some(Look { changed, outcome: Ok(()) })) => info!(files = ?changed, "changed files are in force"),
                Ok(Some(Look { changed, outcome: Err(why) })) => {
                    error!(files = ?changed, why, "changed files are not used: what was read before stays in force");
                }
                Ok(None) | Err(_) => {}
            }
        }
    }

    /// Reads the files if they have changed. One content is read once, and so refused once.
    fn look(&self) -> Option<Look> {
        let origin = self.0.origin.as_ref()?;
        let now = look(&origin.files);
        let mut seen = origin.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs = origin.files.iter().zip(now.iter().zip(&*seen));
        let changed: Vec<PathBuf> = pairs.filter(|(_, (now, old))| now != old).map(|(file, _)| file.clone()).collect();
        if changed.is_empty() {
            return None;
        }
        *seen = now;
        let outcome = (origin.read)().map(|value| {
            *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
        });
        Some(Look { changed, outcome })
    }
}

/// What a look at changed files came to.
struct Look {
    changed: Vec<PathBuf>,
    outcome: Result<(), String>,
}

fn look(files: &[PathBuf]) -> Vec<Content> {
    let content = |file: &PathBuf| match fs::read(file) {
        Ok(bytes) => {
            let mut hash = [0; 32];
            hash.copy_from_slice(digest(&SHA256, &bytes).as_ref());
            Content::Hash(hash)
        }
        Err(error) => Content::Unreadable(error.kind()),
    };
    files.iter().map(content).collect()
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
            text.parse().map_err(|_| format!("{} holds no number", file.display()))
        }
    }

    #[test]
    fn a_broken_file_is_told_once_by_its_name_and_not_by_its_content() {
        let room = tempfile::tempdir().unwrap();
        let [file, other] = ["number", "other"].map(|name| room.path().join(name));
        fs::write(&file, "1").unwrap();
        let live = Reloadable::of_files(vec![other, file.clone()], number(file.clone(), Arc::default())).unwrap();
        assert!(live.look().is_none());
        fs::write(&file, "hunter2").unwrap();
        let Look { changed, outcome } = live.look().unwrap();
        assert_eq!((&changed, outcome), (&vec![file.clone()], Err(format!("{} holds no number", file.display()))));
        assert!(live.look().is_none(), "told once");
        fs::write(&file, "2").unwrap();
        assert!(live.look().unwrap().outcome.is_ok());
    }

    #[test]
    fn a_changed_file_holds_and_a_broken_one_does_not() {
        let room = tempfile::tempdir().unwrap();
        let (file, reads) = (room.path().join("number"), Arc::new(AtomicUsize::new(0)));
        fs::write(&file, "1").unwrap();
        let live = Reloadable::of_files(vec![file.clone()], number(file.clone(), Arc::clone(&reads))).unwrap();
        // What a file says, what then holds, and how often it was read by then.
        for (content, holds, read) in [
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
            live.look();
            live.look();
            assert_eq!((*live.get(), reads.load(Ordering::Relaxed)), (holds, read), "{content:?}");
        }
    }

    #[test]
    fn a_link_that_is_swapped_above_the_file_is_seen() {
        let room = tempfile::tempdir().unwrap();
        for version in ["1", "2"] {
            fs::create_dir(room.path().join(version)).unwrap();
            fs::write(room.path().join(version).join("number"), version).unwrap();
        }
        let (data, next) = (room.path().join("..data"), room.path().join("..data_tmp"));
        symlink("1", &data).unwrap();
        symlink("..data/number", room.path().join("number")).unwrap();
        let file = room.path().join("number");
        let live = Reloadable::of_files(vec![file.clone()], number(file, Arc::default())).unwrap();
        assert_eq!(*live.get(), 1);
        symlink("2", &next).unwrap();
        fs::rename(next, data).unwrap();
        live.look();
        assert_eq!(*live.get(), 2);
    }

    #[test]
    fn files_that_say_nothing_at_first_are_an_error() {
        let file = PathBuf::from("/nowhere/number");
        assert!(Reloadable::of_files(vec![file.clone()], number(file, Arc::default())).is_err());
    }
}
