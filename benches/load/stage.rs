//! Everything that is measured on: PostgreSQL, a tenant with customers, the service, the floor.

use std::{
    fs,
    path::Path as File,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use clientele::{
    embedded::{Cluster, Durability, Place, Settings},
    grpc::pb::{self, account_service_client::AccountServiceClient, customer_service_client::CustomerServiceClient},
    store::migrations,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, get_current_timestamp};
use prost::Message as _;
use serde_json::json;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};
use tonic::{
    Code, Request, Response, Status,
    metadata::{Ascii, MetadataValue},
    transport::{Channel, Endpoint},
};

use super::{
    Asked, CHANNELS, Path, Result, WARM_UP,
    calls::{Caller, Measured},
    child::{Scratch, Server},
    customers::{self, ACTIVE, PENDING},
    floor,
    pgbench::{self, Bench, Log},
};

const DATABASE: &str = "load";
const ISSUER: &str = "https://load.example";
const AUDIENCE: &str = "clientele";
const OPERATOR: &str = "operator";
const ADMIN: &str = "admin";
const TOKEN_SECONDS: u64 = 24 * 60 * 60;

/// How many customers there are to be read.
const TO_READ: u64 = 10_000;
/// How many there are to be approved, for each second that they are: more than two cores get through. On a machine that
/// approves more, a point ends when there is none left.
const TO_APPROVE_PER_SECOND: u64 = 6_000;

/// What PostgreSQL is to log of a session so that its statements can be run again just as they were. Only sessions of the
/// service that makes the model are told to.
const TELL_ALL: &str = "&options[log_statement]=all&options[log_error_verbosity]=default\
                        &options[log_parameter_max_length]=-1";

pub struct Stage {
    // Dropped in this order: servers before their database.
    service: Server,
    bare: Server,
    empty: Server,
    cluster: Cluster,
    scratch: Scratch,
    sql: PgConnection,
    token: MetadataValue<Ascii>,
    account: MetadataValue<Ascii>,
    pending: u64,
    get: Bench,
    create: Bench,
}

impl Stage {
    pub async fn start(asked: &Asked) -> Result<Self> {
        eprintln!("starting PostgreSQL, the service and its floor; making {TO_READ} customers");
        let settings = Settings { place: Place::Temporary, durability: Durability::Production, max_connections: 100 };
        let cluster = Cluster::start(settings).await?;
        migrations::create_database(&cluster.options("postgres"), DATABASE).await?;
        migrations::migrate(&cluster.options(DATABASE), || ()).await?;
        let mut sql = cluster.options(DATABASE).connect().await?;

        let scratch = Scratch::new()?;
        let issuer = Issuer::new(&scratch)?;
        let url = cluster.url(DATABASE);
        let token = issuer.bearer(ADMIN)?;

        let telling = serve(&scratch, &format!("{url}{TELL_ALL}"), asked.connections)?;
        let log = Log::of(&cluster);
        let model = Model::make(&telling, &issuer, &log).await?;
        drop(telling);

        let pending = TO_APPROVE_PER_SECOND * (asked.seconds + WARM_UP.as_secs());
        if asked.only.is_empty() || asked.only.contains(&Path::Approve) {
            model.copy(&mut sql, PENDING, pending).await?;
        }
        model.copy(&mut sql, ACTIVE, TO_READ).await?;
        sqlx::raw_sql("vacuum analyze").execute(&mut sql).await?;

        let get = pgbench::reading(&mut sql, &model.read, &model.customer, TO_READ).await?;
        let create =
            pgbench::creating(&mut sql, &model.created, &model.token, &[&model.tenant, &model.account]).await?;
        fs::write(scratch.file("answer"), model.answer.encode_to_vec())?;
        let bare = [floor::FLAG.to_owned(), scratch.file("answer").display().to_string()];
        let layers = [url.clone(), format!("{ISSUER},{AUDIENCE},{}", scratch.file("jwks.json").display())];
        let empty = [bare.clone(), layers].concat();
        Ok(Self {
            service: serve(&scratch, &url, asked.connections)?,
            bare: Server::start(&std::env::current_exe()?, &bare)?,
            empty: Server::start(&std::env::current_exe()?, &empty)?,
            cluster,
            scratch,
            sql,
            token,
            account: model.account.parse()?,
            pending,
            get,
            create,
        })
    }

    pub fn service(&self) -> &Server {
        &self.service
    }

    /// The floor, with no layer around it.
    pub fn bare(&self) -> &Server {
        &self.bare
    }

    /// The floor behind the service's layers.
    pub fn empty(&self) -> &Server {
        &self.empty
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
        Ok(format!("{cores} cores ({model}), load before {load}; PostgreSQL {version}; {profile}\n"))
    }

    /// Puts the database into the state in which the path is measured.
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
        if !matches!(path, Path::Bare | Path::Empty | Path::Get | Path::PgbenchGet) {
            // After a checkpoint a page's first change writes the whole page: let all writers begin there.
            sqlx::raw_sql("checkpoint").execute(&mut self.sql).await?;
        }
        Ok(())
    }

    /// As many workers, spread over a few connections to the server.
    pub async fn workers<W>(&self, server: &Server, count: usize, new: impl Fn(Caller) -> W) -> Result<Vec<W>> {
        let next = Arc::new(AtomicU64::new(1));
        let mut channels = Vec::new();
        for _ in 0..CHANNELS.min(count) {
            channels.push(connect(server).await?);
        }
        let callers = channels.iter().cycle().take(count).map(|channel| Caller {
            client: CustomerServiceClient::new(channel.clone()),
            token: self.token.clone(),
            account: self.account.clone(),
            active: TO_READ,
            pending: self.pending,
            next: Arc::clone(&next),
        });
        Ok(callers.map(new).collect())
    }

    /// Runs the statements of a path by pgbench.
    pub async fn pgbench(&mut self, path: Path, clients: usize, time: Duration) -> Result<Measured> {
        let url = self.cluster.url(DATABASE);
        let bin = self.cluster.bin();
        if path == Path::PgbenchGet {
            return self.get.run(bin, &url, &self.scratch, clients, time).await;
        }
        let before = count(&mut self.sql).await?;
        let measured = self.create.run(bin, &url, &self.scratch, clients, time).await?;
        let made = count(&mut self.sql).await? - before;
        if made < i64::try_from(measured.latencies.len())? {
            return Err(format!("pgbench made only {made} customers by {} creations", measured.latencies.len()).into());
        }
        Ok(measured)
    }

    /// Takes everything down.
    pub async fn end(self) -> Result<()> {
        let Self { service, bare, empty, cluster, scratch, sql, .. } = self;
        drop((service, bare, empty));
        sql.close().await?;
        cluster.stop().await?;
        drop(scratch);
        Ok(())
    }
}

async fn count(sql: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar("select count(*) from customers").fetch_one(sql).await?)
}

async fn connect(server: &Server) -> Result<Channel> {
    Ok(Endpoint::from_shared(format!("http://{}", server.address))?.tcp_nodelay(true).connect().await?)
}

/// The service, as it is run in production, on a free port.
fn serve(scratch: &Scratch, database: &str, connections: usize) -> Result<Server> {
    let file = |name| scratch.file(name).display().to_string();
    let words = [
        "serve",
        "--listen=127.0.0.1:0",
        &format!("--database-url={database}"),
        &format!("--connections={connections}"),
        "--connection-wait=10s", // a slow machine is slow, not overloaded
        &format!("--issuer={ISSUER},{AUDIENCE},{}", file("jwks.json")),
        &format!("--operator={ISSUER} {OPERATOR}"),
        &format!("--sealing-key-file={}", file("sealing.key")),
    ];
    Server::start(File::new(env!("CARGO_BIN_EXE_clientele")), &words.map(ToOwned::to_owned))
}

/// An issuer of tokens that the service believes.
struct Issuer(EncodingKey);

impl Issuer {
    fn new(scratch: &Scratch) -> Result<Self> {
        let pair = Ed25519KeyPair::generate()?;
        let public = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "load", "alg": "EdDSA", "x": public}]});
        fs::write(scratch.file("jwks.json"), keys.to_string())?;
        let mut sealing = [0; 32];
        aws_lc_rs::rand::fill(&mut sealing)?;
        fs::write(scratch.file("sealing.key"), sealing)?;
        Ok(Self(EncodingKey::from_ed_der(pair.to_pkcs8v1()?.as_ref())))
    }

    fn bearer(&self, subject: &str) -> Result<MetadataValue<Ascii>> {
        let until = get_current_timestamp() + TOKEN_SECONDS;
        let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": until});
        let header = Header { kid: Some("load".to_owned()), ..Header::new(Algorithm::EdDSA) };
        Ok(format!("Bearer {}", jsonwebtoken::encode(&header, &claims, &self.0)?).parse()?)
    }
}

/// A customer that the service made in an account where new customers wait for approval; the statements that made and
/// read it.
struct Model {
    tenant: String,
    account: String,
    /// Its id.
    customer: String,
    /// What only its values hold.
    token: String,
    answer: pb::GetCustomerResponse,
    created: Vec<pgbench::Statement>,
    read: Vec<pgbench::Statement>,
}

impl Model {
    async fn make(service: &Server, issuer: &Issuer, log: &Log) -> Result<Self> {
        let channel = connect(service).await?;
        let (operator, admin) = (issuer.bearer(OPERATOR)?, issuer.bearer(ADMIN)?);
        let mut accounts = AccountServiceClient::new(channel.clone());
        let tenant = pb::CreateTenantRequest {
            tenant: Some(pb::Tenant { name: "Load Distribution".to_owned(), ..Default::default() }),
            first_admin: Some(pb::Principal { subject: ADMIN.to_owned(), ..Default::default() }),
            ..Default::default()
        };
        let tenant = done(accounts.create_tenant(by(&operator, None, tenant)).await)?.account.unwrap_or_default().id;
        let policies = pb::AccountPolicies { auto_approve: Some(false), ..Default::default() };
        let account = pb::Account { name: "Load Reseller".to_owned(), policies: Some(policies), ..Default::default() };
        let account = pb::CreateAccountRequest { account: Some(account), ..Default::default() };
        let account =
            done(accounts.create_account(by(&admin, Some(&tenant), account)).await)?.account.unwrap_or_default().id;

        let mut customers = CustomerServiceClient::new(channel);
        let mut create = async |token: &str| {
            let request = by(&admin, Some(&account), customers::create(token));
            Result::Ok(done(customers.create_customer(request).await)?.customer.unwrap_or_default().id)
        };
        // The first call also looks up who calls; the second is as all others.
        create(&customers::token()).await?;
        let (token, from) = (customers::token(), log.end()?);
        let customer = create(&token).await?;
        let created = log.statements(from)?;
        let from = log.end()?;
        let read = pb::GetCustomerRequest { customer_id: customer.clone(), view: pb::CustomerView::Full.into() };
        let answer = done(customers.get_customer(by(&admin, Some(&account), read)).await)?;
        let read = log.statements(from)?;
        Ok(Self { tenant, account, customer, token, answer, created, read })
    }

    /// Makes customers like it, but for their ids and what the token tells apart. All that belongs to one is copied, but
    /// not what happened to it.
    async fn copy(&self, sql: &mut PgConnection, kind: &str, count: u64) -> Result<()> {
        let status = if kind == PENDING { "PENDING" } else { "ACTIVE" };
        for table in ["customers", "customer_links", "custom_ids", "customer_search"] {
            let key = if table == "customers" { "id" } else { "customer_id" };
            let (token, id) = (&self.token, &self.customer);
            // Not those that the database makes itself.
            let columns: String = sqlx::query_scalar(
                "select string_agg(quote_ident(column_name), ', ' order by ordinal_position)
                 from information_schema.columns
                 where table_schema = 'public' and table_name = $1 and is_generated = 'NEVER'",
            )
            .bind(table)
            .fetch_one(&mut *sql)
            .await?;
            let listed = columns.split(", ").map(|column| format!("copy.{column}")).collect::<Vec<_>>().join(", ");
            let copy = format!(
                "insert into {table} ({columns})
                 select {listed}
                 from {table} model
                 cross join generate_series(1, {count}) n
                 cross join lateral jsonb_populate_record(
                     null::{table},
                     replace(
                         replace(to_jsonb(model)::text, '{token}', md5('{kind}' || n)),
                         '{id}', '{kind}' || lpad(to_hex(n), 12, '0')
                     )::jsonb || '{{\"status\": \"{status}\"}}'
                 ) copy
                 where model.{key} = '{id}'"
            );
            sqlx::raw_sql(AssertSqlSafe(copy)).execute(&mut *sql).await?;
        }
        Ok(())
    }
}

fn by<M>(token: &MetadataValue<Ascii>, account: Option<&str>, message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", token.clone());
    if let Some(account) = account.and_then(|account| account.parse().ok()) {
        request.metadata_mut().insert("clientele-account", account);
    }
    request
}

fn done<M>(answer: std::result::Result<Response<M>, Status>) -> Result<M> {
    match answer {
        Ok(answer) => Ok(answer.into_inner()),
        Err(status) if status.code() == Code::Internal => Err(format!("{status:?}").into()),
        Err(status) => Err(status.message().to_owned().into()),
    }
}
