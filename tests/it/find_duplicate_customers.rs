//! FindDuplicateCustomers.

use clientele::grpc::pb::{self, DuplicateReason as Reason, Role};
use tonic::{Code, Status};

use crate::world::{Client, World, assert_refused, bad_fields, customer, full_customer, unknown_id, wire};

/// A customer with an email address.
pub fn with_email(name: &str, email: &str) -> pb::Customer {
    pb::Customer { email: email.to_owned(), ..customer(name) }
}

/// A customer in a city.
pub fn in_city(name: &str, city: &str) -> pb::Customer {
    let address = pb::Address { city: city.to_owned(), country: "NL".to_owned(), ..Default::default() };
    pb::Customer { primary_address: Some(address), ..customer(name) }
}

pub async fn ask(
    client: &Client,
    request: pb::FindDuplicateCustomersRequest,
) -> Result<Vec<pb::PossibleDuplicate>, Status> {
    Ok(client.customers().find_duplicate_customers(request).await?.into_inner().duplicates)
}

/// The duplicates of a stored customer.
pub async fn of_id(client: &Client, id: &str) -> Result<Vec<pb::PossibleDuplicate>, Status> {
    ask(client, pb::FindDuplicateCustomersRequest { customer_id: id.to_owned(), customer: None }).await
}

/// The duplicates of a form.
pub async fn of(client: &Client, customer: pb::Customer) -> Result<Vec<pb::PossibleDuplicate>, Status> {
    ask(client, pb::FindDuplicateCustomersRequest { customer: Some(customer), ..Default::default() }).await
}

/// Ids, scores and reasons.
pub fn found(duplicates: &[pb::PossibleDuplicate]) -> Vec<(String, i32, Vec<Reason>)> {
    let one = |it: &pb::PossibleDuplicate| (it.customer.clone().unwrap().id, it.score, it.reasons().collect());
    duplicates.iter().map(one).collect()
}

#[tokio::test]
async fn customers_are_found_by_what_they_have_in_common() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let made = acme.admin.create(full_customer("Copaco")).await.unwrap();
    acme.admin.create(full_customer("Copaco")).await.unwrap_err();
    let viewer = acme.member(Role::Viewer).await;
    let tax_id = made.tax_ids[0].value.clone();
    let number = pb::TaxId { value: tax_id.to_lowercase(), ..Default::default() };
    let phone = made.phone.clone();
    for (asked, reasons, score) in [
        (pb::Customer { tax_ids: vec![number], ..Default::default() }, vec![Reason::TaxId], 60),
        (
            pb::Customer { registration_number: made.registration_number.clone(), ..Default::default() },
            vec![Reason::RegistrationNumber],
            60,
        ),
        (with_email("", &made.email.to_uppercase()), vec![Reason::Email], 40),
        (with_email("", &made.billing_email), vec![Reason::Email], 40),
        (with_email("", &made.contacts[0].email), vec![Reason::Email], 40),
        (pb::Customer { phone, ..Default::default() }, vec![Reason::Phone], 30),
        (in_city("COPACO b.v.", "eindhoven"), vec![Reason::NameAndCity], 40),
        (customer("Copaco"), vec![Reason::Name], 30),
        (pb::Customer { phone: made.phone.clone(), ..customer("copaco") }, vec![Reason::Phone, Reason::Name], 60),
    ] {
        let duplicates = of(&viewer, asked.clone()).await.unwrap();
        assert_eq!(found(&duplicates), [(made.id.clone(), score, reasons)], "{asked:?}");
    }
    for other in [in_city("Copaco", "Utrecht"), customer("Copaco Belgium"), with_email("Other", "x@y.example")] {
        assert_eq!(found(&of(&viewer, other).await.unwrap()), []);
    }
    // A stored customer is compared with all others but itself.
    assert_eq!(found(&of_id(&viewer, &made.id).await.unwrap()), []);
    let mut twin = pb::Customer { custom_ids: Default::default(), order_reference: String::new(), ..made.clone() };
    twin.contacts.iter_mut().for_each(|contact| contact.contact_id.clear());
    let request = pb::CreateCustomerRequest { customer: Some(twin), ..Default::default() };
    let twin = acme.admin.customers().create_customer(request).await.unwrap().into_inner().customer.unwrap();
    let duplicates = of_id(&viewer, &made.id).await.unwrap();
    let all = [Reason::TaxId, Reason::RegistrationNumber, Reason::Email, Reason::Phone, Reason::NameAndCity];
    assert_eq!(found(&duplicates), [(twin.id, 100, all.to_vec())]);
    let shown = duplicates[0].customer.as_ref().unwrap();
    assert!(shown.contacts.is_empty() && shown.labels.is_empty() && !shown.etag.is_empty(), "BASIC: {shown:?}");
}

#[tokio::test]
async fn the_most_likely_comes_first_and_twenty_are_the_most() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let mut ids = Vec::new();
    for number in 0..22 {
        ids.push(acme.admin.create(with_email(&format!("N{number}"), "info@shared.example")).await.unwrap().id);
    }
    let duplicates = found(&of(&acme.admin, with_email("New", "Info@Shared.example")).await.unwrap());
    let oldest: Vec<String> = duplicates.iter().map(|(id, ..)| id.clone()).collect();
    assert_eq!(oldest, ids[..20], "the oldest, in order");
    // The last one is beyond the twenty oldest of the address, and is found by its name, with both reasons.
    let duplicates = found(&of(&acme.admin, with_email("n21", "info@shared.example")).await.unwrap());
    assert_eq!(duplicates.len(), 20);
    assert_eq!(duplicates[0], (ids[21].clone(), 70, vec![Reason::Email, Reason::Name]));
}

#[tokio::test]
async fn an_account_finds_what_it_sees_and_by_what_it_is_shown() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let site = north.child("site").await;
    let twin = |email: &str| with_email("Twin", email);
    let mut ids = Vec::new();
    for test_account in [&acme, &north, &south, &site] {
        ids.push(test_account.admin.create(twin("a@b.example")).await.unwrap().id);
    }
    let fleet = pb::Customer {
        reach: pb::Reach::Fleet.into(),
        billing_email: "bills@b.example".to_owned(),
        ..twin("fleet@b.example")
    };
    let fleet = acme.admin.create(fleet).await.unwrap().id;
    let [of_acme, of_north, of_south, of_site] = ids.try_into().unwrap();
    let by = |email: &str| with_email("", email);
    for (client, sees) in [
        (&acme.admin, vec![&of_acme, &of_north, &of_south, &of_site]),
        (&north.admin, vec![&of_north, &of_site]),
        (&south.admin, vec![&of_south]),
        (&site.admin, vec![&of_site]),
    ] {
        let duplicates = found(&of(client, by("a@b.example")).await.unwrap());
        let seen: Vec<&String> = duplicates.iter().map(|(id, ..)| id).collect();
        assert_eq!(seen, sees);
        assert_eq!(
            found(&of(client, by("fleet@b.example")).await.unwrap()),
            [(fleet.clone(), 40, vec![Reason::Email])]
        );
        let hidden = found(&of(client, by("bills@b.example")).await.unwrap());
        assert_eq!(
            hidden.len(),
            usize::from(client.account == acme.admin.account),
            "the billing address is not shown below"
        );
    }
    // Nor does an account below compare by it what it asks for by the id.
    north.admin.create(with_email("Bills", "bills@b.example")).await.unwrap();
    assert_eq!(found(&of_id(&north.admin, &fleet).await.unwrap()).len(), 2, "by the name alone");
    assert!(found(&of_id(&acme.admin, &fleet).await.unwrap()).iter().any(|(_, _, why)| why == &[Reason::Email]));
    // Another tenant has none of them.
    let other = world.tenant("other").await;
    assert_eq!(found(&of(&other.admin, twin("a@b.example")).await.unwrap()), []);
    // No longer FLEET, it is not found below.
    let local = pb::Customer { id: fleet.clone(), reach: pb::Reach::Local.into(), ..Default::default() };
    acme.admin.update(local, &["reach"]).await.unwrap();
    assert_eq!(found(&of(&north.admin, by("fleet@b.example")).await.unwrap()), []);
    assert_eq!(found(&of(&acme.admin, by("fleet@b.example")).await.unwrap()).len(), 1);
}

#[tokio::test]
async fn a_customer_out_of_sight_does_not_exist() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let other = world.tenant("other").await;
    let id = south.admin.create(customer("Ada")).await.unwrap().id;
    let absent = assert_refused(of_id(&north.admin, &unknown_id()).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    for client in [&north.admin, &other.admin] {
        let hidden = assert_refused(of_id(client, &id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
        assert_eq!(wire(&hidden), wire(&absent));
    }
    let bob = south.admin.create(with_email("Bob", "a@b.example")).await.unwrap().id;
    let eve = south.admin.create(with_email("Eve", "a@b.example")).await.unwrap().id;
    // A narrowed call compares its one customer.
    let narrowed = south.admin.narrowed_to(&eve);
    assert_refused(of_id(&narrowed, &bob).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_eq!(found(&of_id(&narrowed, &eve).await.unwrap()), []);
    let asked = with_email("", "a@b.example");
    assert_eq!(found(&of(&narrowed, asked).await.unwrap()), [(eve, 40, vec![Reason::Email])]);
    assert_eq!(found(&of(&narrowed, with_email("", "c@b.example")).await.unwrap()), []);
}

#[tokio::test]
async fn archived_and_rejected_customers_are_reported_as_such() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, crate::world::manual_approval()).await;
    let id = acme.admin.create(with_email("Ada", "a@b.example")).await.unwrap().id;
    acme.admin.reject(&id, "no").await.unwrap();
    acme.admin.archive(&[&id]).await.unwrap();
    let duplicates = of(&acme.admin, with_email("Bob", "a@b.example")).await.unwrap();
    let shown = duplicates[0].customer.as_ref().unwrap();
    assert!(shown.archived_at.is_some() && shown.status() == pb::CustomerStatus::Rejected, "{shown:?}");
    // Of the statuses of a newer release those of customers that are no more are left out.
    let mut sql = world.sql().await;
    let any =
        "alter table customers drop constraint customers_status_check, drop constraint customers_status_reason_check,
                               drop constraint customers_merged_into_check, drop constraint customers_name_check";
    sqlx::raw_sql(any).execute(&mut sql).await.unwrap();
    for (status, shown) in [("MERGED", 0), ("ERASED", 0), ("OF_TOMORROW", 1)] {
        let set = "update customers set status = $1, status_reason = null";
        sqlx::query(set).bind(status).execute(&mut sql).await.unwrap();
        let found = of(&acme.admin, with_email("Bob", "a@b.example")).await.unwrap();
        assert_eq!(found.len(), shown, "{status}");
        let unknown = |found: &pb::PossibleDuplicate| found.customer.as_ref().unwrap().status == 0;
        assert!(found.iter().all(unknown));
    }
}

#[tokio::test]
async fn a_request_names_one_customer_or_describes_one() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let id = acme.admin.create(customer("Ada")).await.unwrap().id;
    let both = pb::FindDuplicateCustomersRequest { customer_id: id, customer: Some(customer("Ada")) };
    let wrong_email =
        pb::Customer { email: "no".to_owned(), phone: Some(pb::Phone::default()), ..customer(&"x".repeat(121)) };
    let wrong_number = pb::TaxId { value: "NL123456789B01".to_owned(), ..Default::default() };
    for (request, fields) in [
        (pb::FindDuplicateCustomersRequest::default(), vec!["customer_id"]),
        (pb::FindDuplicateCustomersRequest { customer_id: "7".to_owned(), customer: None }, vec!["customer_id"]),
        (both, vec!["customer"]),
        (about(pb::Customer::default()), vec!["customer"]),
        (about(pb::Customer { currency: "EUR".to_owned(), ..Default::default() }), vec!["customer"]),
        (about(wrong_email), vec!["customer.name", "customer.email"]),
        (about(pb::Customer { tax_ids: vec![wrong_number], ..Default::default() }), vec!["customer.tax_ids[0].value"]),
    ] {
        let refused = assert_refused(ask(&acme.admin, request).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), fields);
    }
}

fn about(customer: pb::Customer) -> pb::FindDuplicateCustomersRequest {
    pb::FindDuplicateCustomersRequest { customer: Some(customer), ..Default::default() }
}
