//! Use cases: they own the transaction and the clock, and write no SQL. Every one takes the caller first.

pub mod access;
pub mod accounts;
pub mod clock;
pub mod customers;
pub mod history;
mod mutation;
pub mod page;
pub mod pool;
pub mod seal;
pub mod tags;

use std::sync::Arc;

use self::{
    access::Access, accounts::Accounts, customers::Customers, history::History, pool::Pool, seal::Sealer, tags::Tags,
};
use crate::{
    config::Config,
    error::Result,
    store,
    telemetry::{PoolStatus, names},
};

/// All use cases, wired.
#[derive(Clone)]
pub struct Services {
    /// Who may act where.
    pub access: Arc<Access>,
    /// Tenants, accounts and members.
    pub accounts: Accounts,
    /// Customers.
    pub customers: Customers,
    /// What happened to them.
    pub history: History,
    /// Accounts' catalogues of tags.
    pub tags: Tags,
    pool: Pool,
    searches: Pool,
}

/// Answers of requests are kept this long.
const KEPT_DAYS: i64 = 30;
/// Answers that one statement of the sweeper deletes.
const SWEPT_AT_ONCE: i64 = 1_000;

impl Services {
    /// Wires the services. It does not connect: a database that is away only makes calls fail until it is back.
    ///
    /// # Errors
    /// A configuration that `Config::verify` would have refused.
    pub fn new(config: &Config) -> Result<Self> {
        let pool = Pool::new(names::MAIN, &config.database, config.database.pool_size)?;
        let searches = Pool::new(names::SEARCH, &config.database, config.database.search_pool_size)?;
        let sealer = Arc::new(Sealer::new(config.sealing.clone())?);
        let access = Arc::new(Access::new(pool.clone(), &config.identity));
        Ok(Self {
            accounts: Accounts::new(pool.clone(), Arc::clone(&sealer), Arc::clone(&access)),
            customers: Customers::new(pool.clone(), searches.clone(), Arc::clone(&sealer), Arc::clone(&access)),
            history: History::new(pool.clone(), Arc::clone(&sealer)),
            tags: Tags::new(pool.clone(), sealer),
            access,
            pool,
            searches,
        })
    }

    /// The sessions with the database now.
    #[must_use]
    pub fn sessions(&self) -> [PoolStatus; 2] {
        [self.pool.sessions(), self.searches.sessions()]
    }

    /// Whether the database is there and its schema new enough for this server.
    pub async fn schema_ready(&self) -> bool {
        let current = async {
            let mut lease = self.pool.lease().await?;
            lease.run(async |conn| Ok(store::migrations::is_current(conn).await?)).await
        };
        current.await.unwrap_or(false)
    }

    /// The settings under which PostgreSQL's own log shows customers' data; nothing if there are none.
    ///
    /// # Errors
    /// What the database says.
    pub async fn indiscreet_settings(&self) -> Result<Vec<String>> {
        let mut lease = self.pool.lease().await?;
        lease.run(async |conn| store::server_log::indiscreet(conn).await).await
    }

    /// Deletes stored answers that are older than 30 days, in batches; says how many. Any number of replicas may do so
    /// at once.
    ///
    /// # Errors
    /// What the database says.
    pub async fn sweep(&self) -> Result<u64> {
        let before = clock::now() - chrono::TimeDelta::days(KEPT_DAYS);
        let mut swept = 0;
        loop {
            let mut lease = self.pool.lease().await?;
            let batch = lease.run(async |conn| store::requests::sweep(conn, before, SWEPT_AT_ONCE).await).await?;
            swept += batch;
            if batch < SWEPT_AT_ONCE.unsigned_abs() {
                return Ok(swept);
            }
        }
    }
}
