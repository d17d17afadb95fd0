//! UnmergeCustomers.

use clientele::grpc::pb::{self, CustomerEventType, UnmergeBlocker, UnmergeCustomersRequest as Undoing};
use tonic::{Code, Status};

use crate::{
    custom_ids::with_custom_ids,
    merge_customers::{consistent, merging},
    modify_customer_tags::tags_of,
    rows::rows,
    search_customers::in_field,
    world::{Client, World, assert_refused, customer, full_customer, metadata, request_id, unknown_id, wire},
};

async fn call(client: &Client, request: &Undoing) -> Result<pb::UnmergeCustomersResponse, Status> {
    Ok(client.customers().unmerge_customers(request.clone()).await?.into_inner())
}

fn undoing(id: &str) -> Undoing {
    Undoing { customer_id: id.to_owned(), ..Default::default() }
}

/// A customer without what each change writes anew.
fn steady(customer: pb::Customer) -> pb::Customer {
    pb::Customer { etag: String::new(), update_time: None, updated_by: None, ..customer }
}

#[tokio::test]
async fn all_customers_of_the_merge_are_what_they_were() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::Tenant, pb::AccountPolicies::default()).await;
    let admin = &acme.admin;
    let ada = admin.create(with_custom_ids("Ada", &[("erp", "A-1")])).await.unwrap().id;
    let branch_id = acme.branch("Harbour").await;
    let bob = admin.create(pb::Customer { branch_id, ..full_customer("Bob") }).await.unwrap().id;
    let eve = admin.create(with_custom_ids("Eve", &[("dms", "K-1"), ("erp", "E-1")])).await.unwrap().id;
    admin.tag(&[&ada], &["vip"], &[]).await.unwrap();
    admin.tag(&[&bob], &["vip", "late"], &[]).await.unwrap();
    admin.set_id(&eve, "dms", "K-2").await.unwrap();
    crate::suspend_customer::suspend(admin, &eve).await.unwrap();
    let mut before = Vec::new();
    for id in [&ada, &bob, &eve] {
        before.push(steady(admin.get(id).await.unwrap()));
    }
    let merge = pb::MergeCustomersRequest {
        choices: [("name".to_owned(), eve.clone())].into(),
        ..merging(&ada, &[&bob, &eve])
    };
    let merged = crate::merge_customers::call(admin, &merge).await.unwrap().customer.unwrap();
    assert_eq!((merged.name.as_str(), merged.order_reference.as_str()), ("Eve", "order-Bob"));

    let undone = Undoing { request_id: request_id(), ..undoing(&eve) };
    let answer = call(admin, &undone).await.unwrap();

    assert_eq!(answer.customer.as_ref(), Some(&admin.get(&eve).await.unwrap()));
    for (id, before) in [&ada, &bob, &eve].into_iter().zip(before) {
        assert_eq!(steady(admin.get(id).await.unwrap()), before);
    }
    for (id, owner) in [("A-1", &ada), ("Bob-00123", &bob), ("E-1", &eve), ("K-2", &eve), ("K-1", &eve)] {
        assert_eq!(&admin.lookup(id, "").await.unwrap().0, owner, "{id}");
    }
    assert_eq!(tags_of(admin, &ada).await, ["vip"]);
    // In NUMBER: a word of Bob's city begins with an e, and one of its numbers with a 1.
    for (field, query, id) in [
        (pb::SearchField::Number, "Bob-00123", &bob),
        (pb::SearchField::Number, "E-1", &eve),
        (pb::SearchField::Email, "info@company.nl", &bob),
    ] {
        let found = admin.customers().search_customers(in_field(field, query)).await.unwrap().into_inner().results;
        let found: Vec<_> = found.into_iter().map(|one| one.customer.unwrap().id).collect();
        assert_eq!(found, std::slice::from_ref(id), "{query}");
    }
    let types = async |id: &str| admin.events(id).await.unwrap()[0].r#type();
    assert_eq!(types(&bob).await, CustomerEventType::Unmerged);
    assert_eq!(types(&ada).await, CustomerEventType::CustomersUnmerged);
    assert_eq!(rows(&world).await["merge_images"], Vec::<String>::new());
    consistent(&world).await;
    let again = call(admin, &undone).await.unwrap();
    assert_eq!((again.replayed, again.customer), (true, answer.customer));
    assert_refused(admin.unmerge(&eve).await, Code::FailedPrecondition, "NOT_MERGED");
    // Names are unique again.
    assert_refused(admin.create(customer("Bob")).await, Code::AlreadyExists, "NAME_TAKEN");
}

#[tokio::test]
async fn what_changed_since_would_be_lost_unless_the_newer_is_kept() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let admin = &acme.admin;
    let ada = admin.create(with_custom_ids("Ada", &[("erp", "A-1")])).await.unwrap().id;
    let bob = pb::Customer {
        legal_name: "Bob B.V.".to_owned(),
        email: "bob@x.example".to_owned(),
        ..with_custom_ids("Bob", &[("erp", "B-1")])
    };
    let bob = admin.create(bob).await.unwrap().id;
    admin.merge(&ada, &[&bob]).await.unwrap();
    let changed = pb::Customer {
        id: ada.clone(),
        legal_name: "Ada and Bob B.V.".to_owned(),
        billing_email: "bills@x.example".to_owned(),
        ..Default::default()
    };
    admin.update(changed, &["legal_name", "billing_email"]).await.unwrap();
    // The survivor takes the other's number.
    admin.set_id(&ada, "erp", "B-1").await.unwrap();
    let before = rows(&world).await;
    let refused = assert_refused(admin.unmerge(&bob).await, Code::FailedPrecondition, "CHANGED_SINCE_MERGE");
    assert_eq!(metadata(&refused, "changed_fields").as_deref(), Some("legal_name,custom_ids.erp"));
    let preview = call(admin, &Undoing { validate_only: true, ..undoing(&bob) }).await.unwrap();
    assert_eq!(
        (preview.changed_fields, preview.blockers),
        (vec!["legal_name".to_owned(), "custom_ids.erp".to_owned()], vec![])
    );
    assert_eq!(rows(&world).await, before);

    let restored = call(admin, &Undoing { keep_newer: true, ..undoing(&bob) }).await.unwrap().customer.unwrap();
    assert_eq!((restored.email.as_str(), restored.legal_name.as_str()), ("bob@x.example", "Bob B.V."));
    assert!(restored.custom_ids.is_empty(), "{:?}", restored.custom_ids);
    let kept = admin.get(&ada).await.unwrap();
    assert_eq!((kept.legal_name.as_str(), kept.email.as_str()), ("Ada and Bob B.V.", ""));
    assert_eq!((kept.billing_email.as_str(), kept.custom_ids["erp"].as_str()), ("bills@x.example", "B-1"));
    consistent(&world).await;
}

#[tokio::test]
async fn every_blocker_keeps_a_merge_from_being_undone() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::Account, pb::AccountPolicies::default()).await;
    let admin = &acme.admin;
    let north = acme.child("north").await;
    let made = async |name: &str| admin.create(full_customer(name)).await.unwrap().id;
    let (ada, bob, eve) = (made("Ada").await, made("Bob").await, made("Eve").await);
    let blocked = async |id: &str, blocker: UnmergeBlocker, reason: &str| {
        let preview = call(admin, &Undoing { validate_only: true, ..undoing(id) }).await.unwrap();
        assert_eq!(preview.blockers().collect::<Vec<_>>(), [blocker]);
        let refused = admin.unmerge(id).await.unwrap_err();
        assert_eq!(crate::world::reason(&refused), reason);
    };
    blocked(&ada, UnmergeBlocker::NotMerged, "NOT_MERGED").await;
    admin.merge(&ada, &[&bob]).await.unwrap();
    admin.merge(&ada, &[&eve]).await.unwrap();
    blocked(&bob, UnmergeBlocker::LaterMerge, "MERGE_FINAL").await;
    admin.unmerge(&eve).await.unwrap();
    admin.merge(&eve, &[&ada]).await.unwrap();
    blocked(&bob, UnmergeBlocker::LaterMerge, "MERGE_FINAL").await;
    admin.unmerge(&ada).await.unwrap();
    assert_eq!(admin.get(&bob).await.unwrap().merged_into, ada, "it is merged into the one before again");
    let taken = admin.create(customer("Bob")).await.unwrap().id;
    blocked(&bob, UnmergeBlocker::NameTaken, "NAME_TAKEN").await;
    admin.update(pb::Customer { id: taken.clone(), ..customer("Robert") }, &["name"]).await.unwrap();
    let order = pb::Customer { id: taken.clone(), order_reference: "order-Bob".to_owned(), ..Default::default() };
    admin.update(order, &["order_reference"]).await.unwrap();
    blocked(&bob, UnmergeBlocker::OrderReferenceTaken, "ORDER_REFERENCE_TAKEN").await;
    admin.erase(&taken).await.unwrap();
    admin.transfer(&[&ada], &north.account).await.unwrap();
    blocked(&bob, UnmergeBlocker::MovedOn, "MERGE_FINAL").await;
    admin.transfer(&[&ada], &acme.account).await.unwrap();
    let age = "update merge_images set merged_at = merged_at - interval '31 days'";
    sqlx::raw_sql(age).execute(&mut world.sql().await).await.unwrap();
    blocked(&bob, UnmergeBlocker::TooLate, "MERGE_FINAL").await;
    sqlx::raw_sql("delete from merge_images").execute(&mut world.sql().await).await.unwrap();
    blocked(&bob, UnmergeBlocker::Erased, "MERGE_FINAL").await;
    let elsewhere = world.tenant("globex").await;
    let foreign = assert_refused(elsewhere.admin.unmerge(&bob).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    let unknown = elsewhere.admin.unmerge(&unknown_id()).await;
    assert_eq!(wire(&foreign), wire(&assert_refused(unknown, Code::NotFound, "CUSTOMER_NOT_FOUND")));
}
