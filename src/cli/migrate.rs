//! `clientele migrate`: brings a database's schema up to date.

use std::{fs, path::PathBuf};

use sqlx::postgres::PgConnectOptions;

use super::{Failure, tell};
use crate::{
    config::{parse, place},
    store::migrations::{self, Migrated},
};

/// Bring a database's schema up to date, then exit
///
/// Any number may run at once: one works, the others wait for it. An older program leaves a newer schema alone.
#[derive(clap::Args)]
pub(super) struct Migrate {
    #[command(flatten)]
    database: DatabaseUrl,
}

/// Where a database is: said once, by either option.
#[derive(clap::Args)]
pub(super) struct DatabaseUrl {
    /// The database: postgres://USER:PASSWORD@HOST:5432/DATABASE, with `?sslmode=verify-full` and the like
    #[arg(long, env = "CLIENTELE_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
    /// A file with that URL, for a secret that is mounted
    #[arg(long, env = "CLIENTELE_DATABASE_URL_FILE", value_name = "FILE", hide_env_values = true)]
    database_url_file: Option<PathBuf>,
}

impl DatabaseUrl {
    /// How to connect to it.
    ///
    /// # Errors
    /// What is wrong, without the URL.
    pub(super) fn options(&self) -> Result<PgConnectOptions, String> {
        match (&self.database_url, &self.database_url_file) {
            (Some(url), None) => parse::database_url(url).map_err(|problem| format!("--database-url: {problem}")),
            (None, Some(file)) => {
                let name = format!("--database-url-file {}", file.display());
                let url = fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
                parse::database_url(url.trim()).map_err(|problem| format!("{name}: {problem}"))
            }
            (Some(_), Some(_)) => Err("--database-url and --database-url-file exclude each other".to_owned()),
            (None, None) => Err("--database-url or --database-url-file is missing".to_owned()),
        }
    }
}

impl Migrate {
    /// Migrates, and says what it did.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let options = self.database.options().map_err(Failure)?;
        migrate(&options).await
    }
}

/// Migrates a database, and says what it did.
pub(super) async fn migrate(options: &PgConnectOptions) -> Result<(), Failure> {
    let waiting = || tell("another migration is running: waiting for its end");
    let Migrated { version, applied } = migrations::migrate(options, waiting)
        .await
        .map_err(Failure::doing(format!("cannot migrate {}", place(options))))?;
    let newest = migrations::newest();
    if version > newest {
        tell(&format!("schema is at version {version}, newer than this program's {newest}: left alone"));
    } else {
        tell(&format!("schema is at version {version}, {applied} applied"));
    }
    Ok(())
}
