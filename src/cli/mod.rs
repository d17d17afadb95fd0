//! The commands. Rule: standard output carries a command's result and nothing else; whatever is for people to read goes
//! to standard error. A failure is one clear text and exit code 1.

mod demo;
mod dev;
mod folder;
mod health;
mod hints;
mod migrate;
mod serve;
mod settings;
mod telemetry_options;
mod token;

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};

use self::settings::Logging;
use crate::{
    config::{Problems, RawSettings},
    server::{Drained, Running},
    telemetry::{self, Passing},
};

/// The customer-account service for resellers: gRPC over PostgreSQL.
///
/// To try it: `clientele dev`, and in another terminal the lines that it prints.
/// To run it: `clientele migrate`, then `clientele serve`.
#[derive(clap::Parser)]
#[command(version, verbatim_doc_comment)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    logging: Logging,
}

#[derive(clap::Subcommand)]
enum Command {
    Dev(dev::Dev),
    Serve(serve::Serve),
    CheckConfig(serve::CheckConfig),
    Health(health::Health),
    Migrate(migrate::Migrate),
    Token(token::Token),
}

/// Why a command failed, for people: what happened and what to do.
#[derive(Debug)]
struct Failure(String);

impl Failure {
    /// A closure for `map_err`: what failed, and with what.
    fn doing<E: std::error::Error>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        move |error| Self(format!("{}: {error}", what.into()))
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Runs a command to its end.
#[must_use]
pub fn run(arguments: Arguments) -> ExitCode {
    match dispatch(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(why)) => {
            tell(&format!("clientele: {why}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(Arguments { command, logging }: Arguments) -> Result<(), Failure> {
    match command {
        // These print and are done: they need neither logs nor threads.
        Command::Token(token) => {
            said(logging)?;
            token.run()
        }
        Command::CheckConfig(check) => check.run(logging),
        Command::Health(health) => {
            let (said, question) = health.question(logging)?;
            logged(&said, |_| health::ask(question))
        }
        Command::Dev(dev) => logged(&said(logging)?, |passing| dev.run(passing)),
        Command::Serve(serve) => {
            let (said, config) = serve.config(logging)?;
            logged(&said, |_| serve::run(config))
        }
        Command::Migrate(migrate) => {
            let (said, options) = migrate.database(logging)?;
            logged(&said, |_| async move { migrate::migrate(&options).await })
        }
    }
}

/// What is said to a command that takes no setting but how to log.
fn said(logging: Logging) -> Result<RawSettings, Problems> {
    let mut problems = Problems::default();
    let said = logging.gather(&mut problems);
    if problems.0.is_empty() { Ok(said) } else { Err(problems) }
}

/// Runs a command that logs, and is told what of it passes.
fn logged<F>(said: &RawSettings, command: impl FnOnce(Passing) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let mut problems = Problems::default();
    let (filter, format) = settings::log(said, &mut problems).ok_or(problems)?;
    let passing = telemetry::init(filter, format);
    telemetry::logs::report_panics();
    let runtime = Runtime::new().map_err(Failure::doing("cannot start"))?;
    let outcome = runtime.block_on(command(passing));
    // Not for ever: a name that does not resolve holds its thread.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

/// Prints a command's result, at once.
fn print(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Tells people something. Whether anybody reads it does not matter.
fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// The orders to stop: Ctrl-C and SIGTERM, from the moment this is made.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    /// Takes the signals from their default, which is to end the process on the spot.
    fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for the next order.
    async fn ordered(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// What the work comes to; nothing if the order comes first, and the work is dropped.
    async fn unless<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.ordered() => None,
        }
    }
}

/// Lets running calls finish, as long as they may, or until it is told to stop once more.
async fn drain(running: Running, stop: &mut Stop) {
    if stop.unless(running.stop()).await != Some(Drained::Whole) {
        tell("calls were still running; they were cut off");
    }
}
