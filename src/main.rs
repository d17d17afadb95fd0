//! The program: parses the arguments and runs the command.

use std::process::ExitCode;

use clap::Parser as _;
use clientele::cli::{self, Arguments};

/// A call makes and frees hundreds of small values, and a large answer comes and goes in each. glibc takes a fifth of the CPU for it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run(Arguments::parse())
}
