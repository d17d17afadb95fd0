//! SearchCustomers: matching and order. `search_property` tests many random customers, `search_scope` visibility,
//! `search_pages` pages, and `search_upkeep` searches after writes.

use clientele::grpc::pb;
use tonic::{Code, Status};

use crate::world::{Client, World, assert_refused, bad_fields, customer};

/// A search for these words.
pub fn query(words: &str) -> pb::SearchCustomersRequest {
    pb::SearchCustomersRequest { query: words.to_owned(), ..Default::default() }
}

pub fn in_field(field: pb::SearchField, words: &str) -> pb::SearchCustomersRequest {
    pb::SearchCustomersRequest { field: field.into(), ..query(words) }
}

pub async fn search(
    client: &Client,
    request: pb::SearchCustomersRequest,
) -> Result<pb::SearchCustomersResponse, Status> {
    Ok(client.customers().search_customers(request).await?.into_inner())
}

/// The names on the first page.
pub async fn names(client: &Client, request: pb::SearchCustomersRequest) -> Vec<String> {
    let found = search(client, request).await.unwrap();
    found.results.into_iter().map(|result| result.customer.unwrap().name).collect()
}

/// A customer with a different value in every searched field.
pub fn copaco() -> pb::Customer {
    pb::Customer {
        legal_name: "Copaco Netherlands B.V.".to_owned(),
        custom_ids: [("erp".to_owned(), "KL-00123".to_owned())].into(),
        registration_number: "17048595".to_owned(),
        order_reference: "ORD-77".to_owned(),
        primary_address: Some(pb::Address {
            city: "Eindhoven".to_owned(),
            state: "Noord Brabant".to_owned(),
            country: "Nederland".to_owned(),
            ..Default::default()
        }),
        email: "jan.janssen@company.nl".to_owned(),
        billing_email: "invoices@company.nl".to_owned(),
        fax: Some(pb::Phone { number: "0301234567".to_owned(), ..Default::default() }),
        contacts: vec![pb::Contact {
            email: "petra.lindqvist@company.nl".to_owned(),
            phone: Some(pb::Phone { number: "06-12345678".to_owned(), ..Default::default() }),
            primary: true,
            ..Default::default()
        }],
        phone: Some(pb::Phone {
            number: "+31 40 250 5000".to_owned(),
            extension: "12".to_owned(),
            ..Default::default()
        }),
        tax_ids: vec![pb::TaxId { value: "NL.0064.86253B01".to_owned(), ..Default::default() }],
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
        (Field::Name, vec!["cop", "paco", "etherland", "co", "c", "b.v", "bv", "lands b.v."]),
        (Field::City, vec!["eind", "hov", "EINDHOVEN", "ei"]),
        (Field::State, vec!["noo", "brab", "noord bra", "no"]), // typos: on purpose
        (Field::Number, vec!["kl-", "kl-001", "001", "00123", "kl00123", "K.L. 001", "17048", "ord-7", "or"]),
        (Field::Email, vec!["jan", "janssen@comp", "company.nl", "ja", "invoices", "petra.l"]),
        (Field::Phone, vec!["+31", "250", "5000", "+31402505", "31402505000", "31 (40) 25", "12", "0612", "0301"]),
        (Field::TaxId, vec!["nl.", "nl.0064", "0064", "86253b", "nl006486253b01", "006486253b01", "nl"]),
    ] {
        for words in words {
            let found = search(&acme.admin, in_field(field, words)).await.unwrap();
            let matched: Vec<_> =
                found.results.iter().map(|result| result.matched_fields().collect::<Vec<_>>()).collect();
            assert_eq!(matched, [[field]], "{words:?} in {field:?}");
            assert!(names(&acme.admin, query(words)).await.contains(&"Copaco".to_owned()), "{words:?} in all");
        }
    }
    for (field, words) in [
        (Field::Name, vec!["pa", "eindhoven", "x"]),
        (Field::City, vec!["in", "noord"]),
        (Field::State, vec!["oord", "rabant", "oo"]),
        (Field::Number, vec!["123", "0123", "l-00", "rd-7"]),
        (Field::Email, vec!["anssen", "ompany", "an"]),
        (Field::Phone, vec!["050", "1402", "2505000"]),
        (Field::TaxId, vec!["6486", "l0064"]),
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
async fn exact_names_and_numbers_come_first_then_names_that_start_with_the_query() {
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
async fn wildcards_and_operators_are_ordinary_characters() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let odd = ["100% Fun", "a_b_c Ltd", r"C:\temp\x", "O'Neill''s", r#"say "so""#, "$1$2$3", "(a|b)* [x]", "--; drop"];
    for name in odd.into_iter().chain(["aXbXc Ltd", "—", "***"]) {
        acme.admin.create(customer(name)).await.unwrap();
    }
    for (words, name) in [
        ("100%", "100% Fun"),
        ("a_b_c", "a_b_c Ltd"),
        (r"c:\t", r"C:\temp\x"),
        (r"\temp\x", r"C:\temp\x"),
        ("o'n", "O'Neill''s"),
        ("ll''s", "O'Neill''s"),
        ("\"so", r#"say "so""#),
        ("$1$", "$1$2$3"),
        ("(a|b)*", "(a|b)* [x]"),
        ("--; dr", "--; drop"),
        ("—", "—"),
        ("***", "***"),
    ] {
        assert_eq!(names(&acme.admin, query(words)).await, [name], "{words:?}");
    }
    for nothing in ["%%%", "___", "%", "_", r"\\\", "' or '1'='1", ".*.", "NULL", "$4$", "**", "--"] {
        assert!(names(&acme.admin, query(nothing)).await.is_empty(), "{nothing:?}");
    }
}

#[tokio::test]
async fn every_error_is_reported_at_once() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let many = |one: &str| vec![one.to_owned(); 51];
    let wrong = pb::SearchCustomersRequest {
        query: "a".repeat(513),
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
    for words in ["x".repeat(513), "ﷺ".repeat(30), "\u{10400}".repeat(40_000)] {
        let refused = assert_refused(search(&acme.admin, query(&words)).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["query"]);
    }
    for words in ["x ".repeat(256), "é".repeat(512), "a\0b\u{202E}c".to_owned(), "\u{200B}".repeat(2_000)] {
        search(&acme.admin, query(&words)).await.unwrap();
    }
    for order_by in ["id", "name asc desc", "name,create_time", "desc", "name DESC"] {
        let wrong = pb::SearchCustomersRequest { order_by: order_by.to_owned(), ..query("") };
        let refused = assert_refused(search(&acme.admin, wrong).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["order_by"], "{order_by:?}");
    }
}

#[tokio::test]
async fn filters_by_country_and_time_are_exact() {
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
    assert_eq!(names(&acme.admin, made_in(Some(at), Some(later))).await, ["Copaco"], "the start is inclusive");
    assert!(names(&acme.admin, made_in(Some(later), None)).await.is_empty());
    assert!(names(&acme.admin, made_in(None, Some(at))).await.is_empty(), "the end is exclusive");
}
