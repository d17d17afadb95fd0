//! ListCustomerEvents: content and visibility.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use prost_types::value::Kind;
use serde_json::{Value, json};
use tonic::Code;

use crate::world::{
    AUDIENCE, ISSUER, SERVICE, World, assert_refused, customer, full_customer, manual_approval, now, request_id,
    unknown_id, wire,
};
use clientele::grpc::pb::{self, CustomerEventType as Type};

/// The changes of an event by path: old value, new value.
pub fn changes(event: &pb::CustomerEvent) -> BTreeMap<&str, (Value, Value)> {
    let json = |value: &Option<prost_types::Value>| plain(value.as_ref().expect("both are set"));
    event.changes.iter().map(|change| (&*change.field, (json(&change.old_value), json(&change.new_value)))).collect()
}

fn plain(value: &prost_types::Value) -> Value {
    match value.kind.as_ref().expect("a value") {
        Kind::NullValue(_) => Value::Null,
        Kind::BoolValue(flag) => json!(flag),
        Kind::NumberValue(number) => json!(number),
        Kind::StringValue(text) => json!(text),
        Kind::ListValue(list) => list.values.iter().map(plain).collect(),
        Kind::StructValue(fields) => fields.fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
    }
}

pub fn types(events: &[pb::CustomerEvent]) -> Vec<Type> {
    events.iter().map(pb::CustomerEvent::r#type).collect()
}

fn from_nothing<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> BTreeMap<&'a str, (Value, Value)> {
    fields.into_iter().map(|(field, value)| (field, (Value::Null, value))).collect()
}

fn moment(time: prost_types::Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp(time.seconds, u32::try_from(time.nanos).unwrap()).unwrap()
}

#[tokio::test]
async fn changes_are_listed_newest_first_with_their_old_values() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    acme.admin.reject(&ada.id, "no papers").await.unwrap();
    let address = |city: &str| Some(pb::Address { city: city.to_owned(), ..Default::default() });
    let labels = |vip: &str| [("vip".to_owned(), vip.to_owned()), ("x".to_owned(), "1".to_owned())].into();
    let first = pb::Customer { primary_address: address("Delft"), labels: labels("yes"), ..ada.clone() };
    acme.admin.update(first, &["primary_address", "labels"]).await.unwrap();
    let second = pb::Customer { primary_address: address("Breda"), labels: labels("no"), ..ada.clone() };
    acme.admin.update(second, &["primary_address.city", "labels.vip", "name"]).await.unwrap();
    acme.admin.approve(&ada.id).await.unwrap();
    acme.admin.archive(&[&ada.id]).await.unwrap();
    let archived = acme.admin.get(&ada.id).await.unwrap();
    acme.admin.unarchive(&[&ada.id]).await.unwrap();

    let events = acme.admin.events(&ada.id).await.unwrap();

    let story = [Type::Unarchived, Type::Archived, Type::Approved, Type::Updated, Type::Updated, Type::Rejected];
    assert_eq!(types(&events), [&story[..], &[Type::Created]].concat());
    let [unarchived, in_archive, approved, updated, filled, rejected, created] = events.as_slice() else { panic!() };
    let at = json!(moment(archived.archived_at.unwrap()).to_rfc3339_opts(chrono::SecondsFormat::Micros, true));
    assert_eq!(changes(unarchived), [("archived_at", (at.clone(), Value::Null))].into());
    assert_eq!(changes(in_archive), from_nothing([("archived_at", at)]));
    assert_eq!(in_archive.event_time, archived.update_time);
    let gone = [("status", (json!("REJECTED"), json!("ACTIVE"))), ("status_reason", (json!("no papers"), Value::Null))];
    assert_eq!(changes(approved), gone.into());
    let parts =
        [("labels.vip", (json!("yes"), json!("no"))), ("primary_address.city", (json!("Delft"), json!("Breda")))];
    assert_eq!(changes(updated), parts.into(), "only the changed parts");
    let new = [("labels.vip", json!("yes")), ("labels.x", json!("1")), ("primary_address.city", json!("Delft"))];
    assert_eq!(changes(filled), from_nothing(new));
    let status = ("status", (json!("PENDING"), json!("REJECTED")));
    assert_eq!(changes(rejected), [status, ("status_reason", (Value::Null, json!("no papers")))].into());
    assert_eq!(created.event_time, ada.create_time);

    assert!(events.is_sorted_by(|newer, older| moment(newer.event_time.unwrap()) >= moment(older.event_time.unwrap())));
    let ids: std::collections::BTreeSet<_> = events.iter().map(|event| &event.event_id).collect();
    assert_eq!(ids.len(), 7);
    for event in &events {
        assert_eq!(uuid::Uuid::parse_str(&event.event_id).unwrap().get_version_num(), 7);
        assert_eq!((&event.customer_id, &event.acting_account_id), (&ada.id, &acme.account));
        assert_eq!(event.principal, ada.created_by);
        assert_eq!((event.actors.len(), event.request_id.as_str()), (0, ""));
        assert!(event.trace_id.len() == 32 && event.trace_id.chars().all(|digit| digit.is_ascii_hexdigit()));
    }
}

#[tokio::test]
async fn a_creation_carries_the_initial_values() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let copaco = acme.admin.create(full_customer("Copaco")).await.unwrap();

    let events = acme.admin.events(&copaco.id).await.unwrap();

    assert_eq!(types(&events).iter().filter(|happened| **happened == Type::Created).count(), 1);
    let created = events.iter().find(|event| event.r#type() == Type::Created).unwrap();
    let phone = |number: &str, e164: &str| json!({"number": number, "extension": "12", "e164": e164, "valid": true});
    let mut expected = from_nothing([
        ("type", json!("BUSINESS")),
        ("service_class", json!("NORMAL")),
        ("reach", json!("LOCAL")),
        ("name", json!("Copaco")),
        ("legal_name", json!("Copaco Netherlands B.V.")),
        ("registration_number", json!("17048595")),
        ("tax_ids", json!([{"value": "NL006486253B01", "country": "NL"}])),
        ("currency", json!("EUR")),
        ("industry", json!("non-profit")),
        ("email", json!("info@company.nl")),
        ("billing_email", json!("bills@company.nl")),
        ("phone", phone("+31 40 250 5000", "+31402505000")),
        ("fax", phone("+31 40 250 5001", "+31402505001")),
        ("origin", json!("CONTROL_PANEL")),
        ("order_reference", json!("order-Copaco")),
        ("labels.segment", json!("smb")),
        ("language", json!("nl-NL")),
        ("status", json!("ACTIVE")),
    ]);
    let contact = json!([{
        "contact_id": copaco.contacts[0].contact_id, "first_name": "Jan", "last_name": "Janssen", "job_title": "CEO",
        "email": "Jan.Janssen@company.nl", "primary": true,
        "phone": {"number": "+31(0)123456789", "extension": "12", "e164": "+31123456789"},
    }]);
    expected.insert("contacts", (Value::Null, contact.clone()));
    let lines: Vec<(String, &str)> =
        [("primary", "Hoevenweg 21"), ("billing", "Kanaaldijk 21"), ("shipping", "Havenkade 21")]
            .into_iter()
            .flat_map(|(kind, line1)| {
                let parts = [("line1", line1), ("line2", "Building B"), ("city", "Eindhoven"), ("state", "NL-NB")];
                let rest = [("postal_code", "5652 AW"), ("country", "NL")];
                parts.into_iter().chain(rest).map(move |(part, value)| (format!("{kind}_address.{part}"), value))
            })
            .collect();
    expected.extend(lines.iter().map(|(path, value)| (path.as_str(), (Value::Null, json!(value)))));
    assert_eq!(changes(created), expected);

    // Contacts are one value.
    let kim = pb::Contact { first_name: "Kim".to_owned(), ..Default::default() };
    let kim = acme.admin.update(pb::Customer { contacts: vec![kim], ..copaco }, &["contacts"]).await.unwrap();
    let events = acme.admin.events(&kim.id).await.unwrap();
    let now = json!([{"contact_id": kim.contacts[0].contact_id, "first_name": "Kim", "primary": true}]);
    assert_eq!(changes(&events[0]), [("contacts", (contact, now))].into());
}

#[tokio::test]
async fn an_event_records_principal_actors_account_rpc_and_trace() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let north = acme.child("north").await;
    north.add("boss", pb::Role::Admin).await;
    acme.add("uncle", pb::Role::Admin).await;
    let token = world.keys.sign(json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "boss", "exp": now() + 600,
        "act": {"sub": "agent", "act": {"iss": "https://other.example", "sub": "bot"}},
    }));
    let trace = |digit: &str| digit.repeat(32);
    let through = |digit: &str| Some(format!("00-{}-{}-01", trace(digit), "7".repeat(16)));
    let agent = world.bearer(token).acting_in(&north.account);
    let service = world.subject(SERVICE).in_tenant(&acme.tenant).acting_in(&north.account);
    let ids = [request_id(), request_id(), request_id()];

    let agent = crate::world::Client { traceparent: through("a"), ..agent };
    let create = pb::CreateCustomerRequest {
        customer: Some(customer("Ada")),
        request_id: ids[0].to_uppercase(),
        ..Default::default()
    };
    let ada = agent.customers().create_customer(create).await.unwrap().into_inner().customer.unwrap();
    let approval =
        pb::ApproveCustomerRequest { customer_id: ada.id.clone(), request_id: ids[1].clone(), ..Default::default() };
    let agent = crate::world::Client { traceparent: through("b"), ..agent };
    let approved = agent.customers().approve_customer(approval).await.unwrap().into_inner().customer.unwrap();
    let uncle = crate::world::Client { traceparent: through("c"), ..world.subject("uncle").accepting_all().await };
    uncle.update(pb::Customer { email: "a@x.nl".to_owned(), ..ada.clone() }, &["email"]).await.unwrap();
    let service = crate::world::Client { traceparent: through("d"), ..service };
    let archiving = pb::ArchiveCustomersRequest {
        customer_ids: vec![ada.id.clone()],
        request_id: ids[2].clone(),
        ..Default::default()
    };
    service.customers().archive_customers(archiving).await.unwrap();

    let listed: Vec<_> = north.admin.events(&ada.id).await.unwrap();
    let listed: Vec<_> = listed
        .iter()
        .rev()
        .map(|event| {
            let names = |who: &pb::Principal| (who.issuer.clone(), who.subject.clone());
            let actors: Vec<_> = event.actors.iter().map(names).collect();
            let by = event.principal.as_ref().map(names).unwrap();
            (by, actors, &*event.acting_account_id, &*event.rpc, &*event.request_id, event.trace_id.clone())
        })
        .collect();

    let by = |subject: &str| (ISSUER.to_owned(), subject.to_owned());
    let actors = vec![by("agent"), ("https://other.example".to_owned(), "bot".to_owned())];
    let rpc = |name: &str| format!("clientele.v1.CustomerService/{name}");
    let (create, approve) = (rpc("CreateCustomer"), rpc("ApproveCustomer"));
    let (update, archive) = (rpc("UpdateCustomer"), rpc("ArchiveCustomers"));
    let expected = [
        (by("boss"), actors.clone(), &*north.account, &*create, &*ids[0], trace("a")),
        (by("boss"), actors, &*north.account, &*approve, &*ids[1], trace("b")),
        (by("uncle"), Vec::new(), &*acme.account, &*update, "", trace("c")),
        (by(SERVICE), Vec::new(), &*north.account, &*archive, &*ids[2], trace("d")),
    ];
    assert_eq!(listed, expected);
    assert_eq!(approved.updated_by, Some(pb::Principal { issuer: ISSUER.to_owned(), subject: "boss".to_owned() }));
}

#[tokio::test]
async fn only_the_account_itself_sees_changes_of_its_custom_ids() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let shop = north.child("shop").await;
    let custom_ids = [("erp".to_owned(), "0042".to_owned()), ("dms".to_owned(), "K-7".to_owned())].into();
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), custom_ids, ..customer("Ada") };
    let ada = north.admin.create(fleet).await.unwrap();

    let own = north.admin.events(&ada.id).await.unwrap();
    assert_eq!(types(&own), [Type::CustomIdsChanged, Type::Created]);
    let given = [("custom_ids.erp", json!("0042")), ("custom_ids.dms", json!("K-7"))];
    assert_eq!(changes(&own[0]), from_nothing(given));
    assert!(!changes(&own[1]).keys().any(|path| path.starts_with("custom_ids")));
    for other in [&acme, &shop] {
        let events = other.admin.events(&ada.id).await.unwrap();
        assert_eq!(types(&events), [Type::Created]);
        assert!(!format!("{events:?}").contains("0042"));
    }
}

#[tokio::test]
async fn an_account_below_the_owner_sees_only_changes_of_visible_fields() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let north = acme.child("north").await;
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..full_customer("Copaco") };
    let create = pb::CreateCustomerRequest { customer: Some(fleet), request_id: request_id(), ..Default::default() };
    let copaco = acme.admin.customers().create_customer(create).await.unwrap().into_inner().customer.unwrap();
    let hidden = pb::Customer { currency: "USD".to_owned(), labels: Default::default(), ..copaco.clone() };
    acme.admin.update(hidden.clone(), &["currency", "labels"]).await.unwrap();
    let both = pb::Customer { billing_email: String::new(), email: "new@x.nl".to_owned(), ..hidden };
    acme.admin.update(both, &["billing_email", "email", "billing_address.city", "language"]).await.unwrap();
    acme.admin.reject(&copaco.id, "secret reason").await.unwrap();
    acme.admin.archive(&[&copaco.id]).await.unwrap();

    let below = north.admin.events(&copaco.id).await.unwrap();

    assert_eq!(types(&below), [Type::Archived, Type::Rejected, Type::Updated, Type::Created]);
    assert_eq!(changes(&below[1]), [("status", (json!("PENDING"), json!("REJECTED")))].into());
    assert_eq!(changes(&below[2]), [("email", (json!("info@company.nl"), json!("new@x.nl")))].into());
    let shown = [
        "contacts",
        "email",
        "fax",
        "legal_name",
        "name",
        "phone",
        "primary_address",
        "reach",
        "registration_number",
        "service_class",
        "shipping_address",
        "status",
        "tax_ids",
        "type",
    ];
    let mut fields: Vec<&str> = changes(&below[3]).into_keys().map(|path| path.split('.').next().unwrap()).collect();
    fields.dedup();
    assert_eq!(fields, shown);
    let nameless = |event: &pb::CustomerEvent| event.principal.is_none() && event.trace_id.is_empty();
    assert!(below.iter().all(nameless), "accounts below do not see who did it");
    assert!(below.iter().all(|event| event.request_id.is_empty()), "request_ids of other accounts are not visible");
    let above = acme.admin.events(&copaco.id).await.unwrap();
    assert_eq!(above.len(), 6);
    assert!(!above.last().unwrap().request_id.is_empty());
}

#[tokio::test]
async fn every_role_may_read_the_events_of_a_visible_customer() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let globex = world.tenant("globex").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let bob = north.admin.create(customer("Bob")).await.unwrap();

    for role in [pb::Role::Viewer, pb::Role::Member, pb::Role::ServiceManager, pb::Role::Admin] {
        for client in [north.member(role).await, acme.member(role).await] {
            assert_eq!(client.events(&bob.id).await.unwrap().len(), 1);
        }
    }
    let service = world.subject(SERVICE).in_tenant(&acme.tenant).acting_in(&north.account);
    assert_eq!(service.events(&bob.id).await.unwrap().len(), 1);
    for (client, id) in [(&south.admin, &bob.id), (&north.admin, &ada.id), (&globex.admin, &bob.id)] {
        let refused = assert_refused(client.events(id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        let absent = assert_refused(client.events(&unknown_id()).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        assert_eq!(wire(&refused), wire(&absent), "existence must not leak");
    }
    assert_refused(world.operator().events(&bob.id).await, Code::PermissionDenied, "NOT_A_MEMBER");
    assert_refused(world.subject("stranger").events(&bob.id).await, Code::PermissionDenied, "NOT_A_MEMBER");
    assert_refused(world.without_token().events(&bob.id).await, Code::Unauthenticated, "TOKEN_MISSING");
}
