//! The same statements without the service, run by pgbench.
//!
//! The statements and their parameters are those that the service really sent, from PostgreSQL's own log, so they cannot
//! differ from the service's. SQL makes only the values that must differ between executions.

use std::{
    fs,
    io::BufRead as _,
    path::Path,
    process::Stdio,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clientele::embedded::Cluster;
use sqlx::{AssertSqlSafe, PgConnection};
use tokio::process::Command;

use super::{
    Result, WARM_UP,
    child::Scratch,
    clients::{Measured, histogram},
    customers::ACTIVE,
};

/// Before each transaction: its number among those of its client, from which its new token is made.
const NEXT: &str = "\\set transaction :transaction + 1\n";
const NEW_TOKEN: &str = "md5(concat_ws(' ', :began::text, :client_id::text, :transaction::text))";

/// A new id of the same kind as the one that it replaces, and the same wherever the transaction names it: a UUIDv7 of about the
/// current time, so that keys grow, or a random UUID.
fn new_id(replaced: &str, variable: &str) -> String {
    match replaced.as_bytes()[14] {
        b'7' => format!(
            "(lpad(to_hex(:began::bigint + :transaction::bigint), 12, '0') || '70008' || \
             lpad(to_hex(:{variable}::bigint), 15, '0'))::uuid::text"
        ),
        _ => format!("md5(:{variable}::text)::uuid::text"),
    }
}

/// A statement as a session executed it.
pub struct Statement {
    text: String,
    /// None is null.
    parameters: Vec<Option<String>>,
}

/// Before the values of a statement's parameters; the first letter is a capital in newer versions.
const PARAMETERS: &str = "arameters: "; // typos: on purpose

/// PostgreSQL's log. A statement is logged before it is answered.
pub struct Log(std::path::PathBuf);

impl Log {
    /// The log of a temporary cluster.
    pub fn of(cluster: &Cluster) -> Self {
        Self(cluster.socket_dir().join("postgres.log"))
    }

    /// Its current length.
    pub fn end(&self) -> Result<usize> {
        Ok(fs::read(&self.0)?.len())
    }

    /// The statements that were executed after this position.
    pub fn statements(&self, from: usize) -> Result<Vec<Statement>> {
        let log = fs::read_to_string(&self.0)?;
        let log = log.get(from..).unwrap_or_default();
        // Further lines of a record start with a tab.
        let log = log.replace("\n\t", "\r");
        let mut statements = Vec::new();
        for record in log.lines() {
            let record = record.replace('\r', "\n");
            if let Some((_, execute)) = record.split_once(" LOG:  execute ") {
                let (_, text) = execute.split_once(": ").ok_or("a statement without a name")?;
                statements.push(Statement { text: text.trim().to_owned(), parameters: Vec::new() });
            } else if record.contains(" LOG:  statement: ") {
                return Err(format!("not a prepared statement: {record}").into());
            } else if let Some((_, list)) = record.split_once(PARAMETERS) {
                statements.last_mut().ok_or("parameters of no statement")?.parameters = parameters(list)?;
            }
        }
        if statements.is_empty() { Err("PostgreSQL has logged no statement".into()) } else { Ok(statements) }
    }
}

/// `$1 = 'it''s', $2 = NULL`
fn parameters(list: &str) -> Result<Vec<Option<String>>> {
    let mut found = Vec::new();
    let mut rest = list;
    while let Some((_, value)) = rest.split_once(" = ") {
        if let Some(after) = value.strip_prefix("NULL") {
            found.push(None);
            rest = after;
            continue;
        }
        let mut text = String::new();
        let mut quoted = value.strip_prefix('\'').ok_or("a parameter without a quote")?;
        loop {
            let (part, after) = quoted.split_once('\'').ok_or("a parameter without an end")?;
            text.push_str(part);
            let Some(after) = after.strip_prefix('\'') else {
                rest = after;
                break;
            };
            text.push('\'');
            quoted = after;
        }
        found.push(Some(text));
    }
    Ok(found)
}

/// A script for pgbench.
pub struct Bench {
    script: String,
    variables: Vec<(String, String)>,
}

/// The statements that read a customer, each time another one of those that SQL has made.
pub async fn reading(sql: &mut PgConnection, statements: &[Statement], customer: &str, count: u64) -> Result<Bench> {
    let mut bench = Bench { script: format!("\\set number random(1, {count})\n"), variables: Vec::new() };
    let random = format!("('{ACTIVE}' || lpad(to_hex(:number::int), 12, '0'))::uuid");
    let vary = |value: &str, _: &str| (value == customer).then(|| (random.clone(), None));
    for statement in statements {
        bench.add(sql, statement, vary).await?;
    }
    if bench.script.contains(&random) { Ok(bench) } else { Err("no statement has the customer's id".into()) }
}

/// The statements that create a customer, each time with new ids and a new token, but in the same account. An id that stands in
/// several parameters, as the customer's does, is the same in all of them.
pub async fn creating(sql: &mut PgConnection, statements: &[Statement], token: &str, kept: &[&str]) -> Result<Bench> {
    let values = || statements.iter().flat_map(|statement| statement.parameters.iter().flatten());
    let renewed = values().filter(|value| value.contains(token));
    let mut ids: Vec<&str> = renewed.flat_map(|value| uuids(value)).filter(|id| !kept.contains(id)).collect();
    ids.sort_unstable();
    ids.dedup();
    let new: Vec<_> = (0..).map(|index| format!("id{index}")).zip(&ids).collect();
    let mut script = NEXT.to_owned();
    for (variable, _) in &new {
        // Up to 53 bits, which pgbench's generator has.
        script.push_str(&format!("\\set {variable} random(0, 9007199254740991)\n"));
    }
    let fillings: Vec<_> = new.iter().map(|(variable, id)| (**id, new_id(id, variable))).collect();
    let variables = vec![("transaction".to_owned(), "0".to_owned())];
    let mut bench = Bench { script, variables };
    for statement in statements {
        let vary = |value: &str, name: &str| fill(value, name, token, &fillings);
        bench.add(sql, statement, vary).await?;
    }
    if bench.script.contains(NEW_TOKEN) { Ok(bench) } else { Err("no statement has the token".into()) }
}

/// A value in which the token or an id stands, as an expression with the new ones, and the template that it fills.
fn fill(value: &str, name: &str, token: &str, ids: &[(&str, String)]) -> Option<(String, Option<String>)> {
    let mut template = value.replace('%', "%%");
    let mut fillings = Vec::new();
    let replacements = ids.iter().map(|(id, new)| (*id, new.as_str())).chain([(token, NEW_TOKEN)]);
    for (old, new) in replacements.filter(|(old, _)| value.contains(old)) {
        fillings.push(new);
        template = template.replace(old, &format!("%{}$s", fillings.len()));
    }
    let filled = || (format!("format(:{name}::text, {})", fillings.join(", ")), Some(template));
    (!fillings.is_empty()).then(filled)
}

/// The UUIDs in a text.
fn uuids(text: &str) -> impl Iterator<Item = &str> {
    (0..text.len()).filter_map(|from| text.get(from..from + 36)).filter(|id| {
        id.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    })
}

impl Bench {
    /// Adds a statement. `vary` gets a parameter's value and its variable's name. It returns the expression that
    /// replaces the parameter, with the variable's value if that changes; None if the parameter stays as it is.
    async fn add(
        &mut self,
        sql: &mut PgConnection,
        statement: &Statement,
        vary: impl Fn(&str, &str) -> Option<(String, Option<String>)>,
    ) -> Result<()> {
        let Statement { text, parameters } = statement;
        let types = types(sql, text).await?;
        if types.len() != parameters.len() {
            return Err(format!("{} parameters were logged of {}", parameters.len(), types.len()).into());
        }
        let mut meanings = Vec::new();
        for (value, kind) in parameters.iter().zip(types) {
            let name = format!("v{}", self.variables.len());
            meanings.push(match value {
                None => format!("null::{kind}"),
                Some(value) => {
                    let (meaning, other) = vary(value, &name).unwrap_or_else(|| (format!(":{name}"), None));
                    self.variables.push((name, other.unwrap_or_else(|| value.clone())));
                    format!("({meaning})::{kind}")
                }
            });
        }
        // From the last to the first, so that $1 does not match in $11.
        let mut text = text.clone();
        for (index, meaning) in meanings.iter().enumerate().rev() {
            text = text.replace(&format!("${}", index + 1), meaning);
        }
        self.script.push_str(text.trim());
        self.script.push_str(";\n");
        Ok(())
    }

    /// Runs it, and reads the transactions that ended after the warm-up from pgbench's log.
    pub async fn run(
        &self,
        bin: &Path,
        url: &str,
        scratch: &Scratch,
        clients: usize,
        time: Duration,
    ) -> Result<Measured> {
        let folder = scratch.file("pgbench");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("script.sql"), &self.script)?;
        let seconds = (time + WARM_UP).as_secs() + 1;
        let mut pgbench = Command::new(bin.join("pgbench"));
        pgbench.current_dir(&folder).stdin(Stdio::null()).kill_on_drop(true);
        pgbench.args(["-n", "-M", "prepared", "-f", "script.sql", "-l", "--log-prefix=log"]);
        pgbench.args([format!("-c{clients}"), format!("-j{}", clients.min(2)), format!("-T{seconds}")]);
        // Each run makes tokens of its own.
        let began = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        pgbench.arg("-D").arg(format!("began={began}"));
        for (name, value) in &self.variables {
            pgbench.arg("-D").arg(format!("{name}={value}"));
        }
        let output = pgbench.arg(url).output().await?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() || stderr.contains("aborted") {
            return Err(format!("pgbench: {stderr}").into());
        }
        let measured = read(&folder, time);
        fs::remove_dir_all(&folder)?;
        measured
    }
}

/// The types of a statement's parameters, as PostgreSQL infers them.
async fn types(sql: &mut PgConnection, statement: &str) -> Result<Vec<String>> {
    sqlx::raw_sql(AssertSqlSafe(format!("prepare probe as {statement}"))).execute(&mut *sql).await?;
    let types = sqlx::query_scalar("select parameter_types::text[] from pg_prepared_statements where name = 'probe'")
        .fetch_one(&mut *sql)
        .await?;
    sqlx::raw_sql("deallocate probe").execute(sql).await?;
    Ok(types)
}

/// Reads the lines `client transaction microseconds script second microsecond` of every thread's log.
fn read(folder: &Path, time: Duration) -> Result<Measured> {
    let mut transactions = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with("log.") {
            continue;
        }
        for line in fs::read(entry.path())?.lines() {
            let line = line?;
            let fields = line.split(' ').map(str::parse).collect::<std::result::Result<Vec<u64>, _>>()?;
            let [_, _, latency, _, second, microsecond] = fields[..] else { return Err(line.into()) };
            transactions.push((second * 1_000_000 + microsecond, latency));
        }
    }
    let first = transactions.iter().map(|(ended, _)| *ended).min().unwrap_or_default();
    let from = first + u64::try_from(WARM_UP.as_micros())?;
    let until = from + u64::try_from(time.as_micros())?;
    let mut latencies = histogram();
    for (_, latency) in transactions.iter().filter(|(ended, _)| (from..until).contains(ended)) {
        latencies.saturating_record(*latency);
    }
    Ok(Measured { latencies, elapsed: time, cpu: None })
}
