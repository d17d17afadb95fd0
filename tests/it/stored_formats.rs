//! A customer with everything, as the database stores it and as the wire shows it. A change of these golden files is a change of
//! what other releases read, or of what clients see.

use std::{collections::BTreeMap, fmt::Write as _};

use clientele::grpc::pb;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    payment_methods::{add, adding},
    place_hold::place,
    world::{TestAccount, World, full_customer, request_id},
};

/// Replaces each UUID by its number in the order of appearance.
#[derive(Default)]
struct Ids(BTreeMap<Uuid, usize>);

impl Ids {
    fn numbered(&mut self, text: &str) -> String {
        let (mut out, mut rest) = (String::new(), text);
        while let Some(first) = rest.chars().next() {
            match rest.get(..36).and_then(|head| Uuid::try_parse(head).ok()) {
                Some(id) => {
                    let next = self.0.len() + 1;
                    _ = write!(out, "<id {}>", self.0.entry(id).or_insert(next));
                    rest = &rest[36..];
                }
                None => {
                    out.push(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        out
    }
}

/// Replaces what is another each time: timestamps, transaction ids, hashes. Null stays null.
fn steady(value: &mut Value) {
    const MOVING: [&str; 6] = ["xid", "seq", "epoch", "trace_id", "fingerprint", "subject"];
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let moves = MOVING.contains(&name.as_str()) || name == "at" || name.ends_with("_at");
                if moves && !field.is_null() {
                    *field = format!("<{name}>").into();
                }
                steady(field);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(steady),
        Value::String(text) if text.contains("-admin-") => "https://tests.example <subject>".clone_into(text),
        _ => {}
    }
}

/// A FLEET customer of north with all that can be on it, after a suspension and an archiving.
async fn full(world: &World, north: &TestAccount) -> pb::Customer {
    let wanted = pb::Customer {
        branch_id: north.branch("Harbour").await,
        sales_person_id: north.add("sales", pb::Role::Member).await.member_id,
        reach: pb::Reach::Fleet.into(),
        ..full_customer("Copaco")
    };
    let create = pb::CreateCustomerRequest { customer: Some(wanted), request_id: request_id(), validate_only: false };
    let id = north.admin.customers().create_customer(create).await.unwrap().into_inner().customer.unwrap().id;
    north.admin.tag(&[&id], &["vip"], &[]).await.unwrap();
    place(&north.admin, &id, "open-orders").await.unwrap();
    add(&north.admin, &adding(&id)).await.unwrap();
    crate::suspend_customer::suspend(&north.admin, &id).await.unwrap();
    north.admin.archive(&[&id]).await.unwrap();
    // A migration that was reverted, as the row keeps it.
    let migration = r#"update customers set migration = jsonb_build_object(
        'account_id', account_id, 'from_account_id', account_id, 'at', now(), 'reverted_at', now()
    )"#;
    sqlx::raw_sql(migration).execute(&mut world.sql().await).await.unwrap();
    north.admin.get(&id).await.unwrap()
}

#[tokio::test]
async fn a_full_customer_is_stored_and_shown_as_its_golden_files_have_it() {
    let world = World::start().await;
    let north = world.tenant("acme").await.child("north").await;
    let mut shown = full(&world, &north).await;
    let mut ids = Ids::default();

    for (table, order) in [
        ("customers", "id"),
        ("customer_links", "account_id"),
        ("custom_ids", "system"),
        ("customer_tags", "tag_id"),
        ("customer_search", "customer_id"),
        ("payment_methods", "id"),
        ("events", "seq"),
        ("requests", "request_id"),
    ] {
        let read = format!(
            "select coalesce(jsonb_agg(to_jsonb(t) order by t.{order}), '[]') from {table} t where t.customer_id = $1::uuid"
        );
        let read = if table == "customers" { read.replace("customer_id", "id") } else { read };
        let mut rows: Value = sqlx::query_scalar(sqlx::AssertSqlSafe(read))
            .bind(&shown.id)
            .fetch_one(&mut world.sql().await)
            .await
            .unwrap();
        steady(&mut rows);
        let text = serde_json::to_string_pretty(&rows).unwrap();
        insta::assert_snapshot!(format!("stored_{table}"), ids.numbered(&text));
    }

    assert!(shown.etag.len() > 20, "{}", shown.etag);
    shown.etag = "<etag>".to_owned();
    let zero = prost_types::Timestamp::default;
    (shown.create_time, shown.update_time, shown.archived_at) = (Some(zero()), Some(zero()), Some(zero()));
    shown.holds[0].create_time = Some(zero());
    for principal in [&mut shown.created_by, &mut shown.updated_by, &mut shown.holds[0].placed_by] {
        assert!(principal.as_mut().unwrap().subject.starts_with("acme-admin"));
        principal.as_mut().unwrap().subject = "<subject>".to_owned();
    }
    insta::assert_snapshot!("shown", ids.numbered(&format!("{shown:#?}")));
}
