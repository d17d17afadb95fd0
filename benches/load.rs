//! The load benchmark: `cargo bench --bench load`. docs/performance.md explains its rows.
//!
//! It starts PostgreSQL with production settings, and the service as a process of its own, so that the service's CPU time
//! excludes PostgreSQL's and the client's. It measures every path at each number of calls in flight, and ends every
//! process that it started, however it ends itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    unreachable_pub,
    reason = "a program for a terminal: it may end by a panic"
)]

#[path = "load/baseline.rs"]
mod baseline;
#[path = "load/billing.rs"]
mod billing;
#[path = "load/bystander.rs"]
mod bystander;
#[path = "load/calls.rs"]
mod calls;
#[path = "load/child.rs"]
mod child;
#[path = "load/clients.rs"]
mod clients;
#[path = "load/compare.rs"]
mod compare;
#[path = "load/cores.rs"]
mod cores;
#[path = "load/customers.rs"]
mod customers;
#[path = "load/duplicates.rs"]
mod duplicates;
#[path = "load/fixture.rs"]
mod fixture;
#[path = "load/issuer.rs"]
mod issuer;
#[path = "load/model.rs"]
mod model;
#[path = "load/names.rs"]
mod names;
#[path = "load/overload.rs"]
mod overload;
#[path = "load/pgbench.rs"]
mod pgbench;
#[path = "load/report.rs"]
mod report;
#[path = "load/reports.rs"]
mod reports;
#[path = "load/rng.rs"]
mod rng;
#[path = "load/search_dataset.rs"]
mod search_dataset;
#[path = "load/searches.rs"]
mod searches;

use std::{env, error::Error, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Parser, ValueEnum};

use self::{clients::Measured, cores::Cores, fixture::Fixture, report::Report};

/// As the service's, so that the baseline server is compared with it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A result whose error is a text for people.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Factor: `overload` offers so many times the calls that `peak` answered.
const OVERLOAD: f64 = 5.0;
/// Rounds in which two paths that are compared are measured alternately.
const ROUNDS: u32 = 4;
/// Calls in flight for these paths, whatever the options say: those of the peak, or of the flood.
const PAIRED_IN_FLIGHT: usize = 64;
/// How long a path runs before it is measured.
const WARM_UP: Duration = Duration::from_secs(1);

/// A path that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Path {
    /// A full customer from memory, with no layer around it.
    Bare,
    /// The same behind all of the service's own layers.
    Empty,
    Get,
    PgbenchGet,
    /// With `duplicate_policy` REPORT: one more statement looks for duplicates.
    Create,
    /// With IGNORE.
    CreateIgnore,
    PgbenchCreate,
    Approve,
    BatchGet,
    Lookup,
    /// In the search dataset.
    FindDuplicates,
    UpdateCustomId,
    ActivateFeature,
    #[value(name = "tag_1000")]
    Tag1000,
    /// The billing report of all customers of the account: one call reads it to its end.
    Report,
    /// `COPY (select …) to stdout` of the same columns and customers.
    ReportCopy,
    /// In the search dataset: the first message of the report of all customers of the tenant, which is then given up.
    ReportFirst,
    SearchName,
    /// The same in the account with the most customers.
    SearchNameLargest,
    SearchAll,
    SearchTag,
    SearchList,
    SearchSecondPage,
    /// A word that one customer has.
    SearchRare,
    SearchTwoWords,
    SearchCity,
    SearchNumber,
    /// A word of two characters.
    SearchShort,
    /// A word that no customer has.
    SearchNone,
    /// As `search_name`, by the provider among the customers of all accounts.
    SearchBelow,
    /// Reads of customers at a constant rate.
    GetSteady,
    /// The same during a flood of searches.
    GetFlooded,
    /// A bystander's reads at a constant rate, beside 64 callers of `batch_get` that wait for each answer.
    BesideBatches,
    /// The same beside as many such calls, given up at random between none and twice their latency.
    BesideAbandoned,
    /// The same beside 1,000 reads a second of one caller on one connection.
    BesideReads,
    /// The same, each of those reads reset within 2 ms.
    BesideResets,
    /// `create` from a client on cores of its own.
    Peak,
    /// The same, at five times the rate that `peak` reached.
    Overload,
}

impl Path {
    /// Whether it is one of two paths that are measured alternately, with [`PAIRED_IN_FLIGHT`] calls in flight.
    fn is_paired(self) -> bool {
        matches!(self, Self::GetSteady | Self::GetFlooded) || self.beside() || self.apart()
    }

    /// Whether it measures a bystander beside the calls of others.
    fn beside(self) -> bool {
        matches!(self, Self::BesideBatches | Self::BesideAbandoned | Self::BesideReads | Self::BesideResets)
    }

    /// Whether it is measured with a client on cores of its own.
    fn apart(self) -> bool {
        matches!(self, Self::Peak | Self::Overload)
    }

    /// Whether it measures no code of the service's handlers or statements.
    fn is_baseline(self) -> bool {
        matches!(self, Self::Bare | Self::PgbenchGet | Self::PgbenchCreate | Self::ReportCopy)
    }

    /// The maximum number of calls in flight for this path.
    fn most_in_flight(self, options: &Options) -> usize {
        match self {
            // Each call is a transaction of a thousand customers: more of them would only wait for two cores and one disk.
            Self::Tag1000 => 4,
            // One stream, and one session, compared with one.
            Self::Report | Self::ReportCopy | Self::ReportFirst => 1,
            // Each call uses its connection for a while: above this number, the wait in the queue would be measured.
            _ if self.searches() && self != Self::FindDuplicates => options.connections,
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
            | Self::SearchRare
            | Self::SearchTwoWords
            | Self::SearchCity
            | Self::SearchNumber
            | Self::SearchShort
            | Self::SearchNone
            | Self::SearchBelow
            | Self::ReportFirst
            | Self::FindDuplicates
            | Self::GetSteady
            | Self::GetFlooded => true,
            Self::Bare
            | Self::Empty
            | Self::Get
            | Self::PgbenchGet
            | Self::Create
            | Self::CreateIgnore
            | Self::PgbenchCreate
            | Self::Approve
            | Self::BatchGet
            | Self::Lookup
            | Self::UpdateCustomId
            | Self::ActivateFeature
            | Self::Tag1000
            | Self::Report
            | Self::ReportCopy
            | Self::BesideBatches
            | Self::BesideAbandoned
            | Self::BesideReads
            | Self::BesideResets
            | Self::Peak
            | Self::Overload => false,
        }
    }

    fn writes(self) -> bool {
        self.changes()
            || matches!(self, Self::Create | Self::CreateIgnore | Self::PgbenchCreate | Self::Approve)
            || self.apart()
    }

    /// Whether it changes the same customers again and again. No other path reads them.
    fn changes(self) -> bool {
        matches!(self, Self::UpdateCustomId | Self::ActivateFeature | Self::Tag1000)
    }
}

/// Measures the service under load, on a PostgreSQL of its own.
#[derive(Clone, Parser)]
pub struct Options {
    /// Also write the rows to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Seconds to measure each point
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Measure only these paths
    #[arg(long, value_name = "PATHS", value_delimiter = ',')]
    only: Vec<Path>,
    /// Numbers of calls in flight to measure
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_values_t = [1, 16, 64, 256])]
    in_flight: Vec<usize>,
    /// The service's connections to PostgreSQL; by default the service's own default
    #[arg(long, value_name = "N", default_value_t = 16)]
    connections: usize,
    /// Customers of the search dataset
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    customers: u64,
    /// The benchmark's executable of another build: measure each point in both, in turns, and print the ratio
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    against: Vec<PathBuf>,
    /// Turns of each build for each point, with --against
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Starts of all builds, with --against: each measures all points in so many turns
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    sittings: u32,
    /// Measure points of these paths (those it knows) as lines of the standard input name them: PATH NUMBER
    #[arg(long, hide = true, value_name = "PATHS", value_delimiter = ',')]
    on_request: Vec<String>,
    /// Set by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// The paths to measure.
    fn wanted(&self) -> impl Iterator<Item = Path> {
        Path::value_variants().iter().copied().filter(|path| self.only.is_empty() || self.only.contains(path))
    }

    /// The points to measure, each once: many numbers of calls in flight may be the same for a path that has a maximum.
    fn points(&self, of: impl Fn(Path) -> bool) -> Vec<(Path, usize)> {
        let mut points = Vec::new();
        for in_flight in &self.in_flight {
            for path in self.wanted().filter(|path| of(*path)) {
                let point = (path, path.most_in_flight(self).min(*in_flight));
                if !points.contains(&point) {
                    points.push(point);
                }
            }
        }
        points
    }

    /// Whether a path with this property is to be measured.
    fn wants(&self, such: impl Fn(Path) -> bool) -> bool {
        self.wanted().any(such)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    if let Some([_, flag, file, layers @ ..]) = arguments.get(..)
        && flag == baseline::FLAG
    {
        return exit_code(baseline::serve(file.as_ref(), layers));
    }
    // `cargo test --benches` runs this program too, only to check that it starts.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    exit_code(runtime.block_on(run(Options::parse())))
}

fn exit_code(done: Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("load: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<()> {
    let mut report = Report::default();
    if !options.on_request.is_empty() {
        return Box::pin(compare::on_request(&options)).await;
    }
    if !options.against.is_empty() {
        let rows = compare::against(&options.against, &options)?;
        return options.json.iter().try_for_each(|file| Ok(std::fs::write(file, report::json(&rows)?)?));
    }
    if options.wants(|path| !path.apart()) {
        Box::pin(measure_on_shared_cores(&options, &mut report)).await?;
    }
    if options.wants(Path::apart) {
        Box::pin(measure_on_divided_cores(&options, &mut report)).await?;
    }
    println!("{report}");
    if let Some(file) = &options.json {
        std::fs::write(file, report.json()?)?;
    }
    Ok(())
}

/// Measures with client, service and PostgreSQL on the same cores.
async fn measure_on_shared_cores(options: &Options, report: &mut Report) -> Result<()> {
    let mut fixture = Box::pin(Fixture::start(options)).await?;
    println!("{}", fixture.machine().await?);
    println!("{}", report::HEADER);
    // Paths that are compared are measured one after the other, so that other load on the machine affects both.
    for (path, in_flight) in options.points(|path| !path.is_paired()) {
        measure(&mut fixture, path, in_flight, options, report).await?;
    }
    let pairs = [
        [Path::GetSteady, Path::GetFlooded],
        [Path::BesideBatches, Path::BesideAbandoned],
        [Path::BesideReads, Path::BesideResets],
    ];
    for pair in pairs {
        if options.wants(|path| pair.contains(&path)) {
            measure_paired(&mut fixture, pair, options, report).await?;
        }
    }
    fixture.end().await
}

/// Measures with a client on cores of its own, if the machine has enough cores, with another PostgreSQL and another
/// service.
async fn measure_on_divided_cores(options: &Options, report: &mut Report) -> Result<()> {
    let cores = Cores::divided()?;
    if let Some(cores) = &cores {
        cores.use_server_cores()?;
    }
    let mut fixture = Box::pin(Fixture::start(&Options { only: vec![Path::Overload], ..options.clone() })).await?;
    match &cores {
        Some(cores) => {
            cores.use_client_cores()?;
            println!("\ncores: {cores}");
        }
        None => println!("\ncores: shared, so overload misses its goal"),
    }
    println!("{}", report::HEADER);
    measure_paired(&mut fixture, [Path::Peak, Path::Overload], options, report).await?;
    fixture.end().await
}

/// Measures two paths alternately, in reverse order each time: creates become slower as the database grows, and the
/// speed of a machine varies. The rate of the second path depends on the rate that the first one reached.
async fn measure_paired(fixture: &mut Fixture, paths: [Path; 2], options: &Options, report: &mut Report) -> Result<()> {
    let time = Duration::from_secs(options.seconds) / ROUNDS;
    let mut measured = [Measured::nothing(), Measured::nothing()];
    for round in 0..ROUNDS {
        for place in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            fixture.make_ready(paths[place]).await?;
            let offered = measured[0].rate() * OVERLOAD;
            let more = fixture.measure(paths[place], PAIRED_IN_FLIGHT, offered, time).await?;
            measured[place].add(&more)?;
        }
    }
    for (path, measured) in paths.into_iter().zip(measured) {
        report.add(path, PAIRED_IN_FLIGHT, &measured)?;
    }
    Ok(())
}

/// Measures one path with so many calls in flight, and adds its row to the report.
async fn measure(
    fixture: &mut Fixture,
    path: Path,
    in_flight: usize,
    options: &Options,
    report: &mut Report,
) -> Result<()> {
    fixture.make_ready(path).await?;
    let measured = fixture.measure(path, in_flight, 0.0, Duration::from_secs(options.seconds)).await?;
    report.add(path, in_flight, &measured)
}
