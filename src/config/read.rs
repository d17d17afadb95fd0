//! From what was said to the configuration: everything that is wrong, at once. Concerns that were read well are verified
//! though others were not.

use std::{fs, path::Path};

use sqlx::postgres::PgConnectOptions;

use super::{
    Config, Database, Identity, Limits, Problems, Said, SealingKeys, parse,
    settings::{
        CONNECTION_WAIT, CONNECTIONS, DATABASE_URL, DATABASE_URL_FILE, DEADLINE, DRAIN, ISSUERS, LISTEN, LOCK_TIMEOUT,
        OPERATORS, REFLECTION, SEALING_KEY_FILES, SERVICE_PRINCIPALS, STATEMENT_TIMEOUT, Setting,
    },
};

impl Config {
    /// The configuration of a server, if nothing is wrong with it.
    #[must_use]
    pub fn read(said: &Said, problems: &mut Problems) -> Option<Self> {
        let listen = one(said, problems, &LISTEN, parse::address);
        let database = problems.concern(|problems| database(said, problems), Database::verify);
        let identity = problems.concern(|problems| identity(said, problems), Identity::verify);
        let sealing = problems.concern(|problems| sealing(said, problems), SealingKeys::verify);
        let limits = problems.concern(|problems| limits(said, problems), Limits::verify);
        let reflection = one(said, problems, &REFLECTION, parse::switch);
        let config = Self {
            listen: listen?,
            database: database?,
            identity: identity?,
            sealing: sealing?,
            limits: limits?,
            reflection: reflection?,
        };
        config.verify_across(problems);
        problems.0.is_empty().then_some(config)
    }
}

/// How to connect to the database, without the URL in what is wrong.
pub fn options(said: &Said, problems: &mut Problems) -> Option<PgConnectOptions> {
    let read = match (said.one(&DATABASE_URL), said.one(&DATABASE_URL_FILE)) {
        (Some(url), None) => {
            parse::database_url(url).map_err(|problem| format!("{}: {problem}", said.label(&DATABASE_URL)))
        }
        (None, Some(file)) => {
            let label = said.label(&DATABASE_URL_FILE);
            fs::read_to_string(file)
                .map_err(|error| error.to_string())
                .and_then(|url| parse::database_url(url.trim()))
                .map_err(|problem| format!("{label} {file}: {problem}"))
        }
        (Some(_), Some(_)) => Err("--database-url and --database-url-file exclude each other".to_owned()),
        (None, None) => Err("--database-url or --database-url-file is missing".to_owned()),
    };
    read.map_err(|problem| problems.0.push(problem)).ok()
}

fn database(said: &Said, problems: &mut Problems) -> Option<Database> {
    let options = options(said, problems);
    let connections = one(said, problems, &CONNECTIONS, parse::number);
    let wait = one(said, problems, &CONNECTION_WAIT, parse::duration);
    let statement_timeout = one(said, problems, &STATEMENT_TIMEOUT, parse::duration);
    let lock_timeout = one(said, problems, &LOCK_TIMEOUT, parse::duration);
    Some(Database {
        options: options?,
        connections: connections?,
        wait: wait?,
        statement_timeout: statement_timeout?,
        lock_timeout: lock_timeout?,
        discard_unfinished: true,
    })
}

fn identity(said: &Said, problems: &mut Problems) -> Option<Identity> {
    let issuers = all(said, problems, &ISSUERS, parse::issuer);
    let operators = all(said, problems, &OPERATORS, parse::principal);
    let service_principals = all(said, problems, &SERVICE_PRINCIPALS, parse::service_principal);
    // The issuers are looked at even if a principal could not be read.
    let (operators, service_principals) = (operators.unwrap_or_default(), service_principals.unwrap_or_default());
    Some(Identity { issuers: issuers?, operators, service_principals })
}

fn sealing(said: &Said, problems: &mut Problems) -> Option<SealingKeys> {
    all(said, problems, &SEALING_KEY_FILES, |file| parse::sealing_key(Path::new(file))).map(SealingKeys)
}

fn limits(said: &Said, problems: &mut Problems) -> Option<Limits> {
    let deadline = one(said, problems, &DEADLINE, parse::duration);
    let drain = one(said, problems, &DRAIN, parse::duration);
    Some(Limits { deadline: deadline?, drain: drain?, detach: true })
}

/// The value of a setting that always has one.
fn one<T>(
    said: &Said,
    problems: &mut Problems,
    setting: &Setting,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let text = said.one(setting).ok_or_else(|| "is missing".to_owned());
    problems.take(&said.label(setting), text.and_then(parse))
}

/// The values of a list, if all could be read: the first wrong one does not hide the others.
fn all<T>(
    said: &Said,
    problems: &mut Problems,
    setting: &Setting,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<Vec<T>> {
    let label = said.label(setting);
    let read: Vec<Option<T>> = said.all(setting).iter().map(|text| problems.take(&label, parse(text))).collect();
    read.into_iter().collect()
}
