//! AddPaymentMethod, SetDefaultPaymentMethod, RemovePaymentMethod, ListPaymentMethods.

mod numbers;

use clientele::grpc::pb::{
    self, AddPaymentMethodRequest as Adding, CustomerEventType, PaymentChannel, PaymentMethodType,
};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::{
    suspend_customer::active,
    world::{
        Client, World, assert_refused, at_once, bad_fields, customer, metadata, repeat_at_once, request_id, unknown_id,
        wait_for_locks, wire,
    },
};

/// A card.
pub fn card() -> pb::PaymentMethod {
    pb::PaymentMethod {
        r#type: PaymentMethodType::Card.into(),
        provider: "adyen".to_owned(),
        token: "tok_8Zq".to_owned(),
        brand: "Visa".to_owned(),
        last_four: "1111".to_owned(),
        expiry_month: 7,
        expiry_year: 2031,
        channel: PaymentChannel::Telephone.into(),
        ..Default::default()
    }
}

/// A request that adds the card to a customer.
pub fn adding(customer_id: &str) -> Adding {
    Adding { customer_id: customer_id.to_owned(), payment_method: Some(card()), ..Default::default() }
}

pub async fn add(client: &Client, request: &Adding) -> Result<pb::AddPaymentMethodResponse, Status> {
    Ok(client.billing().add_payment_method(request.clone()).await?.into_inner())
}

pub async fn set_default(client: &Client, customer_id: &str, id: &str) -> Result<pb::Customer, Status> {
    let (customer_id, payment_method_id) = (customer_id.to_owned(), id.to_owned());
    let request = pb::SetDefaultPaymentMethodRequest { customer_id, payment_method_id, ..Default::default() };
    Ok(client.billing().set_default_payment_method(request).await?.into_inner().customer.unwrap())
}

pub async fn remove(client: &Client, customer_id: &str, id: &str) -> Result<pb::Customer, Status> {
    let (customer_id, payment_method_id) = (customer_id.to_owned(), id.to_owned());
    let request = pb::RemovePaymentMethodRequest { customer_id, payment_method_id, ..Default::default() };
    Ok(client.billing().remove_payment_method(request).await?.into_inner().customer.unwrap())
}

pub async fn list(client: &Client, customer_id: &str) -> Result<Vec<pb::PaymentMethod>, Status> {
    let request = pb::ListPaymentMethodsRequest { customer_id: customer_id.to_owned() };
    Ok(client.billing().list_payment_methods(request).await?.into_inner().payment_methods)
}

#[tokio::test]
async fn the_first_one_is_the_default_and_another_one_becomes_it_when_it_is_asked_for() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    let clerk = acme.member(pb::Role::Member).await;
    assert_eq!((list(&clerk, &ada.id).await.unwrap().len(), ada.default_payment_method_id.as_str()), (0, ""));
    let first = add(&clerk, &Adding { etag: ada.etag.clone(), ..adding(&ada.id) }).await.unwrap();
    let (method, after) = (first.payment_method.unwrap(), first.customer.unwrap());
    assert!(Uuid::parse_str(&method.id).is_ok());
    assert_eq!(after.default_payment_method_id, method.id);
    assert_eq!(after, clerk.get(&ada.id).await.unwrap());
    assert_ne!(after.etag, ada.etag);
    let expected = pb::PaymentMethod {
        id: method.id.clone(),
        is_default: true,
        create_time: after.update_time,
        created_by: after.updated_by.clone(),
        ..card()
    };
    assert_eq!(method, expected);

    let invoice = pb::PaymentMethod { r#type: PaymentMethodType::Invoice.into(), ..Default::default() };
    let invoice = Adding { payment_method: Some(invoice), ..adding(&ada.id) };
    let second = add(&clerk, &invoice).await.unwrap().payment_method.unwrap();
    assert!(!second.is_default && second.channel() == PaymentChannel::Web);
    let third = Adding { payment_method: Some(pb::PaymentMethod { is_default: true, ..card() }), ..adding(&ada.id) };
    let third = add(&clerk, &third).await.unwrap().payment_method.unwrap();
    let listed = list(&acme.member(pb::Role::Viewer).await, &ada.id).await.unwrap();
    let ids: Vec<_> = listed.iter().map(|method| (method.id.as_str(), method.is_default)).collect();
    assert_eq!(ids, [(method.id.as_str(), false), (&second.id, false), (&third.id, true)], "oldest first");

    let changed = set_default(&clerk, &ada.id, &second.id).await.unwrap();
    assert_eq!(changed.default_payment_method_id, second.id);
    assert_eq!(set_default(&clerk, &ada.id, &second.id.to_uppercase()).await.unwrap(), changed, "changes nothing");
    let request = pb::GetCustomerRequest { customer_id: ada.id, view: pb::CustomerView::Basic.into() };
    let basic = acme.admin.customers().get_customer(request).await.unwrap().into_inner().customer.unwrap();
    assert_eq!(basic.default_payment_method_id, "", "BASIC leaves it out");
}

#[tokio::test]
async fn after_the_default_is_removed_there_is_none_until_one_is_set() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(add(&acme.admin, &adding(&ada.id)).await.unwrap().payment_method.unwrap().id);
    }
    let removed = remove(&acme.admin, &ada.id, &ids[0]).await.unwrap();
    assert_eq!(removed.default_payment_method_id, "");
    assert_eq!(remove(&acme.admin, &ada.id, &ids[0]).await.unwrap(), removed, "removing it again changes nothing");
    assert_eq!(remove(&acme.admin, &ada.id, &unknown_id()).await.unwrap(), removed);
    assert!(list(&acme.admin, &ada.id).await.unwrap().iter().all(|method| !method.is_default));
    let third = add(&acme.admin, &adding(&ada.id)).await.unwrap();
    assert_eq!(third.customer.unwrap().default_payment_method_id, "", "nobody has decided");
    let set = set_default(&acme.admin, &ada.id, &ids[1]).await.unwrap();
    assert_eq!(set.default_payment_method_id, ids[1]);
    for id in [&ids[1], &third.payment_method.unwrap().id] {
        remove(&acme.admin, &ada.id, id).await.unwrap();
    }
    let again = add(&acme.admin, &adding(&ada.id)).await.unwrap();
    assert!(again.payment_method.unwrap().is_default, "the first of none");
    let refused = set_default(&acme.admin, &ada.id, &ids[0]).await;
    let refused = assert_refused(refused, Code::NotFound, "PAYMENT_METHOD_NOT_FOUND");
    let other = acme.admin.create(customer("Bob")).await.unwrap();
    let elsewhere = add(&acme.admin, &adding(&other.id)).await.unwrap().payment_method.unwrap();
    let of_other = set_default(&acme.admin, &ada.id, &elsewhere.id).await.unwrap_err();
    assert_eq!(wire(&refused), wire(&of_other), "another customer's does not exist here");
}

#[tokio::test]
async fn events_have_what_changed_and_never_the_token() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    let first = add(&acme.admin, &adding(&ada.id)).await.unwrap().payment_method.unwrap();
    let second = add(&acme.admin, &adding(&ada.id)).await.unwrap().payment_method.unwrap();
    set_default(&acme.admin, &ada.id, &second.id).await.unwrap();
    remove(&acme.admin, &ada.id, &second.id).await.unwrap();
    let events = acme.admin.events(&ada.id).await.unwrap();
    let changed = |event: &pb::CustomerEvent| {
        let fields: Vec<_> = event.changes.iter().map(|change| change.field.clone()).collect();
        (event.r#type(), fields)
    };
    let default = "default_payment_method_id".to_owned();
    let seen: Vec<_> = events[..4].iter().map(changed).collect();
    assert_eq!(
        seen,
        [
            (CustomerEventType::PaymentMethodRemoved, vec![default.clone(), format!("payment_methods.{}", second.id)]),
            (CustomerEventType::DefaultPaymentMethodChanged, vec![default.clone()]),
            (CustomerEventType::PaymentMethodAdded, vec![format!("payment_methods.{}", second.id)]),
            (CustomerEventType::PaymentMethodAdded, vec![default, format!("payment_methods.{}", first.id)]),
        ]
    );
    let text = format!("{events:?}");
    assert!(text.contains("1111") && text.contains("Visa") && text.contains("2031-07") && !text.contains("tok_8Zq"));
}

#[tokio::test]
async fn a_customer_in_any_state_has_up_to_20_and_concurrent_calls_exceed_nothing() {
    let world = World::in_production_with(wait_for_locks).await;
    let (acme, ada) = active(&world).await;
    acme.admin.archive(&[&ada.id]).await.unwrap();
    let calls = (0..24).map(|_| {
        let (client, request) = (acme.admin.clone(), adding(&ada.id));
        async move { add(&client, &request).await }
    });
    let added = at_once(calls).await;
    assert_eq!(added.iter().filter(|added| added.is_ok()).count(), 20);
    for refused in added.into_iter().filter(Result::is_err) {
        assert_refused(refused, Code::FailedPrecondition, "LIMIT_REACHED");
    }
    let listed = list(&acme.admin, &ada.id).await.unwrap();
    assert_eq!((listed.len(), listed.iter().filter(|method| method.is_default).count()), (20, 1));
    let now = acme.admin.get(&ada.id).await.unwrap();
    let allowed = |name: &str| now.allowed_actions.contains(&name.to_owned());
    assert!(!allowed("AddPaymentMethod") && allowed("SetDefaultPaymentMethod") && allowed("RemovePaymentMethod"));
    // The default is the first that was written, which need not be the first that was asked for.
    for method in listed.iter().filter(|method| !method.is_default) {
        remove(&acme.admin, &ada.id, &method.id).await.unwrap();
    }
    let one = acme.admin.get(&ada.id).await.unwrap().allowed_actions;
    assert!(one.contains(&"AddPaymentMethod".to_owned()) && one.contains(&"RemovePaymentMethod".to_owned()));
    assert!(!one.contains(&"SetDefaultPaymentMethod".to_owned()), "the only one is the default");
}

#[tokio::test]
async fn malformed_fields_and_stale_etags_are_refused() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    add(&acme.admin, &adding(&ada.id)).await.unwrap();
    let before = world.stored().await;
    let broken = pb::PaymentMethod {
        provider: "p".repeat(64),
        token: "t".repeat(256),
        brand: "b".repeat(41),
        last_four: "11".to_owned(),
        expiry_month: 13,
        channel: 9,
        ..Default::default()
    };
    let all = Adding { customer_id: "7".to_owned(), payment_method: Some(broken), ..Default::default() };
    let refused = assert_refused(add(&acme.admin, &all).await, Code::InvalidArgument, "INVALID_FIELDS");
    let mut fields = bad_fields(&refused);
    fields.sort();
    let method = ["brand", "channel", "expiry_month", "expiry_year", "last_four", "provider", "token", "type"];
    let expected = ["customer_id".to_owned()].into_iter();
    assert_eq!(fields, expected.chain(method.map(|field| format!("payment_method.{field}"))).collect::<Vec<_>>());
    for r#type in [PaymentMethodType::Card, PaymentMethodType::DirectDebit, PaymentMethodType::Wallet] {
        let bare = pb::PaymentMethod { r#type: r#type.into(), ..Default::default() };
        let refused = add(&acme.admin, &Adding { payment_method: Some(bare), ..adding(&ada.id) }).await;
        let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["payment_method.provider", "payment_method.token"]);
    }
    let stale = Adding { etag: ada.etag.clone(), ..adding(&ada.id) };
    let refused = assert_refused(add(&acme.admin, &stale).await, Code::Aborted, "ETAG_MISMATCH");
    let changed = metadata(&refused, "changed_fields").unwrap();
    assert!(changed.contains("default_payment_method_id") && changed.contains("payment_methods."), "{changed}");
    assert_eq!(world.stored().await, before);
}

#[tokio::test]
async fn validate_only_changes_nothing_and_repeats_add_one() {
    let world = World::in_production().await;
    let (acme, ada) = active(&world).await;
    let before = world.stored().await;
    let request = Adding { request_id: request_id(), ..adding(&ada.id) };
    let would_be = add(&acme.admin, &Adding { validate_only: true, ..request.clone() }).await.unwrap();
    let method = would_be.payment_method.unwrap();
    assert_eq!((method.id.as_str(), method.is_default), ("", true));
    assert_eq!(world.stored().await, before);

    let answers = repeat_at_once(30, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { add(&client, &request).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.payment_method == answers[0].payment_method));
    assert!(answers.iter().all(|answer| answer.customer == answers[0].customer));
    assert_eq!(list(&acme.admin, &ada.id).await.unwrap().len(), 1);
    let other = Adding { payment_method: Some(pb::PaymentMethod { brand: "X".to_owned(), ..card() }), ..request };
    assert_refused(add(&acme.admin, &other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");

    let id = answers[0].payment_method.clone().unwrap().id;
    let removing = pb::RemovePaymentMethodRequest {
        customer_id: ada.id.clone(),
        payment_method_id: id.clone(),
        request_id: request_id(),
        ..Default::default()
    };
    let first = acme.admin.billing().remove_payment_method(removing.clone()).await.unwrap().into_inner();
    let again = acme.admin.billing().remove_payment_method(removing).await.unwrap().into_inner();
    assert!(!first.replayed && again.replayed && first.customer == again.customer);
    // The stored answer survives what it is about.
    let repeat = Adding { request_id: other.request_id.clone(), ..adding(&ada.id) };
    assert_eq!(add(&acme.admin, &repeat).await.unwrap().payment_method.unwrap().id, id);
}

#[tokio::test]
async fn only_the_owner_and_accounts_above_see_and_change_them() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    let (north, globex) = (acme.child("north").await, world.tenant("globex").await);
    let eve = acme.admin.create(pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Eve") }).await.unwrap();
    let viewer = acme.member(pb::Role::Viewer).await;
    let refused = assert_refused(add(&viewer, &adding(&ada.id)).await, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(metadata(&refused, "required_role").as_deref(), Some("MEMBER"));
    let method = add(&acme.admin, &adding(&eve.id)).await.unwrap().payment_method.unwrap();
    let below = &north.admin;
    for refused in [
        add(below, &adding(&eve.id)).await.map(drop),
        set_default(below, &eve.id, &method.id).await.map(drop),
        remove(below, &eve.id, &method.id).await.map(drop),
        list(below, &eve.id).await.map(drop),
    ] {
        assert_refused(refused, Code::PermissionDenied, "FLEET_OWNED_ELSEWHERE");
    }
    assert_eq!(below.get(&eve.id).await.unwrap().default_payment_method_id, "");
    let events = below.events(&eve.id).await.unwrap();
    assert!(events.iter().all(|event| event.r#type() != CustomerEventType::PaymentMethodAdded), "{events:?}");
    for client in [below, &globex.admin, &acme.admin.narrowed_to(&eve.id)] {
        let hidden = assert_refused(list(client, &ada.id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        let absent = assert_refused(list(client, &unknown_id()).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        assert_eq!(wire(&hidden), wire(&absent), "existence must not leak");
        assert_refused(add(client, &adding(&ada.id)).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    }
    // They move with the customer.
    acme.admin.transfer(&[&eve.id], &north.account).await.unwrap();
    assert_eq!(list(below, &eve.id).await.unwrap(), std::slice::from_ref(&method));
    assert_eq!(below.get(&eve.id).await.unwrap().default_payment_method_id, method.id);
}

#[tokio::test]
async fn words_of_a_newer_release_are_unspecified_and_such_a_method_is_neither_set_nor_removed() {
    let world = World::start().await;
    let (acme, ada) = active(&world).await;
    add(&acme.admin, &adding(&ada.id)).await.unwrap();
    let second = add(&acme.admin, &adding(&ada.id)).await.unwrap().payment_method.unwrap();
    let newer = "alter table payment_methods drop constraint payment_methods_type_check,
                 drop constraint payment_methods_channel_check;
                 update payment_methods set type = 'CRYPTO', channel = 'KIOSK'";
    sqlx::raw_sql(newer).execute(&mut world.sql().await).await.unwrap();
    let listed = list(&acme.admin, &ada.id).await.unwrap();
    assert!(listed.iter().all(|method| (method.r#type, method.channel) == (0, 0)), "{listed:?}");
    for refused in [set_default(&acme.admin, &ada.id, &second.id).await, remove(&acme.admin, &ada.id, &second.id).await]
    {
        assert_refused(refused, Code::FailedPrecondition, "VALUE_OF_NEWER_RELEASE");
    }
    add(&acme.admin, &adding(&ada.id)).await.unwrap();
}
