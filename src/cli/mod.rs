//! The commands. Rule: standard output carries a command's result and nothing else; whatever is for people to read goes
//! to standard error. A failure is one clear text and exit code 1.

mod demo;
mod dev;
mod folder;
mod hints;
mod migrate;
mod serve;
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

use crate::{
    server::{Drained, Running},
    telemetry,
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
    /// What is logged to standard error: a level, or levels by module as in `info,clientele=debug`
    #[arg(long, global = true, env = "CLIENTELE_LOG", value_name = "FILTER", default_value = telemetry::DEFAULT_FILTER)]
    #[arg(hide_env_values = true, display_order = 1000)]
    log: String,
    /// How a line of the log is written: text or json
    #[arg(long, global = true, env = "CLIENTELE_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    #[arg(hide_env_values = true, display_order = 1000)]
    log_format: String,
}

#[derive(clap::Subcommand)]
enum Command {
    Dev(dev::Dev),
    Serve(Box<serve::Serve>),
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

fn dispatch(Arguments { command, log, log_format }: Arguments) -> Result<(), Failure> {
    // Prints a token and is done: it needs neither logs nor threads.
    if let Command::Token(token) = command {
        return token.run();
    }
    let filter = telemetry::filter(&log).map_err(|problem| Failure(format!("--log: {problem}")))?;
    let format =
        telemetry::Format::parse(&log_format).map_err(|problem| Failure(format!("--log-format: {problem}")))?;
    telemetry::init(filter, format);
    telemetry::logs::report_panics();
    let runtime = Runtime::new().map_err(Failure::doing("cannot start"))?;
    let outcome = runtime.block_on(async {
        match command {
            Command::Dev(dev) => dev.run().await,
            Command::Serve(serve) => serve.run().await,
            Command::Migrate(migrate) => migrate.run().await,
            Command::Token(token) => token.run(),
        }
    });
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
