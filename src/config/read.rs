//! Turns the settings' texts into the configuration and reports all problems at once. A struct that could be read is
//! verified even if others could not.

use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;

use super::{
    connections::{self, Connections},
    database::Database,
    grpc_web::GrpcWeb,
    identity::Identity,
    limits::Limits,
    load::{Load, RateLimit},
    mail::Mail,
    parse,
    problems::Problems,
    read_mail::mail,
    reloadable::Reloadable,
    sealing::SealingKeys,
    server::Config,
    settings::{
        DATABASE_PASSWORD_FILE, DATABASE_URL, DATABASE_URL_FILE, DEADLINE, DRAIN_DELAY, DRAIN_TIMEOUT,
        IDLE_CONNECTION_TIMEOUT, ISSUERS, JWKS_CA_FILE, LISTEN, LOCK_TIMEOUT, MAX_BYTES_IN_FLIGHT,
        MAX_CLIENT_CONNECTIONS, MAX_CONNECTIONS_PER_PEER, MAX_IN_FLIGHT, MAX_STREAMS_PER_CONNECTION, MESSAGE_TIMEOUT,
        METRICS_LISTEN, OPERATORS, OTLP_CA_FILE, OTLP_ENDPOINT, POOL_SIZE, POOL_TIMEOUT, QUEUE_TIMEOUT, RATE_BURST,
        RATE_LIMIT, REFLECTION, SEALING_KEY_FILES, SEARCH_POOL_SIZE, SERVICE_PRINCIPALS, STATEMENT_TIMEOUT,
        STREAM_POOL_SIZE, STREAM_TIMEOUT, TLS_CERT_FILE, TLS_CLIENT_CA_FILE, TLS_KEY_FILE, TOKEN_TYPES,
        TRACE_SAMPLE_RATIO, TRUST_MESH_IDENTITY, TRUSTED_PROXIES,
    },
    sources::RawSettings,
    telemetry::Telemetry,
    tls::Tls,
    token_types::{self, AcceptedType},
    values::{SecretFile, list, required},
};

impl Config {
    /// Reads the configuration of a server; none if there is a problem.
    #[must_use]
    pub fn read(raw: &RawSettings, problems: &mut Problems) -> Option<Self> {
        let listen = required(raw, problems, &LISTEN, parse::address);
        let database = problems.read_and_verify(|problems| database(raw, problems), Database::verify);
        let identity = problems.read_and_verify(|problems| identity(raw, problems), Identity::verify);
        let sealing = sealing(raw, problems);
        let limits = problems.read_and_verify(|problems| limits(raw, problems), Limits::verify);
        let tls = tls(raw, problems);
        let mesh_identity = required(raw, problems, &TRUST_MESH_IDENTITY, parse::mesh_identity);
        let connections = problems.read_and_verify(|problems| connections(raw, problems), Connections::verify);
        let grpc_web = GrpcWeb::read(raw, problems);
        let load = problems.read_and_verify(|problems| load(raw, problems), Load::verify);
        let reflection = required(raw, problems, &REFLECTION, parse::switch);
        let mail = problems.read_and_verify(|problems| mail(raw, problems), Mail::verify);
        let telemetry = problems.read_and_verify(|problems| telemetry(raw, problems), Telemetry::verify);
        let config = Self {
            listen: listen?,
            database: database?,
            identity: identity?,
            sealing: sealing?,
            limits: limits?,
            tls: tls?,
            mesh_identity: mesh_identity?,
            connections: connections?,
            grpc_web: grpc_web?,
            load: load?,
            reflection: reflection?,
            mail: mail?,
            telemetry: telemetry?,
        };
        config.verify_across(problems);
        problems.0.is_empty().then_some(config)
    }
}

/// Reads how to connect to the database. Its problems contain neither the URL nor the password.
pub fn database_options(raw: &RawSettings, problems: &mut Problems) -> Option<Reloadable<PgConnectOptions>> {
    let url = match (raw.value(&DATABASE_URL), raw.value(&DATABASE_URL_FILE)) {
        (Some(url), None) => Ok(UrlSource::Inline { label: raw.label(&DATABASE_URL), url: url.to_owned() }),
        (None, Some(file)) => Ok(UrlSource::File(SecretFile::new(raw, &DATABASE_URL_FILE, file))),
        (Some(_), Some(_)) => Err("--database-url and --database-url-file exclude each other".to_owned()),
        (None, None) => Err("--database-url or --database-url-file is missing".to_owned()),
    };
    let password = raw.value(&DATABASE_PASSWORD_FILE).map(|file| SecretFile::new(raw, &DATABASE_PASSWORD_FILE, file));
    let options = url.and_then(|url| {
        let url_file = if let UrlSource::File(secret) = &url { Some(secret) } else { None };
        let files = url_file.into_iter().chain(&password).map(|secret| secret.file.clone()).collect();
        Reloadable::from_files(files, move || {
            let options = url.read()?;
            Ok(match &password {
                Some(password) => options.password(&password.read()?),
                None => options,
            })
        })
    });
    options.map_err(|problem| problems.0.push(problem)).ok()
}

/// Where the database's URL is.
enum UrlSource {
    Inline { label: String, url: String },
    File(SecretFile),
}

impl UrlSource {
    fn read(&self) -> Result<PgConnectOptions, String> {
        match self {
            Self::Inline { label, url } => parse::database_url(url).map_err(|problem| format!("{label}: {problem}")),
            Self::File(secret) => {
                parse::database_url(&secret.read()?).map_err(|problem| format!("{}: {problem}", secret.name()))
            }
        }
    }
}

fn database(raw: &RawSettings, problems: &mut Problems) -> Option<Database> {
    let options = database_options(raw, problems);
    let pool_size = required(raw, problems, &POOL_SIZE, parse::number);
    let search_pool_size = required(raw, problems, &SEARCH_POOL_SIZE, parse::number);
    let stream_pool_size = required(raw, problems, &STREAM_POOL_SIZE, parse::number);
    let stream_timeout = required(raw, problems, &STREAM_TIMEOUT, parse::duration);
    let pool_timeout = required(raw, problems, &POOL_TIMEOUT, parse::duration);
    let statement_timeout = required(raw, problems, &STATEMENT_TIMEOUT, parse::duration);
    let lock_timeout = required(raw, problems, &LOCK_TIMEOUT, parse::duration);
    Some(Database {
        options: options?,
        pool_size: pool_size?,
        search_pool_size: search_pool_size?,
        stream_pool_size: stream_pool_size?,
        stream_timeout: stream_timeout?,
        pool_timeout: pool_timeout?,
        statement_timeout: statement_timeout?,
        lock_timeout: lock_timeout?,
        discard_unfinished: true,
        close_unresponsive: true,
    })
}

fn identity(raw: &RawSettings, problems: &mut Problems) -> Option<Identity> {
    let issuers = list(raw, problems, &ISSUERS, parse::issuer);
    let types = list(raw, problems, &TOKEN_TYPES, AcceptedType::parse);
    let operators = list(raw, problems, &OPERATORS, parse::principal);
    let service_principals = list(raw, problems, &SERVICE_PRINCIPALS, parse::service_principal);
    // The issuers are verified even if a principal could not be parsed.
    let (operators, service_principals) = (operators.unwrap_or_default(), service_principals.unwrap_or_default());
    let jwks_ca = raw.value(&JWKS_CA_FILE).map(PathBuf::from);
    let (mut issuers, types) = issuers.zip(types)?;
    for named in types.iter().filter_map(|accepted| accepted.issuer.as_ref()) {
        problems.require(issuers.iter().any(|issuer| issuer.issuer == *named), || {
            format!("{}: no --issuer is {named}", raw.label(&TOKEN_TYPES))
        });
    }
    for issuer in &mut issuers {
        issuer.token_types = token_types::of_issuer(&types, &issuer.issuer);
    }
    Some(Identity { issuers, jwks_ca, operators, service_principals })
}

fn sealing(raw: &RawSettings, problems: &mut Problems) -> Option<Reloadable<SealingKeys>> {
    let files: Vec<PathBuf> = raw.values(&SEALING_KEY_FILES).iter().map(PathBuf::from).collect();
    let label = raw.label(&SEALING_KEY_FILES);
    let read = {
        let files = files.clone();
        move || {
            let mut problems = Problems::default();
            let keys = files.iter().map(|file| problems.value_of(&label, parse::sealing_key(file))).collect::<Vec<_>>();
            let keys = SealingKeys(keys.into_iter().flatten().collect());
            if problems.0.is_empty() {
                keys.verify(&mut problems);
            }
            if problems.0.is_empty() { Ok(keys) } else { Err(problems) }
        }
    };
    // At start one problem for each file; at a reload all of them in one log line.
    read().map_err(|found| problems.0.extend(found.0)).ok()?;
    Reloadable::from_files(files, move || read().map_err(|found| found.0.join("; "))).ok()
}

fn limits(raw: &RawSettings, problems: &mut Problems) -> Option<Limits> {
    let deadline = required(raw, problems, &DEADLINE, parse::duration);
    let drain_timeout = required(raw, problems, &DRAIN_TIMEOUT, parse::duration);
    let drain_delay = required(raw, problems, &DRAIN_DELAY, parse::duration);
    Some(Limits { deadline: deadline?, drain_delay: drain_delay?, drain_timeout: drain_timeout?, detach: true })
}

fn telemetry(raw: &RawSettings, problems: &mut Problems) -> Option<Telemetry> {
    let metrics_listen = raw.value(&METRICS_LISTEN).map(parse::address).transpose();
    let metrics_listen = problems.value_of(&raw.label(&METRICS_LISTEN), metrics_listen);
    let otlp_endpoint = raw.value(&OTLP_ENDPOINT).map(ToOwned::to_owned);
    let otlp_ca = raw.value(&OTLP_CA_FILE).map(PathBuf::from);
    let sample_ratio = required(raw, problems, &TRACE_SAMPLE_RATIO, parse::ratio);
    Some(Telemetry { metrics_listen: metrics_listen?, otlp_endpoint, otlp_ca, sample_ratio: sample_ratio? })
}

fn load(raw: &RawSettings, problems: &mut Problems) -> Option<Load> {
    let max_in_flight = required(raw, problems, &MAX_IN_FLIGHT, parse::number);
    let queue_timeout = required(raw, problems, &QUEUE_TIMEOUT, parse::duration);
    let message_timeout = required(raw, problems, &MESSAGE_TIMEOUT, parse::duration);
    let max_bytes_in_flight = required(raw, problems, &MAX_BYTES_IN_FLIGHT, parse::size);
    let per_second = required(raw, problems, &RATE_LIMIT, parse::number);
    let burst = required(raw, problems, &RATE_BURST, parse::number);
    let rate_limit = problems.value_of(&raw.label(&RATE_BURST), RateLimit::from_settings(per_second?, burst?));
    Some(Load {
        max_in_flight: max_in_flight?,
        queue_timeout: queue_timeout?,
        message_timeout: message_timeout?,
        max_bytes_in_flight: max_bytes_in_flight?,
        rate_limit: rate_limit?,
    })
}

fn connections(raw: &RawSettings, problems: &mut Problems) -> Option<Connections> {
    let max = required(raw, problems, &MAX_CLIENT_CONNECTIONS, parse::number);
    let per_peer = required(raw, problems, &MAX_CONNECTIONS_PER_PEER, parse::number);
    let max_streams = required(raw, problems, &MAX_STREAMS_PER_CONNECTION, parse::number);
    let proxies = list(raw, problems, &TRUSTED_PROXIES, connections::network);
    let idle_timeout = required(raw, problems, &IDLE_CONNECTION_TIMEOUT, parse::duration);
    Some(Connections {
        max: max?,
        max_per_peer: Connections::per_peer(per_peer?, max?),
        exempt: connections::this_machine().into_iter().chain(proxies?).collect(),
        max_streams: u32::try_from(max_streams?).unwrap_or(u32::MAX),
        idle_timeout: idle_timeout?,
        answer_timeout: Connections::ANSWER_TIMEOUT,
    })
}

/// Reads the certificate, if one is set.
fn tls(raw: &RawSettings, problems: &mut Problems) -> Option<Option<Reloadable<Tls>>> {
    let file = |setting| raw.value(setting).map(PathBuf::from);
    let client_ca = file(&TLS_CLIENT_CA_FILE);
    let tls = match (file(&TLS_CERT_FILE), file(&TLS_KEY_FILE)) {
        (Some(certificate), Some(key)) => {
            let files = [&certificate, &key].into_iter().chain(&client_ca).cloned().collect();
            let read = move || {
                let tls = Tls::read(&certificate, &key, client_ca.as_deref());
                tls.map_err(|problem| format!("--tls-cert-file, --tls-key-file: {problem}"))
            };
            Reloadable::from_files(files, read).map(Some)
        }
        (None, None) if client_ca.is_none() => Ok(None),
        (None, None) => Err("--tls-client-ca-file needs --tls-cert-file and --tls-key-file".to_owned()),
        (Some(_), None) => Err("--tls-cert-file needs --tls-key-file".to_owned()),
        (None, Some(_)) => Err("--tls-key-file needs --tls-cert-file".to_owned()),
    };
    tls.map_err(|problem| problems.0.push(problem)).ok()
}
