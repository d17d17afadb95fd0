//! The load benchmark: `cargo bench --bench load`. docs/performance.md says what its rows mean and how to read them.
//!
//! It starts PostgreSQL with production settings and the service as a process of its own, so that the service's CPU time
//! is neither PostgreSQL's nor the client's; measures every path at each number of calls in flight; and takes everything
//! down again, whichever way it ends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    unreachable_pub,
    reason = "a program for a terminal that serves nobody: it may end where it stands"
)]

#[path = "load/calls.rs"]
mod calls;
#[path = "load/child.rs"]
mod child;
#[path = "load/cores.rs"]
mod cores;
#[path = "load/crew.rs"]
mod crew;
#[path = "load/customers.rs"]
mod customers;
#[path = "load/dice.rs"]
mod dice;
#[path = "load/floor.rs"]
mod floor;
#[path = "load/herd.rs"]
mod herd;
#[path = "load/issuer.rs"]
mod issuer;
#[path = "load/model.rs"]
mod model;
#[path = "load/names.rs"]
mod names;
#[path = "load/pgbench.rs"]
mod pgbench;
#[path = "load/pressure.rs"]
mod pressure;
#[path = "load/report.rs"]
mod report;
#[path = "load/searches.rs"]
mod searches;
#[path = "load/stage.rs"]
mod stage;

use std::{env, error::Error, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, ValueEnum};

use self::{cores::Cores, crew::Measured, report::Report, stage::Stage};

/// What went wrong, for people.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How many times what is answered at best `overload` asks for.
const OVERLOAD: f64 = 5.0;
/// How often two paths are measured in turn that say something of each other.
const ROUNDS: u32 = 4;
/// How many calls are in flight then, whatever is asked for: those of the peak, or of the flood.
const PRESSURE: usize = 64;
/// How long a path runs before it is measured.
const WARM_UP: Duration = Duration::from_secs(1);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Path {
    /// A full customer from memory, with no layer around it.
    Bare,
    /// The same behind the service's own layers: trace, gate and all.
    Empty,
    Get,
    PgbenchGet,
    Create,
    PgbenchCreate,
    Approve,
    BatchGet,
    Lookup,
    UpdateCustomId,
    #[value(name = "tag_1000")]
    Tag1000,
    SearchName,
    /// The same by the account that has the most customers.
    SearchNameLargest,
    SearchAll,
    SearchTag,
    SearchList,
    SearchSecondPage,
    /// Reads of customers at an even pace.
    GetSteady,
    /// The same beside a flood of searches.
    GetFlooded,
    /// `create` with a client that has cores of its own.
    Peak,
    /// The same, five times as often as is answered at best.
    Overload,
}

impl Path {
    /// Whether it is one of two that are measured in turn, with [`PRESSURE`] in flight.
    fn in_turn(self) -> bool {
        matches!(self, Self::GetSteady | Self::GetFlooded) || self.apart()
    }

    /// Whether it is measured with a client that has cores of its own.
    fn apart(self) -> bool {
        matches!(self, Self::Peak | Self::Overload)
    }

    /// The most calls in flight with which it is measured.
    fn most_in_flight(self, asked: &Asked) -> usize {
        match self {
            // Each is a transaction of a thousand customers: more of them only wait for two cores and one disk.
            Self::Tag1000 => 4,
            // Each keeps its connection for a while: beyond them the time to wait in line is measured, no search.
            _ if self.searches() => asked.connections,
            _ => usize::MAX,
        }
    }

    fn searches(self) -> bool {
        match self {
            Self::SearchName
            | Self::SearchNameLargest
            | Self::SearchAll
            | Self::SearchTag
            | Self::SearchList
            | Self::SearchSecondPage
            | Self::GetSteady
            | Self::GetFlooded => true,
            Self::Bare
            | Self::Empty
            | Self::Get
            | Self::PgbenchGet
            | Self::Create
            | Self::PgbenchCreate
            | Self::Approve
            | Self::BatchGet
            | Self::Lookup
            | Self::UpdateCustomId
            | Self::Tag1000
            | Self::Peak
            | Self::Overload => false,
        }
    }

    fn writes(self) -> bool {
        self.changes() || matches!(self, Self::Create | Self::PgbenchCreate | Self::Approve) || self.apart()
    }

    /// Whether it changes customers again and again. They are none that others read.
    fn changes(self) -> bool {
        matches!(self, Self::UpdateCustomId | Self::Tag1000)
    }
}

/// Measures the service under load, on a PostgreSQL of its own.
#[derive(Clone, Parser)]
pub struct Asked {
    /// Write the rows to this file too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How long each point is measured
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Measure these paths alone
    #[arg(long, value_name = "PATHS", value_delimiter = ',')]
    only: Vec<Path>,
    /// Measure with so many calls in flight
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_values_t = [1, 16, 64, 256])]
    in_flight: Vec<usize>,
    /// How many connections to PostgreSQL the service has; its own default
    #[arg(long, value_name = "N", default_value_t = 16)]
    connections: usize,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

impl Asked {
    /// The paths that are to be measured.
    fn wanted(&self) -> impl Iterator<Item = Path> {
        Path::value_variants().iter().copied().filter(|path| self.only.is_empty() || self.only.contains(path))
    }

    /// Whether such a path is to be measured.
    fn wants(&self, such: impl Fn(Path) -> bool) -> bool {
        self.wanted().any(such)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    if let Some([_, flag, file, layers @ ..]) = arguments.get(..)
        && flag == floor::FLAG
    {
        return told(floor::serve(file.as_ref(), layers));
    }
    // `cargo test --benches` runs this too, to see that it runs.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    told(runtime.block_on(run(Asked::parse())))
}

fn told(done: Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("load: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(asked: Asked) -> Result<()> {
    let mut report = Report::default();
    if asked.wants(|path| !path.apart()) {
        share_cores(&asked, &mut report).await?;
    }
    if asked.wants(Path::apart) {
        divide_cores(&asked, &mut report).await?;
    }
    println!("{report}");
    if let Some(file) = &asked.json {
        std::fs::write(file, report.json()?)?;
    }
    Ok(())
}

/// Measures with client, service and PostgreSQL on whatever core is free.
async fn share_cores(asked: &Asked, report: &mut Report) -> Result<()> {
    let mut stage = Stage::start(asked).await?;
    println!("{}", stage.machine().await?);
    println!("{}", report::HEADER);
    // Paths that are compared are measured one after the other: what else the machine does falls on both.
    for &in_flight in &asked.in_flight {
        for path in asked.wanted().filter(|path| !path.in_turn()) {
            let in_flight = in_flight.min(path.most_in_flight(asked));
            if !report.has(path, in_flight) {
                measure(&mut stage, path, in_flight, asked, report).await?;
            }
        }
    }
    if asked.wants(|path| path.in_turn() && !path.apart()) {
        in_turn(&mut stage, [Path::GetSteady, Path::GetFlooded], asked, report).await?;
    }
    stage.end().await
}

/// Measures with a client on cores of its own, where there are cores to divide: another PostgreSQL, another service.
async fn divide_cores(asked: &Asked, report: &mut Report) -> Result<()> {
    let cores = Cores::divided()?;
    if let Some(cores) = &cores {
        cores.start_servers()?;
    }
    let mut stage = Stage::start(&Asked { only: vec![Path::Overload], ..asked.clone() }).await?;
    match &cores {
        Some(cores) => {
            cores.be_client()?;
            println!("\ncores: {cores}");
        }
        None => println!("\ncores: shared, which overload misses what is wanted by"),
    }
    println!("{}", report::HEADER);
    in_turn(&mut stage, [Path::Peak, Path::Overload], asked, report).await?;
    stage.end().await
}

/// Measures two paths in turn, the other way round each time: a database that grows makes each creation dearer, and machines
/// have moods. The second offers calls by what the first was answered.
async fn in_turn(stage: &mut Stage, paths: [Path; 2], asked: &Asked, report: &mut Report) -> Result<()> {
    let time = Duration::from_secs(asked.seconds) / ROUNDS;
    let mut measured = [Measured::nothing(), Measured::nothing()];
    for round in 0..ROUNDS {
        for place in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            stage.make_ready(paths[place]).await?;
            let offered = measured[0].rate() * OVERLOAD;
            let more = stage.measure(paths[place], PRESSURE, offered, time).await?;
            measured[place].add(&more)?;
        }
    }
    for (path, measured) in paths.into_iter().zip(measured) {
        report.tell(path, PRESSURE, &measured)?;
    }
    Ok(())
}

/// Measures one path with so many calls in flight, and tells its row.
async fn measure(stage: &mut Stage, path: Path, in_flight: usize, asked: &Asked, report: &mut Report) -> Result<()> {
    stage.make_ready(path).await?;
    let measured = stage.measure(path, in_flight, 0.0, Duration::from_secs(asked.seconds)).await?;
    report.tell(path, in_flight, &measured)
}
