//! The program: arguments -> telemetry -> run.

use std::process::ExitCode;

use clap::Parser as _;
use clientele::cli::{self, Arguments};

fn main() -> ExitCode {
    cli::run(Arguments::parse())
}
