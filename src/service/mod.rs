//! Use cases: they own the transaction and the clock, and contain no SQL. Each takes the caller first.

pub mod access;
pub mod accounts;
pub mod billing;
pub mod bytes;
pub mod call;
pub mod clock;
pub mod customers;
pub mod exchange;
pub mod history;
mod large_batches;
pub mod mail;
mod mutation;
pub mod page;
pub mod pool;
pub mod rate;
pub mod readiness;
pub mod seal;
pub mod share;
pub mod shares;
pub mod streams;
pub mod tags;

use std::sync::Arc;

use self::{
    access::{
        Access,
        cache::{AccessCache, MAX_AGE},
        inviting::Inviting,
    },
    accounts::Accounts,
    billing::{Billing, BillingReport, PaymentMethods},
    customers::Customers,
    exchange::Exchange,
    history::History,
    large_batches::LargeBatches,
    mail::Mailer,
    mutation::Mutations,
    pool::Pool,
    readiness::Obstacle,
    seal::Sealer,
    streams::Streams,
    tags::Tags,
};
use crate::{
    config::Config,
    error::{Error, Result},
    store,
    telemetry::{PoolStatus, names},
};

/// All use cases.
#[derive(Clone)]
pub struct Services {
    /// Access and members.
    pub access: Arc<Access>,
    /// Tenants, accounts and branches.
    pub accounts: Accounts,
    /// Features, rate plans, credit.
    pub billing: Billing,
    /// Customers.
    pub customers: Customers,
    /// Data in bulk.
    pub exchange: Exchange,
    /// The history of customers.
    pub history: History,
    /// The mails of invitations.
    pub mailer: Mailer,
    /// The billing report.
    pub billing_report: BillingReport,
    /// The payment methods of customers.
    pub payment_methods: PaymentMethods,
    /// The accounts' catalogues of tags.
    pub tags: Tags,
    pool: Pool,
    searches: Pool,
    streams: Streams,
}

/// Stored answers, and invitations that have ended, are kept this long.
const KEPT_DAYS: i64 = 30;
/// Rows that one statement of the sweeper deletes.
const SWEPT_AT_ONCE: i64 = 1_000;

impl Services {
    /// Builds the services. It does not connect: without a database, calls fail until it is back.
    ///
    /// # Errors
    /// A configuration that `Config::verify` refuses.
    pub fn new(config: &Config) -> Result<Self> {
        let pool = Pool::new(names::MAIN, &config.database, config.database.pool_size);
        let searches = Pool::new(names::SEARCH, &config.database, config.database.search_pool_size);
        let streams = Streams::new(Pool::for_streams(&config.database));
        let sealer = Arc::new(Sealer::new(config.sealing.clone())?);
        let cache = AccessCache::new(MAX_AGE);
        let mutations = Mutations::new(pool.clone(), cache.clone());
        let inviting = Inviting::new(Arc::clone(&sealer), &config.mail);
        let access = Arc::new(Access::new(pool.clone(), mutations.clone(), inviting.clone(), cache, config));
        let customers = Customers::new(
            pool.clone(),
            searches.clone(),
            mutations.clone(),
            LargeBatches::new(config.database.pool_size),
            Arc::clone(&sealer),
            inviting.clone(),
        );
        Ok(Self {
            accounts: Accounts::new(pool.clone(), mutations.clone(), Arc::clone(&sealer), inviting.clone()),
            billing: Billing::new(pool.clone(), mutations.clone(), Arc::clone(&sealer), customers.clone()),
            billing_report: BillingReport::new(streams.clone(), Arc::clone(&access)),
            payment_methods: PaymentMethods::new(pool.clone(), mutations.clone(), customers.clone()),
            exchange: Exchange::new(
                pool.clone(),
                Arc::new(customers.clone()),
                Arc::clone(&access),
                Arc::clone(&sealer),
            ),
            access,
            customers,
            history: History::new(pool.clone(), Arc::clone(&sealer)),
            mailer: Mailer::new(pool.clone(), inviting, config.mail.clone()),
            tags: Tags::new(pool.clone(), mutations, sealer),
            pool,
            searches,
            streams,
        })
    }

    /// The current sessions with the database.
    #[must_use]
    pub fn sessions(&self) -> [PoolStatus; 3] {
        [self.pool.sessions(), self.searches.sessions(), self.streams.pool().sessions()]
    }

    /// Ends all streams: a server that stops does not wait for them.
    pub fn end_streams(&self) {
        self.streams.shut_down();
    }

    /// Why the database cannot be used by this server, if it cannot: it does not answer, a pooler gives its sessions to others, or
    /// its schema is not new enough. Once no pooler was found, none is looked for again.
    pub async fn database_obstacle(&self) -> Option<Obstacle> {
        let server = || self.pool.server();
        let found = async {
            if self.pool.shares_sessions().await? {
                return Ok(Some(Obstacle::PoolerInTransactionMode { server: server() }));
            }
            let mut lease = self.pool.lease().await?;
            let found = lease.run(async |conn| Ok(store::migrations::schema_version(conn).await?)).await?;
            let needed = store::migrations::newest();
            Ok((found < needed).then_some(Obstacle::SchemaOutdated { found, needed }))
        };
        found.await.unwrap_or_else(|error: Error| {
            let cause = match error {
                Error::Unavailable { cause } => cause,
                other => other.to_string(),
            };
            Some(Obstacle::DatabaseUnavailable { server: server(), cause })
        })
    }

    /// The settings of PostgreSQL that let its own log show customers' data; empty if there are none.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn indiscreet_settings(&self) -> Result<Vec<String>> {
        let mut lease = self.pool.lease().await?;
        lease.run(async |conn| store::server_log::indiscreet(conn).await).await
    }

    /// Deletes stored answers that are older than 30 days, in batches, and returns their number; invitations that ended as long
    /// ago, with their addresses; and images of merges that were made as long ago. Accepts memberships of first admins that wait.
    /// Replicas may do so at the same time.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn sweep(&self) -> Result<u64> {
        self.access.accept_first_admins().await?;
        let before = clock::now() - chrono::TimeDelta::days(KEPT_DAYS);
        let mut swept = 0;
        loop {
            let mut lease = self.pool.lease().await?;
            let batch = lease.run(async |conn| store::requests::sweep(conn, before, SWEPT_AT_ONCE).await).await?;
            swept += batch;
            if batch < SWEPT_AT_ONCE.unsigned_abs() {
                break;
            }
        }
        loop {
            let mut lease = self.pool.lease().await?;
            let batch = lease.run(async |conn| store::access::outbox::sweep(conn, before, SWEPT_AT_ONCE).await).await?;
            if batch < SWEPT_AT_ONCE.unsigned_abs() {
                break;
            }
        }
        loop {
            let mut lease = self.pool.lease().await?;
            let images = lease
                .run(async |conn| store::customers::merge::images::sweep(conn, before, SWEPT_AT_ONCE).await)
                .await?;
            if images < SWEPT_AT_ONCE.unsigned_abs() {
                return Ok(swept);
            }
        }
    }
}
