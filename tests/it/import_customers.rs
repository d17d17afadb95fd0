//! ImportCustomers.

use clientele::grpc::pb::{
    self, CustomerEventType, DuplicatePolicy as Policy, DuplicateReason, ImportOutcome,
    ImportOutcome::{Created, Failed, NotTried, Unchanged, Updated},
    Role,
};
use prost::Message;
use sqlx::PgConnection;
use tonic::{Code, Status};
use tonic_types::{StatusExt as _, pb as rpc};

use crate::{
    custom_ids::{assert_consistent, narrowed, upsert, with_custom_ids, written},
    find_duplicate_customers::with_email,
    rows::rows,
    suspend_account::{resume, suspend},
    telemetry::scrape::scrape,
    world::{
        Client, World, assert_refused, at_once, bad_fields, customer, database, full_customer, mask, metadata,
        production_database, request_id, unknown_id, until, wait_for_locks, wire,
    },
};

/// An import of these customers.
pub fn importing(customers: Vec<pb::Customer>, paths: &[&str]) -> pb::ImportCustomersRequest {
    let rows = customers.into_iter().map(|customer| pb::ImportRow { customer: Some(Box::new(customer)) }).collect();
    pb::ImportCustomersRequest { rows, update_mask: Some(mask(paths)), ..Default::default() }
}

/// The results of an import.
pub async fn import(client: &Client, request: &pb::ImportCustomersRequest) -> Result<Vec<pb::ImportResult>, Status> {
    let results = client.exchange().import_customers(request.clone()).await?.into_inner().results;
    assert_eq!(results.len(), request.rows.len());
    Ok(results)
}

/// The error of a row, as a call of its own would have it.
pub fn refusal(result: &pb::ImportResult) -> Status {
    let error: &rpc::Status = result.error.as_ref().unwrap();
    assert_eq!(result.outcome(), Failed);
    assert_eq!((result.customer_id.as_str(), result.etag.as_str(), result.replayed), ("", "", false));
    Status::with_details(Code::from(error.code), error.message.clone(), error.encode_to_vec().into())
}

/// The result of an import of one row; its error is the call's.
pub async fn import_one(client: Client, request: pb::ImportCustomersRequest) -> Result<String, Status> {
    let results = import(&client, &request).await?;
    if results[0].error.is_some() { Err(refusal(&results[0])) } else { Ok(format!("{results:?}")) }
}

fn outcomes(results: &[pb::ImportResult]) -> Vec<ImportOutcome> {
    results.iter().map(pb::ImportResult::outcome).collect()
}

fn erp(name: &str, number: &str) -> pb::Customer {
    with_custom_ids(name, &[("erp", number)])
}

#[tokio::test]
async fn every_row_gets_what_an_upsert_of_its_own_would_get() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(erp("Ada", "1")).await.unwrap();
    let bob = acme.admin.create(erp("Bob", "2")).await.unwrap();
    let eve = acme.admin.create(customer("Eve")).await.unwrap();
    let kim = acme.admin.create(customer("Kim")).await.unwrap();
    let new = pb::Customer { origin: pb::Origin::Unspecified.into(), ..full_customer("New") };
    let new = pb::Customer { sales_person_id: String::new(), branch_id: String::new(), ..new };
    let wrong = pb::Customer { email: "nowhere".to_owned(), language: "?".to_owned(), ..erp("", "4") };
    let customers = vec![
        pb::Customer { custom_ids: erp("", "3").custom_ids, ..new },
        erp("Ada Byron", "1"),
        wrong.clone(),
        erp("Bob", "2"),
        pb::Customer { id: unknown_id(), ..customer("Nobody") },
        pb::Customer { id: eve.id.clone(), ..with_custom_ids("Eve", &[("erp", "1")]) },
        pb::Customer { id: kim.id.clone(), ..with_custom_ids("Kim", &[("dms", "7")]) },
        customer("Without a custom ID"),
        pb::Customer { origin: pb::Origin::Marketplace.into(), ..erp("Zoe", "5") },
    ];
    let request = importing(customers.clone(), &["name", "email"]);
    let results = import(&acme.admin, &request).await.unwrap();
    assert_eq!(outcomes(&results), [Created, Updated, Failed, Unchanged, Failed, Failed, Updated, Failed, Created]);
    for (result, expected) in results.iter().zip(["New", "Ada Byron", "", "Bob", "", "", "Kim", "", "Zoe"]) {
        if expected.is_empty() {
            continue;
        }
        let stored = acme.admin.get(&result.customer_id).await.unwrap();
        assert_eq!(stored.name, expected);
        assert!(!result.replayed && result.error.is_none());
    }
    let [new, zoe] = [&results[0].customer_id, &results[8].customer_id];
    let (new, zoe) = (acme.admin.get(new).await.unwrap(), acme.admin.get(zoe).await.unwrap());
    assert_eq!((new.origin(), zoe.origin()), (pb::Origin::Import, pb::Origin::Marketplace));
    assert_eq!((new.etag.as_str(), new.language.as_str()), (results[0].etag.as_str(), "nl-NL"));
    assert_eq!(
        [&results[1].customer_id, &results[3].customer_id, &results[6].customer_id],
        [&ada.id, &bob.id, &kim.id]
    );
    assert_eq!(results[3].etag, bob.etag);
    // The errors are those of UpsertCustomer, to the byte.
    assert_eq!(bad_fields(&refusal(&results[2])), ["customer.name", "customer.email", "customer.language"]);
    for place in [2, 4, 5, 7] {
        let alone = acme.admin.upsert(upsert(customers[place].clone(), &["name", "email"])).await.unwrap_err();
        assert_eq!(wire(&refusal(&results[place])), wire(&alone), "row {place}");
    }
    let created = acme.admin.events(&new.id).await.unwrap().pop().unwrap();
    assert_eq!(
        (created.r#type(), created.rpc.as_str()),
        (CustomerEventType::Created, "clientele.v1.ExchangeService/ImportCustomers")
    );
    assert_consistent(&world).await;
}

#[tokio::test]
async fn the_system_finds_rows_without_an_id() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(with_custom_ids("Ada", &[("erp", "1"), ("dms", "9")])).await.unwrap();
    let bob = acme.admin.create(customer("Bob")).await.unwrap();
    let request = pb::ImportCustomersRequest {
        system: "dms".to_owned(),
        ..importing(
            vec![
                with_custom_ids("Ada", &[("erp", "2"), ("dms", "9")]),
                pb::Customer { id: bob.id.clone(), ..customer("Bob B.") },
                erp("Eve", "4"),
            ],
            &["name"],
        )
    };
    let results = import(&acme.admin, &request).await.unwrap();
    assert_eq!(outcomes(&results), [Updated, Updated, Failed]);
    assert_eq!(bad_fields(&refusal(&results[2])), ["customer.custom_ids"]);
    assert_eq!(acme.admin.get(&ada.id).await.unwrap().custom_ids["erp"], "2");
    assert_eq!(acme.admin.get(&bob.id).await.unwrap().name, "Bob B.");
}

#[tokio::test]
async fn duplicates_are_reported_blocked_or_ignored_within_the_import_too() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let stored = acme.admin.create(with_email("Ada", "a@b.example")).await.unwrap().id;
    // Two that share the address of the stored one, and two that share one with each other.
    let with = |policy: Policy, batch: &str| {
        let shared = format!("{batch}@b.example");
        let emails = ["a@b.example", "a@b.example", &shared, &shared];
        let customers = emails.iter().enumerate().map(|(place, email)| {
            let name = format!("{batch} {place}");
            pb::Customer { email: (*email).to_owned(), ..erp(&name, &name) }
        });
        pb::ImportCustomersRequest { duplicate_policy: policy.into(), ..importing(customers.collect(), &["name"]) }
    };
    let blocked = import(&acme.admin, &with(Policy::Block, "block")).await.unwrap();
    assert_eq!(outcomes(&blocked), [Failed, Failed, Created, Failed]);
    for (place, other) in [(0, &stored), (1, &stored), (3, &blocked[2].customer_id)] {
        let refused = refusal(&blocked[place]);
        assert_eq!(
            (refused.code(), crate::world::reason(&refused).as_str()),
            (Code::AlreadyExists, "POSSIBLE_DUPLICATE")
        );
        assert_eq!(&refused.get_details_resource_info().unwrap().resource_name, other);
        assert_eq!(metadata(&refused, "reasons").as_deref(), Some("EMAIL"));
    }
    for (policy, batch) in [(Policy::Unspecified, "unset"), (Policy::Report, "report")] {
        let reported = import(&acme.admin, &with(policy, batch)).await.unwrap();
        assert_eq!(outcomes(&reported), [Created; 4]);
        let first = &reported[0].possible_duplicates[0];
        assert_eq!(
            (&first.customer_id, first.score, first.reasons().collect()),
            (&stored, 40, vec![DuplicateReason::Email])
        );
        assert!(reported[1].possible_duplicates.iter().any(|other| other.customer_id == reported[0].customer_id));
        assert!(reported[2].possible_duplicates.is_empty());
        let of_last: Vec<_> = reported[3].possible_duplicates.iter().map(|other| &other.customer_id).collect();
        assert_eq!(of_last, [&reported[2].customer_id]);
    }
    let ignored = import(&acme.admin, &with(Policy::Ignore, "ignore")).await.unwrap();
    assert_eq!(outcomes(&ignored), [Created; 4]);
    assert!(ignored.iter().all(|result| result.possible_duplicates.is_empty()));
    // What exists is updated, whatever others there are.
    let again = with(Policy::Block, "unset");
    assert_eq!(outcomes(&import(&acme.admin, &again).await.unwrap()), [Unchanged; 4]);
}

#[tokio::test]
async fn a_repeat_writes_what_failed_and_replays_the_rest() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    acme.admin.create(with_email("Twin", "twin@b.example")).await.unwrap();
    let mut request = pb::ImportCustomersRequest {
        request_id: request_id(),
        ..importing(
            vec![
                pb::Customer { email: "twin@b.example".to_owned(), ..erp("Ada", "1") },
                pb::Customer { email: "nowhere".to_owned(), ..erp("Bob", "2") },
                erp("Eve", "3"),
            ],
            &["name"],
        )
    };
    let first = import(&acme.admin, &request).await.unwrap();
    assert_eq!(outcomes(&first), [Created, Failed, Created]);
    assert_eq!(first[0].possible_duplicates.len(), 1);
    let before = written(&world).await;
    let replayed = |result: &pb::ImportResult| pb::ImportResult { replayed: true, ..result.clone() };
    let again = import(&acme.admin, &request).await.unwrap();
    assert_eq!(again, [replayed(&first[0]), first[1].clone(), replayed(&first[2])]);
    assert_eq!(written(&world).await, before);
    // The wrong row is corrected, and a row that was written is changed.
    request.rows[1].customer.as_mut().unwrap().email = "bob@b.example".to_owned();
    request.rows[2].customer.as_mut().unwrap().name = "Evelyn".to_owned();
    let corrected = import(&acme.admin, &request).await.unwrap();
    assert_eq!(outcomes(&corrected), [Created, Created, Failed]);
    assert_eq!((&corrected[0], corrected[1].replayed), (&replayed(&first[0]), false));
    let reused = refusal(&corrected[2]);
    assert_refused(Err::<(), _>(reused), Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert_eq!(acme.admin.get(&first[2].customer_id).await.unwrap().name, "Eve");
    // All events of the import have the id that the caller sent.
    for result in &corrected[..2] {
        let events = acme.admin.events(&result.customer_id).await.unwrap();
        assert!(!events.is_empty() && events.iter().all(|event| event.request_id == request.request_id));
    }
    // The same id of another RPC is another request.
    let other = pb::CreateCustomerRequest {
        customer: Some(customer("Other")),
        request_id: request.request_id.clone(),
        ..Default::default()
    };
    assert!(!acme.admin.customers().create_customer(other).await.unwrap().into_inner().replayed);
}

#[tokio::test]
async fn equal_imports_at_once_write_each_row_once() {
    let world = World::for_many_calls().await;
    let acme = world.tenant("acme").await;
    let rows = (0..20).map(|count| erp(&format!("Customer {count}"), &format!("{count}"))).collect();
    let request = pb::ImportCustomersRequest { request_id: request_id(), ..importing(rows, &["name"]) };
    let calls = (0..4).map(|_| {
        let (admin, request) = (acme.admin.clone(), request.clone());
        async move { import(&admin, &request).await }
    });
    let answers: Vec<_> = at_once(calls).await.into_iter().map(Result::unwrap).collect();
    for place in 0..20 {
        let of_row: Vec<_> = answers.iter().map(|results| &results[place]).collect();
        assert!(of_row.iter().all(|result| result.outcome() == Created), "{of_row:?}");
        assert!(of_row.iter().all(|result| result.customer_id == of_row[0].customer_id));
        assert_eq!(of_row.iter().filter(|result| !result.replayed).count(), 1);
    }
    assert_consistent(&world).await;
}

#[tokio::test]
async fn validate_only_checks_each_row_and_stores_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(erp("Ada", "1")).await.unwrap();
    let request = pb::ImportCustomersRequest {
        validate_only: true,
        request_id: request_id(),
        ..importing(vec![erp("Ada B.", "1"), erp("Eve", "2"), erp("", "3")], &["name"])
    };
    let before = rows(&world).await;
    let results = import(&acme.admin, &request).await.unwrap();
    assert_eq!(outcomes(&results), [Updated, Created, Failed]);
    assert_eq!([&results[0].customer_id, &results[1].customer_id], [&ada.id, ""]);
    assert!(results.iter().all(|result| result.etag.is_empty()));
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn what_is_wrong_with_the_call_is_told_at_once_and_nothing_is_written() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let before = rows(&world).await;
    let valid = importing(vec![erp("Ada", "1")], &["name"]);
    let wrong = pb::ImportCustomersRequest {
        system: "No System".to_owned(),
        update_mask: Some(mask(&["name", "status"])),
        request_id: "no".to_owned(),
        duplicate_policy: 9,
        ..valid.clone()
    };
    let refused = assert_refused(import(&acme.admin, &wrong).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["request_id", "system", "update_mask.paths[1]", "duplicate_policy"]);
    let without_mask = pb::ImportCustomersRequest { update_mask: None, ..valid.clone() };
    let many = importing((0..501).map(|count| erp("Ada", &format!("{count}"))).collect(), &["name"]);
    for (request, field) in [(without_mask, "update_mask"), (importing(vec![], &["name"]), "rows"), (many, "rows")] {
        let refused = assert_refused(import(&acme.admin, &request).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), [field]);
    }
    assert_eq!(rows(&world).await, before);
    let empty = pb::ImportCustomersRequest { rows: vec![pb::ImportRow::default()], ..valid };
    assert_eq!(bad_fields(&refusal(&import(&acme.admin, &empty).await.unwrap()[0])), ["customer"]);
}

#[tokio::test]
async fn the_largest_import_is_written_whatever_its_rows_have_in_common() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let contact = pb::Contact { first_name: "Jan".to_owned(), email: "jan@b.example".to_owned(), ..Default::default() };
    let row = |count| pb::Customer {
        email: "all@b.example".to_owned(),
        labels: (0..9).map(|label| (format!("label-{label}"), "a value".to_owned())).collect(),
        contacts: vec![contact.clone(); 3],
        ..erp(&format!("Customer {count}"), &format!("{count}"))
    };
    let request = importing((0..500).map(row).collect(), &["name"]);
    assert!(request.encoded_len() > 150_000);
    let results = import(&acme.admin, &request).await.unwrap();
    for (place, result) in results.iter().enumerate() {
        assert_eq!(result.outcome(), Created, "row {place}: {result:?}");
        assert_eq!(result.possible_duplicates.len(), place.min(20), "row {place}");
    }
    let names: Vec<String> =
        sqlx::query_scalar("select name from customers order by id").fetch_all(&mut world.sql().await).await.unwrap();
    assert!(names.iter().enumerate().all(|(place, name)| *name == format!("Customer {place}")), "in their order");
}

#[tokio::test]
async fn rows_that_are_refused_have_every_error_within_the_size_of_an_answer() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let row = || pb::Customer { contacts: vec![pb::Contact::default(); 20], ..customer("") };
    let results = import(&acme.admin, &importing((0..500).map(|_| row()).collect(), &["name"])).await.unwrap();
    for result in &results {
        let refused = refusal(result);
        assert!(refused.details().len() <= 4 * 1024 && bad_fields(&refused).len() > 10, "{refused:?}");
    }
}

/// A repeat executes rows that were not written and leaves those that were: with two rows of one customer it could write the first
/// over the second.
#[tokio::test]
async fn a_customer_is_in_one_row_only() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(with_custom_ids("Ada", &[("erp", "a1"), ("dms", "7")])).await.unwrap();
    let id = |id: &str, name: &str| pb::Customer { id: id.to_owned(), ..customer(name) };
    let dms = |name: &str| with_custom_ids(name, &[("dms", "7")]);
    let twice = |first: pb::Customer, second: pb::Customer| pb::ImportCustomersRequest {
        request_id: request_id(),
        ..importing(vec![first, second, erp("Other", "9")], &["name"])
    };
    let cases = [
        (twice(erp("One", "a1"), erp("Two", "A1")), "customer.custom_ids.erp"),
        (twice(id(&ada.id, "Three"), id(&ada.id.to_uppercase(), "Four")), "customer.id"),
        (twice(erp("Five", "a1"), dms("Six")), "customer.custom_ids.dms"),
        (twice(dms("Seven"), id(&ada.id, "Eight")), "customer.id"),
        (twice(id(&ada.id, "Nine"), erp("Ten", "a1")), "customer.custom_ids.erp"),
        // The first row is refused: the second could be written over by a repeat in which it is corrected.
        (
            twice(pb::Customer { email: "nowhere".to_owned(), ..erp("Eleven", "a1") }, erp("Twelve", "a1")),
            "customer.custom_ids.erp",
        ),
        // The first row creates the customer that the second finds.
        (
            twice(
                with_custom_ids("Thirteen", &[("erp", "b1"), ("default", "b2")]),
                with_custom_ids("Fourteen", &[("default", "b2")]),
            ),
            "customer.custom_ids.default",
        ),
    ];
    for (request, field) in cases {
        let results = import(&acme.admin, &request).await.unwrap();
        assert_eq!(bad_fields(&refusal(&results[1])), [field], "{request:?}");
        assert_ne!(results[2].outcome(), Failed);
        let before = written(&world).await;
        let again = import(&acme.admin, &request).await.unwrap();
        assert_eq!(written(&world).await, before, "a repeat writes nothing: {request:?}");
        assert_eq!((again[0].customer_id.as_str(), &again[1]), (results[0].customer_id.as_str(), &results[1]));
    }
}

#[tokio::test]
async fn a_repeat_with_corrected_rows_writes_no_customer_that_the_first_call_has_written() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    acme.admin.create(with_email("Twin", "twin@b.example")).await.unwrap();
    let id = |id: &str, name: &str| pb::Customer { id: id.to_owned(), ..customer(name) };
    let wrong = |row: pb::Customer| pb::Customer { email: "nowhere".to_owned(), ..row };
    let twin = |row: pb::Customer| pb::Customer { email: "twin@b.example".to_owned(), ..row };
    let both = |name: &str, number: &str| with_custom_ids(name, &[("erp", number), ("default", &format!("d{number}"))]);
    for (place, number) in ["a", "b", "c", "d", "e", "f", "g", "h"].into_iter().enumerate() {
        let ada = acme.admin.create(both("Ada", number)).await.unwrap().id;
        let default = || with_custom_ids("New", &[("default", &format!("d{number}"))]);
        // The first row fails, and is corrected; the second is written, and has the customer by another spelling.
        let (first, corrected, second) = match place {
            0 => (wrong(erp("Old", number)), erp("Old", number), id(&ada, "New")),
            1 => (wrong(id(&ada, "Old")), id(&ada, "Old"), erp("New", number)),
            2 => (wrong(erp("Old", number)), erp("Old", number), default()),
            3 => (erp("", number), erp("Old", number), id(&ada, "New")),
            4 => (twin(erp("Old", "typo")), erp("Old", number), id(&ada, "New")),
            5 => (erp("\u{7}", "typo"), erp("Old", number), erp("New", number)),
            6 => (with_custom_ids("Old", &[("erp", number), ("dms", "\u{7}")]), erp("Old", number), erp("New", number)),
            _ => (with_custom_ids("Old", &[("erp", number), ("dms", "x")]), erp("Old", number), erp("New", number)),
        };
        let mut request = pb::ImportCustomersRequest {
            request_id: request_id(),
            duplicate_policy: Policy::Block.into(),
            ..importing(vec![first, second], &["name", "email"])
        };
        let results = import(&acme.admin, &request).await.unwrap();
        assert_eq!(outcomes(&results)[1], Updated, "{number}: {results:?}");
        let expected = [results[0].outcome(), Updated];
        assert_ne!(expected[0], Updated, "{number}");
        request.rows[0].customer = Some(Box::new(pb::Customer { email: String::new(), ..corrected }));
        let again = import(&acme.admin, &request).await.unwrap();
        let refused = refusal(&again[0]);
        assert_eq!(refused.code(), Code::InvalidArgument, "{number}: {refused:?}");
        assert_eq!(again[1], pb::ImportResult { replayed: true, ..results[1].clone() }, "{number}");
        assert_eq!(acme.admin.get(&ada).await.unwrap().name, "New", "{number}");
    }
    // The same bytes again: what was refused would now find the customer that the second row has made.
    let request = pb::ImportCustomersRequest {
        request_id: request_id(),
        duplicate_policy: Policy::Block.into(),
        ..importing(vec![twin(erp("Old", "z")), both("Newest", "z")], &["name"])
    };
    let results = import(&acme.admin, &request).await.unwrap();
    assert_eq!(outcomes(&results), [Failed, Created]);
    let again = import(&acme.admin, &request).await.unwrap();
    assert_eq!(bad_fields(&refusal(&again[0])), ["customer.custom_ids.erp"]);
    assert_eq!(again[1], pb::ImportResult { replayed: true, ..results[1].clone() });
    assert_eq!(acme.admin.get(&results[1].customer_id).await.unwrap().name, "Newest");
}

#[tokio::test]
async fn a_repeat_finds_its_answers_wherever_the_custom_ids_have_gone() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let request = pb::ImportCustomersRequest {
        request_id: request_id(),
        ..importing(vec![erp("Ada", "1"), erp("Bob", "2")], &["name"])
    };
    let first = import(&acme.admin, &request).await.unwrap();
    // Now the first row's custom ID is that of the second row's customer.
    acme.admin.set_id(&first[0].customer_id, "erp", "").await.unwrap();
    acme.admin.set_id(&first[1].customer_id, "erp", "1").await.unwrap();
    let dms = with_custom_ids("", &[("erp", "1"), ("dms", "2")]).custom_ids;
    assert_eq!(acme.admin.set_id(&first[1].customer_id, "dms", "2").await.unwrap().custom_ids, dms);
    let again = import(&acme.admin, &request).await.unwrap();
    for (again, first) in again.iter().zip(&first) {
        assert_eq!(again, &pb::ImportResult { replayed: true, ..first.clone() });
    }
}

#[tokio::test]
async fn each_row_requires_what_it_changes() {
    let world = World::start().await;
    let policies = pb::AccountPolicies {
        create_role: Role::Admin.into(),
        custom_id_role: Role::Admin.into(),
        ..Default::default()
    };
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, policies).await;
    let manager = acme.member(Role::ServiceManager).await;
    let ada = acme.admin.create(erp("Ada", "1")).await.unwrap();
    let kim = acme.admin.create(customer("Kim")).await.unwrap();
    let request = importing(
        vec![
            erp("Ada B.", "1"),
            erp("Eve", "2"),
            pb::Customer { id: kim.id, ..with_custom_ids("Kim", &[("dms", "1")]) },
        ],
        &["name"],
    );
    let results = import(&manager, &request).await.unwrap();
    assert_eq!(outcomes(&results), [Updated, Failed, Failed]);
    for result in &results[1..] {
        let refused = assert_refused(Err::<(), _>(refusal(result)), Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(metadata(&refused, "required_role").as_deref(), Some("ADMIN"));
    }
    let member = import(&acme.member(Role::Member).await, &request).await;
    let refused = assert_refused(member, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(metadata(&refused, "required_role").as_deref(), Some("SERVICE_MANAGER"));
    // Narrowed to one customer, a caller imports that one alone.
    let rows = vec![pb::Customer { id: ada.id.clone(), ..customer("Ada C.") }, erp("Eve", "2")];
    let results = acme.admin.exchange().import_customers(narrowed(importing(rows, &["name"]), &ada.id)).await.unwrap();
    let results = results.into_inner().results;
    assert_eq!(outcomes(&results), [Updated, Failed]);
    assert_refused(Err::<(), _>(refusal(&results[1])), Code::PermissionDenied, "NARROWED_TO_CUSTOMER");
}

/// Locks a customer until the transaction ends.
async fn lock(world: &World, id: &str) -> PgConnection {
    let mut holder = world.sql().await;
    let hold = format!("begin; select 1 from customers where id = '{id}' for update");
    sqlx::raw_sql(sqlx::AssertSqlSafe(hold)).execute(&mut holder).await.unwrap();
    holder
}

/// Waits until a row waits for a lock, and does something with its session's `pid`.
async fn until_a_row_waits(world: &World, then: &str) {
    let count = format!(
        "select count({then}) from pg_stat_activity
         where datname = current_database() and application_name = 'clientele' and wait_event_type = 'Lock'"
    );
    until("a row waits for the lock", async || {
        let statement = sqlx::AssertSqlSafe(count.clone());
        sqlx::query_scalar::<_, i64>(statement).fetch_one(&mut world.sql().await).await.unwrap() > 0
    })
    .await;
}

#[tokio::test]
async fn the_results_of_an_import_are_counted_while_it_goes_on() {
    let world = World::start_with(database().await, |config| {
        config.telemetry.metrics_listen = Some(([127, 0, 0, 1], 0).into());
        wait_for_locks(config);
    })
    .await;
    let acme = world.tenant("acme").await;
    let held = acme.admin.create(erp("Held", "1")).await.unwrap().id;
    let wrong = || pb::Customer { contacts: vec![pb::Contact::default(); 20], ..customer("") };
    let rows = (0..450).map(|_| wrong()).chain([erp("Renamed", "1")]).collect();
    let (admin, request) = (acme.admin.clone(), importing(rows, &["name"]));
    let mut holder = lock(&world, &held).await;
    let call = tokio::spawn(async move { import(&admin, &request).await.unwrap() });
    until_a_row_waits(&world, "*").await;
    let bytes = scrape(&world).await.value("clientele_memory_held_bytes", &[]);
    sqlx::raw_sql("rollback").execute(&mut holder).await.unwrap();
    let results: usize = call.await.unwrap().iter().map(Message::encoded_len).sum();
    assert!(results > 900_000, "{results}");
    let counted = results as f64;
    assert!(bytes >= counted && bytes < 2.0 * counted, "{bytes} are counted of {results}");
}

#[tokio::test]
async fn what_the_importer_may_is_what_it_may_when_each_row_is_written() {
    let world = World::start_with(database().await, wait_for_locks).await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let member_id = north.add("importer", Role::ServiceManager).await.member_id;
    let importer = world.subject("importer").acting_in(&north.account);
    let held = north.admin.create(erp("Held", "1")).await.unwrap().id;
    let begin = |names: [&str; 3]| {
        let rows = names.iter().enumerate().map(|(place, name)| erp(name, &format!("{place}"))).collect();
        let (importer, request) = (importer.clone(), importing(rows, &["name"]));
        tokio::spawn(async move { import(&importer, &request).await.unwrap() })
    };

    let mut holder = lock(&world, &held).await;
    let call = begin(["First", "Renamed", "Last"]);
    until_a_row_waits(&world, "*").await;
    suspend(&acme.admin, &north.account).await.unwrap();
    sqlx::raw_sql("rollback").execute(&mut holder).await.unwrap();
    let results = call.await.unwrap();
    assert_eq!(results[0].outcome(), Created);
    assert_refused(Err::<(), _>(refusal(&results[2])), Code::FailedPrecondition, "ACCOUNT_SUSPENDED");
    resume(&acme.admin, &north.account).await.unwrap();

    let mut holder = lock(&world, &held).await;
    let call = begin(["Second", "Renamed again", "Last"]);
    until_a_row_waits(&world, "*").await;
    let remove = pb::RemoveMemberRequest { member_id, ..Default::default() };
    north.admin.access().remove_member(remove).await.unwrap();
    sqlx::raw_sql("rollback").execute(&mut holder).await.unwrap();
    let results = call.await.unwrap();
    assert_eq!(results[0].outcome(), Updated);
    assert_refused(Err::<(), _>(refusal(&results[2])), Code::PermissionDenied, "NOT_A_MEMBER");
}

/// An import of three rows, whose session is lost while it waits for the row at this place.
async fn cut_off_at(place: usize) -> (World, Result<Vec<pb::ImportResult>, Status>) {
    let world = World::start_with(production_database().await, wait_for_locks).await;
    let acme = world.tenant("acme").await;
    let numbers = ["1", "2", "3"];
    let mut ids = Vec::new();
    for number in numbers {
        ids.push(acme.admin.create(erp("Old", number)).await.unwrap().id);
    }
    let mut holder = lock(&world, &ids[place]).await;
    let admin = acme.admin.clone();
    let request = importing(numbers.iter().map(|number| erp("New", number)).collect(), &["name"]);
    let call = tokio::spawn(async move { import(&admin, &request).await });
    until_a_row_waits(&world, "pg_terminate_backend(pid)").await;
    let results = call.await.unwrap();
    sqlx::raw_sql("rollback").execute(&mut holder).await.unwrap();
    (world, results)
}

#[tokio::test]
async fn rows_after_a_lost_session_are_not_tried() {
    let (world, results) = cut_off_at(1).await;
    let results = results.unwrap();
    assert_eq!(outcomes(&results), [Updated, Failed, NotTried]);
    assert_eq!(refusal(&results[1]).code(), Code::Unavailable);
    assert_eq!(results[2], pb::ImportResult { outcome: NotTried.into(), ..Default::default() });
    let names = "select array_agg(c.name order by i.value) from customers c join custom_ids i on i.customer_id = c.id";
    let names: Vec<String> = sqlx::query_scalar(names).fetch_one(&mut world.sql().await).await.unwrap();
    assert_eq!(names, ["New", "Old", "Old"]);

    let (_world, lost) = cut_off_at(0).await;
    assert_eq!(lost.unwrap_err().code(), Code::Unavailable, "no row was written, so the call fails");
}
