//! SearchCustomers against the naive scan of `search_naive`: random customers in several accounts and scripts, random
//! searches, every page.

use clientele::{
    domain::search::{fold, number},
    grpc::pb,
};
use proptest::{
    prelude::*,
    sample::select,
    strategy::ValueTree as _,
    test_runner::{Config, TestRng, TestRunner},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    search_naive::{self, Place, Row},
    world::{Client, Seat, World},
};

const CUSTOMERS: usize = 200;
const SEARCHES: usize = 800;
const WORDS: [&str; 30] = [
    "Copaco",
    "copaco",
    "Bäckerei",
    "Müller",
    "MÜNCHEN",
    "Société",
    "Générale",
    "Straße",
    "STRASSE",
    "Łódź",
    "Øresund",
    "100%",
    "a_b",
    "C:\\temp",
    "O'Neill",
    "B.V.",
    "AG",
    "x",
    "ab",
    "abc",
    "Ωμέγα",
    "Σίσυφος",
    "Йод",
    "Москва",
    "中国电信",
    "東京",
    "한국통신",
    "ＡＢＣ",
    "ﬁets",
    "jan",
];
const CITIES: [&str; 8] = ["Eindhoven", "München", "Den Haag", "Łódź", "北京", "São Paulo", "'s-Hertogenbosch", "Ost"];
const STATES: [&str; 6] = ["Noord Brabant", "NB", "Île-de-France", "Bayern", "North Rhine-Westphalia", "BY"];
const COUNTRIES: [&str; 4] = ["Netherlands", "NETHERLANDS", "Türkiye", "Deutschland"];
const EMAILS: [&str; 5] =
    ["info@company.nl", "Jan.Janssen@company.nl", "sales@xn--mller-kva.de", "a_b%c@example.com", "jan@copaco.example"];
const PHONES: [&str; 5] = ["+31 40 250 5000", "+31(0)123456789", "040-250 50 00", "112", "0800 COPACO 1"];
const TAX_IDS: [&str; 5] = ["NL006486253B01", "BE 0123.456.789", "DE-123456789", "123", "ÑIF 77"];
const NUMBERS: [&str; 7] = ["00123", "C-100-7", "Ångström 7", "erp/2024/001", "100%", "abc", "Ω-1"];
const TAGS: [&str; 4] = ["VIP", "café", "late payer", "x"];

fn text(of: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![1 => Just(String::new()), 3 => select(of).prop_map(String::from)]
}

fn name() -> impl Strategy<Value = String> {
    prop::collection::vec(select(&WORDS[..]), 1..4).prop_map(|words| words.join(" "))
}

fn one_of(codes: &'static [i32]) -> impl Strategy<Value = i32> {
    select(codes)
}

prop_compose! {
    fn customer()(
        name in name(),
        legal_name in prop_oneof![1 => Just(String::new()), 1 => name()],
        (city, state, country) in (text(&CITIES), text(&STATES), text(&COUNTRIES)),
        (email, phone, tax_id) in (text(&EMAILS), text(&PHONES), text(&TAX_IDS)),
        (kind, class, reach, origin) in (one_of(&[1, 2]), one_of(&[1, 2]), one_of(&[1, 1, 2]), one_of(&[1, 2, 3, 4])),
        label in text(&["gold", "silver"]),
        more_digits in 0..100,
    ) -> pb::Customer {
        let labels = if label.is_empty() { Vec::new() } else { vec![("tier".to_owned(), label)] };
        let phone = if phone.is_empty() { String::new() } else { format!("{phone}{more_digits}") };
        pb::Customer {
            name,
            legal_name,
            primary_address: Some(pb::Address { city, state, country, ..Default::default() }),
            email,
            phone: Some(pb::Phone { number: phone, extension: String::new() }),
            tax_ids: Some(tax_id).filter(|value| !value.is_empty()).map(|value| pb::TaxId { value, country: String::new() }).into_iter().collect(),
            r#type: kind,
            service_class: class,
            reach,
            origin,
            labels: labels.into_iter().collect(),
            ..Default::default()
        }
    }
}

/// A query like those that people and foes type: parts of what is there, in another spelling, and what is not.
fn query(rows: &[Row]) -> impl Strategy<Value = String> + use<> {
    let texts: Vec<String> = rows
        .iter()
        .flat_map(|row| {
            let profile = ["/legal_name", "/primary_address/city", "/primary_address/state", "/email", "/phone/number"];
            let profile = profile.into_iter().filter_map(|path| row.profile.pointer(path)?.as_str());
            let numbers = row.numbers.iter().map(|number| number.value.as_str());
            std::iter::once(row.name.as_str()).chain(profile).chain(numbers).map(ToOwned::to_owned).collect::<Vec<_>>()
        })
        .collect();
    let city = |row: &Row| Some(row.profile.pointer("/primary_address/city")?.as_str()?.to_owned());
    let pairs: Vec<(String, String)> =
        rows.iter().map(|row| (row.name.clone(), city(row).unwrap_or_default())).collect();
    let part = (select(texts), any::<(u8, u8, u8)>()).prop_map(|(text, (from, length, spelling))| {
        let letters: Vec<char> = text.chars().collect();
        let from = if from % 3 == 0 { usize::from(from) % letters.len() } else { 0 };
        let length = if length % 5 == 0 { 1 } else { 3 } + usize::from(length) % letters.len();
        let part: String = letters.into_iter().skip(from).take(length).collect();
        match spelling % 4 {
            0 => part.to_uppercase(),
            1 => search_naive::fold(&part),
            _ => part,
        }
    });
    let foe = select(&["%", "_", "\\", "%%%", "' or 1=1 --", "$1", "___", "*", "\"", "(a|b)", "a\u{301}", "?"][..]);
    prop_oneof![
        2 => Just(String::new()),
        12 => part.clone(),
        2 => (part.clone(), part.clone()).prop_map(|(one, other)| format!("{one} {other}")),
        3 => (select(pairs), any::<u8>()).prop_map(|((name, city), cut)| {
            let cut = name.floor_char_boundary(usize::from(cut) % (name.len() + 1));
            format!("{city} {}", &name[cut..])
        }),
        1 => (part, foe.clone()).prop_map(|(part, foe)| format!("{foe}{part}")),
        1 => foe.prop_map(String::from),
    ]
    .prop_map(|query| query.split_whitespace().take(10).collect::<Vec<_>>().join(" "))
}

fn tags() -> impl Strategy<Value = Vec<String>> {
    let name = select(&["vip", "CAFÉ", "cafe", "Late  Payer", "x", "unknown"][..]).prop_map(String::from);
    prop_oneof![9 => Just(Vec::new()), 1 => prop::collection::vec(name, 1..3)]
}

fn codes(all: &'static [i32]) -> impl Strategy<Value = Vec<i32>> {
    prop_oneof![9 => Just(Vec::new()), 1 => prop::collection::vec(select(all), 1..3)]
}

prop_compose! {
    fn request(rows: Vec<Row>)(
        query in query(&rows),
        field in prop_oneof![3 => Just(0), 2 => 1..9],
        (any_of, all_of, none_of) in (tags(), tags(), tags()),
        (statuses, types, service_classes, origins) in
            (codes(&[1, 2, 3, 4]), codes(&[1, 2]), codes(&[1, 2]), codes(&[1, 2, 3, 4])),
        (reach, archived) in (prop_oneof![9 => Just(0), 1 => 1..3], select(&[0, 1, 2, 2, 2, 2, 3][..])),
        countries in prop_oneof![6 => Just(Vec::new()), 1 => Just(vec!["NETHERLANDS".to_owned()]), 1 => Just(vec!["turkiye".to_owned(), "Nowhere".to_owned()])],
        label in prop_oneof![6 => Just(None), 1 => select(&["gold", "GOLD"][..]).prop_map(Some)],
        lacks in prop_oneof![5 => Just(""), 1 => select(&["erp", "dms", "default"][..])],
        (created, updated) in (range(&rows), range(&rows)),
        person in prop_oneof![20 => Just(None), 1 => select(rows.clone()).prop_map(Some)],
        include_descendants in any::<bool>(),
        order_by in prop_oneof![3 => Just(""), 2 => select(&["name", "name desc", "create_time", "create_time desc", "update_time", "update_time desc"][..])],
        page_size in prop_oneof![1 => 1..4, 7 => 5..80],
    ) -> pb::SearchCustomersRequest {
        let id = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
        pb::SearchCustomersRequest {
            query,
            field,
            tags: Some(pb::TagFilter { any_of, all_of, none_of }),
            statuses,
            types,
            service_classes,
            reach,
            origins,
            countries,
            labels: label.map(|label| ("tier".to_owned(), label.to_owned())).into_iter().collect(),
            archived,
            lacks_custom_id_system: lacks.to_owned(),
            branch_id: id(person.as_ref().and_then(|row| row.branch)),
            sales_person_id: id(person.as_ref().and_then(|row| row.sales_person)),
            created,
            updated,
            include_descendants,
            order_by: order_by.to_owned(),
            page_size,
            include_total_size: true,
            ..Default::default()
        }
    }
}

fn range(rows: &[Row]) -> impl Strategy<Value = Option<pb::TimeRange>> + use<> {
    let moments: Vec<i64> = rows.iter().flat_map(|row| [row.created, row.updated]).collect();
    // On the microsecond, and a nanosecond beside it.
    let bound = (select(moments), 0..3_i32).prop_map(|(micros, beside)| {
        let nanos = micros * 1_000 + i64::from(beside - 1);
        Some(prost_types::Timestamp {
            seconds: nanos.div_euclid(1_000_000_000),
            nanos: i32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap(),
        })
    });
    let bound = prop_oneof![Just(None), bound];
    prop_oneof![
        9 => Just(None),
        1 => (bound.clone(), bound).prop_map(|(start_time, end_time)| Some(pb::TimeRange { start_time, end_time })),
    ]
}

/// A tree: the provider, two resellers, and one below the first.
struct Tree {
    seats: [Seat; 4],
}

impl Tree {
    fn place(&self, at: usize) -> Place {
        let above: &[usize] = match at {
            0 => &[],
            1 | 2 => &[0],
            _ => &[1, 0],
        };
        let id = |at: usize| self.seats[at].account.parse().unwrap();
        Place { account: id(at), above: above.iter().map(|at| id(*at)).collect(), narrowed: None }
    }
}

async fn plant(world: &World, runner: &mut TestRunner) -> Tree {
    let provider = world.tenant("provider").await;
    let (north, south) = (provider.child("north").await, provider.child("south").await);
    let branch_below = north.child("north-east").await;
    let tree = Tree { seats: [provider, north, south, branch_below] };
    let mut sql = world.sql().await;
    let mut members = Vec::new();
    for (at, seat) in tree.seats.iter().enumerate() {
        members.push(seat.add(&format!("sales-{at}"), pb::Role::Member).await.member_id);
    }
    let mut made: Vec<(usize, String)> = Vec::new();
    for count in 0..CUSTOMERS {
        let at = count % tree.seats.len();
        let mut wanted = draw(runner, &customer());
        if count % 5 == 0 {
            wanted.sales_person_id.clone_from(&members[at]);
        }
        if count % 3 == 0 {
            let value =
                draw(runner, &(select(&NUMBERS[..]), 0..40).prop_map(|(number, more)| format!("{number}{more}")));
            wanted.custom_ids = [("erp".to_owned(), format!("{value}.{count}"))].into();
        }
        made.push((at, tree.seats[at].admin.create(wanted).await.unwrap().id));
    }
    for (count, (at, id)) in made.iter().enumerate() {
        if count % 7 == 0 {
            tree.seats[*at].admin.archive(&[id]).await.unwrap();
        }
        if count % 11 == 0 {
            let suspend =
                pb::SuspendCustomerRequest { customer_id: id.clone(), reason: "late".to_owned(), ..Default::default() };
            tree.seats[*at].admin.customers().suspend_customer(suspend).await.unwrap();
        }
        if count % 13 == 0 {
            let renamed = pb::Customer { id: id.clone(), ..draw(runner, &customer()) };
            let paths = ["name", "legal_name", "primary_address", "email", "phone", "tax_ids"];
            tree.seats[*at].admin.update(renamed, &paths).await.unwrap();
        }
        // Whoever sees it may number and tag it, privately.
        for (by, seat) in tree.seats.iter().enumerate() {
            if (count + by) % 4 == 0 {
                keep(&mut sql, runner, seat, id, count).await;
            }
        }
    }
    tree
}

/// What an account keeps on a customer, written as the commands on links will.
async fn keep(sql: &mut PgConnection, runner: &mut TestRunner, seat: &Seat, customer: &str, count: usize) {
    let (tenant, account): (Uuid, Uuid) = (seat.tenant.parse().unwrap(), seat.account.parse().unwrap());
    let customer: Uuid = customer.parse().unwrap();
    let tag = draw(runner, &select(&TAGS[..]));
    sqlx::query(
        "with tag as (
             insert into tags (tenant_id, id, account_id, name, name_key, created_at)
             values ($1, gen_random_uuid(), $2, $4, lower($4), now())
             on conflict (tenant_id, account_id, name_key) do update set name = excluded.name
             returning id
         )
         insert into customer_tags (tenant_id, customer_id, account_id, tag_id)
         select $1, $3, $2, id from tag on conflict do nothing",
    )
    .bind(tenant)
    .bind(account)
    .bind(customer)
    .bind(tag)
    .execute(&mut *sql)
    .await
    .unwrap();
    // A small choice, so that values are taken over; half of them are aliases.
    let (value, current) = draw(
        runner,
        &(select(&NUMBERS[..]), 0..9, any::<bool>())
            .prop_map(|(number, more, current)| (format!("{number}{more}"), current)),
    );
    let system = if count.is_multiple_of(2) { "dms" } else { "default" };
    let key = clientele::domain::key::Key::fold(&value);
    _ = sqlx::query(
        "insert into custom_ids (tenant_id, account_id, system, value_key, customer_id, value, is_current, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp())",
    )
    .bind(tenant)
    .bind(account)
    .bind(system)
    .bind(key.as_str())
    .bind(customer)
    .bind(&value)
    .bind(current)
    .execute(&mut *sql)
    .await; // a value that another customer has now is refused, as it should be
}

fn draw<S: Strategy>(runner: &mut TestRunner, strategy: &S) -> S::Value {
    strategy.new_tree(runner).unwrap().current()
}

/// All pages: ids with the fields that matched, and the total that each page told.
async fn pages(client: &Client, request: &pb::SearchCustomersRequest) -> (Vec<(Uuid, Vec<i32>)>, Vec<i32>) {
    let (mut all, mut totals, mut request) = (Vec::new(), Vec::new(), request.clone());
    loop {
        let page = client.customers().search_customers(request.clone()).await.unwrap().into_inner();
        assert!(page.results.len() <= usize::try_from(request.page_size).unwrap());
        totals.push(page.total_size);
        assert!(!page.total_size_is_at_least);
        all.extend(
            page.results
                .into_iter()
                .map(|result| (result.customer.unwrap().id.parse().unwrap(), result.matched_fields)),
        );
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return (all, totals);
        }
    }
}

#[tokio::test]
async fn every_search_finds_what_a_scan_of_all_rows_finds_in_the_same_order() {
    let world = World::start().await;
    // The same customers and searches each time: what fails once fails again.
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(Config::default().rng_algorithm));
    let tree = plant(&world, &mut runner).await;
    let rows = search_naive::rows(&mut world.sql().await).await;
    assert_eq!(rows.len(), CUSTOMERS);
    let requests = request(rows.clone());
    let (mut hits, mut with_query) = (0, 0);
    for count in 0..SEARCHES {
        let at = count % tree.seats.len();
        let request = draw(&mut runner, &requests);
        // Half of them with the query alone: with every filter, little is left to compare.
        let request = if count % 2 == 0 { without_filters(request) } else { request };
        let place = tree.place(at);
        let expected = search_naive::search(&rows, &place, &request);
        let (found, totals) = pages(&tree.seats[at].admin, &request).await;
        assert_eq!(found, expected, "search {count} in account {at}: {request:?}");
        let total = i32::try_from(expected.len()).unwrap();
        assert!(totals.iter().all(|told| *told == total), "{totals:?}, not {total}: {request:?}");
        hits += expected.len();
        with_query += usize::from(!request.query.is_empty() && !expected.is_empty());
    }
    // The test is worth something only if much is found.
    assert!(hits > SEARCHES * 5 && with_query > SEARCHES / 5, "{hits} hits, {with_query} queries that find");
}

fn without_filters(request: pb::SearchCustomersRequest) -> pb::SearchCustomersRequest {
    let pb::SearchCustomersRequest { query, field, include_descendants, order_by, page_size, .. } = request;
    pb::SearchCustomersRequest {
        query,
        field,
        include_descendants,
        order_by,
        page_size,
        archived: pb::ArchivedFilter::Show.into(),
        include_total_size: true,
        ..Default::default()
    }
}

#[tokio::test]
async fn the_database_folds_custom_ids_as_the_program_does() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let created = acme.admin.create(crate::world::customer("Ada")).await.unwrap();
    let mut sql = world.sql().await;
    let mut runner = TestRunner::deterministic();
    let any_text = prop::collection::vec(
        prop_oneof![
            "[ -~]{1,6}",
            "[À-žΆ-ώА-я가-힣ぁ-んア-ン一-龥\u{591}-\u{5f4}\u{610}-\u{6d3}\u{904}-\u{94d}]{1,4}",
            "[\u{300}-\u{36f}\u{1e00}-\u{1fff}\u{ff01}-\u{ff9f}\u{2100}-\u{214f}´¨]{1,3}",
        ],
        1..5,
    );
    let values: Vec<String> = (0..500).map(|_| draw(&mut runner, &any_text).concat()).collect();
    for (count, value) in values.iter().enumerate() {
        let Ok(value) = clientele::domain::custom_id::CustomId::parse(value) else { continue };
        let key: String = sqlx::query_scalar(
            "insert into custom_ids (tenant_id, account_id, system, value_key, customer_id, value, is_current, created_at)
             values ($1, $1, $2, $3, $4, $5, true, now()) returning search_key",
        )
        .bind(acme.tenant.parse::<Uuid>().unwrap())
        .bind(format!("s{count}"))
        .bind(value.key().as_str())
        .bind(created.id.parse::<Uuid>().unwrap())
        .bind(value.as_str())
        .fetch_one(&mut sql)
        .await
        .unwrap();
        assert_eq!(key, number(&fold(value.as_str())), "{:?}", value.as_str());
    }
}
