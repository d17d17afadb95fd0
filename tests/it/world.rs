//! The world of a test: a server of its own, in this process, on a database of its own, in a PostgreSQL that all tests
//! share; and clients of that server.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use clientele::{
    config::{
        Config, Connections, Database, Identity, Issuer, Jwks, Limits, Load, Mail, MeshIdentity, SealingKeys,
        ServicePrincipal, Telemetry, TokenType, parse,
        settings::{
            DEADLINE, DRAIN_DELAY, DRAIN_TIMEOUT, LOCK_TIMEOUT, POOL_SIZE, POOL_TIMEOUT, SEARCH_POOL_SIZE,
            STATEMENT_TIMEOUT, STREAM_POOL_SIZE, STREAM_TIMEOUT, Setting,
        },
    },
    domain::{requests::principal::Principal, values::enums::Role},
    embedded::{Cluster, ClusterLocation, ClusterSettings, Durability},
    grpc::pb::{
        self, access_service_client::AccessServiceClient, account_service_client::AccountServiceClient,
        billing_service_client::BillingServiceClient, customer_service_client::CustomerServiceClient,
        exchange_service_client::ExchangeServiceClient, history_service_client::HistoryServiceClient,
        tag_service_client::TagServiceClient,
    },
    server::{self, RunningServer},
    store::migrations,
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use tokio::sync::OnceCell;
use tonic::{
    Code, Request, Status,
    metadata::MetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};
use tonic_types::StatusExt as _;
use uuid::Uuid;

/// The issuer of the tests' tokens.
pub const ISSUER: &str = "https://tests.example";
/// The audience of the tests' tokens.
pub const AUDIENCE: &str = "clientele";
/// The platform operator's subject.
pub const OPERATOR: &str = "operator";
/// The subject of a service principal with the role MEMBER in every tenant.
pub const SERVICE: &str = "order-service";

/// The PostgreSQL of most tests, without fsync.
static FAST: OnceCell<Cluster> = OnceCell::const_new();
/// The PostgreSQL of tests of races and faults, with production settings: without fsync, waits for locks do not show.
static PRODUCTION: OnceCell<Cluster> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);
const TEMPLATE: &str = "template_clientele";

async fn fast() -> &'static Cluster {
    FAST.get_or_init(|| cluster(Durability::Fast)).await
}

/// The PostgreSQL with production settings that tests share.
pub async fn production() -> &'static Cluster {
    PRODUCTION.get_or_init(|| cluster(Durability::Production)).await
}

/// A PostgreSQL with a migrated template. A test that kills it needs one of its own.
pub async fn cluster(durability: Durability) -> Cluster {
    let settings = ClusterSettings { location: ClusterLocation::Temporary, durability, max_connections: 400 };
    let cluster = Cluster::start(settings).await.expect("PostgreSQL starts");
    migrations::create_database(&cluster.options("postgres"), TEMPLATE).await.expect("a template");
    migrations::migrate(&cluster.options(TEMPLATE), || ()).await.expect("the schema is migrated");
    cluster
}

/// A new database with the current schema, in the shared PostgreSQL.
pub async fn database() -> PgConnectOptions {
    database_in(fast().await, "file_copy").await
}

/// The same in the shared PostgreSQL with production settings.
pub async fn production_database() -> PgConnectOptions {
    database_in(production().await, "wal_log").await
}

/// A new database in a cluster, copied with this strategy.
pub async fn database_in(cluster: &Cluster, strategy: &str) -> PgConnectOptions {
    let name = format!("test_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let mut admin = cluster.options("postgres").connect().await.unwrap();
    let create = format!("create database {name} template {TEMPLATE} strategy {strategy}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(create)).execute(&mut admin).await.unwrap();
    cluster.options(&name)
}

/// A server, its database, and the keys of its tokens.
pub struct World {
    pub server: RunningServer,
    pub database: PgConnectOptions,
    pub keys: Keys,
    channel: Channel,
}

impl World {
    /// A server on an empty database.
    pub async fn start() -> Self {
        Self::start_with(database().await, |_| ()).await
    }

    /// The same for a test that makes many calls at once, see [`wait_in_line`].
    pub async fn for_many_calls() -> Self {
        Self::start_with(database().await, wait_in_line).await
    }

    /// A server on an empty database of a PostgreSQL with production settings, for a test that makes many calls at once.
    pub async fn in_production() -> Self {
        Self::in_production_with(wait_in_line).await
    }

    /// A server on such a database, with a configuration that the test adjusts.
    pub async fn in_production_with(adjust: impl FnOnce(&mut Config)) -> Self {
        let adjust = |config: &mut Config| {
            config.database.lock_timeout = default_time(&LOCK_TIMEOUT);
            adjust(config);
        };
        Self::start_with(production_database().await, adjust).await
    }

    /// A server on this database, with a configuration that the test adjusts.
    pub async fn start_with(database: PgConnectOptions, adjust: impl FnOnce(&mut Config)) -> Self {
        let keys = Keys::new();
        let mut config = keys.config(database.clone());
        adjust(&mut config);
        let server = Box::pin(server::start(config)).await.expect("the server starts");
        let channel = connect(server.address());
        Self { server, database, keys, channel }
    }

    /// Makes all later clients call over this channel.
    pub fn call_over(&mut self, channel: Channel) {
        self.channel = channel;
    }

    /// A connection to the database itself.
    pub async fn sql(&self) -> PgConnection {
        self.database.connect().await.unwrap()
    }

    /// The number of rows in the tables that a call on customers writes: customers, links, custom IDs, events, answers.
    pub async fn rows(&self) -> [i64; 5] {
        let count = "select array[
            (select count(*) from customers), (select count(*) from customer_links), (select count(*) from custom_ids),
            (select count(*) from events), (select count(*) from requests)
        ]";
        let rows: Vec<i64> = sqlx::query_scalar(count).fetch_one(&mut self.sql().await).await.unwrap();
        rows.try_into().unwrap()
    }

    /// A channel to the server, on a connection of its own.
    pub fn channel(&self) -> Channel {
        connect(self.server.address())
    }

    /// The platform operator.
    pub fn operator(&self) -> Client {
        self.subject(OPERATOR)
    }

    /// A client with this subject; it names no account.
    pub fn subject(&self, subject: &str) -> Client {
        self.bearer(self.keys.token(subject))
    }

    /// A client with this token.
    pub fn bearer(&self, token: String) -> Client {
        Client {
            channel: self.channel.clone(),
            token: Some(token),
            account: None,
            tenant: None,
            customer: None,
            traceparent: None,
        }
    }

    /// A client without a token.
    pub fn without_token(&self) -> Client {
        Client {
            channel: self.channel.clone(),
            token: None,
            account: None,
            tenant: None,
            customer: None,
            traceparent: None,
        }
    }

    /// The data that a call that changes nothing must not change.
    pub async fn stored(&self) -> Stored {
        let everything = r"
            select (select coalesce(string_agg(c::text, e'\n' order by c.id), '') from customers c),
                   (select coalesce(string_agg(l::text, e'\n' order by l.customer_id, l.account_id), '')
                    from customer_links l),
                   (select count(*) from events where customer_id is not null), (select count(*) from requests)
        ";
        let (customers, links, events, answers) =
            sqlx::query_as(everything).fetch_one(&mut self.sql().await).await.unwrap();
        Stored { customers, links, events, answers }
    }

    /// Copies a customer so many times inside the database, without events, which is fast for a thousand. Returns the ids.
    pub async fn copies(&self, id: &str, count: i32) -> Vec<String> {
        let copy = r"
            insert into customers
            select copy.* from customers c, generate_series(1, $2) as n,
                   lateral jsonb_populate_record(c, jsonb_build_object('id', gen_random_uuid(), 'n', n)) as copy
            where c.id = $1
            returning id::text
        ";
        let id = Uuid::parse_str(id).unwrap();
        sqlx::query_scalar(copy).bind(id).bind(count).fetch_all(&mut self.sql().await).await.unwrap()
    }

    /// A new tenant with QUICK defaults, and its admin acting in the provider's account.
    pub async fn tenant(&self, name: &str) -> TestAccount {
        self.tenant_with(name, pb::NameUniqueness::None, pb::AccountPolicies::default()).await
    }

    /// A new tenant with these policies.
    pub async fn tenant_with(
        &self,
        name: &str,
        rule: pb::NameUniqueness,
        policies: pb::AccountPolicies,
    ) -> TestAccount {
        let admin = format!("{name}-admin-{}", Uuid::new_v4().simple());
        let request = pb::CreateTenantRequest {
            tenant: Some(pb::Tenant { name: name.to_owned(), name_uniqueness: rule.into(), ..Default::default() }),
            policies: Some(policies),
            first_admin: Some(principal(&admin)),
            ..Default::default()
        };
        let created = self.operator().accounts().create_tenant(request).await.unwrap().into_inner();
        let tenant = created.tenant.unwrap().id;
        let account = created.account.unwrap();
        let admin = self.subject(&admin).acting_in(&account.id);
        TestAccount {
            tenant,
            account: account.id.clone(),
            admin,
            world_channel: self.channel.clone(),
            keys: self.keys.clone(),
        }
    }
}

/// All customers and links, row by row, and the numbers of customers' events and of stored answers.
#[derive(Debug, PartialEq, Eq)]
pub struct Stored {
    pub customers: String,
    pub links: String,
    pub events: i64,
    pub answers: i64,
}

/// An account, and its admin acting in it.
#[derive(Clone)]
pub struct TestAccount {
    pub tenant: String,
    pub account: String,
    pub admin: Client,
    world_channel: Channel,
    keys: Keys,
}

impl TestAccount {
    /// An account below this one, with the same admin.
    pub async fn child(&self, name: &str) -> Self {
        self.child_with(name, None).await
    }

    /// An account below this one, with policies of its own.
    pub async fn child_with(&self, name: &str, policies: Option<pb::AccountPolicies>) -> Self {
        let request = pb::CreateAccountRequest {
            account: Some(pb::Account { name: name.to_owned(), policies, ..Default::default() }),
            ..Default::default()
        };
        let account = self.admin.accounts().create_account(request).await.unwrap().into_inner().account.unwrap();
        Self { account: account.id.clone(), admin: self.admin.acting_in(&account.id), ..self.clone() }
    }

    /// A new member of this account with this role.
    pub async fn member(&self, role: pb::Role) -> Client {
        let subject = format!("member-{}", Uuid::new_v4().simple());
        self.add(&subject, role).await;
        Client {
            channel: self.world_channel.clone(),
            token: Some(self.keys.token(&subject)),
            account: Some(self.account.clone()),
            tenant: None,
            customer: None,
            traceparent: None,
        }
    }

    /// Creates a branch of this account; returns its id.
    pub async fn branch(&self, name: &str) -> String {
        let branch = Some(pb::Branch { name: name.to_owned(), ..Default::default() });
        let request = pb::CreateBranchRequest { branch, ..Default::default() };
        self.admin.accounts().create_branch(request).await.unwrap().into_inner().branch.unwrap().id
    }

    /// Makes a subject a member of this account; returns the member.
    pub async fn add(&self, subject: &str, role: pb::Role) -> pb::Member {
        let request =
            pb::AddMemberRequest { principal: Some(principal(subject)), role: role.into(), ..Default::default() };
        self.admin.access().add_member(request).await.unwrap().into_inner().member.unwrap()
    }
}

/// A client: a token, and the account in which it acts.
#[derive(Clone)]
pub struct Client {
    pub channel: Channel,
    pub token: Option<String>,
    pub account: Option<String>,
    pub tenant: Option<String>,
    pub customer: Option<String>,
    pub traceparent: Option<String>,
}

impl Interceptor for Client {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let headers = [
            ("authorization", self.token.as_ref().map(|token| format!("Bearer {token}"))),
            ("clientele-account", self.account.clone()),
            ("clientele-tenant", self.tenant.clone()),
            ("clientele-customer", self.customer.clone()),
            ("traceparent", self.traceparent.clone()),
        ];
        for (name, value) in headers {
            if let Some(value) = value {
                request.metadata_mut().insert(name, MetadataValue::try_from(value).unwrap());
            }
        }
        Ok(request)
    }
}

pub type Intercepted = InterceptedService<Channel, Client>;

impl Client {
    /// The same client, acting in this account.
    pub fn acting_in(&self, account: &str) -> Self {
        Self { account: Some(account.to_owned()), ..self.clone() }
    }

    /// The same client, naming this tenant.
    pub fn in_tenant(&self, tenant: &str) -> Self {
        Self { tenant: Some(tenant.to_owned()), ..self.clone() }
    }

    /// The same client, with calls narrowed to one customer.
    pub fn narrowed_to(&self, customer: &str) -> Self {
        Self { customer: Some(customer.to_owned()), ..self.clone() }
    }

    /// The same client on another connection.
    pub fn over(&self, channel: Channel) -> Self {
        Self { channel, ..self.clone() }
    }

    /// All memberships, as WhoAmI lists them in pages of this size.
    pub async fn memberships(&self, page_size: i32) -> Vec<pb::Membership> {
        let (mut all, mut page_token) = (Vec::new(), String::new());
        loop {
            let page = self.access().who_am_i(pb::WhoAmIRequest { page_size, page_token }).await.unwrap().into_inner();
            all.extend(page.memberships);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return all;
            }
        }
    }

    /// Accepts all memberships that wait, so that the sole one counts without a header. Returns the client.
    pub async fn accepting_all(self) -> Self {
        for membership in self.memberships(0).await.into_iter().filter(|membership| membership.waiting) {
            let request = pb::AcceptMembershipRequest { member_id: membership.member_id, ..Default::default() };
            self.access().accept_membership(request).await.unwrap();
        }
        self
    }

    pub fn intercepted(&self) -> Intercepted {
        InterceptedService::new(self.channel.clone(), self.clone())
    }

    pub fn access(&self) -> AccessServiceClient<Intercepted> {
        AccessServiceClient::new(self.intercepted())
    }

    pub fn accounts(&self) -> AccountServiceClient<Intercepted> {
        AccountServiceClient::new(self.intercepted())
    }

    pub fn billing(&self) -> BillingServiceClient<Intercepted> {
        BillingServiceClient::new(self.intercepted())
    }

    pub fn customers(&self) -> CustomerServiceClient<Intercepted> {
        CustomerServiceClient::new(self.intercepted())
    }

    pub fn history(&self) -> HistoryServiceClient<Intercepted> {
        HistoryServiceClient::new(self.intercepted())
    }

    pub fn exchange(&self) -> ExchangeServiceClient<Intercepted> {
        ExchangeServiceClient::new(self.intercepted())
    }

    pub fn tags(&self) -> TagServiceClient<Intercepted> {
        TagServiceClient::new(self.intercepted())
    }

    /// Adds tags to customers and removes others.
    pub async fn tag(
        &self,
        ids: &[&str],
        add: &[&str],
        remove: &[&str],
    ) -> Result<pb::ModifyCustomerTagsResponse, Status> {
        let [customer_ids, add_tags, remove_tags] =
            [ids, add, remove].map(|all| all.iter().map(ToString::to_string).collect());
        let request = pb::ModifyCustomerTagsRequest { customer_ids, add_tags, remove_tags, ..Default::default() };
        Ok(self.customers().modify_customer_tags(request).await?.into_inner())
    }

    /// Creates a customer.
    pub async fn create(&self, customer: pb::Customer) -> Result<pb::Customer, Status> {
        let request = pb::CreateCustomerRequest { customer: Some(customer), ..Default::default() };
        Ok(self.customers().create_customer(request).await?.into_inner().customer.unwrap())
    }

    /// Reads a customer in full.
    pub async fn get(&self, id: &str) -> Result<pb::Customer, Status> {
        let request = pb::GetCustomerRequest { customer_id: id.to_owned(), view: pb::CustomerView::Full.into() };
        Ok(self.customers().get_customer(request).await?.into_inner().customer.unwrap())
    }

    /// Reads customers by id, up to 100; how many were found, if any answer came.
    pub async fn batch_get(&self, ids: &[String]) -> Option<usize> {
        let request = pb::BatchGetCustomersRequest { customer_ids: ids.to_vec(), ..Default::default() };
        self.customers().batch_get_customers(request).await.ok().map(|answer| answer.into_inner().customers.len())
    }

    /// Updates the customer with this id: the fields that the paths name.
    pub async fn update(&self, customer: pb::Customer, paths: &[&str]) -> Result<pb::Customer, Status> {
        let request = pb::UpdateCustomerRequest {
            customer: Some(customer),
            update_mask: Some(mask(paths)),
            ..Default::default()
        };
        Ok(self.customers().update_customer(request).await?.into_inner().customer.unwrap())
    }

    /// Approves a customer.
    pub async fn approve(&self, id: &str) -> Result<pb::Customer, Status> {
        let request = pb::ApproveCustomerRequest { customer_id: id.to_owned(), ..Default::default() };
        Ok(self.customers().approve_customer(request).await?.into_inner().customer.unwrap())
    }

    /// Rejects a customer.
    pub async fn reject(&self, id: &str, reason: &str) -> Result<pb::Customer, Status> {
        let request =
            pb::RejectCustomerRequest { customer_id: id.to_owned(), reason: reason.to_owned(), ..Default::default() };
        Ok(self.customers().reject_customer(request).await?.into_inner().customer.unwrap())
    }

    /// Archives customers.
    pub async fn archive(&self, ids: &[&str]) -> Result<pb::ArchiveCustomersResponse, Status> {
        let request = pb::ArchiveCustomersRequest {
            customer_ids: ids.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        Ok(self.customers().archive_customers(request).await?.into_inner())
    }

    /// Unarchives customers.
    pub async fn unarchive(&self, ids: &[&str]) -> Result<pb::UnarchiveCustomersResponse, Status> {
        let request = pb::UnarchiveCustomersRequest {
            customer_ids: ids.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        Ok(self.customers().unarchive_customers(request).await?.into_inner())
    }

    /// Migrates a customer to a reseller account whose first admin is invited by email.
    pub async fn migrate(&self, id: &str) -> Result<pb::MigrateCustomerToResellerResponse, Status> {
        let request = pb::MigrateCustomerToResellerRequest {
            customer_id: id.to_owned(),
            admin_email: "admin@company.nl".to_owned(),
            ..Default::default()
        };
        Ok(self.customers().migrate_customer_to_reseller(request).await?.into_inner())
    }

    /// Moves customers to another account.
    pub async fn transfer(&self, ids: &[&str], to: &str) -> Result<pb::TransferCustomersResponse, Status> {
        let request = pb::TransferCustomersRequest {
            customer_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            account_id: to.to_owned(),
            ..Default::default()
        };
        Ok(self.customers().transfer_customers(request).await?.into_inner())
    }

    /// Merges customers into another one.
    pub async fn merge(&self, into: &str, ids: &[&str]) -> Result<pb::Customer, Status> {
        let request = pb::MergeCustomersRequest {
            customer_id: into.to_owned(),
            merged_customer_ids: ids.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        Ok(self.customers().merge_customers(request).await?.into_inner().customer.unwrap())
    }

    /// Undoes the merge of a customer into another one.
    pub async fn unmerge(&self, id: &str) -> Result<pb::Customer, Status> {
        let request = pb::UnmergeCustomersRequest { customer_id: id.to_owned(), ..Default::default() };
        Ok(self.customers().unmerge_customers(request).await?.into_inner().customer.unwrap())
    }

    /// Erases a customer.
    pub async fn erase(&self, id: &str) -> Result<pb::Customer, Status> {
        let request = pb::EraseCustomerRequest { customer_id: id.to_owned(), ..Default::default() };
        Ok(self.customers().erase_customer(request).await?.into_inner().customer.unwrap())
    }

    /// All events of a customer, newest first.
    pub async fn events(&self, id: &str) -> Result<Vec<pb::CustomerEvent>, Status> {
        let mut events = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = pb::ListCustomerEventsRequest {
                customer_id: id.to_owned(),
                page_size: 1_000,
                page_token,
                ..Default::default()
            };
            let page = self.history().list_customer_events(request).await?.into_inner();
            events.extend(page.events);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(events);
            }
        }
    }
}

/// The tests' issuer of tokens: a key, and the file with its public half.
#[derive(Clone)]
pub struct Keys(Arc<Issuing>);

struct Issuing {
    key: EncodingKey,
    folder: tempfile::TempDir,
}

impl Keys {
    pub fn new() -> Self {
        use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

        let pair = Ed25519KeyPair::generate().unwrap();
        let public = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let key = EncodingKey::from_ed_der(pair.to_pkcs8v1().unwrap().as_ref());
        let folder = tempfile::tempdir().unwrap();
        let jwks = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "tests", "alg": "EdDSA", "x": public}]});
        std::fs::write(folder.path().join("jwks.json"), jwks.to_string()).unwrap();
        Self(Arc::new(Issuing { key, folder }))
    }

    /// The file with the public keys.
    pub fn jwks(&self) -> PathBuf {
        self.0.folder.path().join("jwks.json")
    }

    /// A token for a subject, valid for an hour.
    pub fn token(&self, subject: &str) -> String {
        self.sign(json!({"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": now() + 3_600}))
    }

    /// A token of another issuer, with this key id, valid for an hour.
    pub fn named(&self, kid: &str, issuer: &str, subject: &str) -> String {
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::EdDSA) };
        let claims = json!({"iss": issuer, "aud": AUDIENCE, "sub": subject, "exp": now() + 3_600});
        jsonwebtoken::encode(&header, &claims, &self.0.key).unwrap()
    }

    /// A token with only these claims.
    pub fn sign(&self, claims: serde_json::Value) -> String {
        let header = Header { kid: Some("tests".to_owned()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, &claims, &self.0.key).unwrap()
    }

    /// A token of this type with only these claims.
    pub fn sign_as(&self, typ: Option<&str>, claims: serde_json::Value) -> String {
        let header =
            Header { kid: Some("tests".to_owned()), typ: typ.map(str::to_owned), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, &claims, &self.0.key).unwrap()
    }

    /// The configuration of a server that accepts these keys.
    pub fn config(&self, database: PgConnectOptions) -> Config {
        let mut config = self.default_config(database);
        if is_patient() {
            patient(&mut config);
        }
        config
    }

    /// The same with the settings that `serve` has by default.
    fn default_config(&self, database: PgConnectOptions) -> Config {
        let number = |setting: &Setting| parse::number(setting.default).unwrap();
        Config {
            listen: ([127, 0, 0, 1], 0).into(),
            database: Database {
                options: database.into(),
                pool_size: number(&POOL_SIZE),
                search_pool_size: number(&SEARCH_POOL_SIZE),
                stream_pool_size: number(&STREAM_POOL_SIZE),
                stream_timeout: default_time(&STREAM_TIMEOUT),
                pool_timeout: default_time(&POOL_TIMEOUT),
                statement_timeout: default_time(&STATEMENT_TIMEOUT),
                lock_timeout: default_time(&LOCK_TIMEOUT),
                discard_unfinished: true,
                close_unresponsive: true,
            },
            identity: Identity {
                issuers: vec![Issuer {
                    issuer: ISSUER.to_owned(),
                    audience: AUDIENCE.to_owned(),
                    token_types: TokenType::usual(),
                    jwks: Jwks::File(self.jwks()),
                }],
                jwks_ca: None,
                operators: vec![Principal::new(ISSUER, OPERATOR)],
                service_principals: vec![ServicePrincipal {
                    principal: Principal::new(ISSUER, SERVICE),
                    role: Role::Member,
                }],
            },
            sealing: SealingKeys(vec![[7; 32]]).into(),
            limits: Limits {
                deadline: default_time(&DEADLINE),
                drain_delay: default_time(&DRAIN_DELAY),
                drain_timeout: default_time(&DRAIN_TIMEOUT),
                detach: true,
            },
            tls: None,
            mesh_identity: MeshIdentity::None,
            connections: Connections::default(),
            grpc_web: None,
            load: Load::default(),
            reflection: true,
            mail: Mail::default(),
            telemetry: Telemetry::default(),
        }
    }
}

/// Whether the tests' servers have settings of their own, and not those that `serve` has by default.
fn is_patient() -> bool {
    match std::env::var("CLIENTELE_TEST_SETTINGS") {
        Err(std::env::VarError::NotPresent) => false,
        Ok(settings) if settings == "patient" => true,
        other => panic!("CLIENTELE_TEST_SETTINGS must be `patient`, or not be set: {other:?}"),
    }
}

/// The settings with `CLIENTELE_TEST_SETTINGS=patient`. Fewer connections: tests wait for one more often, as large installations do.
/// Longer waits: a machine that is busy with other work fails none. A shorter lock timeout: who waits for a lock in
/// vain is refused soon.
fn patient(config: &mut Config) {
    wait_in_line(config);
    config.database.pool_size = 8;
    config.database.search_pool_size = 2;
    config.database.statement_timeout = Duration::from_secs(20);
    config.database.lock_timeout = Duration::from_secs(1);
    config.limits.deadline = Duration::from_secs(30);
    config.limits.drain_timeout = Duration::from_secs(10);
}

/// The default of a setting that is a length of time.
fn default_time(setting: &Setting) -> Duration {
    parse::duration(setting.default).unwrap()
}

/// For a test that makes far more calls at once than the server has connections: they wait until it is their turn, and
/// none is refused as OVERLOADED because the machine is slow.
pub fn wait_in_line(config: &mut Config) {
    config.database.pool_timeout = Duration::from_secs(10);
    config.load.queue_timeout = Duration::from_secs(10);
}

/// For many calls at once that also wait for each other's locks: none is refused because the machine is slow.
pub fn wait_for_locks_in_line(config: &mut Config) {
    wait_for_locks(config);
    wait_in_line(config);
}

/// For a test that holds a lock: statements wait for it longer than the test does.
pub fn wait_for_locks(config: &mut Config) {
    config.database.statement_timeout = Duration::from_secs(20);
    config.database.lock_timeout = Duration::from_secs(19);
}

/// Now, in seconds of the Unix epoch.
pub fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// A channel in the current runtime.
pub fn connect(address: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy()
}

/// A principal of the tests' issuer: an empty issuer means the caller's own.
pub fn principal(subject: &str) -> pb::Principal {
    pb::Principal { issuer: String::new(), subject: subject.to_owned() }
}

/// A customer with only a name.
pub fn customer(name: &str) -> pb::Customer {
    pb::Customer { name: name.to_owned(), ..Default::default() }
}

/// A customer with every field that a client may write.
pub fn full_customer(name: &str) -> pb::Customer {
    let address = |street: &str| {
        Some(pb::Address {
            line1: format!("{street} 21"),
            line2: "Building B".to_owned(),
            city: "Eindhoven".to_owned(),
            state: "NL-NB".to_owned(),
            postal_code: "5652 AW".to_owned(),
            country: "NL".to_owned(),
        })
    };
    // With what the server adds, so that a response can be compared with it.
    let phone = |number: &str, e164: &str, valid: bool| {
        Some(pb::Phone { number: number.to_owned(), extension: "12".to_owned(), e164: e164.to_owned(), valid })
    };
    pb::Customer {
        name: name.to_owned(),
        r#type: pb::CustomerType::Business.into(),
        service_class: pb::ServiceClass::Normal.into(),
        reach: pb::Reach::Local.into(),
        legal_name: format!("{name} Netherlands B.V."),
        custom_ids: [("erp".to_owned(), format!("{name}-00123"))].into(),
        registration_number: "17048595".to_owned(),
        tax_ids: vec![pb::TaxId {
            value: "NL006486253B01".to_owned(),
            country: "NL".to_owned(),
            check: pb::TaxIdCheck::ChecksumOk.into(),
        }],
        currency: "EUR".to_owned(),
        industry: "non-profit".to_owned(),
        primary_address: address("Hoevenweg"),
        billing_address: address("Kanaaldijk"),
        shipping_address: address("Havenkade"),
        contacts: vec![pb::Contact {
            first_name: "Jan".to_owned(),
            last_name: "Janssen".to_owned(),
            job_title: "CEO".to_owned(),
            email: "Jan.Janssen@company.nl".to_owned(),
            phone: phone("+31(0)123456789", "+31123456789", false),
            primary: true,
            ..Default::default()
        }],
        email: "info@company.nl".to_owned(),
        billing_email: "bills@company.nl".to_owned(),
        phone: phone("+31 40 250 5000", "+31402505000", true),
        fax: phone("+31 40 250 5001", "+31402505001", true),
        origin: pb::Origin::ControlPanel.into(),
        order_reference: format!("order-{name}"),
        labels: [("segment".to_owned(), "smb".to_owned())].into(),
        language: "nl-NL".to_owned(),
        ..Default::default()
    }
}

/// `allowed_actions` from their verbs: `Update Tag Id` …
pub fn actions(verbs: &str) -> Vec<String> {
    let whole = |verb: &str| match verb {
        "Tag" => "ModifyCustomerTags".to_owned(),
        "Id" => "UpdateCustomId".to_owned(),
        "Hold" => "PlaceHold".to_owned(),
        "Migrate" => "MigrateCustomerToReseller".to_owned(),
        "Archive" | "Unarchive" | "Transfer" | "Merge" | "Unmerge" => format!("{verb}Customers"),
        verb => format!("{verb}Customer"),
    };
    // Whoever may update a customer may add a payment method, until there are 20.
    let with_payment = |verb| {
        let payment = (verb == "Update").then(|| "AddPaymentMethod".to_owned());
        [Some(whole(verb)), payment].into_iter().flatten()
    };
    verbs.split_whitespace().flat_map(with_payment).collect()
}

/// An update mask.
pub fn mask(paths: &[&str]) -> prost_types::FieldMask {
    prost_types::FieldMask { paths: paths.iter().map(ToString::to_string).collect() }
}

/// Policies that require these fields.
pub fn requiring(create: &[&str], approve: &[&str]) -> pb::AccountPolicies {
    let paths = |paths: &[&str]| Some(pb::FieldPaths { paths: paths.iter().map(ToString::to_string).collect() });
    pb::AccountPolicies { required_to_create: paths(create), required_to_approve: paths(approve), ..Default::default() }
}

/// Policies without auto_approve: every new customer is pending.
pub fn manual_approval() -> pb::AccountPolicies {
    pb::AccountPolicies { auto_approve: Some(false), ..Default::default() }
}

/// An id that does not exist.
pub fn unknown_id() -> String {
    Uuid::now_v7().to_string()
}

/// A new request_id.
pub fn request_id() -> String {
    Uuid::new_v4().to_string()
}

/// Everything of an error that a client gets, as bytes.
pub fn wire(status: &Status) -> (Code, String, Vec<u8>) {
    (status.code(), status.message().to_owned(), status.details().to_vec())
}

/// The `ErrorInfo` reason; every error has one, in the domain `clientele`.
pub fn reason(status: &Status) -> String {
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, "clientele");
    info.reason
}

/// One value of the `ErrorInfo`'s metadata.
pub fn metadata(status: &Status, key: &str) -> Option<String> {
    status.get_details_error_info().and_then(|info| info.metadata.get(key).cloned())
}

/// The missing fields of a customer that an error's metadata names, without the field of the request that holds the customer.
pub fn missing(status: &Status) -> Option<String> {
    let paths = metadata(status, "missing_fields")?;
    let paths = paths.split(',').map(|path| path.strip_prefix("customer.").expect("a path in the request").to_owned());
    Some(paths.collect::<Vec<_>>().join(","))
}

/// The fields in the `BadRequest`, in order.
pub fn bad_fields(status: &Status) -> Vec<String> {
    let details = status.get_details_bad_request();
    details.into_iter().flat_map(|bad| bad.field_violations).map(|violation| violation.field).collect()
}

/// Asserts an error's code and reason; a failure shows the whole error.
#[track_caller]
pub fn assert_refused<T: std::fmt::Debug>(result: Result<T, Status>, code: Code, expected: &str) -> Status {
    let status = result.expect_err("the call should be refused");
    assert_eq!((status.code(), reason(&status).as_str()), (code, expected), "{status:?}");
    crate::field_paths::check(&status);
    status
}

/// Makes the same call so many times concurrently; returns the answers in order.
pub async fn repeat_at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    calls: usize,
    call: impl Fn() -> F,
) -> Vec<T> {
    at_once((0..calls).map(|_| call())).await
}

/// Waits until a condition is true; the test fails if it is not within 20 seconds.
pub async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let mut poll = tokio::time::interval(Duration::from_millis(10));
    while !condition().await {
        assert!(tokio::time::Instant::now() < deadline, "timed out waiting until {what}");
        poll.tick().await;
    }
}

/// Makes concurrent calls, each in a task that starts when all tasks exist; returns their answers in order.
pub async fn at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    calls: impl IntoIterator<Item = F>,
) -> Vec<T> {
    let calls: Vec<F> = calls.into_iter().collect();
    let start = Arc::new(tokio::sync::Barrier::new(calls.len()));
    let calls: Vec<_> = calls
        .into_iter()
        .map(|call| {
            let start = Arc::clone(&start);
            tokio::spawn(async move {
                start.wait().await;
                call.await
            })
        })
        .collect();
    let mut answers = Vec::with_capacity(calls.len());
    for call in calls {
        answers.push(call.await.unwrap());
    }
    answers
}

/// Number of rounds in tests of races and faults: `CLIENTELE_FAULT_ROUNDS`, or the usual number.
pub fn rounds(usual: u32) -> u32 {
    std::env::var("CLIENTELE_FAULT_ROUNDS").map_or(usual, |rounds| rounds.parse().expect("a number of rounds"))
}

/// The delay in the error's RetryInfo, if it has one.
pub fn retry_delay(status: &Status) -> Option<Duration> {
    status.get_details_retry_info().and_then(|info| info.retry_delay)
}
