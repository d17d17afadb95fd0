//! The options of `initdb` and `postgres`. Rule: all options are on the command line, none in files.

use std::fs::File;
use std::path::Path;

use super::error::Error;
use super::location::Layout;
use super::settings::{ClusterSettings, Durability, USER};

/// macOS has no locale C.UTF-8.
const CTYPE: &str = if cfg!(target_os = "macos") { "--lc-ctype=en_US.UTF-8" } else { "--lc-ctype=C.UTF-8" };

/// What a supervisor runs.
#[derive(Debug)]
pub(super) struct ServerOptions<'a> {
    /// The folder of the binaries.
    pub(super) bin: &'a Path,
    /// The folder that is removed at the end.
    pub(super) temp_dir: &'a Path,
    /// The folder for a new cluster and the options of `initdb`, if there is no cluster yet.
    pub(super) initdb: Option<(&'a Path, String)>,
    /// The options of `postgres`.
    pub(super) postgres: Vec<String>,
    /// The standard error of all processes.
    pub(super) log: File,
}

impl<'a> ServerOptions<'a> {
    /// Runs the server on existing data.
    pub(super) fn new(settings: &ClusterSettings, bin: &'a Path, layout: &'a Layout) -> Result<Self, Error> {
        let postgres = postgres_options(settings, layout);
        Ok(Self { bin, temp_dir: &layout.temp_dir, initdb: None, postgres, log: layout.log.file()? })
    }

    /// Runs `initdb` first, if the layout has no data yet.
    pub(super) fn with_initdb(mut self, settings: &ClusterSettings, layout: &'a Layout, major: u32) -> Self {
        let new_data = layout.new_data.as_deref();
        self.initdb = new_data.map(|new_data| (new_data, initdb_options(settings.durability, major)));
        self
    }
}

/// The options of `initdb`. Names and keys sort by code point; letters are those of Unicode on every machine.
fn initdb_options(durability: Durability, major: u32) -> String {
    let user = format!("--username={USER}");
    // Trust: only the owner has access to the socket's folder.
    let mut options = vec![user.as_str(), "--auth-local=trust", "--auth-host=reject", "--no-instructions"];
    options.extend(["--encoding=UTF8", "--lc-collate=C", CTYPE]);
    if major >= 17 {
        options.extend(["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]);
    }
    if durability == Durability::Fast {
        options.push("--no-sync");
    }
    options.join(" ")
}

/// The options of `postgres`.
fn postgres_options(settings: &ClusterSettings, layout: &Layout) -> Vec<String> {
    let temp_dir = layout.temp_dir.display();
    let mut options = vec![
        "listen_addresses=".to_owned(),
        "port=5432".to_owned(), // only part of the socket's name
        format!("unix_socket_directories={temp_dir}"),
        "unix_socket_permissions=0700".to_owned(),
        format!("max_connections={}", settings.max_connections),
        "timezone=UTC".to_owned(),
        "log_timezone=UTC".to_owned(),
        "log_destination=stderr".to_owned(),
        "logging_collector=off".to_owned(),
    ];
    // Customers' values stay out of the log: both parameters, and keys in an error's detail.
    let privacy = ["log_parameter_max_length=0", "log_parameter_max_length_on_error=0", "log_error_verbosity=terse"];
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
    options.extend(privacy.iter().chain(durability).map(ToString::to_string));
    let flags = options.into_iter().flat_map(|option| ["-c".to_owned(), option]);
    ["-D".to_owned(), layout.data.display().to_string()].into_iter().chain(flags).collect()
}
