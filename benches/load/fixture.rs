//! Everything that the measurements need: PostgreSQL, a tenant with customers, the service, the baseline server.

use std::{
    fs,
    path::Path as File,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use clientele::grpc::pb::DuplicatePolicy as Policy;
use clientele::{
    embedded::{Cluster, ClusterLocation, ClusterSettings, Durability},
    store::migrations,
};
use prost::Message as _;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

use super::{
    Options, Path, Result, WARM_UP, baseline,
    billing::{self, ActivateFeature},
    bystander::Bystander,
    calls::{Approve, BatchGet, Create, Get, Lookup, Tag, UpdateCustomId},
    child::{Scratch, Server},
    clients::{Clients, Measured},
    customers::{self, ACTIVE, CHANGED, PENDING},
    issuer::{ADMIN, AUDIENCE, Bearer, ISSUER, Issuer, OPERATOR},
    model::Model,
    pgbench::{self, Bench, Log},
    reports::{Report, ReportCopy},
    search_dataset::SearchDataset,
};

const DATABASE: &str = "load";

/// Number of customers to read, and of customers to change.
const TO_READ: u64 = 10_000;
/// Number of customers to approve, for each second of the measurement: more than two cores can approve. On a faster
/// machine, a point ends when no pending customer is left.
const TO_APPROVE_PER_SECOND: u64 = 6_000;

/// Settings by which PostgreSQL logs everything of a session that is needed to run its statements again. Only the service
/// that creates the model has them.
const LOG_ALL: &str = "&options[log_statement]=all&options[log_error_verbosity]=default\
                        &options[log_parameter_max_length]=-1";

pub struct Fixture {
    // Dropped in this order: servers before their database.
    service: Server,
    bare: Server,
    empty: Server,
    /// With default settings.
    overloaded: Option<Server>,
    search_dataset: Option<SearchDataset>,
    cluster: Cluster,
    scratch: Scratch,
    sql: PgConnection,
    token: Bearer,
    bystander: Bystander,
    account: String,
    pending: u64,
    connections: usize,
    /// The account's custom IDs of the customers to read, in the system `erp`.
    numbers: Arc<[String]>,
    get: Bench,
    create: Bench,
}

impl Fixture {
    pub async fn start(options: &Options) -> Result<Self> {
        eprintln!("starting PostgreSQL, the service and its baseline; making {TO_READ} customers");
        let settings = ClusterSettings {
            location: ClusterLocation::Temporary,
            durability: Durability::Production,
            max_connections: 100,
        };
        let cluster = Cluster::start(settings).await?;
        migrations::create_database(&cluster.options("postgres"), DATABASE).await?;
        migrations::migrate(&cluster.options(DATABASE), || ()).await?;
        let mut sql = cluster.options(DATABASE).connect().await?;

        let scratch = Scratch::new()?;
        let issuer = Issuer::new(&scratch)?;
        let url = cluster.url(DATABASE);
        let token = issuer.bearer(ADMIN)?;

        let logged = serve(&scratch, &format!("{url}{LOG_ALL}"), options.connections, &LONG_WAITS)?;
        let log = Log::of(&cluster);
        let mut model = Model::make(&logged, &issuer, &log).await?;

        let pending = TO_APPROVE_PER_SECOND * (options.seconds + WARM_UP.as_secs());
        if options.wants(|path| path == Path::Approve) {
            model.copy(&mut sql, PENDING, pending).await?;
        }
        if options.wants(Path::changes) {
            model.copy(&mut sql, CHANGED, TO_READ).await?;
        }
        model.copy(&mut sql, ACTIVE, TO_READ).await?;
        sqlx::raw_sql("vacuum analyze").execute(&mut sql).await?;
        let numbers = numbers(&mut sql).await?;
        let search_dataset = match options.wants(Path::searches) {
            true => Some(SearchDataset::make(&cluster, &scratch, &issuer, options).await?),
            false => None,
        };

        let overloaded = match options.wants(|path| path == Path::Overload) {
            true => Some(serve(&scratch, &url, options.connections, &[])?),
            false => None,
        };
        let service = serve(&scratch, &url, options.connections, &LONG_WAITS)?;
        let reports = options.wants(|path| matches!(path, Path::Report | Path::ReportCopy));
        if reports || options.wants(|path| path == Path::ActivateFeature) {
            billing::prepare(&mut sql, &service, &issuer, &model.tenant, TO_READ).await?;
            // New customers are now on the plan.
            model.create_again(&logged, &issuer, &log).await?;
        }
        drop(logged);
        if reports {
            billing::give_features(&mut sql, &model.account).await?;
        }
        let get = pgbench::reading(&mut sql, &model.read, &model.customer, TO_READ).await?;
        let plans: Vec<String> = sqlx::query_scalar("select id::text from rate_plans").fetch_all(&mut sql).await?;
        let kept: Vec<&str> = [&model.tenant, &model.account].into_iter().chain(&plans).map(String::as_str).collect();
        let create = pgbench::creating(&mut sql, &model.created, &model.token, &kept).await?;
        let bystander = Bystander::make(&service, &issuer, &token, &model.account).await?;
        fs::write(scratch.file("answer"), model.answer.encode_to_vec())?;
        let bare = [baseline::FLAG.to_owned(), scratch.file("answer").display().to_string()];
        let layers = [url.clone(), format!("{ISSUER},{AUDIENCE},{}", scratch.file("jwks.json").display())];
        let empty = [bare.clone(), layers].concat();
        Ok(Self {
            service,
            bare: Server::start(&std::env::current_exe()?, &bare)?,
            empty: Server::start(&std::env::current_exe()?, &empty)?,
            overloaded,
            search_dataset,
            cluster,
            scratch,
            sql,
            token,
            bystander,
            account: model.account,
            pending,
            connections: options.connections,
            numbers,
            get,
            create,
        })
    }

    /// What it all runs on.
    pub async fn machine(&mut self) -> Result<String> {
        let version: String = sqlx::query_scalar("show server_version").fetch_one(&mut self.sql).await?;
        let cores = std::thread::available_parallelism()?;
        let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
        let model = read("/proc/cpuinfo");
        let model = model.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let model = model.map_or("unknown", |(_, model)| model);
        let load = read("/proc/loadavg");
        let load = load.split(' ').next().unwrap_or_default();
        let profile = if cfg!(debug_assertions) { "NOT OPTIMIZED" } else { "optimized" };
        let search_dataset = self
            .search_dataset
            .as_ref()
            .map(|search_dataset| format!("{}\n", search_dataset.size()))
            .unwrap_or_default();
        Ok(format!("{cores} cores ({model}), load before {load}; PostgreSQL {version}; {profile}\n{search_dataset}"))
    }

    /// Brings the database into the state that the path needs.
    pub async fn make_ready(&mut self, path: Path) -> Result<()> {
        if path == Path::Approve {
            let again = format!(
                "update customers set status = 'PENDING' where id between '{}' and '{}' and status <> 'PENDING'",
                customers::id(PENDING, 1),
                customers::id(PENDING, self.pending)
            );
            sqlx::raw_sql(AssertSqlSafe(again)).execute(&mut self.sql).await?;
            sqlx::raw_sql("vacuum customers").execute(&mut self.sql).await?;
        }
        if path.changes() {
            sqlx::raw_sql("vacuum customers, customer_links, custom_ids, customer_tags").execute(&mut self.sql).await?;
        }
        if path.writes() {
            // After a checkpoint the first change of a page writes the whole page to the log. All writers start from there.
            sqlx::raw_sql("checkpoint").execute(&mut self.sql).await?;
        }
        Ok(())
    }

    /// Measures a path with so many calls in flight. `offered` is the rate of calls per second for `overload`.
    pub async fn measure(&mut self, path: Path, in_flight: usize, offered: f64, time: Duration) -> Result<Measured> {
        let clients = |server| Clients { server, token: &self.token, account: &self.account, in_flight, time };
        let service = clients(&self.service);
        match path {
            Path::Bare => clients(&self.bare).measure(|caller| Get::new(caller, TO_READ)).await,
            Path::Empty => clients(&self.empty).measure(|caller| Get::new(caller, TO_READ)).await,
            Path::Get => service.measure(|caller| Get::new(caller, TO_READ)).await,
            Path::BatchGet => service.measure(|caller| BatchGet::new(caller, TO_READ)).await,
            Path::Lookup => service.measure(|caller| Lookup::new(caller, Arc::clone(&self.numbers))).await,
            Path::Create | Path::Peak => service.measure(|caller| Create::new(caller, Policy::Report)).await,
            Path::CreateIgnore => service.measure(|caller| Create::new(caller, Policy::Ignore)).await,
            Path::Overload => {
                let server = self.overloaded.as_ref().ok_or("no server was started for overload")?;
                clients(server).paced(offered, |caller| Create::new(caller, Policy::Report)).await
            }
            Path::Approve => {
                let next = Arc::new(AtomicU64::new(1));
                service.measure(|caller| Approve::new(caller, Arc::clone(&next), self.pending)).await
            }
            Path::UpdateCustomId => service.measure(|caller| UpdateCustomId::new(caller, TO_READ)).await,
            Path::ActivateFeature => service.measure(|caller| ActivateFeature::new(caller, TO_READ)).await,
            Path::Tag1000 => service.measure(Tag::new).await,
            Path::Report => service.measure(Report::new).await,
            Path::ReportCopy => {
                let options = self.cluster.options(DATABASE);
                service.measure(|_| ReportCopy::new(options.clone(), &self.account)).await
            }
            Path::BesideBatches | Path::BesideReads => self.bystander.measure(path, &service, TO_READ).await,
            Path::BesideAbandoned | Path::BesideResets => {
                let before = lost_sessions(&mut self.sql).await?;
                let measured = self.bystander.measure(path, &service, TO_READ).await?;
                match lost_sessions(&mut self.sql).await? - before {
                    0 => Ok(measured),
                    lost => Err(format!("{lost} sessions with the database were thrown away").into()),
                }
            }
            Path::PgbenchGet | Path::PgbenchCreate => self.pgbench(path, in_flight.min(self.connections), time).await,
            Path::SearchName
            | Path::SearchNameLargest
            | Path::SearchAll
            | Path::SearchTag
            | Path::SearchList
            | Path::SearchSecondPage
            | Path::SearchRare
            | Path::SearchTwoWords
            | Path::SearchCity
            | Path::SearchNumber
            | Path::SearchShort
            | Path::SearchNone
            | Path::SearchBelow
            | Path::ReportFirst
            | Path::FindDuplicates
            | Path::GetSteady
            | Path::GetFlooded => {
                let search_dataset = self.search_dataset.as_ref().ok_or("the search dataset was not made")?;
                search_dataset.measure(path, in_flight, time).await
            }
        }
    }

    /// Runs the statements of a path by pgbench.
    async fn pgbench(&mut self, path: Path, clients: usize, time: Duration) -> Result<Measured> {
        let url = self.cluster.url(DATABASE);
        let bin = self.cluster.bin();
        if path == Path::PgbenchGet {
            return self.get.run(bin, &url, &self.scratch, clients, time).await;
        }
        let before = count(&mut self.sql).await?;
        let measured = self.create.run(bin, &url, &self.scratch, clients, time).await?;
        let made = count(&mut self.sql).await? - before;
        if made < i64::try_from(measured.latencies.len())? {
            return Err(format!("pgbench made only {made} customers in {} creates", measured.latencies.len()).into());
        }
        Ok(measured)
    }

    /// Stops everything.
    pub async fn end(self) -> Result<()> {
        let Self { service, bare, empty, overloaded, search_dataset, cluster, scratch, sql, .. } = self;
        drop((service, bare, empty, overloaded, search_dataset));
        sql.close().await?;
        cluster.stop().await?;
        drop(scratch);
        Ok(())
    }
}

async fn count(sql: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar("select count(*) from customers").fetch_one(sql).await?)
}

/// Sessions with the database that ended without a farewell.
async fn lost_sessions(sql: &mut PgConnection) -> Result<i64> {
    let lost = "select sessions_abandoned + sessions_fatal from pg_stat_database where datname = current_database()";
    sqlx::raw_sql("select pg_stat_clear_snapshot()").execute(&mut *sql).await?;
    Ok(sqlx::query_scalar(lost).fetch_one(sql).await?)
}

async fn numbers(sql: &mut PgConnection) -> Result<Arc<[String]>> {
    let numbers: Vec<String> =
        sqlx::query_scalar("select value from custom_ids where system = 'erp' and customer_id between $1 and $2")
            .bind(customers::id(ACTIVE, 1))
            .bind(customers::id(ACTIVE, TO_READ))
            .fetch_all(sql)
            .await?;
    Ok(numbers.into())
}

/// Waits that are long enough for a slow machine, so that it does not report overload.
pub const LONG_WAITS: [&str; 2] = ["--pool-timeout=10s", "--queue-timeout=10s"];

/// Starts the service with production settings, on a free port.
pub fn serve(scratch: &Scratch, database: &str, connections: usize, more: &[&str]) -> Result<Server> {
    let file = |name| scratch.file(name).display().to_string();
    let words = [
        "serve",
        "--listen=127.0.0.1:0",
        &format!("--database-url={database}"),
        &format!("--pool-size={connections}"),
        &format!("--issuer={ISSUER},{AUDIENCE},{}", file("jwks.json")),
        &format!("--operator={ISSUER} {OPERATOR}"),
        &format!("--sealing-key-file={}", file("sealing.key")),
    ];
    let words: Vec<String> = words.iter().chain(more).map(|word| (*word).to_owned()).collect();
    Server::start(File::new(env!("CARGO_BIN_EXE_clientele")), &words)
}
