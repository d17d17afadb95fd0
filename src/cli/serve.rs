//! `clientele serve`: the service on a PostgreSQL of your own; and `clientele check-config`, which checks its settings.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::{
    output::{Failure, print_message, print_result},
    settings::{Logging, OfServer, Settings},
    stop::{StopSignals, drain},
};
use crate::{
    config::{Config, Problems, RawSettings},
    server,
};

/// Serve on a PostgreSQL of your own until SIGTERM, which lets running calls finish
///
/// Run `clientele migrate` first to bring the schema up to date. A flag overrides the environment, and the environment
/// overrides the file. The flags --issuer, --operator, --service-principal and --sealing-key-file may be repeated; one
/// value may also contain several, separated by `;`.
#[derive(clap::Args)]
pub(super) struct Serve {
    #[command(flatten)]
    settings: Settings<OfServer>,
    #[command(flatten)]
    logging: Logging,
}

/// Check the settings of `serve` and print the effective ones
///
/// It reads everything that `serve` reads, including key files, but connects to nothing. All problems are reported
/// together. Secrets are not printed.
#[derive(clap::Args)]
pub(super) struct CheckConfig {
    #[command(flatten)]
    settings: Settings<OfServer>,
    #[command(flatten)]
    logging: Logging,
}

impl Serve {
    /// Returns the settings and the configuration.
    pub(super) fn config(self) -> Result<(RawSettings, Config), Problems> {
        read_config(self.settings, &self.logging)
    }
}

impl CheckConfig {
    /// Checks the settings and prints the effective ones.
    pub(super) fn run(self) -> Result<(), Failure> {
        let (settings, _) = read_config(self.settings, &self.logging)?;
        print_result(&settings.effective())?;
        print_message("the configuration is valid");
        Ok(())
    }
}

fn read_config(settings: Settings<OfServer>, logging: &Logging) -> Result<(RawSettings, Config), Problems> {
    let mut problems = Problems::default();
    let settings = settings.gather(logging, &mut problems);
    match Config::read(&settings, &mut problems) {
        Some(config) => Ok((settings, config)),
        None => Err(problems),
    }
}

/// Serves until a signal stops it and it has drained.
pub(super) async fn run(config: Config) -> Result<(), Failure> {
    raise_file_limit();
    let mut signals = StopSignals::listen()?;
    let Some(started) = signals.run_until_stopped(server::start(config)).await else {
        return Ok(());
    };
    let server = started?;
    // Readiness also depends on the database: health reports it.
    print_message(&format!("listening on {}", server.address()));
    signals.wait().await;
    drain(server, &mut signals).await;
    Ok(())
}

/// Raises the limit of open files to the system's maximum: each connection needs one, and the default is often 1,024. If that
/// fails, `accept` fails when they are used up, and the log says so.
fn raise_file_limit() {
    if let Ok((_, max)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, max, max);
    }
}
