//! From what was said to the configuration: everything that is wrong, at once. Concerns that were read well are verified
//! though others were not.

use std::{fs, path::PathBuf};

use sqlx::postgres::PgConnectOptions;

use super::{
    Config, Database, Identity, Limits, Load, Problems, Rate, RawSettings, Reloadable, SealingKeys, Telemetry, Tls,
    parse,
    settings::{
        CONNECTION_WAIT, CONNECTIONS, DATABASE_PASSWORD_FILE, DATABASE_URL, DATABASE_URL_FILE, DEADLINE, DRAIN,
        DRAIN_DELAY, ISSUERS, JWKS_CA_FILE, LISTEN, LOCK_TIMEOUT, MAX_CONNECTIONS, MAX_IN_FLIGHT, METRICS_LISTEN,
        OPERATORS, OTLP_CA_FILE, OTLP_ENDPOINT, QUEUE_WAIT, RATE_BURST, RATE_LIMIT, REFLECTION, SEALING_KEY_FILES,
        SEARCH_CONNECTIONS, SERVICE_PRINCIPALS, STATEMENT_TIMEOUT, Setting, TLS_CERT_FILE, TLS_CLIENT_CA_FILE,
        TLS_KEY_FILE, TRACE_SAMPLE_RATIO, TRUST_MESH_IDENTITY,
    },
};

impl Config {
    /// The configuration of a server, if nothing is wrong with it.
    #[must_use]
    pub fn read(said: &RawSettings, problems: &mut Problems) -> Option<Self> {
        let listen = one(said, problems, &LISTEN, parse::address);
        let database = problems.concern(|problems| database(said, problems), Database::verify);
        let identity = problems.concern(|problems| identity(said, problems), Identity::verify);
        let sealing = sealing(said, problems);
        let limits = problems.concern(|problems| limits(said, problems), Limits::verify);
        let tls = tls(said, problems);
        let mesh_identity = one(said, problems, &TRUST_MESH_IDENTITY, parse::mesh_identity);
        let load = problems.concern(|problems| load(said, problems), Load::verify);
        let reflection = one(said, problems, &REFLECTION, parse::switch);
        let telemetry = problems.concern(|problems| telemetry(said, problems), Telemetry::verify);
        let config = Self {
            listen: listen?,
            database: database?,
            identity: identity?,
            sealing: sealing?,
            limits: limits?,
            tls: tls?,
            mesh_identity: mesh_identity?,
            load: load?,
            reflection: reflection?,
            telemetry: telemetry?,
        };
        config.verify_across(problems);
        problems.0.is_empty().then_some(config)
    }
}

/// How to connect to the database. What is wrong with it is said without the URL and the password.
pub fn options(said: &RawSettings, problems: &mut Problems) -> Option<Reloadable<PgConnectOptions>> {
    let url = match (said.one(&DATABASE_URL), said.one(&DATABASE_URL_FILE)) {
        (Some(url), None) => Ok(Url::RawSettings { label: said.label(&DATABASE_URL), url: url.to_owned() }),
        (None, Some(file)) => Ok(Url::InFile(Secret::of(said, &DATABASE_URL_FILE, file))),
        (Some(_), Some(_)) => Err("--database-url and --database-url-file exclude each other".to_owned()),
        (None, None) => Err("--database-url or --database-url-file is missing".to_owned()),
    };
    let password = said.one(&DATABASE_PASSWORD_FILE).map(|file| Secret::of(said, &DATABASE_PASSWORD_FILE, file));
    let read = url.and_then(|url| {
        let in_file = if let Url::InFile(secret) = &url { Some(secret) } else { None };
        let files = in_file.into_iter().chain(&password).map(|secret| secret.file.clone()).collect();
        Reloadable::of_files(files, move || {
            let options = url.read()?;
            Ok(match &password {
                Some(password) => options.password(&password.read()?),
                None => options,
            })
        })
    });
    read.map_err(|problem| problems.0.push(problem)).ok()
}

/// Where the database's URL is.
enum Url {
    RawSettings { label: String, url: String },
    InFile(Secret),
}

impl Url {
    fn read(&self) -> Result<PgConnectOptions, String> {
        match self {
            Self::RawSettings { label, url } => {
                parse::database_url(url).map_err(|problem| format!("{label}: {problem}"))
            }
            Self::InFile(secret) => {
                parse::database_url(&secret.read()?).map_err(|problem| format!("{}: {problem}", secret.name()))
            }
        }
    }
}

/// A file with a text that nobody is shown.
struct Secret {
    label: String,
    file: PathBuf,
}

impl Secret {
    fn of(said: &RawSettings, setting: &Setting, file: &str) -> Self {
        Self { label: said.label(setting), file: file.into() }
    }

    fn name(&self) -> String {
        format!("{} {}", self.label, self.file.display())
    }

    /// The text without the line's end that editors leave behind it.
    fn read(&self) -> Result<String, String> {
        let text = fs::read_to_string(&self.file).map_err(|error| format!("{}: {error}", self.name()))?;
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() { Err(format!("{} is empty", self.name())) } else { Ok(text.to_owned()) }
    }
}

fn database(said: &RawSettings, problems: &mut Problems) -> Option<Database> {
    let options = options(said, problems);
    let connections = one(said, problems, &CONNECTIONS, parse::number);
    let search_connections = one(said, problems, &SEARCH_CONNECTIONS, parse::number);
    let wait = one(said, problems, &CONNECTION_WAIT, parse::duration);
    let statement_timeout = one(said, problems, &STATEMENT_TIMEOUT, parse::duration);
    let lock_timeout = one(said, problems, &LOCK_TIMEOUT, parse::duration);
    Some(Database {
        options: options?,
        connections: connections?,
        search_connections: search_connections?,
        wait: wait?,
        statement_timeout: statement_timeout?,
        lock_timeout: lock_timeout?,
        discard_unfinished: true,
        give_up_silent: true,
    })
}

fn identity(said: &RawSettings, problems: &mut Problems) -> Option<Identity> {
    let issuers = all(said, problems, &ISSUERS, parse::issuer);
    let operators = all(said, problems, &OPERATORS, parse::principal);
    let service_principals = all(said, problems, &SERVICE_PRINCIPALS, parse::service_principal);
    // The issuers are looked at even if a principal could not be read.
    let (operators, service_principals) = (operators.unwrap_or_default(), service_principals.unwrap_or_default());
    let jwks_ca = said.one(&JWKS_CA_FILE).map(PathBuf::from);
    Some(Identity { issuers: issuers?, jwks_ca, operators, service_principals })
}

fn sealing(said: &RawSettings, problems: &mut Problems) -> Option<Reloadable<SealingKeys>> {
    let files: Vec<PathBuf> = said.all(&SEALING_KEY_FILES).iter().map(PathBuf::from).collect();
    let label = said.label(&SEALING_KEY_FILES);
    let read = {
        let files = files.clone();
        move || {
            let mut wrong = Problems::default();
            let keys = files.iter().map(|file| wrong.take(&label, parse::sealing_key(file))).collect::<Vec<_>>();
            let keys = SealingKeys(keys.into_iter().flatten().collect());
            if wrong.0.is_empty() {
                keys.verify(&mut wrong);
            }
            if wrong.0.is_empty() { Ok(keys) } else { Err(wrong) }
        }
    };
    // Every file's problem at once here; later, in one line of the log.
    read().map_err(|wrong| problems.0.extend(wrong.0)).ok()?;
    Reloadable::of_files(files, move || read().map_err(|wrong| wrong.0.join("; "))).ok()
}

fn limits(said: &RawSettings, problems: &mut Problems) -> Option<Limits> {
    let deadline = one(said, problems, &DEADLINE, parse::duration);
    let drain = one(said, problems, &DRAIN, parse::duration);
    let drain_delay = one(said, problems, &DRAIN_DELAY, parse::duration);
    Some(Limits { deadline: deadline?, drain_delay: drain_delay?, drain: drain?, detach: true })
}

/// To whom the server tells of itself.
fn telemetry(said: &RawSettings, problems: &mut Problems) -> Option<Telemetry> {
    let metrics_listen = said.one(&METRICS_LISTEN).map(parse::address).transpose();
    let metrics_listen = problems.take(&said.label(&METRICS_LISTEN), metrics_listen);
    let otlp_endpoint = said.one(&OTLP_ENDPOINT).map(ToOwned::to_owned);
    let otlp_ca = said.one(&OTLP_CA_FILE).map(PathBuf::from);
    let sample_ratio = one(said, problems, &TRACE_SAMPLE_RATIO, parse::ratio);
    Some(Telemetry { metrics_listen: metrics_listen?, otlp_endpoint, otlp_ca, sample_ratio: sample_ratio? })
}

fn load(said: &RawSettings, problems: &mut Problems) -> Option<Load> {
    let in_flight = one(said, problems, &MAX_IN_FLIGHT, parse::number);
    let queue_wait = one(said, problems, &QUEUE_WAIT, parse::duration);
    let connections = one(said, problems, &MAX_CONNECTIONS, parse::number);
    let per_second = one(said, problems, &RATE_LIMIT, parse::number);
    let burst = one(said, problems, &RATE_BURST, parse::number);
    let rate = problems.take(&said.label(&RATE_BURST), Rate::of(per_second?, burst?));
    Some(Load { in_flight: in_flight?, queue_wait: queue_wait?, connections: connections?, rate: rate? })
}

/// The certificate, if there is to be one.
fn tls(said: &RawSettings, problems: &mut Problems) -> Option<Option<Reloadable<Tls>>> {
    let file = |setting| said.one(setting).map(PathBuf::from);
    let authorities = file(&TLS_CLIENT_CA_FILE);
    let read = match (file(&TLS_CERT_FILE), file(&TLS_KEY_FILE)) {
        (Some(certificate), Some(key)) => {
            let files = [&certificate, &key].into_iter().chain(&authorities).cloned().collect();
            let read = move || {
                let read = Tls::read(&certificate, &key, authorities.as_deref());
                read.map_err(|problem| format!("--tls-cert-file, --tls-key-file: {problem}"))
            };
            Reloadable::of_files(files, read).map(Some)
        }
        (None, None) if authorities.is_none() => Ok(None),
        (None, None) => Err("--tls-client-ca-file needs --tls-cert-file and --tls-key-file".to_owned()),
        (Some(_), None) => Err("--tls-cert-file needs --tls-key-file".to_owned()),
        (None, Some(_)) => Err("--tls-key-file needs --tls-cert-file".to_owned()),
    };
    read.map_err(|problem| problems.0.push(problem)).ok()
}

/// The value of a setting that always has one.
fn one<T>(
    said: &RawSettings,
    problems: &mut Problems,
    setting: &Setting,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let text = said.one(setting).ok_or_else(|| "is missing".to_owned());
    problems.take(&said.label(setting), text.and_then(parse))
}

/// The values of a list, if all could be read: the first wrong one does not hide the others.
fn all<T>(
    said: &RawSettings,
    problems: &mut Problems,
    setting: &Setting,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<Vec<T>> {
    let label = said.label(setting);
    let read: Vec<Option<T>> = said.all(setting).iter().map(|text| problems.take(&label, parse(text))).collect();
    read.into_iter().collect()
}
