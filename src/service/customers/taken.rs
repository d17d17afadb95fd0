//! What it means to the caller that another customer has a value: the error names that customer if the caller sees it.

use sqlx::PgConnection;

use super::{Customers, similar_names};
use crate::{
    domain::{
        access::caller::Caller,
        fields::customer_fields::CustomerFields,
        values::{
            custom_id::{CustomIds, System},
            ids::{AccountId, CustomerId, EventId},
        },
    },
    error::{Error, Result},
    service::{clock, pool::Lease},
    store::{self, Write},
};

impl Customers {
    /// Turns a broken key of fields that are an owner's into what it means.
    pub(super) async fn explain_taken(
        &self,
        caller: &Caller,
        owner: AccountId,
        fields: &CustomerFields,
        failure: Error,
    ) -> Error {
        match failure.broken_key() {
            Some("customers_name_key") => self.name_taken(caller, owner, fields).await,
            Some("customers_order_reference_key") => self.order_reference_taken(caller, owner, fields).await,
            _ => failure,
        }
    }

    /// `NameTaken`, with similar names that are free.
    async fn name_taken(&self, caller: &Caller, owner: AccountId, fields: &CustomerFields) -> Error {
        let similar = similar_names(fields);
        let (scope, name) = (caller.scope(), &fields.name);
        let check =
            self.look(async |conn| store::customers::taken::check_name(conn, scope, owner, name, &similar).await).await;
        check.map_or(Error::NameTaken { free: Vec::new(), by: None }, |check| Error::NameTaken {
            free: check.free,
            by: check.by,
        })
    }

    async fn order_reference_taken(&self, caller: &Caller, owner: AccountId, fields: &CustomerFields) -> Error {
        let Some(reference) = &fields.order_reference else { return Error::OrderReferenceTaken { by: None } };
        let scope = caller.scope();
        let by = self
            .look(async |conn| store::customers::taken::by_order_reference(conn, scope, owner, reference).await)
            .await;
        Error::OrderReferenceTaken { by: by.unwrap_or_default() }
    }

    /// `CustomIdTaken` for the first of these custom IDs that another customer than `except` has; `field` names the field
    /// of a system.
    pub(super) async fn custom_id_taken(
        &self,
        caller: &Caller,
        ids: &CustomIds,
        except: Option<CustomerId>,
        field: impl Fn(&System) -> String,
    ) -> Error {
        let scope = caller.scope();
        let taken =
            self.look(async |conn| store::customers::taken::by_custom_ids(conn, scope, ids, except).await).await;
        let (system, by) = taken.ok().flatten().unzip();
        Error::CustomIdTaken { field: system.map(|system| field(&system)), by: by.flatten() }
    }

    /// Runs one read that explains a failure.
    async fn look<T>(&self, read: impl AsyncFnOnce(&mut PgConnection) -> Result<T>) -> Result<T> {
        let mut lease: Lease = self.pool.lease().await?;
        lease.run(read).await
    }
}

/// Releases these custom IDs where a customer has them that the acting account does not see any more. Returns whether there
/// was one.
pub(super) async fn release_hidden(
    conn: &mut PgConnection,
    caller: &Caller,
    ids: &CustomIds,
    write: Write<'_>,
) -> Result<bool> {
    let hidden = store::customers::find_hidden(conn, caller.scope(), ids).await?;
    if hidden.is_empty() {
        return Ok(false);
    }
    let hidden: Vec<_> = hidden.into_iter().map(|holder| (holder, EventId::from_uuid(clock::new_id()))).collect();
    store::customers::release(conn, caller, &hidden, write).await?;
    Ok(true)
}
