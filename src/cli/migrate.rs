//! `clientele migrate`: brings a database's schema up to date.

use sqlx::postgres::PgConnectOptions;

use super::{
    output::{Failure, print_message},
    settings::{Logging, Settings},
};
use crate::{
    config::{self, Problems, RawSettings, database_location},
    store::migrations::{self, Migrated},
};

/// Bring a database's schema up to date, then exit
///
/// Several may run at once: one migrates, the others wait for it. An older program does not change a newer schema.
#[derive(clap::Args)]
pub(super) struct Migrate {
    #[command(flatten)]
    settings: Settings<false>,
}

impl Migrate {
    /// Returns the settings, and how to connect to the database. Other settings in a server's file are ignored.
    pub(super) fn database(self, logging: Logging) -> Result<(RawSettings, PgConnectOptions), Problems> {
        let mut problems = Problems::default();
        let settings = self.settings.gather(logging, &mut problems);
        match config::database_options(&settings, &mut problems) {
            Some(options) if problems.0.is_empty() => Ok((settings, PgConnectOptions::clone(&options.get()))),
            _ => Err(problems),
        }
    }
}

/// Migrates a database and prints the result.
pub(super) async fn migrate(options: &PgConnectOptions) -> Result<(), Failure> {
    let waiting = || print_message("another migration is running; waiting for it to end");
    let Migrated { version, applied } = migrations::migrate(options, waiting)
        .await
        .map_err(Failure::context(format!("cannot migrate {}", database_location(options))))?;
    let newest = migrations::newest();
    if version > newest {
        print_message(&format!("schema is at version {version}, newer than this program's {newest}: not changed"));
    } else {
        print_message(&format!("schema is at version {version}, {applied} applied"));
    }
    Ok(())
}
