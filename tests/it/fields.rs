//! The table of a customer's fields, compared with the contract and with the schema.

use std::collections::BTreeSet;

use clientele::{
    domain::fields::{
        field::{Field, Storage},
        read_only::ReadOnlyField,
    },
    grpc::DESCRIPTORS,
};
use prost_reflect::DescriptorPool;
use sqlx::ConnectOptions as _;
use strum::VariantArray as _;

use crate::world::database;

/// Texts of one column.
async fn texts(query: &'static str) -> Vec<String> {
    let mut sql = database().await.connect().await.unwrap();
    sqlx::query_scalar(query).fetch_all(&mut sql).await.unwrap()
}

#[test]
fn every_field_of_the_contract_is_in_one_of_the_two_tables() {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let customer = pool.get_message_by_name("clientele.v1.Customer").unwrap();
    let mut contract: Vec<String> = customer.fields().map(|field| field.name().to_owned()).collect();
    let written = Field::VARIANTS.iter().map(|field| field.name());
    let read_only = ReadOnlyField::VARIANTS.iter().map(|field| field.spec().name);
    let mut tables: Vec<&str> = written.chain(read_only).collect();
    contract.sort_unstable();
    tables.sort_unstable();
    assert_eq!(
        tables, contract,
        "a new field gets a row in domain/fields/field.rs, or in read_only.rs if no update writes it"
    );
}

#[test]
fn every_read_only_field_says_why_no_update_writes_it() {
    for field in ReadOnlyField::VARIANTS {
        let reason = field.spec().reason;
        assert!(reason.len() > 10 && !reason.ends_with('.'), "{field:?}: {reason:?}");
    }
}

#[tokio::test]
async fn a_field_has_a_column_if_and_only_if_the_table_says_so() {
    let columns: BTreeSet<String> =
        texts("select column_name::text from information_schema.columns where table_name = 'customers'")
            .await
            .into_iter()
            .collect();
    assert!(columns.len() > 20, "{columns:?}");
    for field in Field::VARIANTS {
        assert_eq!(columns.contains(field.name()), field.spec().storage == Storage::Column, "{field:?}");
    }
}

#[tokio::test]
async fn the_store_can_check_every_reference() {
    let view = texts("select pg_get_viewdef('reference_targets'::regclass)").await.remove(0);
    for field in Field::VARIANTS {
        let checked = view.contains(&format!("'{}'", field.name()));
        assert_eq!(checked, field.spec().reference.is_some(), "{field:?}: {view}");
        assert!(field.spec().reference.is_none() || field.spec().storage == Storage::Column, "{field:?}");
    }
}
