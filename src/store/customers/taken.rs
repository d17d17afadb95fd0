//! Which customer has a value that must be unique. Its id is returned only if the caller sees it.

use sqlx::PgConnection;

use super::path;
use crate::{
    domain::{
        access::caller::Scope,
        values::{
            custom_id::{CustomIds, System},
            ids::{AccountId, CustomerId},
            name::Name,
            text::Text,
        },
    },
    error::Result,
    store::sql::sql,
    telemetry::Statement as _,
};

/// Whether a name is taken where the tenant's rule requires an owner's names to be unique.
#[derive(Clone, Debug)]
pub struct NameCheck {
    /// Whether it is.
    pub taken: bool,
    /// The customer that has it.
    pub by: Option<CustomerId>,
    /// Those of the similar names that are free.
    pub free: Vec<String>,
}

/// Checks a name and names that are similar to it.
pub async fn check_name(
    conn: &mut PgConnection,
    scope: &Scope,
    owner: AccountId,
    name: &Name,
    similar: &[Name],
) -> Result<NameCheck> {
    let key = |name: &Name| name.key().as_str().to_owned();
    let keys: Vec<String> = std::iter::once(name).chain(similar).map(key).collect();
    let taken = sql!(
        query,
        r#"
        select c.name_key, c.id, "# VISIBLE r#" as "seen!"
        from tenants t
        join customers c
          on c.tenant_id = t.tenant_id
         and c.name_scope = case t.name_uniqueness when 'ACCOUNT' then $5::uuid when 'TENANT' then t.tenant_id end
        where t.tenant_id = $1 and c.tenant_id = $1 and c.name_key = any($2)
        "#,
        scope.tenant().get(),
        &keys,
        scope.root().get(),
        &path(scope),
        owner.get(),
    )
    .fetch_all(conn)
    .named("customers.check_name")
    .await?;
    let holder = |name: &Name| taken.iter().find(|row| row.name_key == name.key().as_str());
    let free = similar.iter().filter(|name| holder(name).is_none()).map(|name| name.as_str().to_owned()).collect();
    let by = holder(name).filter(|row| row.seen).map(|row| CustomerId::from_uuid(row.id));
    Ok(NameCheck { taken: holder(name).is_some(), by: by.filter(|id| scope.admits(*id)), free })
}

/// Finds the customer of an account that has this order reference.
pub async fn by_order_reference(
    conn: &mut PgConnection,
    scope: &Scope,
    owner: AccountId,
    reference: &Text<255>,
) -> Result<Option<CustomerId>> {
    let found = sql!(
        query_scalar,
        "select c.id from customers c
        where c.tenant_id = $1 and c.account_id = $5 and c.order_reference = $2 and " VISIBLE,
        scope.tenant().get(),
        reference.as_str(),
        scope.root().get(),
        &path(scope),
        owner.get(),
    )
    .fetch_optional(conn)
    .named("customers.by_order_reference")
    .await?;
    Ok(found.map(CustomerId::from_uuid).filter(|id| scope.admits(*id)))
}

/// Finds the first of these custom IDs that another customer of the acting account has, which the account sees: the
/// system and the customer. The customer's id is left out if the call is narrowed to another one.
pub async fn by_custom_ids(
    conn: &mut PgConnection,
    scope: &Scope,
    ids: &CustomIds,
    except: Option<CustomerId>,
) -> Result<Option<(System, Option<CustomerId>)>> {
    let (systems, keys): (Vec<String>, Vec<String>) =
        ids.iter().map(|(system, id)| (system.as_str().to_owned(), id.key().as_str().to_owned())).unzip();
    let taken = sql!(
        query,
        "select i.system, c.id
        from unnest($2::text[], $5::text[]) as asked (system, value_key)
        join custom_ids i on i.system = asked.system and i.value_key = asked.value_key
        join customers c on c.tenant_id = i.tenant_id and c.id = i.customer_id
        where i.tenant_id = $1 and i.account_id = $3 and i.is_current and c.id is distinct from $6 and " VISIBLE "
        order by i.system
        limit 1",
        scope.tenant().get(),
        &systems,
        scope.root().get(),
        &path(scope),
        &keys,
        except.map(CustomerId::get) as _,
    )
    .fetch_optional(conn)
    .named("customers.by_custom_ids")
    .await?;
    let Some(taken) = taken else { return Ok(None) };
    let id = CustomerId::from_uuid(taken.id);
    let system = ids.keys().find(|system| system.as_str() == taken.system);
    Ok(system.map(|system| (system.clone(), scope.admits(id).then_some(id))))
}
