//! Why a private PostgreSQL did not start. Rule: every text says what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why a private PostgreSQL could not be found, started or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No usable binaries in any of the places that are looked at.
    #[error(
        "no PostgreSQL {} or later is installed here. Install it with one line:\n  \
         Debian, Ubuntu: apt-get install postgresql\n  \
         Fedora, RHEL:   dnf install postgresql-server postgresql-contrib\n  \
         macOS:          brew install postgresql@17\n\
         or name the folder that holds its initdb and postgres in CLIENTELE_PG_BIN",
        super::find::OLDEST
    )]
    NotFound,
    /// No usable binaries are installed, and none could be fetched either.
    #[error("{found}\n(one of our own could not be fetched: {why})")]
    NotFetched {
        /// What is wrong with what is installed.
        found: Box<Error>,
        /// Why the fetch failed.
        why: String,
    },
    /// `CLIENTELE_PG_BIN` is set to a folder that is none of PostgreSQL's.
    #[error(
        "CLIENTELE_PG_BIN is {}, but this folder does not hold both initdb and postgres: \
         name the folder that does, or unset it", .0.display()
    )]
    Incomplete(PathBuf),
    /// The only binaries found are of a version that Clientele does not support.
    #[error(
        "the PostgreSQL in {} is version {major}, but {} or later is needed: install a newer one, \
         or name its folder in CLIENTELE_PG_BIN", bin.display(), super::find::OLDEST
    )]
    TooOld {
        /// The folder of the binaries.
        bin: PathBuf,
        /// Their major version.
        major: u32,
    },
    /// `postgres --version` failed or said something that is no version.
    #[error("{} --version does not say its version: {said:?}", program.display())]
    NoVersion {
        /// The binary that was asked.
        program: PathBuf,
        /// What it said.
        said: String,
    },
    /// PostgreSQL refuses to run as root, and there is no other user to run it as.
    #[error(
        "PostgreSQL does not run as root, and there is neither a user postgres nor nobody: start as an ordinary user"
    )]
    NoUser,
    /// The user PostgreSQL runs as may not enter a folder on the way to its data.
    #[error(
        "PostgreSQL runs as the user {user}, who cannot enter {}: \
         keep the data elsewhere with --data, for example --data /var/lib/clientele", directory.display()
    )]
    DataOutOfReach {
        /// The first folder on the way that is closed.
        directory: PathBuf,
        /// The user that PostgreSQL runs as.
        user: String,
    },
    /// The user PostgreSQL runs as may not enter a folder on the way to its binaries.
    #[error(
        "PostgreSQL runs as the user {user}, who cannot enter {}, where its binaries are: install it \
         for all users, or name the folder of another PostgreSQL in CLIENTELE_PG_BIN", directory.display()
    )]
    BinariesOutOfReach {
        /// The first folder on the way that is closed.
        directory: PathBuf,
        /// The user that PostgreSQL runs as.
        user: String,
    },
    /// The data was made by another major version, whose files this one cannot read.
    #[error(
        "the data in {} was made by PostgreSQL {made_by}, but the one found is {found}: name the folder of \
         PostgreSQL {made_by}'s binaries in CLIENTELE_PG_BIN, or keep new data elsewhere with --data", data.display()
    )]
    OtherMajor {
        /// The data directory.
        data: PathBuf,
        /// The major version in its `PG_VERSION`.
        made_by: String,
        /// The major version of the binaries.
        found: u32,
    },
    /// The data directory holds something, but not PostgreSQL's data.
    #[error("{} is not empty and holds no PostgreSQL data: keep the data elsewhere with --data", .0.display())]
    NotData(PathBuf),
    /// The data belongs to somebody else, as after a start as root.
    #[error("{} belongs to another user: start as that user, or keep the data elsewhere with --data", .0.display())]
    NotOurs(PathBuf),
    /// Another PostgreSQL runs on the same data and does not stop.
    #[error("another PostgreSQL runs on {}: stop it, or keep the data elsewhere with --data", .0.display())]
    InUse(PathBuf),
    /// No folder with a short path can be made for the socket.
    #[error("no folder can be made for PostgreSQL's socket; tried {tried}: make one of them writable")]
    NoRoom {
        /// The places, each with its reason.
        tried: String,
    },
    /// `initdb` or the server ended before it was ready.
    #[error("PostgreSQL ended before it was ready; the end of its log:\n{log}")]
    Ended {
        /// The last lines of its log.
        log: String,
    },
    /// The server runs but does not accept connections in time.
    #[error("PostgreSQL accepts no connections after {seconds} s ({cause}); the end of its log:\n{log}")]
    NotReady {
        /// How long was waited.
        seconds: u64,
        /// The last refusal.
        cause: String,
        /// The last lines of its log.
        log: String,
    },
    /// The server is still there after every way to end it.
    #[error("PostgreSQL does not stop within {seconds} s: look for its process and end it")]
    NotStopped {
        /// How long was waited.
        seconds: u64,
    },
    /// New databases would get a locale in which letters outside ASCII are not letters.
    #[error(
        "the data has the locale {ctype} and the encoding {encoding}, with which searches lose every letter outside \
         ASCII: a UTF-8 locale is needed; keep new data elsewhere with --data, and Clientele makes it right"
    )]
    Locale {
        /// `datctype` of `template1`.
        ctype: String,
        /// Its encoding.
        encoding: String,
    },
    /// A file or process could not be worked with.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, with the path.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The server is up but refused a statement.
    #[error("PostgreSQL started but does not answer as expected: {0}")]
    Database(#[from] sqlx::Error),
}

impl Error {
    /// A closure for `map_err`: the failure of `doing` something with the file or program at `path`.
    pub(super) fn io(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let doing = format!("cannot {doing} {}", path.display());
        move |source| Self::Io { doing, source }
    }
}
