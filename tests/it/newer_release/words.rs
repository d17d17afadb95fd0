//! Mutations of a customer that holds an unknown word: all are refused and change nothing.

use clientele::grpc::pb;
use sqlx::AssertSqlSafe;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::Stage;
use crate::{
    contract::cases::{CASES, Tenancy},
    custom_ids::{upsert, with_custom_ids},
    rows::rows,
    world::{assert_refused, bad_fields, customer, metadata, request_id},
};

/// The columns with words of closed sets, each with a word of a newer release.
pub(super) const WORDS: [(&str, &str); 5] = [
    ("type", "COOPERATIVE"),
    ("service_class", "PREMIUM"),
    ("reach", "REGION"),
    ("origin", "PARTNER"),
    ("status", "ON_TRIAL"),
];

/// Every RPC that changes a customer that exists, or a link to it.
pub(super) const REFUSED: [&str; 27] = [
    "CustomerService/UpdateCustomer",
    "CustomerService/UpsertCustomer",
    "ExchangeService/ImportCustomers",
    "CustomerService/UpdateCustomId",
    "CustomerService/ModifyCustomerTags",
    "CustomerService/ApproveCustomer",
    "CustomerService/RejectCustomer",
    "CustomerService/SuspendCustomer",
    "CustomerService/ResumeCustomer",
    "BillingService/AddPaymentMethod",
    "BillingService/SetDefaultPaymentMethod",
    "BillingService/RemovePaymentMethod",
    "CustomerService/PlaceHold",
    "CustomerService/ReleaseHold",
    "CustomerService/ArchiveCustomers",
    "CustomerService/UnarchiveCustomers",
    "CustomerService/MigrateCustomerToReseller",
    "CustomerService/RevertCustomerMigration",
    "CustomerService/TransferCustomers",
    "BillingService/ActivateFeature",
    "BillingService/DeactivateFeature",
    "BillingService/SetCreditLimit",
    "BillingService/AssignRatePlan",
    "CustomerService/MergeCustomers",
    "CustomerService/UnmergeCustomers",
    "CustomerService/EraseCustomer",
    // It takes the tag off its customers.
    "TagService/DeleteTag",
];

/// Stores a word in a column of the customer; the empty word is the first one's.
pub(super) async fn set_word(stage: &Stage, column: &str, word: &str) {
    let first = [
        ("type", "BUSINESS"),
        ("service_class", "NORMAL"),
        ("reach", "LOCAL"),
        ("origin", "CONTROL_PANEL"),
        ("status", "PENDING"),
    ];
    let first = first.iter().find(|(name, _)| *name == column).unwrap().1;
    let word = if word.is_empty() { first } else { word };
    let update = format!("update customers set {column} = '{word}' where id = '{}'", stage.customer.id);
    let done = sqlx::raw_sql(AssertSqlSafe(update)).execute(&mut stage.world.sql().await).await.unwrap();
    assert_eq!(done.rows_affected(), 1);
}

#[tokio::test]
async fn no_rpc_changes_a_customer_that_holds_an_unknown_word() {
    let stage = Stage::set().await;
    let (admin, id) = (&stage.north.admin, &stage.customer.id);
    admin.tag(&[id], &["vip"], &[]).await.unwrap();
    admin.create(customer("Twin")).await.unwrap();
    let tag = admin.get(id).await.unwrap().tags[0].id.clone();
    for (column, word) in WORDS {
        set_word(&stage, column, word).await;
        let before = rows(&stage.world).await;
        for rpc in REFUSED {
            let case = CASES.iter().find(|case| case.rpc == rpc).unwrap();
            let subject = if case.tenancy == Tenancy::Tag { &tag } else { id };
            let refused = (case.call)(admin.clone(), subject.clone()).await;
            let refused = assert_refused(refused, Code::FailedPrecondition, "VALUE_OF_NEWER_RELEASE");
            assert!(refused.message().contains(column), "{rpc}, {column}: {}", refused.message());
            assert!(refused.get_details_retry_info().is_none(), "this server will not succeed");
            let batch = ["Archive", "Unarchive", "Tags", "Transfer"].iter().any(|name| rpc.contains(name));
            assert_eq!(metadata(&refused, "field"), batch.then(|| "customer_ids[0]".to_owned()), "{rpc}");
        }
        assert_eq!(rows(&stage.world).await, before, "{column}");
        set_word(&stage, column, "").await;
    }
}

#[tokio::test]
async fn a_batch_names_the_first_customer_with_an_unknown_word_and_changes_none() {
    let stage = Stage::set().await;
    let admin = &stage.north.admin;
    let known = admin.create(customer("Known")).await.unwrap().id;
    set_word(&stage, "origin", "PARTNER").await;
    let before = rows(&stage.world).await;
    let ids = [known.as_str(), &stage.customer.id];
    for refused in [
        admin.archive(&ids).await.map(drop),
        admin.unarchive(&ids).await.map(drop),
        admin.tag(&ids, &["new"], &[]).await.map(drop),
        admin.transfer(&ids, &stage.north.child("shop").await.account).await.map(drop),
    ] {
        let refused = assert_refused(refused, Code::FailedPrecondition, "VALUE_OF_NEWER_RELEASE");
        assert_eq!(metadata(&refused, "field").as_deref(), Some("customer_ids[1]"));
    }
    let mut after = rows(&stage.world).await;
    for shop in ["accounts", "events"] {
        after.insert(shop.to_owned(), before[shop].clone());
    }
    assert_eq!(after, before);
}

#[tokio::test]
async fn an_upsert_by_custom_id_and_a_validated_call_are_refused_too() {
    let stage = Stage::set().await;
    let admin = &stage.north.admin;
    let erp = stage.customer.custom_ids["erp"].clone();
    set_word(&stage, "service_class", "PREMIUM").await;
    let refused = admin.upsert(upsert(with_custom_ids("Renamed", &[("erp", &erp)]), &["name"])).await;
    assert_refused(refused, Code::FailedPrecondition, "VALUE_OF_NEWER_RELEASE");
    let id = || stage.customer.id.clone();
    let update = pb::UpdateCustomerRequest {
        customer: Some(pb::Customer { id: id(), ..customer("Renamed") }),
        update_mask: Some(crate::world::mask(&["name"])),
        validate_only: true,
        ..Default::default()
    };
    let migrate = pb::MigrateCustomerToResellerRequest { customer_id: id(), validate_only: true, ..Default::default() };
    let transfer = pb::TransferCustomersRequest {
        customer_ids: vec![id()],
        account_id: stage.north.account.clone(),
        validate_only: true,
        ..Default::default()
    };
    for refused in [
        admin.customers().update_customer(update).await.map(drop),
        admin.customers().migrate_customer_to_reseller(migrate).await.map(drop),
        admin.customers().transfer_customers(transfer).await.map(drop),
    ] {
        assert_refused(refused, Code::FailedPrecondition, "VALUE_OF_NEWER_RELEASE");
    }
}

#[tokio::test]
async fn the_refusal_comes_after_rights_and_stored_answers_and_before_the_etag() {
    let stage = Stage::set().await;
    let (admin, id) = (&stage.north.admin, stage.customer.id.clone());
    let approve =
        pb::ApproveCustomerRequest { customer_id: id.clone(), request_id: request_id(), ..Default::default() };
    let first = admin.customers().approve_customer(approve.clone()).await.unwrap().into_inner();
    let stale = pb::SuspendCustomerRequest {
        customer_id: id.clone(),
        reason: "unpaid".to_owned(),
        etag: stage.customer.etag.clone(),
        ..Default::default()
    };
    set_word(&stage, "type", "COOPERATIVE").await;
    let again = admin.customers().approve_customer(approve).await.unwrap().into_inner();
    assert!(again.replayed);
    assert_eq!(again.customer, first.customer, "a stored answer is shown as it is stored");
    let refused = admin.customers().suspend_customer(stale).await;
    assert_refused(refused, Code::FailedPrecondition, "VALUE_OF_NEWER_RELEASE");
    let viewer = stage.north.member(pb::Role::Viewer).await;
    assert_refused(viewer.archive(&[&id]).await, Code::PermissionDenied, "ROLE_TOO_LOW");
    let below = stage.north.child("shop").await;
    set_word(&stage, "reach", "FLEET").await;
    assert_refused(below.admin.approve(&id).await, Code::PermissionDenied, "FLEET_OWNED_ELSEWHERE");
    let renamed = pb::Customer { id, name: String::new(), ..Default::default() };
    let refused = admin.update(renamed, &["name"]).await;
    assert_eq!(bad_fields(&assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS")), ["customer.name"]);
}
