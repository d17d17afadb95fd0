//! SearchCustomers. What it finds among many random customers is `search_property`'s.

use std::collections::{BTreeMap, HashMap};

use clientele::grpc::pb;
use clientele::store::migrations;
use tonic::{Code, Request, Status};
use uuid::Uuid;

use crate::world::{Client, Seat, World, assert_refused, bad_fields, customer, full_customer, mask, unknown_id, wire};

/// A search for words.
fn query(words: &str) -> pb::SearchCustomersRequest {
    pb::SearchCustomersRequest { query: words.to_owned(), ..Default::default() }
}

fn in_field(field: pb::SearchField, words: &str) -> pb::SearchCustomersRequest {
    pb::SearchCustomersRequest { field: field.into(), ..query(words) }
}

async fn search(client: &Client, request: pb::SearchCustomersRequest) -> Result<pb::SearchCustomersResponse, Status> {
    Ok(client.customers().search_customers(request).await?.into_inner())
}

/// The names on the first page.
async fn names(client: &Client, request: pb::SearchCustomersRequest) -> Vec<String> {
    let found = search(client, request).await.unwrap();
    found.results.into_iter().map(|result| result.customer.unwrap().name).collect()
}

/// A customer whose every searched field is something else.
fn copaco() -> pb::Customer {
    pb::Customer {
        legal_name: "Copaco Netherlands B.V.".to_owned(),
        custom_ids: [("erp".to_owned(), "KL-00123".to_owned())].into(),
        primary_address: Some(pb::Address {
            city: "Eindhoven".to_owned(),
            state: "Noord Brabant".to_owned(),
            country: "Nederland".to_owned(),
            ..Default::default()
        }),
        email: "jan.janssen@company.nl".to_owned(),
        phone: Some(pb::Phone { number: "+31 40 250 5000".to_owned(), extension: "12".to_owned() }),
        tax_ids: vec![pb::TaxId { value: "NL.0064.86253B01".to_owned(), country: String::new() }],
        ..customer("Copaco")
    }
}

#[tokio::test]
async fn each_field_is_searched_as_the_contract_says() {
    use pb::SearchField as Field;
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    acme.admin.create(copaco()).await.unwrap();
    acme.admin.create(customer("Another")).await.unwrap();
    for (field, words) in [
        (Field::Name, vec!["cop", "paco", "etherland", "co", "c", "b.v", "lands b.v."]),
        (Field::City, vec!["eind", "hov", "EINDHOVEN"]),
        (Field::State, vec!["noo", "brab", "noord bra"]),
        (Field::Number, vec!["kl-", "kl-001", "001", "00123"]),
        (Field::Email, vec!["jan", "janssen@comp", "company.nl"]),
        (Field::Phone, vec!["+31", "250", "5000", "+31402505", "31402505000"]),
        (Field::TaxId, vec!["nl.", "nl.0064", "0064", "86253b", "nl006486253b01"]),
    ] {
        for words in words {
            let found = search(&acme.admin, in_field(field, words)).await.unwrap();
            let told: Vec<_> = found.results.iter().map(|result| result.matched_fields().collect::<Vec<_>>()).collect();
            assert_eq!(told, [[field]], "{words:?} in {field:?}");
            assert!(names(&acme.admin, query(words)).await.contains(&"Copaco".to_owned()), "{words:?} in all");
        }
    }
    for (field, words) in [
        (Field::Name, vec!["pa", "eindhoven", "bv"]),
        (Field::City, vec!["ei", "noord"]),
        (Field::State, vec!["oord", "rabant", "no"]),
        (Field::Number, vec!["123", "0123", "l-00"]),
        (Field::Email, vec!["anssen", "@company", "ja"]),
        (Field::Phone, vec!["050", "12", "+40"]),
        (Field::TaxId, vec!["6486", "nl"]),
    ] {
        for words in words {
            assert!(names(&acme.admin, in_field(field, words)).await.is_empty(), "{words:?} in {field:?}");
        }
    }
}

#[tokio::test]
async fn case_accents_and_width_do_not_matter() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for name in ["Bäckerei München", "Łódź Towary", "ＡＢＣ Trading", "Σίσυφος", "한국통신"] {
        acme.admin.create(customer(name)).await.unwrap();
    }
    for (words, name) in [
        ("munchen", "Bäckerei München"),
        ("MU\u{308}NCHEN backerei", "Bäckerei München"),
        ("lodz", "Łódź Towary"),
        ("abc", "ＡＢＣ Trading"),
        ("ｔｒａｄ", "ＡＢＣ Trading"),
        ("ΣΙΣΥΦΟΣ", "Σίσυφος"),
        ("국통신", "한국통신"),
        ("한", "한국통신"),
    ] {
        assert_eq!(names(&acme.admin, query(words)).await, [name], "{words:?}");
    }
}

#[tokio::test]
async fn every_word_must_match_in_any_of_the_fields() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    acme.admin.create(copaco()).await.unwrap();
    acme.admin.create(customer("Copaco Belgium")).await.unwrap();
    assert_eq!(names(&acme.admin, query("eindhoven copaco 00123")).await, ["Copaco"]);
    assert!(names(&acme.admin, query("eindhoven belgium")).await.is_empty());
    assert!(names(&acme.admin, in_field(pb::SearchField::Name, "copaco eindhoven")).await.is_empty());
    let found = search(&acme.admin, query("eindhoven copaco 00123")).await.unwrap().results.remove(0);
    let fields: Vec<_> = found.matched_fields().collect();
    assert_eq!(fields, [pb::SearchField::Name, pb::SearchField::City, pb::SearchField::Number]);
}

#[tokio::test]
async fn the_exact_name_or_number_comes_first_then_names_that_begin_so() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for name in ["Zed Inc", "Alpha Zed", "Zed", "Zed Bv", "Quite Else"] {
        let custom_ids = if name == "Quite Else" { vec![("erp".to_owned(), "ZED".to_owned())] } else { Vec::new() };
        let wanted = pb::Customer { custom_ids: custom_ids.into_iter().collect(), ..customer(name) };
        acme.admin.create(wanted).await.unwrap();
    }
    let ranked = ["Quite Else", "Zed", "Zed Bv", "Zed Inc", "Alpha Zed"];
    assert_eq!(names(&acme.admin, query("zed")).await, ranked);
    let by_name = pb::SearchCustomersRequest { order_by: "name desc".to_owned(), ..query("zed") };
    assert_eq!(names(&acme.admin, by_name).await, ["Zed Inc", "Zed Bv", "Zed", "Quite Else", "Alpha Zed"]);
}

#[tokio::test]
async fn what_means_something_elsewhere_is_a_character_like_any_other() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let odd = ["100% Fun", "a_b_c Ltd", r"C:\temp\x", "O'Neill''s", r#"say "so""#, "$1$2$3", "(a|b)* [x]", "--; drop"];
    for name in odd.into_iter().chain(["100 Fun", "aXbXc Ltd", "C:temp", "ONeills"]) {
        acme.admin.create(customer(name)).await.unwrap();
    }
    for (words, name) in [
        ("100%", "100% Fun"),
        ("a_b_c", "a_b_c Ltd"),
        (r":\t", r"C:\temp\x"),
        (r"\temp\x", r"C:\temp\x"),
        ("o'n", "O'Neill''s"),
        ("l''s", "O'Neill''s"),
        ("\"so", r#"say "so""#),
        ("$1$", "$1$2$3"),
        ("(a|b)*", "(a|b)* [x]"),
        ("--;", "--; drop"),
    ] {
        assert_eq!(names(&acme.admin, query(words)).await, [name], "{words:?}");
    }
    for nothing in ["%%%", "___", "%", "_", r"\\\", "' or '1'='1", "1*1", ".*.", "NULL", "$4$"] {
        assert!(names(&acme.admin, query(nothing)).await.is_empty(), "{nothing:?}");
    }
}

#[tokio::test]
async fn everything_wrong_is_told_at_once() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let many = |one: &str| vec![one.to_owned(); 51];
    let wrong = pb::SearchCustomersRequest {
        query: "a ".repeat(11),
        field: 99,
        tags: Some(pb::TagFilter { any_of: many("a"), all_of: vec![String::new()], none_of: vec!["x".repeat(41)] }),
        statuses: vec![1, 0],
        types: vec![7],
        service_classes: vec![1; 51],
        reach: 9,
        origins: vec![0],
        countries: vec!["x".repeat(101)],
        labels: [("BAD".to_owned(), String::new())].into(),
        archived: -1,
        lacks_custom_id_system: "No system".to_owned(),
        branch_id: "branch".to_owned(),
        sales_person_id: "person".to_owned(),
        created: Some(pb::TimeRange {
            start_time: Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 }),
            end_time: Some(prost_types::Timestamp { seconds: 0, nanos: -1 }),
        }),
        order_by: "name; drop table customers".to_owned(),
        view: 5,
        page_size: -1,
        ..Default::default()
    };
    let refused = assert_refused(search(&acme.admin, wrong).await, Code::InvalidArgument, "INVALID_FIELDS");
    let expected = [
        "query",
        "field",
        "tags.any_of",
        "tags.all_of[0]",
        "tags.none_of[0]",
        "statuses[1]",
        "types[0]",
        "service_classes",
        "reach",
        "origins[0]",
        "countries[0]",
        "labels",
        "archived",
        "lacks_custom_id_system",
        "branch_id",
        "sales_person_id",
        "created.start_time",
        "created.end_time",
        "order_by",
        "view",
        "page_size",
    ];
    assert_eq!(bad_fields(&refused), expected);
    for (words, field) in
        [("x".repeat(201), "query"), ("a\0b".to_owned(), "query"), ("\u{202E}abc".to_owned(), "query")]
    {
        let refused = assert_refused(search(&acme.admin, query(&words)).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), [field]);
    }
    for order_by in ["id", "name asc desc", "name,create_time", "desc", "name DESC"] {
        let wrong = pb::SearchCustomersRequest { order_by: order_by.to_owned(), ..query("") };
        let refused = assert_refused(search(&acme.admin, wrong).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["order_by"], "{order_by:?}");
    }
}

#[tokio::test]
async fn a_write_is_found_by_the_next_search() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let made = acme.admin.create(customer("First")).await.unwrap();
    assert_eq!(names(&acme.admin, query("first")).await, ["First"]);
    let renamed = pb::Customer { id: made.id.clone(), ..customer("Second") };
    acme.admin.update(renamed, &["name"]).await.unwrap();
    assert!(names(&acme.admin, query("first")).await.is_empty());
    assert_eq!(names(&acme.admin, query("second")).await, ["Second"]);
    let moved = pb::Customer { id: made.id.clone(), ..copaco() };
    acme.admin.update(moved, &["primary_address.city", "email", "phone", "tax_ids"]).await.unwrap();
    for words in ["eindhoven", "janssen", "+31402505000", "nl006486253b01"] {
        assert_eq!(names(&acme.admin, query(words)).await, ["Second"], "{words:?}");
    }
    acme.admin.archive(&[&made.id]).await.unwrap();
    assert!(names(&acme.admin, query("second")).await.is_empty());
    for archived in [pb::ArchivedFilter::Show, pb::ArchivedFilter::Only] {
        let asked = pb::SearchCustomersRequest { archived: archived.into(), ..query("second") };
        assert_eq!(names(&acme.admin, asked).await, ["Second"]);
    }
    acme.admin.unarchive(&[&made.id]).await.unwrap();
    assert_eq!(names(&acme.admin, query("second")).await, ["Second"]);
}

#[tokio::test]
async fn what_was_only_validated_or_refused_is_not_found() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::Tenant, pb::AccountPolicies::default()).await;
    let made = acme.admin.create(customer("First")).await.unwrap();
    acme.admin.create(customer("Taken")).await.unwrap();
    let only_checked =
        pb::CreateCustomerRequest { customer: Some(customer("Ghost")), validate_only: true, ..Default::default() };
    acme.admin.customers().create_customer(only_checked).await.unwrap();
    let update = |name: &str, validate_only| pb::UpdateCustomerRequest {
        customer: Some(pb::Customer { id: made.id.clone(), email: "ghost@example.com".to_owned(), ..customer(name) }),
        update_mask: Some(mask(&["name", "email"])),
        validate_only,
        ..Default::default()
    };
    acme.admin.customers().update_customer(update("Ghost", true)).await.unwrap();
    let refused = acme.admin.customers().update_customer(update("Taken", false)).await;
    assert_refused(refused, Code::AlreadyExists, "NAME_TAKEN");
    assert!(names(&acme.admin, query("ghost")).await.is_empty());
    assert_eq!(names(&acme.admin, query("")).await, ["First", "Taken"]);
}

#[tokio::test]
async fn a_write_that_changes_nothing_searched_leaves_the_index_alone() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, crate::world::pending_first()).await;
    let made = acme.admin.create(copaco()).await.unwrap();
    let mut sql = world.sql().await;
    let written = "select ctid::text || xmin::text from customer_search";
    let before: String = sqlx::query_scalar(written).fetch_one(&mut sql).await.unwrap();
    acme.admin.approve(&made.id).await.unwrap();
    acme.admin.archive(&[&made.id]).await.unwrap();
    let labelled = pb::Customer { labels: [("tier".to_owned(), "gold".to_owned())].into(), ..made.clone() };
    acme.admin.update(labelled, &["labels"]).await.unwrap();
    let after: String = sqlx::query_scalar(written).fetch_one(&mut sql).await.unwrap();
    assert_eq!(after, before);
    let renamed = pb::Customer { name: "Other".to_owned(), ..made };
    acme.admin.update(renamed, &["name"]).await.unwrap();
    let renamed: String = sqlx::query_scalar(written).fetch_one(&mut sql).await.unwrap();
    assert_ne!(renamed, before);
}

#[tokio::test]
async fn customers_of_a_database_older_than_the_search_are_found_once_it_is_migrated() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for name in ["Bäckerei", "Other"] {
        let wanted = pb::Customer { name: name.to_owned(), custom_ids: BTreeMap::new(), ..copaco() };
        acme.admin.create(wanted).await.unwrap();
    }
    let mut sql = world.sql().await;
    let kept = "select doc, country from customer_search order by doc";
    let before: Vec<(String, String)> = sqlx::query_as(kept).fetch_all(&mut sql).await.unwrap();
    sqlx::query("delete from customer_search").execute(&mut sql).await.unwrap();
    assert!(names(&acme.admin, query("backerei")).await.is_empty());
    migrations::migrate(&world.database, || ()).await.unwrap();
    assert_eq!(names(&acme.admin, query("backerei")).await, ["Bäckerei"]);
    let after: Vec<(String, String)> = sqlx::query_as(kept).fetch_all(&mut sql).await.unwrap();
    assert_eq!(after, before);
}

#[tokio::test]
async fn filters_by_country_and_time_hold_to_the_letter() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let made = acme.admin.create(copaco()).await.unwrap();
    acme.admin.create(customer("Nowhere")).await.unwrap();
    let in_country = |name: &str| pb::SearchCustomersRequest { countries: vec![name.to_owned()], ..query("") };
    assert_eq!(names(&acme.admin, in_country("NEDERLAND")).await, ["Copaco"]);
    assert!(names(&acme.admin, in_country("Neder")).await.is_empty());
    let at = made.create_time.unwrap();
    let later = prost_types::Timestamp { nanos: at.nanos + 1, ..at };
    let made_in = |start_time, end_time| pb::SearchCustomersRequest {
        created: Some(pb::TimeRange { start_time, end_time }),
        ..query("copaco")
    };
    assert_eq!(names(&acme.admin, made_in(Some(at), Some(later))).await, ["Copaco"], "from it on");
    assert!(names(&acme.admin, made_in(Some(later), None)).await.is_empty());
    assert!(names(&acme.admin, made_in(None, Some(at))).await.is_empty(), "up to it, without it");
}

#[tokio::test]
async fn a_customer_of_a_sibling_or_another_tenant_is_not_found_and_one_below_only_on_request() {
    let world = World::start().await;
    let provider = world.tenant("provider").await;
    let (north, south) = (provider.child("north").await, provider.child("south").await);
    let stranger = world.tenant("stranger").await;
    north.admin.create(customer("Ada")).await.unwrap();
    let everything = pb::SearchCustomersRequest { include_descendants: true, ..query("") };
    for words in ["", "ada"] {
        let below = pb::SearchCustomersRequest { query: words.to_owned(), ..everything.clone() };
        assert_eq!(names(&north.admin, query(words)).await, ["Ada"]);
        assert!(names(&provider.admin, query(words)).await.is_empty());
        assert_eq!(names(&provider.admin, below.clone()).await, ["Ada"]);
        for other in [&south, &stranger] {
            let absent = search(&other.admin, query("absent")).await.unwrap();
            assert_eq!(search(&other.admin, below.clone()).await.unwrap(), absent);
        }
    }
}

#[tokio::test]
async fn a_fleet_customer_is_found_from_below_by_what_is_shown_there_and_by_nothing_else() {
    let world = World::start().await;
    let provider = world.tenant("provider").await;
    let dealer = provider.child("dealer").await;
    let deeper = dealer.child("deeper").await;
    let member = provider.add("sales", pb::Role::Member).await;
    let fleet = pb::Customer {
        reach: pb::Reach::Fleet.into(),
        sales_person_id: member.member_id.clone(),
        billing_email: "secret@example.com".to_owned(),
        labels: [("tier".to_owned(), "gold".to_owned())].into(),
        origin: pb::Origin::Marketplace.into(),
        ..full_customer("Fleet")
    };
    let made = provider.admin.create(fleet).await.unwrap();
    provider.admin.create(customer("Local")).await.unwrap();
    for seat in [&dealer, &deeper] {
        assert_eq!(names(&seat.admin, query("")).await, ["Fleet"]);
        for words in ["fleet", "eindhoven", "noord", "info@", "+31402505000", "nl006486253b01"] {
            assert_eq!(names(&seat.admin, query(words)).await, ["Fleet"], "{words:?}");
        }
        let shown = search(&seat.admin, pb::SearchCustomersRequest { view: 2, ..query("fleet") }).await.unwrap();
        assert_eq!(shown.results[0].customer, Some(seat.admin.get(&made.id).await.unwrap()));
        // Whoever could search or filter by what it is not shown would learn it.
        for secret in ["secret", "Fleet-00123"] {
            assert!(names(&seat.admin, in_field(pb::SearchField::Number, secret)).await.is_empty());
            assert!(names(&seat.admin, in_field(pb::SearchField::Email, secret)).await.is_empty());
        }
        for hidden in [
            pb::SearchCustomersRequest { labels: [("tier".to_owned(), "gold".to_owned())].into(), ..query("") },
            pb::SearchCustomersRequest { origins: vec![pb::Origin::Marketplace.into()], ..query("") },
            pb::SearchCustomersRequest { sales_person_id: member.member_id.clone(), ..query("") },
        ] {
            assert_eq!(names(&provider.admin, hidden.clone()).await, ["Fleet"], "{hidden:?}");
            assert!(names(&seat.admin, hidden.clone()).await.is_empty(), "{hidden:?}");
        }
    }
}

/// Gives a customer a custom ID of an account, as UpdateCustomId will: `is_current` or an alias.
async fn number(world: &World, seat: &Seat, customer: &str, value: &str, is_current: bool) {
    sqlx::query(
        "insert into custom_ids (tenant_id, account_id, system, value_key, customer_id, value, is_current, created_at)
         values ($1, $2, 'dms', lower($4), $3, $4, $5, clock_timestamp())",
    )
    .bind(seat.tenant.parse::<Uuid>().unwrap())
    .bind(seat.account.parse::<Uuid>().unwrap())
    .bind(customer.parse::<Uuid>().unwrap())
    .bind(value)
    .bind(is_current)
    .execute(&mut world.sql().await)
    .await
    .unwrap();
}

#[tokio::test]
async fn numbers_are_each_accounts_own_and_old_ones_count_until_another_customer_has_them() {
    let world = World::start().await;
    let provider = world.tenant("provider").await;
    let (north, south) = (provider.child("north").await, provider.child("south").await);
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Fleet") };
    let fleet = provider.admin.create(fleet).await.unwrap();
    let other = north.admin.create(customer("Other")).await.unwrap();
    number(&world, &north, &fleet.id, "N-777", true).await;
    number(&world, &south, &fleet.id, "S-888", true).await;
    number(&world, &north, &fleet.id, "OLD-1", false).await;
    for (seat, words, expected) in [
        (&north, "n-777", vec!["Fleet"]),
        (&north, "s-888", vec![]),
        (&south, "s-888", vec!["Fleet"]),
        (&south, "n-777", vec![]),
        (&provider, "n-777", vec![]),
        (&north, "old-1", vec!["Fleet"]),
    ] {
        assert_eq!(names(&seat.admin, query(words)).await, expected, "{words:?}");
    }
    number(&world, &north, &other.id, "old-1", true).await;
    assert_eq!(names(&north.admin, query("old-1")).await, ["Other"]);
    let lacks = pb::SearchCustomersRequest { lacks_custom_id_system: "dms".to_owned(), ..query("") };
    assert!(names(&north.admin, lacks.clone()).await.is_empty());
    assert_eq!(names(&provider.admin, lacks).await, ["Fleet"]);
}

#[tokio::test]
async fn a_narrowed_call_finds_its_one_customer_wherever_below_it_is() {
    let world = World::start().await;
    let provider = world.tenant("provider").await;
    let north = provider.child("north").await;
    let ada = north.admin.create(customer("Ada")).await.unwrap();
    north.admin.create(customer("Adam")).await.unwrap();
    let narrowed = async |client: &Client, to: &str, request: pb::SearchCustomersRequest| {
        let mut request = Request::new(request);
        request.metadata_mut().insert("clientele-customer", to.parse().unwrap());
        let found = client.customers().search_customers(request).await?.into_inner();
        Ok::<_, Status>(found)
    };
    for (seat, words, finds) in
        [(&north, "", 1), (&north, "ada", 1), (&north, "adam", 0), (&provider, "ada", 1), (&provider, "", 1)]
    {
        let asked = pb::SearchCustomersRequest { include_total_size: true, ..query(words) };
        let found = narrowed(&seat.admin, &ada.id, asked).await.unwrap();
        assert!(found.results.iter().all(|result| result.customer.as_ref().unwrap().id == ada.id));
        assert_eq!((found.results.len(), found.total_size), (finds, i32::try_from(finds).unwrap()), "{words:?}");
    }
    let absent = narrowed(&north.admin, &unknown_id(), query("")).await.unwrap();
    assert!(absent.results.is_empty());
    let wide = search(&north.admin, pb::SearchCustomersRequest { page_size: 1, ..query("ada") }).await.unwrap();
    let carried = pb::SearchCustomersRequest { page_size: 1, page_token: wide.next_page_token, ..query("ada") };
    let refused = narrowed(&north.admin, &ada.id, carried).await;
    assert_refused(refused, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
}

#[tokio::test]
async fn whoever_is_a_member_may_search_and_nobody_else() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    acme.admin.create(customer("Ada")).await.unwrap();
    for role in [pb::Role::Viewer, pb::Role::Member, pb::Role::ServiceManager, pb::Role::Admin] {
        assert_eq!(names(&acme.member(role).await, query("ada")).await, ["Ada"], "{role:?}");
    }
    let outsider = world.subject("outsider");
    assert_refused(search(&outsider, query("")).await, Code::PermissionDenied, "NOT_A_MEMBER");
    let elsewhere = world.tenant("elsewhere").await.admin.acting_in(&acme.account);
    let refused = assert_refused(search(&elsewhere, query("")).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
    let absent = search(&elsewhere.acting_in(&unknown_id()), query("")).await.unwrap_err();
    assert_eq!(wire(&refused), wire(&absent));
}

#[tokio::test]
async fn a_list_shows_what_its_view_says() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let made = acme.admin.create(full_customer("Copaco")).await.unwrap();
    let shown = async |view: pb::CustomerView| {
        let asked = pb::SearchCustomersRequest { view: view.into(), ..query("copaco") };
        search(&acme.admin, asked).await.unwrap().results.remove(0).customer.unwrap()
    };
    assert_eq!(shown(pb::CustomerView::Full).await, made);
    let basic = pb::Customer {
        contacts: Vec::new(),
        billing_address: None,
        shipping_address: None,
        labels: BTreeMap::new(),
        holds: Vec::new(),
        allowed_actions: Vec::new(),
        missing_for_approval: Vec::new(),
        ..made
    };
    assert_eq!(shown(pb::CustomerView::Basic).await, basic);
    assert_eq!(shown(pb::CustomerView::Unspecified).await, basic);
}

#[tokio::test]
async fn a_page_token_is_good_for_its_search_and_place_alone() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let child = acme.child("child").await;
    for name in ["Ada 1", "Ada 2", "Ada 3"] {
        acme.admin.create(customer(name)).await.unwrap();
    }
    let first = search(&acme.admin, pb::SearchCustomersRequest { page_size: 1, ..query("ada") }).await.unwrap();
    let token = first.next_page_token;
    let next =
        |request: pb::SearchCustomersRequest| pb::SearchCustomersRequest { page_token: token.clone(), ..request };
    let bigger = pb::SearchCustomersRequest { page_size: 9, view: 2, include_total_size: true, ..query("ADA") };
    assert_eq!(names(&acme.admin, next(bigger)).await, ["Ada 2", "Ada 3"]);
    for other in [
        query("adam"),
        query(""),
        in_field(pb::SearchField::Name, "ada"),
        pb::SearchCustomersRequest { include_descendants: true, ..query("ada") },
        pb::SearchCustomersRequest { order_by: "name".to_owned(), ..query("ada") },
        pb::SearchCustomersRequest { archived: pb::ArchivedFilter::Show.into(), ..query("ada") },
        pb::SearchCustomersRequest { statuses: vec![2], ..query("ada") },
    ] {
        let refused = search(&acme.admin, next(other)).await;
        assert_refused(refused, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    }
    assert_refused(search(&child.admin, next(query("ada"))).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    let forged = pb::SearchCustomersRequest { page_token: "x".repeat(60), ..query("ada") };
    assert_refused(search(&acme.admin, forged).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
}

/// Copies of a customer, with names that end in a number.
async fn copies(world: &World, of: &str, count: i32) {
    let columns = "account_id, ancestors, revision, owner_link_revision, type, service_class, reach, status, origin,
                   profile, owner_custom_ids, created_at, updated_at, created_by, updated_by";
    let text = format!(
        "with copy as (
             insert into customers (tenant_id, id, name, name_key, {columns})
             select tenant_id, gen_random_uuid(), name || ' ' || lpad(n::text, 5, '0'),
                    name_key || ' ' || lpad(n::text, 5, '0'), {columns}
             from customers, generate_series(1, $2) n
             where id = $1
             returning tenant_id, id, name_key
         )
         insert into customer_search (tenant_id, customer_id, doc, country)
         select tenant_id, id, name_key || chr(31) || repeat(chr(29), 6), '' from copy"
    );
    let copied = sqlx::query(sqlx::AssertSqlSafe(text)).bind(of.parse::<Uuid>().unwrap()).bind(count);
    copied.execute(&mut world.sql().await).await.unwrap();
}

#[tokio::test]
async fn totals_are_exact_to_a_thousand_and_then_a_lower_bound() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let made = acme.admin.create(customer("Many")).await.unwrap();
    copies(&world, &made.id, 999).await;
    let total = async |words: &str, page_size| {
        let asked = pb::SearchCustomersRequest { include_total_size: true, page_size, ..query(words) };
        let found = search(&acme.admin, asked).await.unwrap();
        (found.results.len(), found.total_size, found.total_size_is_at_least)
    };
    assert_eq!(total("many", 10).await, (10, 1_000, false));
    assert_eq!(total("", 5_000).await, (1_000, 1_000, false));
    assert_eq!(total("absent", 0).await, (0, 0, false));
    let unasked = search(&acme.admin, query("many")).await.unwrap();
    assert_eq!((unasked.results.len(), unasked.total_size), (50, 0));
    acme.admin.create(customer("Many more")).await.unwrap();
    assert_eq!(total("many", 10).await, (10, 1_000, true));
    assert_eq!(total("more", 10).await, (1, 1, false));
}

#[tokio::test]
async fn a_page_ends_before_it_is_larger_than_two_mebibytes() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let labels = (0..50).map(|key| (format!("key-{key}"), "x".repeat(500)));
    let made = acme.admin.create(pb::Customer { labels: labels.collect(), ..customer("Large") }).await.unwrap();
    copies(&world, &made.id, 119).await;
    let (mut request, mut found, mut pages) =
        (pb::SearchCustomersRequest { view: 2, page_size: 1_000, ..query("") }, BTreeMap::new(), 0);
    loop {
        let page = search(&acme.admin, request.clone()).await.unwrap();
        assert!(prost::Message::encoded_len(&page) <= 2 * 1024 * 1024 + 1_000);
        for result in page.results {
            *found.entry(result.customer.unwrap().name).or_insert(0) += 1;
        }
        pages += 1;
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert!(pages > 1);
    assert_eq!(found.len(), 120);
    assert!(found.values().all(|times| *times == 1));
}

#[tokio::test]
async fn pages_show_each_untouched_customer_once_while_others_write() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let mut untouched = Vec::new();
    let mut touched = Vec::new();
    for count in 0..60 {
        let made = acme.admin.create(customer(&format!("Stay {count:02}"))).await.unwrap();
        untouched.push(made.id);
        touched.push(acme.admin.create(customer(&format!("Stay {count:02} moves"))).await.unwrap().id);
    }
    untouched.sort();
    for (order_by, words) in
        [("", "stay"), ("name", ""), ("name desc", "sta"), ("create_time", "stay"), ("update_time desc", "")]
    {
        let mut request = pb::SearchCustomersRequest { order_by: order_by.to_owned(), page_size: 7, ..query(words) };
        let (reading, mut seen) = (tokio::sync::watch::Sender::new(true), HashMap::new());
        let writer = tokio::spawn(write_on(acme.admin.clone(), touched.clone(), reading.subscribe()));
        loop {
            let page = search(&acme.admin, request.clone()).await.unwrap();
            for result in page.results {
                *seen.entry(result.customer.unwrap().id).or_insert(0) += 1;
            }
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        reading.send_replace(false);
        assert!(writer.await.unwrap() > 0, "nobody wrote meanwhile");
        for id in &untouched {
            assert_eq!(seen.get(id), Some(&1), "{order_by:?} {words:?}");
        }
    }
}

/// Inserts, renames, archives and takes out of the archive until nobody reads any more; how much was written.
async fn write_on(client: Client, touched: Vec<String>, reading: tokio::sync::watch::Receiver<bool>) -> usize {
    let mut written = 0;
    for (count, id) in touched.iter().cycle().enumerate() {
        if !*reading.borrow() && count >= 4 {
            break;
        }
        match count % 4 {
            0 => drop(client.create(customer(&format!("Stay {:02} new", count % 60))).await.unwrap()),
            1 => {
                let renamed =
                    pb::Customer { id: id.clone(), ..customer(&format!("Stay {:02} moved", (count * 7) % 60)) };
                client.update(renamed, &["name"]).await.unwrap();
            }
            2 => drop(client.archive(&[id]).await.unwrap()),
            _ => drop(client.unarchive(&[id]).await.unwrap()),
        }
        written += 1;
    }
    written
}
