//! `clientele migrate`: brings a database's schema up to date.

use sqlx::postgres::PgConnectOptions;

use super::{
    Failure,
    settings::{Logging, Settings},
    tell,
};
use crate::{
    config::{self, Problems, RawSettings, place},
    store::migrations::{self, Migrated},
};

/// Bring a database's schema up to date, then exit
///
/// Any number may run at once: one works, the others wait for it. An older program leaves a newer schema alone.
#[derive(clap::Args)]
pub(super) struct Migrate {
    #[command(flatten)]
    settings: Settings<false>,
}

impl Migrate {
    /// What is said, and how to connect to the database. The rest of a server's file is not looked at.
    pub(super) fn database(self, logging: Logging) -> Result<(RawSettings, PgConnectOptions), Problems> {
        let mut problems = Problems::default();
        let said = self.settings.gather(logging, &mut problems);
        match config::options(&said, &mut problems) {
            Some(options) if problems.0.is_empty() => Ok((said, PgConnectOptions::clone(&options.get()))),
            _ => Err(problems),
        }
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
