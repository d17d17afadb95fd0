//! `clientele migrate`: brings a database's schema up to date.

use sqlx::postgres::PgConnectOptions;

use super::{
    output::{Failure, print_message},
    settings::{Logging, OfDatabase, Settings},
};
use crate::{
    config::{self, Problems, RawSettings, database_location},
    store::{
        keys::Rekeyed,
        migrations::{self, Migrated},
    },
};

/// Bring a database's schema up to date, then exit
///
/// Several may run at once: one migrates, the others wait for it. An older program does not change a newer schema.
#[derive(clap::Args)]
pub(super) struct Migrate {
    #[command(flatten)]
    settings: Settings<OfDatabase>,
    #[command(flatten)]
    logging: Logging,
}

impl Migrate {
    /// Returns the settings, and how to connect to the database. Other settings in a server's file are ignored.
    pub(super) fn database(self) -> Result<(RawSettings, PgConnectOptions), Problems> {
        let mut problems = Problems::default();
        let settings = self.settings.gather(&self.logging, &mut problems);
        match config::database_options(&settings, &mut problems) {
            Some(options) if problems.0.is_empty() => Ok((settings, PgConnectOptions::clone(&options.get()))),
            _ => Err(problems),
        }
    }
}

/// Migrates a database and prints the result.
pub(super) async fn migrate(options: &PgConnectOptions) -> Result<(), Failure> {
    let waiting = || print_message("another migration is running; waiting for it to end");
    let Migrated { version, applied, keys } = migrations::migrate(options, waiting)
        .await
        .map_err(Failure::context(format!("cannot migrate {}", database_location(options))))?;
    let newest = migrations::newest();
    if version > newest {
        print_message(&format!("schema is at version {version}, newer than this program's {newest}: not changed"));
    } else {
        print_message(&format!("schema is at version {version}, {applied} applied"));
    }
    print_keys(&keys);
    Ok(())
}

/// Reports the keys of older rows, if there is anything to say.
fn print_keys(keys: &Rekeyed) {
    if keys.changed > 0 {
        print_message(&format!("{} keys of names and custom IDs brought to this program's rule", keys.changed));
    }
    for conflict in &keys.listed {
        print_message(&conflict.to_string());
    }
    if keys.conflicts > 0 {
        print_message(&format!(
            "{} keys are taken by other rows (at most {} are listed): give one of each pair another name or custom ID, and \
             run this again; see docs/operations.md, Upgrade",
            keys.conflicts,
            keys.listed.len(),
        ));
    }
}
