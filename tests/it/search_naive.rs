//! A second, simple implementation of SearchCustomers: it checks every row by the rules of DESIGN 3.3, without an index and
//! without any search code of the library.

use std::collections::HashSet;

use clientele::grpc::pb;
use icu_collator::{Collator, CollatorBorrowed};
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, enums::Region};
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
    pub order_reference: Option<String>,
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
    (Option<Uuid>, Option<Uuid>, String, Value, i64, i64, Option<String>),
);

/// Reads every customer of the database.
pub async fn rows(sql: &mut PgConnection) -> Vec<Row> {
    use sqlx::Row as _;
    let text = "select id, account_id, ancestors, type, service_class, reach, origin, status, archived_at is not null,
                       branch_id, sales_person_id, name, profile, (extract(epoch from created_at) * 1000000)::bigint,
                       (extract(epoch from updated_at) * 1000000)::bigint, order_reference
                from customers";
    let customers: Vec<CustomerColumns> = sqlx::query(text)
        .map(|row: sqlx::postgres::PgRow| {
            let first = (row.get(0), row.get(1), row.get(2), row.get(3), row.get(4), row.get(5), row.get(6));
            let second = (row.get(9), row.get(10), row.get(11), row.get(12), row.get(13), row.get(14), row.get(15));
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
            order_reference: second.6,
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
    let query = Query::new(&request.query);
    let mut found: Vec<&Row> =
        rows.iter().filter(|row| sees(row, place, request) && fits(row, place, request)).collect();
    found.retain(|row| query.finds(&fields(row, place, request)));
    // The root collation, not the keys made by it.
    let root: CollatorBorrowed<'_> = Collator::try_new(Default::default(), Default::default()).unwrap();
    let by_name = |one: &Row, other: &Row| root.compare(&one.name, &other.name).then(one.id.cmp(&other.id));
    let rank = |row: &Row| rank(row, place, &query);
    match request.order_by.as_str() {
        "" if query.whole.is_empty() => found.sort_by(|one, other| by_name(one, other)),
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
            let fields = fields(row, place, request);
            let matched = fields.iter().filter(|field| query.touches(field)).map(|field| field.0.into()).collect();
            (row.id, if query.whole.is_empty() { Vec::new() } else { matched })
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
            || request.countries.iter().any(|name| code(name) == text("/primary_address/country")))
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

/// A field with its values, and further forms of numbers: only the whole query finds these.
type Field = (pb::SearchField, Vec<String>, Vec<String>);

/// The requested fields that are shown.
fn fields(row: &Row, place: &Place, request: &pb::SearchCustomersRequest) -> Vec<Field> {
    let all = matches!(request.field(), pb::SearchField::Unspecified | pb::SearchField::All);
    all_fields(row, place).into_iter().filter(|field| all || request.field() == field.0).collect()
}

/// The code of a country of the samples.
fn code(name: &str) -> &str {
    match name.to_lowercase().as_str() {
        "netherlands" => "NL",
        "turkiye" | "türkiye" => "TR",
        "deutschland" => "DE",
        _ => name,
    }
}

fn all_fields(row: &Row, place: &Place) -> Vec<Field> {
    let shown = row.ancestors.contains(&place.account);
    let text = |path: &str| row.profile.pointer(path).and_then(Value::as_str).map(ToOwned::to_owned);
    let list = |path: &str| row.profile.pointer(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let country = text("/primary_address/country").unwrap_or_default();
    let region = match country.as_str() {
        "NL" => Some(Region::NL),
        "TR" => Some(Region::TR),
        "DE" => Some(Region::DE),
        _ => None,
    };
    let contacts = list("/contacts");
    let phone = |phone: &Value| {
        let part = |name: &str| phone[name].as_str().unwrap_or_default().to_owned();
        phone.is_object().then(|| (part("number"), part("extension")))
    };
    let phones = ["/phone", "/fax"].into_iter().filter_map(|path| row.profile.pointer(path)).filter_map(phone);
    let phones: Vec<_> = phones.chain(contacts.iter().filter_map(|it| phone(&it["phone"]))).collect();
    let emails = text("/email").into_iter().chain(text("/billing_email").filter(|_| shown));
    let numbers = row.numbers.iter().filter(|number| number.account == place.account).map(|it| it.value.clone());
    let state = text("/primary_address/state");
    let states = match state.as_deref() {
        Some("NL-NB") => vec!["NB", "Noord-Brabant"],
        Some("DE-BY") => vec!["BY", "Bayern"],
        _ => Vec::new(),
    };
    let states = states.into_iter().map(str::to_owned).chain(text("/primary_address/state_given"));
    let tax_ids: Vec<String> =
        list("/tax_ids").iter().filter_map(|it| Some(it["value"].as_str()?.to_owned())).collect();
    let number = numbers.chain(text("/registration_number")).chain(row.order_reference.clone().filter(|_| shown));
    vec![
        (pb::SearchField::Name, std::iter::once(row.name.clone()).chain(text("/legal_name")).collect(), Vec::new()),
        (pb::SearchField::City, text("/primary_address/city").into_iter().collect(), Vec::new()),
        (pb::SearchField::State, state.into_iter().chain(states).collect(), Vec::new()),
        (pb::SearchField::Number, number.collect(), Vec::new()),
        (
            pb::SearchField::Email,
            emails.chain(contacts.iter().filter_map(|it| Some(it["email"].as_str()?.to_owned()))).collect(),
            Vec::new(),
        ),
        (
            pb::SearchField::Phone,
            phones.iter().map(|(number, extension)| format!("{number} {extension}")).collect(),
            phones.iter().flat_map(|(number, _)| dialled(number, region)).collect(),
        ),
        (pb::SearchField::TaxId, tax_ids.clone(), tax_ids.iter().filter_map(|value| without_country(value)).collect()),
    ]
}

/// A number as it is dialled at home and from abroad.
fn dialled(number: &str, region: Option<Region>) -> Vec<String> {
    let phone = PHONE_NUMBER_UTIL.parse(number, region).ok().filter(|it| PHONE_NUMBER_UTIL.is_possible_number(it));
    let forms = [PhoneNumberFormat::National, PhoneNumberFormat::E164];
    phone.iter().flat_map(|phone| forms.map(|form| compact(&PHONE_NUMBER_UTIL.format(phone, form)))).collect()
}

fn without_country(value: &str) -> Option<String> {
    let value = compact(&fold(value));
    let (country, rest) = value.split_at_checked(2)?;
    let has_one = country.chars().all(|it| it.is_ascii_lowercase()) && rest.contains(|it: char| it.is_ascii_digit());
    has_one.then(|| rest.to_owned())
}

/// A query as DESIGN 3.3 reads it.
struct Query {
    whole: String,
    /// Each token in its readings: the words of one of them must all match.
    tokens: Vec<Vec<Vec<String>>>,
}

impl Query {
    fn new(text: &str) -> Self {
        let whole = fold(text);
        let tokens = whole.split(' ').map(readings).filter(|readings| !readings[0].is_empty()).collect();
        Self { whole, tokens }
    }

    fn finds(&self, fields: &[Field]) -> bool {
        if self.whole.is_empty() {
            return true;
        }
        let word = |word: &String| fields.iter().any(|field| lies(word, field));
        let all = self.tokens.iter().all(|readings| readings.iter().any(|words| words.iter().all(word)));
        (!self.tokens.is_empty() && all) || fields.iter().any(|field| self.is_whole(field))
    }

    /// Whether the whole query is a value, or begins a number.
    fn is_whole(&self, (field, values, forms): &Field) -> bool {
        use pb::SearchField::{Number, Phone, TaxId};
        let query = compact(&self.whole);
        let mut all = values.iter().chain(forms);
        match field {
            _ if query.is_empty() => all.any(|value| fold(value) == self.whole),
            Number | Phone | TaxId => all.any(|value| compact(&fold(value)).starts_with(&query)),
            _ => false,
        }
    }

    /// Whether a field shows why the customer was found.
    fn touches(&self, field: &Field) -> bool {
        let mut words = self.tokens.iter().flatten().flatten();
        words.any(|word| lies(word, field)) || self.is_whole(field)
    }
}

/// A token's parts, and its letters and digits as one word if there is punctuation in it.
fn readings(token: &str) -> Vec<Vec<String>> {
    let mut parts: Vec<String> = Vec::new();
    let mut open = false;
    for letter in token.chars() {
        if is_symbol(letter) {
            parts.push(letter.to_string());
            open = false;
        } else if letter.is_alphanumeric() {
            if open {
                parts.last_mut().unwrap().push(letter);
            } else {
                parts.push(letter.to_string());
            }
            open = true;
        } else {
            open = false;
        }
    }
    let together = compact(token);
    let punctuated = token.chars().any(|letter| !letter.is_alphanumeric() && !is_symbol(letter));
    let inner = token.trim_matches(|letter: char| !letter.is_alphanumeric());
    let divided = inner.contains(is_symbol);
    let several = parts.iter().filter(|part| !is_symbol(part.chars().next().unwrap())).count() > 1;
    if punctuated && !divided && several { vec![parts, vec![together]] } else { vec![parts] }
}

fn is_symbol(letter: char) -> bool {
    "$+<=>^`|~".contains(letter)
}

fn compact(folded: &str) -> String {
    folded.chars().filter(|letter| letter.is_alphanumeric()).collect()
}

fn lies(word: &str, (field, values, _): &Field) -> bool {
    let unspaced = word.chars().any(|letter| ('\u{3040}'..'\u{d7a4}').contains(&letter));
    let anywhere =
        matches!(field, pb::SearchField::Name | pb::SearchField::City) && (word.chars().count() >= 3 || unspaced);
    let words = |value: &String| fold(value).split(' ').flat_map(readings).flatten().collect::<Vec<_>>();
    values.iter().flat_map(words).any(|stored| if anywhere { stored.contains(word) } else { stored.starts_with(word) })
}

fn rank(row: &Row, place: &Place, query: &Query) -> u8 {
    let name = fold(&row.name);
    let exact = all_fields(row, place).into_iter().any(|(field, values, _)| {
        matches!(field, pb::SearchField::Number | pb::SearchField::Email)
            && values
                .iter()
                .any(|value| !compact(&query.whole).is_empty() && compact(&fold(value)) == compact(&query.whole))
    });
    match () {
        () if name == query.whole || exact => 0,
        () if name.starts_with(&query.whole) => 1,
        () => 2,
    }
}

/// Folding for the letters of the tests: without accents, width and case.
pub fn fold(text: &str) -> String {
    let apart = DecomposingNormalizerBorrowed::new_nfkd().normalize(text);
    let vanishes = |letter: char| ('\u{300}'..='\u{36f}').contains(&letter) || "'’`".contains(letter);
    let bare: String = apart.chars().filter(|letter| !vanishes(*letter)).collect();
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
