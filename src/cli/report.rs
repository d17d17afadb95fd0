//! `clientele report`: reports of a running server.

use std::{
    fs::File,
    io::{self, BufWriter, IsTerminal as _, Write},
    path::{Path, PathBuf},
};

use clap::{Subcommand, ValueEnum};

use super::{output::Failure, report_progress::Shown, settings::Logging};
use crate::{
    client::Tls,
    config::{Problems, RawSettings, tls},
    grpc::{
        report_client::{Progress, Record, ReportSource, count, download},
        report_columns::{COLUMNS, Column, column},
    },
};

/// Write a report of a running server to a file or to standard output
#[derive(clap::Args)]
pub(super) struct Report {
    #[command(subcommand)]
    report: Which,
    #[command(flatten)]
    logging: Logging,
}

#[derive(Subcommand)]
enum Which {
    Billing(Box<Billing>),
}

/// What a billing system charges: a row for each customer of an account, by customer id
///
/// All rows are of one moment. A stream that ends early, as when its server stops, is resumed after the last row; the rows that
/// follow are then of a later moment, which standard error says. The exit code is 0 only if the report is complete.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
struct Billing {
    /// Address of the server
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:50051")]
    address: String,
    /// Connect over TLS, and trust the built-in Mozilla roots
    #[arg(long)]
    tls: bool,
    /// Connect over TLS, and trust the certificate authorities in this file (PEM)
    #[arg(long, value_name = "FILE")]
    tls_ca_file: Option<PathBuf>,
    /// File with the caller's token; `-` is standard input
    #[arg(long, value_name = "FILE")]
    token_file: PathBuf,
    /// The acting account, by its id [default: the only one]
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// The tenant, by its id, for a service principal
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// Also the customers of all accounts below
    #[arg(long)]
    include_descendants: bool,
    /// Columns, in their order: customer_id, account_id, name, custom_ids, status, archived_at, billing_email, currency,
    /// rate_plan_id, rate_plan_name, rate_plan_currency, features, total, credit_limit, credit_available [default: all]
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    columns: Vec<String>,
    /// Format of a row
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// File to write to [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Go on after this customer, by its id. A CSV then has no line of names
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    after: String,
}

/// A format of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Comma-separated values (RFC 4180), with a line of names
    Csv,
    /// A JSON object in each line
    Ndjson,
}

impl Report {
    /// Returns the settings of the log.
    pub(super) fn log_settings(&self) -> Result<RawSettings, Problems> {
        let mut problems = Problems::default();
        let settings = self.logging.gather(&mut problems);
        if problems.0.is_empty() { Ok(settings) } else { Err(problems) }
    }

    /// Runs the report.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Which::Billing(billing) = self.report;
        billing.run().await
    }
}

impl Billing {
    async fn run(self) -> Result<(), Failure> {
        let columns = columns(&self.columns)?;
        let tls = match (&self.tls_ca_file, self.tls) {
            (None, false) => None,
            (file, _) => Some(Tls::trust_anchors(tls::trusted(file.as_deref()).map_err(Failure)?.roots)),
        };
        let mut rows = Rows::new(self.format, self.output.as_ref(), &columns, self.after.is_empty())?;
        let source = ReportSource {
            address: self.address,
            tls,
            token: token(&self.token_file)?,
            account: self.account,
            tenant: self.tenant,
            include_descendants: self.include_descendants,
            after: self.after,
        };
        let is_terminal = io::stderr().is_terminal();
        // The rest of a report is not counted.
        let total = if is_terminal && source.after.is_empty() { count(&source).await } else { None };
        let mut shown = Shown::new(is_terminal, total);
        let done = download(&source, &columns, |progress| match progress {
            Progress::Rows { rows: records, at } => {
                shown.moment(at);
                rows.write(&records)?;
                shown.count(records.len());
                Ok(())
            }
            Progress::Interrupted(why) => {
                shown.say(&format!("the report was interrupted ({why}) and is resumed"));
                Ok(())
            }
        });
        let done = done.await;
        let flushed = rows.flush();
        shown.end();
        done.map_err(Failure)?;
        flushed.map_err(Failure)
    }
}

fn columns(names: &[String]) -> Result<Vec<Column>, Failure> {
    if names.is_empty() {
        return Ok(COLUMNS.to_vec());
    }
    let known = || COLUMNS.iter().map(|column| column.name).collect::<Vec<_>>().join(", ");
    let find = |name: &String| {
        column(name.trim())
            .ok_or_else(|| Failure(format!("--columns: there is no column {name}; there are {}", known())))
    };
    names.iter().map(find).collect()
}

/// The token in a file.
fn token(file: &Path) -> Result<String, Failure> {
    let text = if file.as_os_str() == "-" { io::read_to_string(io::stdin()) } else { std::fs::read_to_string(file) };
    let text = text.map_err(Failure::context(format!("--token-file {}", file.display())))?;
    Ok(text.trim().to_owned())
}

/// Where rows are written.
enum Rows {
    /// With the line of names, until it is written.
    Csv(Box<csv::Writer<Box<dyn Write>>>, Option<Vec<&'static str>>),
    Ndjson(Box<dyn Write>, Vec<&'static str>),
}

impl Rows {
    fn new(format: Format, file: Option<&PathBuf>, columns: &[Column], is_first: bool) -> Result<Self, Failure> {
        let out: Box<dyn Write> = match file {
            Some(file) => {
                let created = File::create(file).map_err(Failure::context(format!("--output {}", file.display())))?;
                Box::new(BufWriter::new(created))
            }
            None => Box::new(BufWriter::new(io::stdout())),
        };
        let names: Vec<&'static str> = columns.iter().map(|column| column.name).collect();
        Ok(match format {
            Format::Csv => Self::Csv(Box::new(csv::Writer::from_writer(out)), is_first.then_some(names)),
            Format::Ndjson => Self::Ndjson(out, names),
        })
    }

    /// Writes rows, and sends them on: what was reported as read is written.
    fn write(&mut self, records: &[Record]) -> Result<(), String> {
        // With the first message, so that a report that is refused writes nothing.
        if let Self::Csv(csv, names) = self
            && let Some(names) = names.take()
        {
            csv.write_record(&names).map_err(|error| cannot_write(&error))?;
        }
        for record in records {
            match self {
                Self::Csv(csv, _) => csv.write_record(record).map_err(|error| cannot_write(&error))?,
                Self::Ndjson(out, names) => {
                    let row: serde_json::Map<_, _> =
                        names.iter().zip(record).map(|(name, text)| ((*name).to_owned(), json(name, text))).collect();
                    writeln!(out, "{}", serde_json::Value::Object(row)).map_err(|error| cannot_write(&error))?;
                }
            }
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), String> {
        match self {
            Self::Csv(csv, _) => csv.flush().map_err(|error| cannot_write(&error)),
            Self::Ndjson(out, _) => out.flush().map_err(|error| cannot_write(&error)),
        }
    }
}

fn cannot_write(error: &impl std::error::Error) -> String {
    format!("cannot write the report: {error}")
}

/// The value of a column in a JSON object: custom IDs are an object of their own, features an array of objects, and what
/// is empty is null. Amounts are texts, as a number of JSON need not be exact.
fn json(name: &str, text: &str) -> serde_json::Value {
    match (name, text) {
        ("custom_ids" | "features", text) => serde_json::from_str(text).unwrap_or_default(),
        (_, "") => serde_json::Value::Null,
        (_, text) => text.into(),
    }
}
