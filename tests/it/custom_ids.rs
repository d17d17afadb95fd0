//! Helpers for the tests of custom IDs and look-ups.

use std::fmt::Debug;

use clientele::grpc::pb::{self, Reach, UpsertResult};
use sqlx::Row as _;
use tonic::{IntoRequest as _, Request, Status, metadata::MetadataValue};

use crate::world::{Client, World, customer, mask};

/// A FLEET customer.
pub fn fleet(name: &str) -> pb::Customer {
    pb::Customer { reach: Reach::Fleet.into(), ..customer(name) }
}

/// A customer with these custom IDs.
pub fn with_custom_ids(name: &str, ids: &[(&str, &str)]) -> pb::Customer {
    let custom_ids = ids.iter().map(|(system, id)| ((*system).to_owned(), (*id).to_owned())).collect();
    pb::Customer { custom_ids, ..customer(name) }
}

/// A change of one custom ID.
pub fn change(id: &str, system: &str, custom_id: &str) -> pb::UpdateCustomIdRequest {
    pb::UpdateCustomIdRequest {
        customer_id: id.to_owned(),
        system: system.to_owned(),
        custom_id: custom_id.to_owned(),
        ..Default::default()
    }
}

/// The same call, narrowed to a customer.
pub fn narrowed<M>(message: M, customer: &str) -> Request<M> {
    let mut request = message.into_request();
    request.metadata_mut().insert("clientele-customer", MetadataValue::try_from(customer).unwrap());
    request
}

/// A look-up request.
pub fn by(custom_id: &str, system: &str) -> pb::LookupCustomerRequest {
    pb::LookupCustomerRequest { custom_id: custom_id.to_owned(), system: system.to_owned(), ..Default::default() }
}

/// An upsert.
pub fn upsert(customer: pb::Customer, paths: &[&str]) -> pb::UpsertCustomerRequest {
    pb::UpsertCustomerRequest { customer: Some(customer), update_mask: Some(mask(paths)), ..Default::default() }
}

impl Client {
    /// Changes one custom ID.
    pub async fn set_id(&self, id: &str, system: &str, custom_id: &str) -> Result<pb::Customer, Status> {
        Ok(self.set(change(id, system, custom_id)).await?.customer.unwrap())
    }

    /// The same with a complete request.
    pub async fn set(&self, request: pb::UpdateCustomIdRequest) -> Result<pb::UpdateCustomIdResponse, Status> {
        Ok(self.customers().update_custom_id(request).await?.into_inner())
    }

    /// The id of the customer with this custom ID, and whether it is an alias.
    pub async fn lookup(&self, custom_id: &str, system: &str) -> Result<(String, bool), Status> {
        let found = self.customers().lookup_customer(by(custom_id, system)).await?.into_inner();
        Ok((found.customer.clone().unwrap().id, found.resolved_by() == pb::ResolvedBy::Alias))
    }

    /// Creates or updates a customer.
    pub async fn upsert(&self, request: pb::UpsertCustomerRequest) -> Result<(pb::Customer, UpsertResult), Status> {
        let done = self.customers().upsert_customer(request).await?.into_inner();
        Ok((done.customer.clone().unwrap(), done.result()))
    }
}

/// All rows that a call on a customer may write, as text.
pub async fn written(world: &World) -> Vec<String> {
    let mut conn = world.sql().await;
    let mut rows = Vec::new();
    for table in ["customers", "customer_links", "custom_ids", "events", "requests"] {
        let statement = format!("select '{table} ' || t::text as row from {table} t order by 1");
        let found = sqlx::query(sqlx::AssertSqlSafe(statement)).fetch_all(&mut conn).await.unwrap();
        rows.extend(found.iter().map(|row| row.get::<String, _>("row")));
    }
    rows
}

/// Asserts that the copies of custom IDs in other rows equal `custom_ids`, and that each change of a link has its event.
pub async fn assert_consistent(world: &World) {
    let mut conn = world.sql().await;
    let statement = "
        select c.name, l.account_id::text as account, l.revision, l.custom_ids::text as link_ids,
               coalesce((
                   select jsonb_object_agg(i.system, i.value) from custom_ids i
                   where i.customer_id = c.id and i.account_id = l.account_id and i.is_current
               ), '{}')::text as truth,
               (select count(*) from events e where e.customer_id = c.id and e.audience = l.account_id) as events,
               l.account_id = c.account_id as own, c.owner_link_revision, c.owner_custom_ids::text as own_ids
        from customers c join customer_links l on l.customer_id = c.id";
    let links = sqlx::query(statement).fetch_all(&mut conn).await.unwrap();
    assert!(!links.is_empty());
    for link in links {
        let text = |column: &str| link.get::<String, _>(column);
        let number = |column: &str| link.get::<i64, _>(column);
        assert_eq!(text("link_ids"), text("truth"), "{} of {}", text("name"), text("account"));
        assert_eq!(number("revision"), number("events"), "{} of {}", text("name"), text("account"));
        if link.get::<bool, _>("own") {
            assert_eq!(text("own_ids"), text("truth"), "{}", text("name"));
            assert_eq!(number("owner_link_revision"), number("revision"), "{}", text("name"));
        }
    }
}

/// The answers of concurrent calls, in any order.
pub async fn at_once<T, F>(calls: impl IntoIterator<Item = F>) -> Vec<T>
where
    T: Send + Debug + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut set = tokio::task::JoinSet::new();
    for call in calls {
        set.spawn(call);
    }
    set.join_all().await
}
