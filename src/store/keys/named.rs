//! The keys of customers, tags and branches: a row has an id, a name, and the key of the name.

use std::slice::from_ref;

use sqlx::PgConnection;
use uuid::Uuid;

use super::rekeyed::{AT_ONCE, Conflict, Rekeyed, is_of_one_row};
use crate::{domain::values::key::Key, store::sql::sql, telemetry::Statement as _};

/// The tables.
#[derive(Clone, Copy, Debug)]
pub(super) enum Table {
    Customers,
    Tags,
    Branches,
}

struct Row {
    id: Uuid,
    name: String,
    name_key: String,
}

/// A row whose key changes.
struct Stale {
    row: Row,
    key: Key,
}

/// Brings the keys of one tenant's rows to the new rule.
pub(super) async fn rekey(
    conn: &mut PgConnection,
    tenant: Uuid,
    table: Table,
    rekeyed: &mut Rekeyed,
) -> sqlx::Result<()> {
    let mut last = Uuid::nil();
    loop {
        let rows = table.read(conn, tenant, last).await?;
        let Some(end) = rows.last() else { return Ok(()) };
        last = end.id;
        let stale: Vec<Stale> = rows
            .into_iter()
            .map(|row| Stale { key: Key::fold(&row.name), row })
            .filter(|stale| stale.key.as_str() != stale.row.name_key)
            .collect();
        match table.write(conn, tenant, &stale).await {
            Ok(changed) => rekeyed.changed += changed,
            Err(failure) if is_of_one_row(&failure) => table.write_singly(conn, tenant, &stale, rekeyed).await?,
            Err(failure) => return Err(failure),
        }
    }
}

/// `read_rows!("customers", …)`, and so on: the same statement on each of the tables.
macro_rules! read_rows {
    // An erased customer has no name, and its id as the key.
    ($table:tt, $tenant:expr, $after:expr) => {
        sql!(
            query_as Row,
            "select id, name, name_key from " $table " where tenant_id = $1 and id > $2 and name <> '' order by id limit $3",
            $tenant,
            $after,
            AT_ONCE,
        )
    };
}

macro_rules! write_keys {
    ($table:tt, $tenant:expr, $stale:expr) => {
        sql!(
            query,
            "update " $table " c set name_key = n.key
            from unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) as n (id, name, old_key, key)
            where c.tenant_id = $1 and c.id = n.id and c.name = n.name and c.name_key = n.old_key",
            $tenant,
            &$stale.iter().map(|stale| stale.row.id).collect::<Vec<_>>(),
            &$stale.iter().map(|stale| stale.row.name.clone()).collect::<Vec<_>>(),
            &$stale.iter().map(|stale| stale.row.name_key.clone()).collect::<Vec<_>>(),
            &$stale.iter().map(|stale| stale.key.as_str().to_owned()).collect::<Vec<_>>(),
        )
    };
}

macro_rules! find_holder {
    ($table:tt, $scope:tt, $tenant:expr, $stale:expr) => {
        sql!(
            query_scalar,
            "select o.id
            from " $table " c
            join " $table " o on o.tenant_id = c.tenant_id and o." $scope " = c." $scope " and o.name_key = $3
            where c.tenant_id = $1 and c.id = $2 and o.id <> c.id",
            $tenant,
            $stale.row.id,
            $stale.key.as_str(),
        )
    };
}

impl Table {
    pub(super) const ALL: [Self; 3] = [Self::Customers, Self::Tags, Self::Branches];

    const fn name(self) -> &'static str {
        match self {
            Self::Customers => "customers",
            Self::Tags => "tags",
            Self::Branches => "branches",
        }
    }

    async fn read(self, conn: &mut PgConnection, tenant: Uuid, after: Uuid) -> sqlx::Result<Vec<Row>> {
        match self {
            Self::Customers => {
                read_rows!("customers", tenant, after).fetch_all(conn).named("keys.read_customers").await
            }
            Self::Tags => read_rows!("tags", tenant, after).fetch_all(conn).named("keys.read_tags").await,
            Self::Branches => read_rows!("branches", tenant, after).fetch_all(conn).named("keys.read_branches").await,
        }
    }

    /// Returns how many rows were changed.
    async fn write(self, conn: &mut PgConnection, tenant: Uuid, stale: &[Stale]) -> sqlx::Result<u64> {
        if stale.is_empty() {
            return Ok(0);
        }
        let done = match self {
            Self::Customers => {
                write_keys!("customers", tenant, stale).execute(conn).named("keys.write_customers").await
            }
            Self::Tags => write_keys!("tags", tenant, stale).execute(conn).named("keys.write_tags").await,
            Self::Branches => write_keys!("branches", tenant, stale).execute(conn).named("keys.write_branches").await,
        };
        Ok(done?.rows_affected())
    }

    async fn write_singly(
        self,
        conn: &mut PgConnection,
        tenant: Uuid,
        stale: &[Stale],
        rekeyed: &mut Rekeyed,
    ) -> sqlx::Result<()> {
        for stale in stale {
            let Some(failure) = rekeyed.count(self.write(conn, tenant, from_ref(stale)).await)? else { continue };
            // None if the holder went away meanwhile: the next run brings this row up to date.
            let holder = self.holder(conn, tenant, stale).await?.ok_or(failure)?;
            rekeyed.report(Conflict { tenant, table: self.name(), row: stale.row.id, holder });
        }
        Ok(())
    }

    /// The other row of the same scope that has the key.
    async fn holder(self, conn: &mut PgConnection, tenant: Uuid, stale: &Stale) -> sqlx::Result<Option<Uuid>> {
        match self {
            Self::Customers => {
                let holder = find_holder!("customers", "name_scope", tenant, stale);
                holder.fetch_optional(conn).named("keys.holder_of_customer").await
            }
            Self::Tags => {
                let holder = find_holder!("tags", "account_id", tenant, stale);
                holder.fetch_optional(conn).named("keys.holder_of_tag").await
            }
            Self::Branches => {
                let holder = find_holder!("branches", "account_id", tenant, stale);
                holder.fetch_optional(conn).named("keys.holder_of_branch").await
            }
        }
    }
}
