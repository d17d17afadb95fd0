//! The program: parses the arguments and runs the command.

use std::process::ExitCode;

use clap::Parser as _;
use clientele::cli::{self, Arguments};

fn main() -> ExitCode {
    cli::run(Arguments::parse())
}
