//! Etags: they name a state of a customer as the acting account sees it, and prevent a write that was decided on
//! another state.

use clientele::grpc::pb::{self, NameUniqueness, Role};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::world::{Client, World, assert_refused, bad_fields, customer, full_customer, mask, metadata, requiring};

/// Changes fields of the state that the etag names.
async fn update(client: &Client, etag: &str, asked: pb::Customer, paths: &[&str]) -> Result<pb::Customer, Status> {
    let request = pb::UpdateCustomerRequest {
        customer: Some(asked),
        update_mask: Some(mask(paths)),
        etag: etag.to_owned(),
        ..Default::default()
    };
    Ok(client.customers().update_customer(request).await?.into_inner().customer.unwrap())
}

#[tokio::test]
async fn the_same_state_has_the_same_etag_and_each_change_a_new_one() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", NameUniqueness::None, crate::world::manual_approval()).await;
    let created = acme.admin.create(full_customer("Ada")).await.unwrap();
    let mut seen = vec![created.etag.clone()];
    for name in ["Bob", "Ada"] {
        let renamed = pb::Customer { name: name.to_owned(), ..created.clone() };
        seen.push(acme.admin.update(renamed, &["name"]).await.unwrap().etag);
    }
    seen.push(acme.admin.approve(&created.id).await.unwrap().etag);
    seen.push(acme.admin.archive(&[&created.id]).await.unwrap().outcomes[0].etag.clone());
    seen.push(acme.admin.unarchive(&[&created.id]).await.unwrap().outcomes[0].etag.clone());
    let distinct: std::collections::HashSet<&String> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len(), "{seen:?}");

    let current = seen.last().unwrap();
    for role in [Role::Viewer, Role::Member, Role::Admin] {
        assert_eq!(&acme.member(role).await.get(&created.id).await.unwrap().etag, current);
    }
    let basic = pb::GetCustomerRequest { customer_id: created.id.clone(), view: 0 };
    let basic = acme.admin.customers().get_customer(basic).await.unwrap().into_inner().customer.unwrap();
    assert_eq!(&basic.etag, current);
    let twin = acme.admin.create(full_customer("Eva")).await.unwrap();
    assert!(!seen.contains(&twin.etag));
}

#[tokio::test]
async fn a_current_etag_lets_a_write_through() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let created = acme.admin.create(full_customer("Ada")).await.unwrap();
    let renamed = pb::Customer { name: "Bob".to_owned(), ..created.clone() };
    let renamed = update(&acme.admin, &created.etag, renamed, &["name"]).await.unwrap();
    let cleared = pb::Customer { fax: None, ..renamed.clone() };
    assert_eq!(update(&acme.admin, &renamed.etag, cleared, &["fax"]).await.unwrap().fax, None);
}

#[tokio::test]
async fn a_stale_etag_names_the_fields_changed_since() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", NameUniqueness::None, crate::world::manual_approval()).await;
    let read = acme.admin.create(full_customer("Ada")).await.unwrap();
    let mut theirs = pb::Customer { name: "Bob".to_owned(), fax: None, ..read.clone() };
    theirs.labels.insert("tier".to_owned(), "gold".to_owned());
    theirs.primary_address.as_mut().unwrap().city = "Delft".to_owned();
    acme.admin.update(theirs, &["name", "labels.tier", "primary_address", "fax"]).await.unwrap();
    let approved = acme.admin.approve(&read.id).await.unwrap();

    let mine = pb::Customer { email: "mine@company.nl".to_owned(), ..read.clone() };
    let refused = update(&acme.admin, &read.etag, mine.clone(), &["email"]).await;

    let refused = assert_refused(refused, Code::Aborted, "ETAG_MISMATCH");
    assert_eq!(
        metadata(&refused, "changed_fields").as_deref(),
        Some("fax,labels.tier,name,primary_address.city,status")
    );
    let etag = metadata(&refused, "etag").unwrap();
    assert_eq!(etag, approved.etag);
    assert!(refused.get_details_retry_info().is_none(), "the same bytes cannot succeed");
    assert_eq!(acme.admin.get(&read.id).await.unwrap(), approved);
    let mine = update(&acme.admin, &etag, mine, &["email"]).await.unwrap();
    assert_eq!((mine.email.as_str(), mine.name.as_str()), ("mine@company.nl", "Bob"));
}

#[tokio::test]
async fn an_account_below_the_owner_is_told_only_of_the_fields_that_it_sees() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let dealer = acme.child("dealer").await;
    let shared = pb::Customer { reach: pb::Reach::Fleet.into(), ..full_customer("Shared") };
    let shared = acme.admin.create(shared).await.unwrap();
    let read = dealer.admin.get(&shared.id).await.unwrap();
    let mut after = pb::Customer {
        name: "Renamed".to_owned(),
        currency: "USD".to_owned(),
        billing_email: "secret@company.nl".to_owned(),
        ..shared.clone()
    };
    after.labels.insert("credit-risk".to_owned(), "high".to_owned());
    let stale = async |number: &str, etag: &str| {
        let change = crate::custom_ids::change(&shared.id, "erp", number);
        let refused = dealer.admin.set(pb::UpdateCustomIdRequest { etag: etag.to_owned(), ..change }).await;
        assert_refused(refused, Code::Aborted, "ETAG_MISMATCH")
    };
    // What it does not see has changed, and nothing else.
    let hidden = ["currency", "billing_email", "labels.credit-risk"];
    acme.admin.update(after.clone(), &hidden).await.unwrap();
    let refused = stale("1", &read.etag).await;
    assert_eq!(metadata(&refused, "changed_fields").as_deref(), Some(""));
    let shown = format!("{refused:?}");
    assert!(hidden.iter().all(|field| !shown.contains(field)), "{shown}");

    acme.admin.update(after, &["name"]).await.unwrap();
    dealer.admin.set_id(&shared.id, "dms", "7").await.unwrap();
    let refused = stale("1", &read.etag).await;
    assert_eq!(metadata(&refused, "changed_fields").as_deref(), Some("custom_ids.dms,name"));
    // The owner is told of all.
    let mine = pb::Customer { email: "mine@company.nl".to_owned(), ..shared.clone() };
    let refused =
        assert_refused(update(&acme.admin, &shared.etag, mine, &["email"]).await, Code::Aborted, "ETAG_MISMATCH");
    let changed = metadata(&refused, "changed_fields");
    assert_eq!(changed.as_deref(), Some("billing_email,currency,labels.credit-risk,name"));
}

#[tokio::test]
async fn changed_fields_are_left_out_if_their_events_are_gone() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let read = acme.admin.create(customer("Ada")).await.unwrap();
    for name in ["Bob", "Cas"] {
        acme.admin.update(pb::Customer { id: read.id.clone(), ..customer(name) }, &["name"]).await.unwrap();
    }
    // As the retention of events does.
    let oldest = "delete from events where type = 'UPDATED' and revision = 2";
    assert_eq!(sqlx::query(oldest).execute(&mut world.sql().await).await.unwrap().rows_affected(), 1);
    let mine = pb::Customer { email: "a@b.nl".to_owned(), ..read.clone() };
    let refused =
        assert_refused(update(&acme.admin, &read.etag, mine, &["email"]).await, Code::Aborted, "ETAG_MISMATCH");
    assert_eq!(metadata(&refused, "changed_fields"), None);
    assert!(metadata(&refused, "etag").is_some());
}

#[tokio::test]
async fn an_etag_of_another_customer_or_account_is_invalid() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let ada = north.admin.create(customer("Ada")).await.unwrap();
    let others = [
        "garbage".to_owned(),
        "AAAA".to_owned(),
        "\u{e9}".to_owned(),
        format!("{}A", ada.etag),
        ada.etag[1..].to_owned(),
        north.admin.create(customer("Bob")).await.unwrap().etag,
        acme.admin.get(&ada.id).await.unwrap().etag,
    ];
    for etag in others {
        let asked = pb::Customer { id: ada.id.clone(), ..customer("Cas") };
        let refused = update(&north.admin, &etag, asked, &["name"]).await;
        let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["etag"], "{etag}");
    }
    assert_eq!(north.admin.get(&ada.id).await.unwrap(), ada);
}

#[tokio::test]
async fn without_an_etag_the_last_writer_wins_field_by_field() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let read = acme.admin.create(full_customer("Ada")).await.unwrap();
    let member = acme.member(Role::Member).await;
    member.update(pb::Customer { email: "new@company.nl".to_owned(), ..read.clone() }, &["email"]).await.unwrap();
    member.update(pb::Customer { name: "Bob".to_owned(), ..read.clone() }, &["name"]).await.unwrap();
    // The caller that read first writes last, and only its own field.
    let last = acme.admin.update(pb::Customer { name: "Cas".to_owned(), ..read.clone() }, &["name"]).await.unwrap();
    assert_eq!((last.name.as_str(), last.email.as_str()), ("Cas", "new@company.nl"));
    assert_eq!((last.contacts, last.fax, last.labels), (read.contacts, read.fax, read.labels));
}

#[tokio::test]
async fn a_stale_etag_comes_before_state_and_taken_names_but_after_already_made() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", NameUniqueness::Account, requiring(&["email"], &[])).await;
    acme.admin.create(full_customer("Taken")).await.unwrap();
    let read = acme.admin.create(full_customer("Ada")).await.unwrap();
    let now = acme.admin.update(pb::Customer { fax: None, ..read.clone() }, &["fax"]).await.unwrap();
    for (asked, path) in [
        (pb::Customer { name: "taken".to_owned(), ..read.clone() }, "name"),
        (pb::Customer { email: String::new(), ..read.clone() }, "email"),
        (pb::Customer { sales_person_id: crate::world::unknown_id(), ..read.clone() }, "sales_person_id"),
    ] {
        let refused = update(&acme.admin, &read.etag, asked.clone(), &[path]).await;
        assert_refused(refused, Code::Aborted, "ETAG_MISMATCH");
        update(&acme.admin, &now.etag, asked, &[path]).await.expect_err("the etag is not all that is wrong");
    }
    let same = update(&acme.admin, &read.etag, now.clone(), &["name", "email", "fax"]).await.unwrap();
    assert_eq!(same, now, "already made");
}
