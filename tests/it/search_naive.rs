//! A second, simple implementation of SearchCustomers: it checks every row by the rules of DESIGN 3.3, without an index and
//! without any search code of the library.

use std::collections::{BTreeMap, HashSet};

use clientele::grpc::pb;
use icu_collator::{Collator, CollatorBorrowed};
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// A customer's row, with the account links of every account.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: Uuid,
    pub account: Uuid,
    pub ancestors: Vec<Uuid>,
    pub customer_type: String,
    pub service_class: String,
    pub reach: String,
    pub origin: String,
    pub status: String,
    pub archived: bool,
    pub branch: Option<Uuid>,
    pub sales_person: Option<Uuid>,
    pub name: String,
    pub profile: Value,
    pub created: i64,
    pub updated: i64,
    pub numbers: Vec<Number>,
    pub tags: Vec<(Uuid, String)>,
}

/// A current or former custom ID of an account.
#[derive(Clone, Debug)]
pub struct Number {
    pub account: Uuid,
    pub system: String,
    pub value: String,
    pub is_current: bool,
}

type CustomerColumns = (
    (Uuid, Uuid, Vec<Uuid>, String, String, String, String, String, bool),
    (Option<Uuid>, Option<Uuid>, String, Value, i64, i64),
);

/// Reads every customer of the database.
pub async fn rows(sql: &mut PgConnection) -> Vec<Row> {
    use sqlx::Row as _;
    let text = "select id, account_id, ancestors, type, service_class, reach, origin, status, archived_at is not null,
                       branch_id, sales_person_id, name, profile, (extract(epoch from created_at) * 1000000)::bigint,
                       (extract(epoch from updated_at) * 1000000)::bigint
                from customers";
    let customers: Vec<CustomerColumns> = sqlx::query(text)
        .map(|row: sqlx::postgres::PgRow| {
            let first = (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4), row.get(5), row.get(6));
            let second = (row.get(9), row.get(10), row.get(11), row.get(12), row.get(13), row.get(14));
            ((first.0, first.1, first.2, first.3, first.4, first.5, first.6, row.get(7), row.get(8)), second)
        })
        .fetch_all(&mut *sql)
        .await
        .unwrap();
    let text = "select customer_id, account_id, system, value, value_key, is_current, created_at::text from custom_ids";
    let ids: Vec<(Uuid, Uuid, String, String, String, bool, String)> =
        sqlx::query_as(text).fetch_all(&mut *sql).await.unwrap();
    let text = "select g.customer_id, g.account_id, t.name from customer_tags g join tags t on t.id = g.tag_id";
    let tags: Vec<(Uuid, Uuid, String)> = sqlx::query_as(text).fetch_all(&mut *sql).await.unwrap();
    // An alias belongs to its customer until another customer takes the value.
    let taken = |of: &(Uuid, Uuid, String, String, String, bool, String)| {
        ids.iter().any(|other| {
            (other.1, &other.2, &other.4) == (of.1, &of.2, &of.4) && other.0 != of.0 && (other.5 || other.6 > of.6)
        })
    };
    customers
        .into_iter()
        .map(|(first, second)| Row {
            id: first.0,
            account: first.1,
            ancestors: first.2,
            customer_type: first.3,
            service_class: first.4,
            reach: first.5,
            origin: first.6,
            status: first.7,
            archived: first.8,
            branch: second.0,
            sales_person: second.1,
            name: second.2,
            profile: second.3,
            created: second.4,
            updated: second.5,
            numbers: ids
                .iter()
                .filter(|id| id.0 == first.0 && (id.5 || !taken(id)))
                .map(|id| Number { account: id.1, system: id.2.clone(), value: id.3.clone(), is_current: id.5 })
                .collect(),
            tags: tags.iter().filter(|tag| tag.0 == first.0).map(|tag| (tag.1, tag.2.clone())).collect(),
        })
        .collect()
}

/// The acting account and those above it.
#[derive(Clone, Debug)]
pub struct Place {
    pub account: Uuid,
    pub above: Vec<Uuid>,
    pub narrowed: Option<Uuid>,
}

/// The expected content of all pages: customers in order, each with the fields that match.
pub fn search(rows: &[Row], place: &Place, request: &pb::SearchCustomersRequest) -> Vec<(Uuid, Vec<i32>)> {
    let words: Vec<String> = fold(&request.query).split_whitespace().map(ToOwned::to_owned).collect();
    let mut found: Vec<&Row> =
        rows.iter().filter(|row| sees(row, place, request) && fits(row, place, request)).collect();
    found.retain(|row| words.iter().all(|word| fields(row, place, request).iter().any(|field| lies(word, field))));
    // The root collation, not the keys made by it.
    let root: CollatorBorrowed<'_> = Collator::try_new(Default::default(), Default::default()).unwrap();
    let by_name = |one: &Row, other: &Row| root.compare(&one.name, &other.name).then(one.id.cmp(&other.id));
    let rank = |row: &Row| rank(row, place, &request.query);
    match request.order_by.as_str() {
        "" if words.is_empty() => found.sort_by(|one, other| by_name(one, other)),
        "" => found.sort_by(|one, other| rank(one).cmp(&rank(other)).then_with(|| by_name(one, other))),
        "name" => found.sort_by(|one, other| by_name(one, other)),
        "name desc" => found.sort_by(|one, other| by_name(other, one)),
        "create_time" => found.sort_by_key(|row| (row.created, row.id)),
        "create_time desc" => found.sort_by_key(|row| std::cmp::Reverse((row.created, row.id))),
        "update_time" => found.sort_by_key(|row| (row.updated, row.id)),
        "update_time desc" => found.sort_by_key(|row| std::cmp::Reverse((row.updated, row.id))),
        other => panic!("no such order: {other}"),
    }
    found
        .into_iter()
        .map(|row| {
            let matched = fields(row, place, request)
                .into_iter()
                .filter(|field| words.iter().any(|word| lies(word, field)))
                .map(|field| field.0.into())
                .collect();
            (row.id, matched)
        })
        .collect()
}

fn sees(row: &Row, place: &Place, request: &pb::SearchCustomersRequest) -> bool {
    let below = row.ancestors.contains(&place.account);
    let fleet = row.reach == "FLEET" && place.above.contains(&row.account);
    match place.narrowed {
        Some(only) => row.id == only && (below || fleet),
        None if request.include_descendants => below || fleet,
        None => row.account == place.account || fleet,
    }
}

fn fits(row: &Row, place: &Place, request: &pb::SearchCustomersRequest) -> bool {
    let shown = row.ancestors.contains(&place.account);
    let one_of = |stored: &str, names: Vec<&str>| names.is_empty() || names.iter().any(|name| name.ends_with(stored));
    let text = |path: &str| row.profile.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let tags: HashSet<String> =
        row.tags.iter().filter(|tag| tag.0 == place.account).map(|tag| folded_name(&tag.1)).collect();
    let filter = request.tags.clone().unwrap_or_default();
    let has = |name: &String| tags.contains(&folded_name(name));
    let within = |at: i64, range: Option<&pb::TimeRange>| {
        let nanos = |time: &prost_types::Timestamp| i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
        let at = i128::from(at) * 1_000;
        range.is_none_or(|range| {
            range.start_time.as_ref().is_none_or(|start| nanos(start) <= at)
                && range.end_time.as_ref().is_none_or(|end| at < nanos(end))
        })
    };
    let hidden = [
        (!request.origins.is_empty())
            .then(|| one_of(&row.origin, request.origins().map(|one| one.as_str_name()).collect())),
        (!request.labels.is_empty()).then(|| {
            request.labels.iter().all(|(key, value)| {
                row.profile.get("labels").and_then(|labels| labels.get(key)).and_then(Value::as_str) == Some(value)
            })
        }),
        (!request.branch_id.is_empty()).then(|| row.branch.is_some_and(|id| id.to_string() == request.branch_id)),
        (!request.sales_person_id.is_empty())
            .then(|| row.sales_person.is_some_and(|id| id.to_string() == request.sales_person_id)),
    ];
    one_of(&row.status, request.statuses().map(|one| one.as_str_name()).collect())
        && one_of(&row.customer_type, request.types().map(|one| one.as_str_name()).collect())
        && one_of(&row.service_class, request.service_classes().map(|one| one.as_str_name()).collect())
        && (request.reach == 0 || request.reach().as_str_name().ends_with(&row.reach))
        && hidden.into_iter().flatten().all(|holds| holds && shown)
        && (request.countries.is_empty()
            || request.countries.iter().any(|name| fold(name) == fold(text("/primary_address/country"))))
        && match request.archived() {
            pb::ArchivedFilter::Unspecified | pb::ArchivedFilter::Hide => !row.archived,
            pb::ArchivedFilter::Show => true,
            pb::ArchivedFilter::Only => row.archived,
        }
        && (filter.any_of.is_empty() || filter.any_of.iter().any(has))
        && filter.all_of.iter().all(has)
        && !filter.none_of.iter().any(has)
        && (request.lacks_custom_id_system.is_empty()
            || !row.numbers.iter().any(|number| {
                number.account == place.account && number.is_current && number.system == request.lacks_custom_id_system
            }))
        && within(row.created, request.created.as_ref())
        && within(row.updated, request.updated.as_ref())
}

/// The requested fields, with their values; the kind of field decides how it is searched.
fn fields(row: &Row, place: &Place, request: &pb::SearchCustomersRequest) -> Vec<(pb::SearchField, Vec<String>)> {
    use pb::SearchField as Field;
    let text = |path: &str| row.profile.pointer(path).and_then(Value::as_str).map(ToOwned::to_owned);
    let mut all: BTreeMap<i32, (Field, Vec<String>)> = BTreeMap::new();
    let mut note = |field: Field, values: Vec<String>| drop(all.insert(field.into(), (field, values)));
    note(Field::Name, std::iter::once(row.name.clone()).chain(text("/legal_name")).collect());
    note(Field::City, text("/primary_address/city").into_iter().collect());
    note(Field::State, text("/primary_address/state").into_iter().collect());
    note(Field::Email, text("/email").into_iter().collect());
    note(Field::Phone, text("/phone/number").into_iter().flat_map(two_ways).collect());
    let tax_ids = row.profile.get("tax_ids").and_then(Value::as_array).cloned().unwrap_or_default();
    let values = tax_ids.iter().filter_map(|tax_id| tax_id["value"].as_str().map(ToOwned::to_owned));
    note(Field::TaxId, values.flat_map(two_ways).collect());
    let numbers = row.numbers.iter().filter(|number| number.account == place.account);
    note(Field::Number, numbers.map(|number| number.value.clone()).collect());
    all.into_values()
        .filter(|(field, _)| matches!(request.field(), Field::Unspecified | Field::All) || request.field() == *field)
        .collect()
}

fn two_ways(value: String) -> [String; 2] {
    let plus = if value.starts_with('+') { "+" } else { "" };
    let together = value.chars().filter(|letter| !separates(*letter)).collect::<String>();
    [value, format!("{plus}{together}")]
}

fn lies(word: &str, (field, values): &(pb::SearchField, Vec<String>)) -> bool {
    use pb::SearchField as Field;
    let values: Vec<String> = values.iter().map(|value| fold(value)).collect();
    match (word.chars().count() >= 3, field) {
        (true, Field::Name | Field::City) => values.iter().any(|value| value.contains(word)),
        (true, _) => values.iter().any(|value| begins_somewhere(value, word)),
        // The short name, which is the first value.
        (false, Field::Name) => values[0].starts_with(word),
        (false, _) => false,
    }
}

fn begins_somewhere(value: &str, word: &str) -> bool {
    let mut before = None;
    value.char_indices().any(|(place, letter)| {
        let begins = place == 0 || (before.is_some_and(separates) && !separates(letter));
        before = Some(letter);
        begins && value[place..].starts_with(word)
    })
}

fn separates(letter: char) -> bool {
    " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".contains(letter)
}

fn rank(row: &Row, place: &Place, query: &str) -> u8 {
    let (query, name) = (fold(query), fold(&row.name));
    let numbered = row.numbers.iter().any(|number| number.account == place.account && fold(&number.value) == query);
    match () {
        () if name == query || numbered => 0,
        () if name.starts_with(&query) => 1,
        () => 2,
    }
}

/// Folding for the letters of the tests: without accents, width and case.
pub fn fold(text: &str) -> String {
    let apart = DecomposingNormalizerBorrowed::new_nfkd().normalize(text);
    let bare: String = apart.chars().filter(|letter| !('\u{300}'..='\u{36f}').contains(letter)).collect();
    let whole = ComposingNormalizerBorrowed::new_nfc().normalize(&lower(&bare)).replace('ø', "o").replace('ł', "l");
    whole.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The key by which names are compared: accents count.
fn folded_name(text: &str) -> String {
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let whole = nfkc.normalize(&lower(&nfkc.normalize(text))).into_owned();
    whole.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn lower(text: &str) -> String {
    text.to_lowercase().replace('ß', "ss").replace('ς', "σ")
}
