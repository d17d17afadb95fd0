//! The words that `initdb` and `postgres` are run with. Rule: all of it is said here, nothing in files.

use std::fs::File;
use std::path::Path;

use super::location::Layout;
use super::{Durability, Error, Settings};

/// macOS has no C.UTF-8 to name.
const CTYPE: &str = if cfg!(target_os = "macos") { "--lc-ctype=en_US.UTF-8" } else { "--lc-ctype=C.UTF-8" };

/// What a guard runs.
#[derive(Debug)]
pub(super) struct Orders<'a> {
    /// The folder of the binaries.
    pub(super) bin: &'a Path,
    /// The folder that is taken away at the end.
    pub(super) room: &'a Path,
    /// The folder to make a cluster in and the words after it, if there is one to make.
    pub(super) initdb: Option<(&'a Path, String)>,
    /// The words after `postgres`.
    pub(super) postgres: Vec<String>,
    /// Where everything's standard error goes.
    pub(super) log: File,
}

impl<'a> Orders<'a> {
    /// Runs the server on data that is there.
    pub(super) fn new(settings: &Settings, bin: &'a Path, layout: &'a Layout) -> Result<Self, Error> {
        let postgres = server_options(settings, layout);
        Ok(Self { bin, room: &layout.room, initdb: None, postgres, log: layout.log.file()? })
    }

    /// The same, after making the data if the layout has none yet.
    pub(super) fn making(mut self, settings: &Settings, layout: &'a Layout, major: u32) -> Self {
        let fresh = layout.fresh.as_deref();
        self.initdb = fresh.map(|fresh| (fresh, initdb_options(settings.durability, major)));
        self
    }
}

/// How a new cluster is made. Names and keys sort by code point; letters are Unicode's on any machine.
fn initdb_options(durability: Durability, major: u32) -> String {
    // Trust: whoever reaches the socket went through its folder, which is closed to all but its owner.
    let mut words = vec![
        "--username=clientele", // super::USER
        "--auth-local=trust",
        "--auth-host=reject",
        "--no-instructions",
    ];
    words.extend(["--encoding=UTF8", "--lc-collate=C", CTYPE]);
    if major >= 17 {
        words.extend(["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]);
    }
    if durability == Durability::Fast {
        words.push("--no-sync");
    }
    words.join(" ")
}

/// How the server is run.
fn server_options(settings: &Settings, layout: &Layout) -> Vec<String> {
    let room = layout.room.display();
    let mut options = vec![
        "listen_addresses=".to_owned(),
        "port=5432".to_owned(), // only part of the socket's name
        format!("unix_socket_directories={room}"),
        "unix_socket_permissions=0700".to_owned(),
        format!("max_connections={}", settings.max_connections),
        "timezone=UTC".to_owned(),
        "log_timezone=UTC".to_owned(),
        "log_destination=stderr".to_owned(),
        "logging_collector=off".to_owned(),
    ];
    // Values of customers stay out of the log: neither parameters nor the keys in an error's detail.
    let quiet = ["log_parameter_max_length=0", "log_parameter_max_length_on_error=0", "log_error_verbosity=terse"];
    let durability: &[&str] = match settings.durability {
        Durability::Fast => &[
            "shared_buffers=64MB",
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "wal_level=minimal",
            "max_wal_senders=0",
        ],
        Durability::Production => &["shared_buffers=128MB"],
    };
    options.extend(quiet.iter().chain(durability).map(ToString::to_string));
    let set = options.into_iter().flat_map(|option| ["-c".to_owned(), option]);
    ["-D".to_owned(), layout.data.display().to_string()].into_iter().chain(set).collect()
}
