//! `clientele serve`: the service on a PostgreSQL that somebody else runs; and `clientele check-config`, which says whether it
//! could.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::{
    Failure, Stop, drain, print,
    settings::{Logging, Settings},
    tell,
};
use crate::{
    config::{Config, Problems, RawSettings},
    server,
};

/// Serve on a PostgreSQL of your own until SIGTERM, which lets running calls finish
///
/// The schema must have been brought up to date by `clientele migrate`. A flag goes before the environment, the
/// environment before the file. Options that may be repeated are --issuer, --operator, --service-principal and
/// --sealing-key-file; a `;` separates several values in one.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Serve {
    #[command(flatten)]
    settings: Settings<true>,
}

/// Say everything that is wrong with the settings of `serve`, or print those that hold
///
/// It reads what `serve` would read, files with keys too, and connects to nothing. Secrets are not printed.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct CheckConfig {
    #[command(flatten)]
    settings: Settings<true>,
}

impl Serve {
    /// What is said, and the configuration that it describes.
    pub(super) fn config(self, logging: Logging) -> Result<(RawSettings, Config), Problems> {
        config(self.settings, logging)
    }
}

impl CheckConfig {
    /// Checks, and prints what holds.
    pub(super) fn run(self, logging: Logging) -> Result<(), Failure> {
        let (said, _) = config(self.settings, logging)?;
        print(&said.effective())?;
        tell("the configuration is valid");
        Ok(())
    }
}

fn config(settings: Settings<true>, logging: Logging) -> Result<(RawSettings, Config), Problems> {
    let mut problems = Problems::default();
    let said = settings.gather(logging, &mut problems);
    match Config::read(&said, &mut problems) {
        Some(config) => Ok((said, config)),
        None => Err(problems),
    }
}

/// Serves until it is told to stop and has drained.
pub(super) async fn run(config: Config) -> Result<(), Failure> {
    raise_file_limit();
    let mut stop = Stop::listen()?;
    let Some(started) = stop.unless(server::start(config)).await else {
        return Ok(());
    };
    let running = started?;
    // Whether it is ready too depends on the database: health says.
    tell(&format!("listening on {}", running.address()));
    stop.ordered().await;
    drain(running, &mut stop).await;
    Ok(())
}

/// Takes as many open files as the system allows us: each connection is one, and by default a process is given 1,024 and has to
/// ask for more. If it cannot, accepting fails when they are used up, and the log says so.
fn raise_file_limit() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}
