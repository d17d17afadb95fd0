//! The report: one row per point, and ratios between rows.

use std::fmt;

use clap::ValueEnum as _;
use serde::{Deserialize, Serialize};

use super::{Path, Result, clients::Measured};

pub const HEADER: &str = "\
path                 in flight    calls/s     p50 µs     p99 µs   server CPU µs/call";

/// The goals: a path, the path to compare it with, at how many calls in flight (None: all), and the least ratio.
const GOALS: [(Path, Path, Option<usize>, f64); 4] = [
    (Path::Get, Path::Empty, Some(64), 0.25),
    (Path::Create, Path::PgbenchCreate, None, 0.8),
    (Path::Overload, Path::Peak, None, 0.9),
    (Path::Report, Path::ReportCopy, None, 0.5),
];
/// The goals for the p99 beside others' calls: a path, the path to compare it with, and the maximum ratio.
const GOALS_P99: [(Path, Path, f64); 3] = [
    (Path::GetFlooded, Path::GetSteady, 2.0),
    (Path::BesideAbandoned, Path::BesideBatches, 1.5),
    (Path::BesideResets, Path::BesideReads, 1.5),
];

/// One point.
#[derive(Serialize, Deserialize)]
pub struct Row {
    path: String,
    in_flight: usize,
    pub calls_per_s: f64,
    p50_us: u64,
    p99_us: u64,
    pub cpu_us_per_call: Option<f64>,
}

/// What a benchmark that measures on request says, as a line of JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It can be asked.
    Ready,
    /// The point that was asked for.
    Row(Row),
    /// It has no such path.
    Unknown,
}

impl Row {
    pub fn new(path: Path, in_flight: usize, measured: &Measured) -> Self {
        let Measured { latencies, cpu, .. } = measured;
        let calls = latencies.len() as f64;
        let tenths = |value: f64| (value * 10.0).round() / 10.0;
        Self {
            path: name(path),
            in_flight,
            calls_per_s: tenths(measured.rate()),
            p50_us: latencies.value_at_quantile(0.5),
            p99_us: latencies.value_at_quantile(0.99),
            cpu_us_per_call: cpu.map(|cpu| tenths(cpu.as_secs_f64() * 1e6 / calls)),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, in_flight, calls_per_s, p50_us, p99_us, cpu_us_per_call } = self;
        let cpu = cpu_us_per_call.map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.1}"));
        write!(out, "{path:<20} {in_flight:>9} {calls_per_s:>10.0} {p50_us:>10} {p99_us:>10} {cpu:>20}")
    }
}

/// All rows of a run.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds a row and prints it.
    pub fn add(&mut self, path: Path, in_flight: usize, measured: &Measured) -> Result<()> {
        if measured.latencies.is_empty() {
            return Err(format!("{path:?}, {in_flight} in flight: no call ended").into());
        }
        let row = Row::new(path, in_flight, measured);
        println!("{row}");
        self.rows.push(row);
        Ok(())
    }

    pub fn json(&self) -> Result<String> {
        json(&self.rows)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, to, at, goal) in GOALS {
            let (path, to) = (name(path), name(to));
            for row in self.rows.iter().filter(|row| row.path == path) {
                let Some(other) = self.rows.iter().find(|other| other.path == to && other.in_flight == row.in_flight)
                else {
                    continue;
                };
                let ratio = row.calls_per_s / other.calls_per_s;
                write!(out, "\n{path} / {to} at {} in flight: {ratio:.2}", row.in_flight)?;
                if at.is_none_or(|at| at == row.in_flight) {
                    let verdict = if ratio >= goal { "reached" } else { "missed" };
                    write!(out, " (goal: {goal}, {verdict})")?;
                }
            }
        }
        let find = |path| self.rows.iter().find(|row| row.path == name(path));
        for (path, to, goal) in GOALS_P99 {
            if let Some((disturbed, other)) = find(path).zip(find(to)) {
                let ratio = disturbed.p99_us as f64 / other.p99_us as f64;
                let verdict = if ratio <= goal { "reached" } else { "missed" };
                write!(out, "\np99 of {} / {}: {ratio:.2} (goal: at most {goal}, {verdict})", name(path), name(to))?;
            }
        }
        Ok(())
    }
}

/// Rows as JSON for people.
pub fn json(rows: &[Row]) -> Result<String> {
    Ok(serde_json::to_string_pretty(rows)? + "\n")
}

pub fn name(path: Path) -> String {
    path.to_possible_value().expect("no path is hidden").get_name().to_owned()
}
