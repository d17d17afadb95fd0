//! The errors of a private PostgreSQL. Rule: every message says what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use super::settings::OLDEST_VERSION;

/// Why a private PostgreSQL could not be found, started or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There are no usable binaries.
    #[error(
        "no PostgreSQL {OLDEST_VERSION} or later is installed here. Install it with one line:\n  \
         Debian, Ubuntu: apt-get install postgresql\n  \
         Fedora, RHEL:   dnf install postgresql-server postgresql-contrib\n  \
         macOS:          brew install postgresql@17\n\
         or set CLIENTELE_PG_BIN to the folder that contains its initdb and postgres"
    )]
    NotFound,
    /// No usable binaries are installed, and they could not be fetched either.
    #[error("{found}\n(PostgreSQL could not be fetched: {cause})")]
    NotFetched {
        /// What is wrong with the installed binaries.
        found: Box<Error>,
        /// Why the fetch failed.
        cause: String,
    },
    /// `CLIENTELE_PG_BIN` is a folder without PostgreSQL's binaries.
    #[error(
        "CLIENTELE_PG_BIN is {}, but this folder does not contain both initdb and postgres: \
         set it to the folder that does, or unset it", .0.display()
    )]
    Incomplete(PathBuf),
    /// The only binaries found are of an unsupported version.
    #[error(
        "the PostgreSQL in {} is version {major}, but {OLDEST_VERSION} or later is required: install a newer one, \
         or set CLIENTELE_PG_BIN to its folder", bin.display()
    )]
    TooOld {
        /// The folder of the binaries.
        bin: PathBuf,
        /// Their major version.
        major: u32,
    },
    /// `postgres --version` failed or printed no version.
    #[error("{} --version prints no version: {output:?}", program.display())]
    NoVersion {
        /// The binary.
        program: PathBuf,
        /// Its output.
        output: String,
    },
    /// PostgreSQL refuses to run as root, and there is no other user to run it as.
    #[error(
        "PostgreSQL does not run as root, and there is neither a user postgres nor nobody: start as an ordinary user"
    )]
    NoUser,
    /// The user that PostgreSQL runs as may not enter a parent folder of its data.
    #[error(
        "PostgreSQL runs as the user {user}, who cannot enter {}: \
         choose another folder with --data-dir, for example --data-dir /var/lib/clientele", directory.display()
    )]
    DataOutOfReach {
        /// The first folder on the path that the user cannot enter.
        directory: PathBuf,
        /// The user that PostgreSQL runs as.
        user: String,
    },
    /// The user that PostgreSQL runs as may not enter a parent folder of its binaries.
    #[error(
        "PostgreSQL runs as the user {user}, who cannot enter {}, where its binaries are: install it \
         for all users, or set CLIENTELE_PG_BIN to the folder of another PostgreSQL", directory.display()
    )]
    BinariesOutOfReach {
        /// The first folder on the path that the user cannot enter.
        directory: PathBuf,
        /// The user that PostgreSQL runs as.
        user: String,
    },
    /// The data was created by another major version, whose files this one cannot read.
    #[error(
        "the data in {} was created by PostgreSQL {created_by}, but PostgreSQL {found} was found: set \
         CLIENTELE_PG_BIN to the folder of PostgreSQL {created_by}'s binaries, or choose another folder with \
         --data-dir", data.display()
    )]
    OtherMajor {
        /// The data directory.
        data: PathBuf,
        /// The major version in its `PG_VERSION`.
        created_by: String,
        /// The major version of the binaries.
        found: u32,
    },
    /// The data directory has files that are not PostgreSQL's.
    #[error(
        "{} is not empty and contains no PostgreSQL data: choose another folder with --data-dir", .0.display()
    )]
    NotData(PathBuf),
    /// The data belongs to another user, for example after a start as root.
    #[error("{} belongs to another user: start as that user, or choose another folder with --data-dir", .0.display())]
    NotOwner(PathBuf),
    /// Another PostgreSQL runs on the same data and does not stop.
    #[error("another PostgreSQL runs on {}: stop it, or choose another folder with --data-dir", .0.display())]
    InUse(PathBuf),
    /// No folder with a short path can be created for the socket.
    #[error("cannot create a folder for PostgreSQL's socket; tried {tried}: make one of them writable")]
    NoTempDir {
        /// The folders, each with its reason.
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
        /// The time limit.
        seconds: u64,
        /// The last error.
        cause: String,
        /// The last lines of its log.
        log: String,
    },
    /// The server still runs after SIGINT, SIGQUIT and SIGKILL.
    #[error("PostgreSQL did not stop within {seconds} s: find its process and end it")]
    NotStopped {
        /// The time limit.
        seconds: u64,
    },
    /// New databases would have a locale in which characters outside ASCII are not letters.
    #[error(
        "the data has the locale {ctype} and the encoding {encoding}, with which searches ignore letters outside \
         ASCII: a UTF-8 locale is required; choose another folder with --data-dir, and Clientele creates it correctly"
    )]
    Locale {
        /// `datctype` of `template1`.
        ctype: String,
        /// Its encoding.
        encoding: String,
    },
    /// A file or process operation failed.
    #[error("{doing}: {source}")]
    Io {
        /// The operation, with the path.
        doing: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The server runs but rejected a statement.
    #[error("PostgreSQL started but does not respond as expected: {0}")]
    Database(#[from] sqlx::Error),
}

impl Error {
    /// Returns a closure for `map_err` that puts the operation and the path before the error.
    pub(super) fn io(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let doing = format!("cannot {doing} {}", path.display());
        move |source| Self::Io { doing, source }
    }
}
