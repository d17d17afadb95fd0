//! Random customers and random searches for them.

use clientele::grpc::pb;
use proptest::{prelude::*, sample::select};
use uuid::Uuid;

use crate::search_naive::{self, Row};

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
const PHONES: [&str; 5] = ["+31 40 250 50", "+31(0)1234567", "040-250 50 ", "1", "0800 COPACO 1"];
const TAX_IDS: [&str; 5] = ["NL006486253B01", "BE 0428.759.497", "DE-136695976", "123", "ÑIF 77"];
pub const NUMBERS: [&str; 7] = ["00123", "C-100-7", "Ångström 7", "erp/2024/001", "100%", "abc", "Ω-1"];
pub const TAGS: [&str; 4] = ["VIP", "café", "late payer", "x"];

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
    pub fn customer()(
        name in name(),
        legal_name in prop_oneof![1 => Just(String::new()), 1 => name()],
        (city, state, country) in (text(&CITIES), text(&STATES), text(&COUNTRIES)),
        (email, phone, tax_id) in (text(&EMAILS), text(&PHONES), text(&TAX_IDS)),
        (kind, class, reach, origin) in (one_of(&[1, 2]), one_of(&[1, 2]), one_of(&[1, 1, 2]), one_of(&[1, 2, 3, 4])),
        label in text(&["gold", "silver"]),
        more_digits in 0..100,
    ) -> pb::Customer {
        let labels = if label.is_empty() { Vec::new() } else { vec![("tier".to_owned(), label)] };
        let phone = if phone.is_empty() { String::new() } else { format!("{phone}{more_digits:02}") };
        // A number in national form is one of the customer's country, so it has none here.
        let country = if phone.starts_with(['0', '1']) { String::new() } else { country };
        pb::Customer {
            name,
            legal_name,
            primary_address: Some(pb::Address { city, state, country, ..Default::default() }),
            email,
            phone: Some(pb::Phone { number: phone, ..Default::default() }),
            tax_ids: Some(tax_id).filter(|value| !value.is_empty()).map(|value| pb::TaxId { value, ..Default::default() }).into_iter().collect(),
            r#type: kind,
            service_class: class,
            reach,
            origin,
            labels: labels.into_iter().collect(),
            ..Default::default()
        }
    }
}

/// A query as people and attackers type it: parts of stored values, in another spelling, and other text.
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
        2 => select(pairs.clone()).prop_map(|(name, city)| format!("{name} {city}")),
        3 => (select(pairs), any::<u8>()).prop_map(|((name, city), cut)| {
            let cut = name.floor_char_boundary(usize::from(cut) % (name.len() + 1));
            format!("{city} {}", &name[cut..])
        }),
        1 => (part, foe.clone()).prop_map(|(part, foe)| format!("{foe}{part}")),
        1 => foe.prop_map(String::from),
    ]
    .prop_map(|query| query.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn tags() -> impl Strategy<Value = Vec<String>> {
    let name = select(&["vip", "CAFÉ", "cafe", "Late  Payer", "x", "unknown"][..]).prop_map(String::from);
    prop_oneof![9 => Just(Vec::new()), 1 => prop::collection::vec(name, 1..3)]
}

fn codes(all: &'static [i32]) -> impl Strategy<Value = Vec<i32>> {
    prop_oneof![9 => Just(Vec::new()), 1 => prop::collection::vec(select(all), 1..3)]
}

prop_compose! {
    pub fn request(rows: Vec<Row>)(
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
    // At the microsecond, and one nanosecond off.
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
        1 => (bound.clone(), bound).prop_map(|(one, other)| {
            // A range that ends before it starts is refused.
            let at = |time: &prost_types::Timestamp| (time.seconds, time.nanos);
            let reversed = one.as_ref().zip(other.as_ref()).is_some_and(|(one, other)| at(one) > at(other));
            let (start_time, end_time) = if reversed { (other, one) } else { (one, other) };
            Some(pb::TimeRange { start_time, end_time })
        }),
    ]
}
