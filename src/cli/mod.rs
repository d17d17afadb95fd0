//! The commands. Rule: standard output has a command's result and nothing else; all messages for people go to standard error.
//! A failure is one clear message and exit code 1.

mod data_dir;
mod demo;
mod descriptor;
mod dev;
mod health;
mod hints;
mod listen;
mod migrate;
mod output;
mod report;
mod report_progress;
mod serve;
mod settings;
mod shell;
mod stop;
mod telemetry_options;
mod token;

use std::{process::ExitCode, time::Duration};

use clap::CommandFactory as _;
use tokio::runtime::Runtime;

use self::output::{Failure, print_message};
use crate::{
    config::{Problems, RawSettings},
    telemetry::{self, LogFilter},
};

/// The version, and the commit of a release build.
const VERSION: &str = env!("PROGRAM_VERSION");

/// The customer-account service for resellers: gRPC over PostgreSQL.
///
/// To try it: run `clientele dev`, and in another terminal the commands that it prints.
/// To run it: `clientele migrate`, then `clientele serve`.
#[derive(clap::Parser)]
#[command(name = "clientele", version = VERSION, verbatim_doc_comment, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Dev(dev::Dev),
    Serve(serve::Serve),
    CheckConfig(serve::CheckConfig),
    Health(health::Health),
    Migrate(migrate::Migrate),
    Token(token::Token),
    Report(report::Report),
    Descriptor(descriptor::Descriptor),
    Completions(shell::Completions),
    Man(shell::ManualPage),
}

/// Runs a command to its end.
#[must_use]
pub fn run(arguments: Arguments) -> ExitCode {
    match dispatch(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(message)) => {
            print_message(&format!("clientele: {message}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(Arguments { command }: Arguments) -> Result<(), Failure> {
    match command {
        // These only print: they need neither logs nor threads.
        Command::Token(token) => {
            settings::check_environment()?;
            token.run()
        }
        Command::CheckConfig(check) => check.run(),
        Command::Descriptor(descriptor) => descriptor.run(),
        Command::Completions(completions) => completions.run(Arguments::command()),
        Command::Man(page) => page.run(Arguments::command()),
        Command::Health(health) => {
            let (settings, query) = health.query()?;
            run_logged(&settings, |_| health::check(query))
        }
        Command::Dev(dev) => run_logged(&dev.log_settings()?, |log_filter| dev.run(log_filter)),
        Command::Serve(serve) => {
            let (settings, config) = serve.config()?;
            run_logged(&settings, |_| serve::run(config))
        }
        Command::Report(report) => run_logged(&report.log_settings()?, |_| report.run()),
        Command::Migrate(migrate) => {
            let (settings, options) = migrate.database()?;
            run_logged(&settings, |_| async move { migrate::migrate(&options).await })
        }
    }
}

/// Runs a command that logs, and passes it the log's filter.
fn run_logged<F>(settings: &RawSettings, command: impl FnOnce(LogFilter) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let mut problems = Problems::default();
    let (filter, format) = settings::log_options(settings, &mut problems).ok_or(problems)?;
    let log_filter = telemetry::init(filter, format);
    telemetry::logs::report_panics();
    let runtime = Runtime::new().map_err(Failure::context("cannot start"))?;
    let outcome = runtime.block_on(command(log_filter));
    // With a timeout: the look-up of a name that does not resolve blocks its thread.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}
