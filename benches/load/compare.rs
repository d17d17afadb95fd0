//! Two builds in one sitting: each is measured by its own benchmark, with its own database, in turns of a few seconds. The
//! speed of a machine varies more between two runs than most changes of the code do; within a round it varies little, so
//! each round gives a ratio, and the median of the ratios is reported. What differs by chance between two processes that were started
//! once, such as where their memory lies, stays for all rounds of a sitting: only several sittings even it out.

use std::{
    io::{BufRead as _, BufReader, Lines, Write as _, stdin},
    path::Path as File,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use clap::ValueEnum as _;

use super::{
    Options, Path, Result,
    fixture::Fixture,
    report::{Answer, Row, name},
};

const HEADER: &str = "\
path                 in flight    other/s     this/s    ratio   middle half   CPU ratio  other build";

/// A benchmark that measures a point whenever it is asked to.
struct Build {
    program: String,
    child: Child,
    ask: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Build {
    /// Starts a benchmark with these arguments. [`Build::answer`] waits until it is ready.
    fn start(program: &File, arguments: &[String]) -> Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|why| format!("{}: {why}", program.display()))?;
        let (ask, answers) = child.stdin.take().zip(child.stdout.take()).expect("both are pipes");
        Ok(Self { program: program.display().to_string(), child, ask, answers: BufReader::new(answers).lines() })
    }

    /// Measures a point. None if this build has no such path.
    fn measure(&mut self, path: Path, in_flight: usize) -> Result<Option<Row>> {
        writeln!(self.ask, "{} {in_flight}", name(path))?;
        match self.answer()? {
            Answer::Row(row) => Ok(Some(row)),
            Answer::Unknown => Ok(None),
            Answer::Ready => Err(format!("{} answered a question with READY", self.program).into()),
        }
    }

    fn answer(&mut self) -> Result<Answer> {
        let line = self.answers.next().ok_or_else(|| format!("{} ended", self.program))??;
        Ok(serde_json::from_str(&line)?)
    }

    /// Ends it: its input ends.
    fn end(mut self) -> Result<()> {
        drop(self.ask);
        match self.child.wait()?.success() {
            true => Ok(()),
            false => Err(format!("{} failed", self.program).into()),
        }
    }
}

/// Measures the points that lines of the standard input name, and answers each with a line of JSON.
pub async fn on_request(options: &Options) -> Result<()> {
    // Of another build's paths, some may be unknown here.
    let only = options.on_request.iter().filter_map(|path| Path::from_str(path, false).ok()).collect();
    let mut fixture = Box::pin(Fixture::start(&Options { only, ..options.clone() })).await?;
    println!("{}", serde_json::to_string(&Answer::Ready)?);
    for line in stdin().lines() {
        let line = line?;
        let (path, in_flight) = line.split_once(' ').ok_or("a line that is not PATH NUMBER")?;
        let answer = match Path::from_str(path, false) {
            Ok(path) => {
                fixture.make_ready(path).await?;
                let time = Duration::from_secs(options.seconds);
                Answer::Row(Row::new(
                    path,
                    in_flight.parse()?,
                    &fixture.measure(path, in_flight.parse()?, 0.0, time).await?,
                ))
            }
            Err(_) => Answer::Unknown,
        };
        println!("{}", serde_json::to_string(&answer)?);
    }
    fixture.end().await
}

/// Measures this build and others in turns, so many rounds for each point, and prints the ratio of calls per second. Each further sitting
/// starts all builds anew.
pub fn against(others: &[impl AsRef<File>], options: &Options) -> Result<Vec<Row>> {
    // Paths in pairs are compared within a build already.
    let points = options.points(|path| !path.is_paired() && !path.is_baseline());
    let own = std::env::current_exe()?;
    let programs: Vec<&File> = [own.as_path()].into_iter().chain(others.iter().map(AsRef::as_ref)).collect();
    let arguments = arguments(&points, options);
    // Of each point, of each build, its rows.
    let mut measured: Vec<Vec<Vec<Row>>> =
        points.iter().map(|_| programs.iter().map(|_| Vec::new()).collect()).collect();
    println!("{HEADER}");
    for sitting in 1..=options.sittings {
        let mut builds = start_all(&programs, &arguments)?;
        for ((path, in_flight), measured) in points.iter().zip(&mut measured) {
            for round in 0..options.rounds {
                let mut order: Vec<usize> = (0..builds.len()).collect();
                if (round + sitting) % 2 == 0 {
                    order.reverse(); // whatever grows or warms up affects all alike
                }
                for place in order {
                    measured[place].extend(builds[place].measure(*path, *in_flight)?);
                }
            }
            if sitting == options.sittings {
                for (build, other) in builds.iter().zip(&*measured).skip(1).filter(|(_, other)| !other.is_empty()) {
                    println!("{}", line(*path, *in_flight, &measured[0], other, &build.program));
                }
            }
        }
        builds.into_iter().try_for_each(Build::end)?;
    }
    Ok(measured.into_iter().flatten().flatten().collect())
}

/// Starts all builds and waits until they are ready.
fn start_all(programs: &[&File], arguments: &[String]) -> Result<Vec<Build>> {
    let mut builds = programs.iter().map(|program| Build::start(program, arguments)).collect::<Result<Vec<_>>>()?;
    for build in &mut builds {
        match build.answer()? {
            Answer::Ready => {}
            Answer::Row(_) | Answer::Unknown => return Err(format!("{} answered unasked", build.program).into()),
        }
    }
    Ok(builds)
}

fn arguments(points: &[(Path, usize)], options: &Options) -> Vec<String> {
    let paths: Vec<String> = points.iter().map(|(path, _)| name(*path)).collect();
    [
        "--bench".to_owned(),
        format!("--on-request={}", paths.join(",")),
        format!("--seconds={}", options.seconds),
        format!("--connections={}", options.connections),
        format!("--customers={}", options.customers),
    ]
    .into()
}

fn line(path: Path, in_flight: usize, this: &[Row], other: &[Row], program: &str) -> String {
    let ratios = |value: fn(&Row) -> f64| {
        let mut ratios: Vec<f64> = this.iter().zip(other).map(|(this, other)| value(this) / value(other)).collect();
        ratios.sort_by(f64::total_cmp);
        ratios
    };
    let (rate, cpu) = (ratios(|row| row.calls_per_s), ratios(|row| row.cpu_us_per_call.unwrap_or(f64::NAN)));
    let all = |rows: &[Row]| rows.iter().map(|row| row.calls_per_s).sum::<f64>() / rows.len() as f64;
    format!(
        "{:<20} {in_flight:>9} {:>10.0} {:>10.0} {:>8.2}   {:.2} – {:.2} {:>11.2}  {program}",
        name(path),
        all(other),
        all(this),
        quantile(&rate, 2),
        quantile(&rate, 1),
        quantile(&rate, 3),
        quantile(&cpu, 2),
    )
}

/// The so-and-so-many-eth quarter of sorted values.
fn quantile(sorted: &[f64], quarters: usize) -> f64 {
    sorted[(sorted.len() - 1) * quarters / 4]
}
