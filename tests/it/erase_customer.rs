//! EraseCustomer.

use std::collections::BTreeSet;

use clientele::{
    domain::fields::field::{Field, Storage},
    grpc::pb::{self, CustomerEventType, CustomerStatus, EraseCustomerRequest as Erasing},
};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use strum::VariantArray as _;
use tonic::{Code, Status};

use crate::{
    billing::{activate, create_feature, feature},
    invitations::inviting,
    payment_methods::{add, adding, card},
    place_hold::place,
    rows::rows,
    world::{
        Client, TestAccount, World, assert_refused, customer, full_customer, mask, repeat_at_once, request_id,
        unknown_id, wire,
    },
};

async fn call(client: &Client, request: &Erasing) -> Result<pb::EraseCustomerResponse, Status> {
    Ok(client.customers().erase_customer(request.clone()).await?.into_inner())
}

fn erasing(id: &str) -> Erasing {
    Erasing { customer_id: id.to_owned(), ..Default::default() }
}

/// A customer with every field, whose texts are found nowhere else.
fn canary(branch_id: &str, sales_person_id: &str) -> pb::Customer {
    let mut canary = pb::Customer {
        branch_id: branch_id.to_owned(),
        sales_person_id: sales_person_id.to_owned(),
        reach: pb::Reach::Fleet.into(),
        ..full_customer("Kwikstaart")
    };
    canary.contacts.push(pb::Contact {
        first_name: "Roodborst".to_owned(),
        last_name: "Winterkoning".to_owned(),
        email: "roodborst@zwaluw.example".to_owned(),
        ..Default::default()
    });
    canary.email = "Kwikstaart@zwaluw.example".to_owned();
    canary.billing_email = "rekening@zwaluw.example".to_owned();
    canary.labels = [("karekiet".to_owned(), "boomklever".to_owned())].into();
    canary
}

/// The texts in a document, but for short ones, which are found in anything.
fn texts(document: &Value, found: &mut BTreeSet<String>) {
    match document {
        Value::String(text) if text.chars().count() >= 4 => drop(found.insert(text.to_lowercase())),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

/// What the row has of each personal field of the table of fields. A new field is there by itself, and must have a value.
async fn personal(world: &World, id: &str) -> BTreeSet<String> {
    let row = "select to_jsonb(c) from customers c where id = $1::uuid";
    let row: Value = sqlx::query_scalar(row).bind(id).fetch_one(&mut world.sql().await).await.unwrap();
    let mut found = BTreeSet::new();
    for spec in Field::VARIANTS.iter().map(|field| field.spec()).filter(|spec| spec.personal) {
        let value = if spec.storage == Storage::Column { &row[spec.name] } else { &row["profile"][spec.name] };
        assert!(!value.is_null(), "the canary customer has no {}: give it one", spec.name);
        let mut of_field = BTreeSet::new();
        texts(value, &mut of_field);
        found.extend(of_field);
    }
    found
}

/// Calls with a request_id and all that may happen to a customer, so that each place holds something of it.
async fn live(acme: &TestAccount, north: &TestAccount) -> (String, BTreeSet<String>) {
    let branch = north.branch("Harbour").await;
    let member = north.add("sam", pb::Role::Member).await.member_id;
    let create = pb::CreateCustomerRequest {
        customer: Some(canary(&branch, &member)),
        request_id: request_id(),
        ..Default::default()
    };
    let made = north.admin.customers().create_customer(create).await.unwrap().into_inner().customer.unwrap();
    let id = made.id.clone();
    let mut planted: BTreeSet<String> = BTreeSet::new();
    for value in ["geelgors", "putter"] {
        north.admin.set_id(&id, "dms", value).await.unwrap();
        acme.admin.set_id(&id, "erp", &format!("p-{value}")).await.unwrap();
        planted.insert(value.to_owned());
    }
    north.admin.tag(&[&id], &["vip"], &[]).await.unwrap();
    acme.admin.tag(&[&id], &["gold"], &[]).await.unwrap();
    for email in ["vroeger@zwaluw.example", "later@zwaluw.example"] {
        let update = pb::UpdateCustomerRequest {
            customer: Some(pb::Customer { id: id.clone(), email: email.to_owned(), ..Default::default() }),
            update_mask: Some(mask(&["email"])),
            request_id: request_id(),
            ..Default::default()
        };
        north.admin.customers().update_customer(update).await.unwrap();
        let invite = pb::InviteMemberRequest { request_id: request_id(), ..inviting(email, pb::Role::Viewer) };
        north.admin.access().invite_member(invite).await.unwrap();
        planted.insert(email.to_owned());
    }
    let card = pb::PaymentMethod {
        provider: "kwartel".to_owned(),
        token: "tok_pimpelmees".to_owned(),
        brand: "Roerdomp".to_owned(),
        ..card()
    };
    add(
        &north.admin,
        &pb::AddPaymentMethodRequest { payment_method: Some(card), request_id: request_id(), ..adding(&id) },
    )
    .await
    .unwrap();
    create_feature(&acme.admin, feature("caller-id")).await.unwrap();
    activate(&north.admin, &id, "caller-id", 1).await.unwrap();
    planted.extend(["kwartel", "tok_pimpelmees", "roerdomp"].map(str::to_owned));
    let hold = place(&north.admin, &id, "nachtegaal").await.unwrap().holds.remove(0).hold_id;
    let release = pb::ReleaseHoldRequest { customer_id: id.clone(), hold_id: hold, ..Default::default() };
    north.admin.customers().release_hold(release).await.unwrap();
    let suspend = pb::SuspendCustomerRequest {
        customer_id: id.clone(),
        reason: "leeuwerik".to_owned(),
        request_id: request_id(),
        ..Default::default()
    };
    north.admin.customers().suspend_customer(suspend).await.unwrap();
    north.admin.archive(&[&id]).await.unwrap();
    planted.extend(["nachtegaal", "leeuwerik", "karekiet"].map(str::to_owned));
    (id, planted)
}

/// The whole database as lower-case text, by table.
async fn dump(world: &World) -> Vec<(String, String)> {
    rows(world).await.into_iter().map(|(table, rows)| (table, rows.join("\n").to_lowercase())).collect()
}

#[tokio::test]
async fn nothing_of_an_erased_customer_is_left_in_the_whole_database() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let baseline = dump(&world).await;
    let (id, mut planted) = live(&acme, &north).await;
    planted.extend(personal(&world, &id).await);
    // What anybody's row has, such as a code of a table, is no trace of this one.
    planted.retain(|text| !baseline.iter().any(|(_, dump)| dump.contains(text)));
    assert!(planted.len() > 35, "{planted:?}");
    let before = dump(&world).await;
    for text in &planted {
        assert!(before.iter().any(|(_, dump)| dump.contains(text)), "{text} was never stored");
    }
    let events = north.admin.events(&id).await.unwrap();
    let was = north.admin.get(&id).await.unwrap();

    let erased = call(&north.admin, &Erasing { request_id: request_id(), ..erasing(&id) }).await.unwrap();

    for (table, dump) in dump(&world).await {
        for text in &planted {
            assert!(!dump.contains(text), "{table} still has {text}");
        }
        let belonging = ["payment_methods", "feature_uses", "duplicate_keys", "customer_search", "custom_ids"];
        assert!(!belonging.contains(&table.as_str()) || !dump.contains(&id), "{table}");
    }
    let now = north.admin.get(&id).await.unwrap();
    assert_eq!(erased, pb::EraseCustomerResponse { customer: Some(now.clone()), replayed: false });
    let expected = pb::Customer {
        id: id.clone(),
        account_id: was.account_id,
        r#type: was.r#type,
        service_class: was.service_class,
        reach: was.reach,
        origin: was.origin,
        status: CustomerStatus::Erased.into(),
        archived_at: was.archived_at,
        create_time: was.create_time,
        created_by: was.created_by,
        update_time: now.update_time,
        updated_by: now.updated_by.clone(),
        etag: now.etag.clone(),
        dms_link: now.dms_link,
        ..Default::default()
    };
    assert_eq!(now, expected);
    // Ids, types, times and the number of events stay.
    let left = north.admin.events(&id).await.unwrap();
    let keys = |events: &[pb::CustomerEvent]| -> Vec<_> {
        events.iter().map(|event| (event.event_id.clone(), event.r#type(), event.event_time)).collect()
    };
    assert_eq!(left[0].r#type(), CustomerEventType::Erased);
    let changes: Vec<_> = left[0].changes.iter().map(|change| change.field.as_str()).collect();
    assert_eq!(changes, ["status"]);
    assert_eq!(keys(&left[1..]), keys(&events));
    let created = left.last().unwrap();
    let value = |field: &str| created.changes.iter().find(|change| change.field == field).unwrap().new_value.clone();
    let kind = |field: &str| value(field).unwrap().kind.unwrap();
    assert_eq!(kind("name"), prost_types::value::Kind::NullValue(0));
    assert_eq!(kind("reach"), prost_types::value::Kind::StringValue("FLEET".to_owned()), "no personal data");
    assert!(
        created.changes.iter().all(|change| !change.field.contains("karekiet")),
        "clients choose the keys of labels"
    );
}

#[tokio::test]
async fn a_hold_blocks_it_and_nothing_changes_an_erased_customer() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let id = acme.admin.create(full_customer("Ada")).await.unwrap().id;
    let hold = place(&acme.admin, &id, "orders").await.unwrap().holds.remove(0).hold_id;
    assert_refused(acme.admin.erase(&id).await, Code::FailedPrecondition, "CUSTOMER_HELD");
    assert!(!acme.admin.get(&id).await.unwrap().allowed_actions.contains(&"EraseCustomer".to_owned()));
    let release = pb::ReleaseHoldRequest { customer_id: id.clone(), hold_id: hold, ..Default::default() };
    acme.admin.customers().release_hold(release).await.unwrap();
    let first = acme.admin.erase(&id).await.unwrap();

    let before = rows(&world).await;
    // Again: it is made already.
    let again = call(&acme.admin, &erasing(&id)).await.unwrap();
    assert_eq!((again.customer.unwrap(), again.replayed), (first, false));
    let renamed = acme.admin.update(pb::Customer { id: id.clone(), ..customer("Bob") }, &["name"]).await;
    assert_refused(renamed, Code::FailedPrecondition, "CUSTOMER_ERASED");
    assert_refused(acme.admin.set_id(&id, "erp", "7").await, Code::FailedPrecondition, "CUSTOMER_ERASED");
    let batch = acme.admin.archive(&[&id]).await;
    let batch = assert_refused(batch, Code::FailedPrecondition, "CUSTOMER_ERASED");
    assert_eq!(crate::world::metadata(&batch, "field").as_deref(), Some("customer_ids[0]"));
    let after = rows(&world).await;
    assert_eq!(after, before);
}

#[tokio::test]
async fn names_and_numbers_of_an_erased_customer_are_free() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::Tenant, pb::AccountPolicies::default()).await;
    let ada = acme.admin.create(full_customer("Ada")).await.unwrap();
    acme.admin.erase(&ada.id).await.unwrap();
    // The same name, order reference and custom ID.
    let second = acme.admin.create(full_customer("Ada")).await.unwrap();
    acme.admin.erase(&second.id).await.unwrap();
    // Two customers without a name do not conflict where the rule is tightened.
    for rule in [pb::NameUniqueness::None, pb::NameUniqueness::Account, pb::NameUniqueness::Tenant] {
        let update = pb::UpdateAccountRequest {
            account: Some(pb::Account { id: acme.account.clone(), name_uniqueness: rule.into(), ..Default::default() }),
            update_mask: Some(mask(&["name_uniqueness"])),
            ..Default::default()
        };
        acme.admin.accounts().update_account(update).await.unwrap();
    }
    // Searches leave them out unless the status is asked for.
    let listed = async |statuses: Vec<i32>, archived: pb::ArchivedFilter| {
        let search = pb::SearchCustomersRequest { statuses, archived: archived.into(), ..Default::default() };
        let found = acme.admin.customers().search_customers(search).await.unwrap().into_inner().results;
        found.into_iter().map(|result| result.customer.unwrap().id).collect::<BTreeSet<_>>()
    };
    assert_eq!(listed(vec![], pb::ArchivedFilter::Hide).await, BTreeSet::new());
    assert_eq!(listed(vec![], pb::ArchivedFilter::Show).await, BTreeSet::new());
    let erased = listed(vec![CustomerStatus::Erased.into()], pb::ArchivedFilter::Hide).await;
    assert_eq!(erased, BTreeSet::from([ada.id, second.id]));
}

#[tokio::test]
async fn rights_and_tenancy_are_those_of_the_contract() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let fleet = acme.admin.create(pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Ada") }).await.unwrap();
    let before = rows(&world).await;
    assert_refused(north.admin.erase(&fleet.id).await, Code::PermissionDenied, "FLEET_OWNED_ELSEWHERE");
    let manager = acme.member(pb::Role::ServiceManager).await;
    assert_refused(manager.erase(&fleet.id).await, Code::PermissionDenied, "ROLE_TOO_LOW");
    let globex = world.tenant("globex").await;
    let foreign = assert_refused(globex.admin.erase(&fleet.id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    let absent = assert_refused(globex.admin.erase(&unknown_id()).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_eq!(wire(&foreign), wire(&absent));
    let validated = call(&acme.admin, &Erasing { validate_only: true, ..erasing(&fleet.id) }).await.unwrap();
    let validated = validated.customer.unwrap();
    assert_eq!(
        (validated.status(), validated.etag.as_str(), validated.name.as_str()),
        (CustomerStatus::Erased, "", "")
    );
    let mut after = rows(&world).await;
    for grown in ["accounts", "members", "principals", "tenants", "events"] {
        after.insert(grown.to_owned(), before[grown].clone());
    }
    assert_eq!(after, before);
    let stale = fleet.etag.clone();
    acme.admin.update(pb::Customer { id: fleet.id.clone(), ..customer("Ada 2") }, &["name"]).await.unwrap();
    let stale = call(&acme.admin, &Erasing { etag: stale, ..erasing(&fleet.id) }).await;
    assert_refused(stale, Code::Aborted, "ETAG_MISMATCH");
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_many_at_once_erase_once() {
    let world = World::for_many_calls().await;
    let acme = world.tenant("acme").await;
    let id = acme.admin.create(full_customer("Ada")).await.unwrap().id;
    let request = Erasing { request_id: request_id(), ..erasing(&id) };
    let answers = repeat_at_once(8, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { call(&client, &request).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    let first = answers[0].customer.clone().unwrap();
    assert!(answers.iter().all(|answer| answer.customer.as_ref() == Some(&first)));
    let other = Erasing { etag: first.etag, ..request };
    assert_refused(call(&acme.admin, &other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    let erased = acme.admin.events(&id).await.unwrap();
    assert_eq!(erased.iter().filter(|event| event.r#type() == CustomerEventType::Erased).count(), 1);
}

#[tokio::test]
async fn invitations_of_other_accounts_stay() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    for test_account in [&north, &south] {
        crate::invitations::invited(test_account, "ada@x.example").await;
    }
    let ada = pb::Customer { email: "ADA@x.example".to_owned(), ..customer("Ada") };
    let id = north.admin.create(ada.clone()).await.unwrap().id;
    let left = async || -> Vec<String> {
        let left = "select account_id::text from invitations order by id";
        sqlx::query_scalar(AssertSqlSafe(left)).fetch_all(&mut world.sql().await).await.unwrap()
    };
    north.admin.erase(&id).await.unwrap();
    assert_eq!(left().await, std::slice::from_ref(&south.account), "south's is not north's to end");
    let id = acme.admin.create(ada).await.unwrap().id;
    acme.admin.erase(&id).await.unwrap();
    assert_eq!(left().await, Vec::<String>::new());
}
