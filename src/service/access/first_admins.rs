//! Accepts memberships of first admins that wait. An operator's choice of a tenant's first admin needs no consent; but an older
//! release, which knows none, writes a membership that waits while a rollout lasts.

use sqlx::PgConnection;

use super::{Access, cache::Stale};
use crate::{
    domain::{
        access::member::Member,
        requests::{
            contract,
            options::{Options, Outcome},
            principal::{Author, Principal},
        },
        values::ids::TenantId,
    },
    error::{Error, Result},
    service::{
        clock,
        mutation::{Call, write_by},
        pool::{End, Lease},
    },
    store,
};

/// First admins that one run accepts; the next run accepts others.
const AT_ONCE: i64 = 100;
/// The RPC that the events name: the one that the older release answered.
const RPC: &str = "/clientele.v1.AccountService/CreateTenant";

impl Access {
    /// Accepts the memberships of first admins in tenants that have no accepted ADMIN, and returns their number. Replicas may do
    /// so at the same time.
    ///
    /// # Errors
    /// A failure of the database.
    pub(in crate::service) async fn accept_first_admins(&self) -> Result<usize> {
        let waiting = {
            let mut lease = self.pool.lease().await?;
            lease.run(async |conn| store::access::first_admins::waiting(conn, AT_ONCE).await).await?
        };
        for (tenant, member) in &waiting {
            let (author, options) = (author(&member.principal)?, Options::default());
            let stale = Stale::Memberships(*tenant, member.principal.clone());
            let call = Call::by(&author, *tenant, &options).making_stale(Some(stale));
            let attempt = |mut lease: Lease| {
                let author = &author;
                async move { lease.transaction(End::Commit, async |conn| accept(conn, author, *tenant, member).await).await }
            };
            self.mutations.run(call, attempt, async |_| Ok(())).await?;
        }
        Ok(waiting.len())
    }
}

/// Accepts the membership if it still waits.
async fn accept(conn: &mut PgConnection, author: &Author, tenant: TenantId, member: &Member) -> Result<Outcome<()>> {
    store::access::members::lock_tenant(conn, tenant).await?;
    let locked = store::access::consent::lock(conn, tenant, &author.principal, member.id).await;
    let before = match locked {
        Err(Error::MembershipNotFound) => return Ok(Outcome::unchanged(())),
        locked => locked?.0,
    };
    if before != *member {
        return Ok(Outcome::unchanged(()));
    }
    let after = Member { waiting: false, ..before.clone() };
    let write = write_by(author, Some(before.account), clock::now(), &Options::default());
    store::access::consent::accept(conn, tenant, &before, &after, None, write).await?;
    Ok(Outcome::changed(()))
}

/// The author of the events: on behalf of the first admin.
fn author(principal: &Principal) -> Result<Author> {
    Ok(Author {
        principal: principal.clone(),
        actors: vec![Principal::new("clientele", "first admins")],
        workload: None,
        rpc: contract::rpc(RPC).ok_or_else(|| Error::internal("the contract has no CreateTenant"))?,
        trace_id: String::new(),
        deadline: None,
    })
}
