//! The handler of SearchCustomers: parses the request and puts a page together.

use chrono::{DateTime, TimeDelta};
use tonic::Request;

use crate::{
    domain::{
        access::caller::Caller,
        fields::field::View,
        search::{Archived, MAX_LIST, Order, OrderBy, Query, Range, Search, SearchField, country_key},
        tags::tag::TagName,
        values::{
            custom_id::System,
            enums::{Origin, Reach},
            ids::{BranchId, MemberId},
            key::Key,
            label::Labels,
            text::{Text, optional},
            timestamp::Timestamp,
            violation::{Rule, Violations},
        },
    },
    error::Result,
    grpc::{
        convert::{self, page_size},
        customers::{read, show::in_view},
        handler::{self, Answered, fit},
        pb,
    },
    service::customers::{Customers, Matches},
};

/// How the result is presented.
struct Presentation {
    view: View,
    size: usize,
    token: String,
    count: bool,
}

pub(super) async fn search(
    customers: &Customers,
    request: Request<pb::SearchCustomersRequest>,
) -> Answered<pb::SearchCustomersResponse> {
    handler::read(
        request,
        |violations, _, message| parse(violations, message),
        async |caller: &Caller, (search, Presentation { view, size, token, count })| {
            let found = customers.search(caller, &search, view, (size, &token), count).await?;
            page(customers, caller, &search, found, view)
        },
    )
    .await
}

fn parse(violations: &mut Violations, message: pb::SearchCustomersRequest) -> Option<(Search, Presentation)> {
    // Every field is named: one that is added to the contract fails to compile here.
    let pb::SearchCustomersRequest {
        query,
        field,
        tags,
        statuses,
        types,
        service_classes,
        reach,
        origins,
        countries,
        labels,
        archived,
        lacks_custom_id_system,
        branch_id,
        sales_person_id,
        created,
        updated,
        include_descendants,
        order_by,
        view,
        page_size: size,
        page_token: token,
        include_total_size: count,
    } = message;
    let query = violations.check("query", Query::parse(&query)).unwrap_or_default();
    let pb::TagFilter { any_of, all_of, none_of } = tags.unwrap_or_default();
    let search = Search {
        field: violations.check("field", search_field(field)).flatten(),
        any_of: list(violations, "tags.any_of", &any_of, |name| tag(name)),
        all_of: list(violations, "tags.all_of", &all_of, |name| tag(name)),
        none_of: list(violations, "tags.none_of", &none_of, |name| tag(name)),
        statuses: list(violations, "statuses", &statuses, |raw| status(*raw)),
        types: list(violations, "types", &types, |raw| read::customer_type(*raw)),
        service_classes: list(violations, "service_classes", &service_classes, |raw| read::service_class(*raw)),
        reach: violations.check("reach", reach_filter(reach)).flatten(),
        origins: list(violations, "origins", &origins, |raw| origin(*raw)),
        countries: list(violations, "countries", &countries, |raw| country(raw)),
        labels: violations.nest("", Labels::parse(labels.iter())).unwrap_or_default(),
        archived: violations.check("archived", archived_filter(archived)).unwrap_or_default(),
        lacks_custom_id_system: violations
            .check("lacks_custom_id_system", optional(&lacks_custom_id_system, System::parse))
            .flatten()
            .map(|system| system.as_str().to_owned()),
        branch: violations.check("branch_id", optional(&branch_id, BranchId::parse)).flatten(),
        sales_person: violations.check("sales_person_id", optional(&sales_person_id, MemberId::parse)).flatten(),
        created: range(violations, "created", created),
        updated: range(violations, "updated", updated),
        include_descendants,
        order: violations.check("order_by", order(&order_by, &query)).unwrap_or(BY_NAME),
        query,
    };
    let view = violations.check("view", convert::view(view));
    let size = page_size(violations, size);
    view.zip(size).map(|(view, size)| (search, Presentation { view, size, token, count }))
}

/// A page, with as many results as fit.
fn page(
    customers: &Customers,
    caller: &Caller,
    search: &Search,
    found: Matches,
    view: View,
) -> Result<pb::SearchCustomersResponse> {
    let (total, at_least) = found.total.unwrap_or_default();
    let (cursors, results): (Vec<_>, Vec<_>) = found
        .matches
        .into_iter()
        .map(|found| {
            let matched_fields = found.fields.into_iter().map(|field| field_out(field).into()).collect();
            let customer = Some(in_view(found.customer, view));
            (found.cursor, pb::SearchResult { customer, matched_fields })
        })
        .unzip();
    let (results, cut) = fit(results);
    let last = if cut || found.more { cursors.get(results.len().wrapping_sub(1)) } else { None };
    let token = last.map(|cursor| customers.search_token(caller, search, cursor)).transpose()?;
    Ok(pb::SearchCustomersResponse {
        results,
        next_page_token: token.unwrap_or_default(),
        total_size: i32::try_from(total).unwrap_or(i32::MAX),
        total_size_is_at_least: at_least,
    })
}

const BY_NAME: Order = Order { by: OrderBy::Name, descending: false };

/// Parses a list; a repeated entry counts once.
fn list<R, T: PartialEq>(
    violations: &mut Violations,
    field: &str,
    raw: &[R],
    parse: impl Fn(&R) -> Result<T, Rule>,
) -> Vec<T> {
    if raw.len() > MAX_LIST {
        violations.push(field, Rule::with(format!("must be at most {MAX_LIST}; these are {}", raw.len())));
        return Vec::new();
    }
    let mut list = Vec::with_capacity(raw.len());
    for (index, raw) in raw.iter().enumerate() {
        if let Some(entry) = violations.check(format!("{field}[{index}]"), parse(raw))
            && !list.contains(&entry)
        {
            list.push(entry);
        }
    }
    list
}

fn tag(name: &str) -> Result<Key, Rule> {
    TagName::parse(name).map(|name| name.key().clone())
}

fn country(name: &str) -> Result<String, Rule> {
    Text::<100>::parse(name).map(|name| country_key(name.as_str()))
}

fn status(raw: i32) -> Result<&'static str, Rule> {
    match pb::CustomerStatus::try_from(raw) {
        Ok(pb::CustomerStatus::Pending) => Ok("PENDING"),
        Ok(pb::CustomerStatus::Active) => Ok("ACTIVE"),
        Ok(pb::CustomerStatus::Rejected) => Ok("REJECTED"),
        Ok(pb::CustomerStatus::Suspended) => Ok("SUSPENDED"),
        Ok(pb::CustomerStatus::Unspecified) | Err(_) => Err(Rule::new("must be a CUSTOMER_STATUS other than unset")),
    }
}

fn origin(raw: i32) -> Result<Origin, Rule> {
    // Unset has a meaning in a creation; here it has none.
    if raw == 0 { read::origin(-1) } else { read::origin(raw) }
}

fn reach_filter(raw: i32) -> Result<Option<Reach>, Rule> {
    if raw == 0 { Ok(None) } else { read::reach(raw).map(Some) }
}

fn archived_filter(raw: i32) -> Result<Archived, Rule> {
    match pb::ArchivedFilter::try_from(raw) {
        Ok(pb::ArchivedFilter::Unspecified | pb::ArchivedFilter::Hide) => Ok(Archived::Hide),
        Ok(pb::ArchivedFilter::Show) => Ok(Archived::Show),
        Ok(pb::ArchivedFilter::Only) => Ok(Archived::Only),
        Err(_) => Err(Rule::new("must be ARCHIVED_FILTER_HIDE, ARCHIVED_FILTER_SHOW or ARCHIVED_FILTER_ONLY")),
    }
}

fn search_field(raw: i32) -> Result<Option<SearchField>, Rule> {
    match pb::SearchField::try_from(raw) {
        Ok(pb::SearchField::Unspecified | pb::SearchField::All) => Ok(None),
        Ok(pb::SearchField::Name) => Ok(Some(SearchField::Name)),
        Ok(pb::SearchField::City) => Ok(Some(SearchField::City)),
        Ok(pb::SearchField::State) => Ok(Some(SearchField::State)),
        Ok(pb::SearchField::Number) => Ok(Some(SearchField::Number)),
        Ok(pb::SearchField::Email) => Ok(Some(SearchField::Email)),
        Ok(pb::SearchField::Phone) => Ok(Some(SearchField::Phone)),
        Ok(pb::SearchField::TaxId) => Ok(Some(SearchField::TaxId)),
        Err(_) => Err(Rule::new("must be a SEARCH_FIELD of the contract")),
    }
}

fn field_out(field: SearchField) -> pb::SearchField {
    match field {
        SearchField::Name => pb::SearchField::Name,
        SearchField::City => pb::SearchField::City,
        SearchField::State => pb::SearchField::State,
        SearchField::Number => pb::SearchField::Number,
        SearchField::Email => pb::SearchField::Email,
        SearchField::Phone => pb::SearchField::Phone,
        SearchField::TaxId => pb::SearchField::TaxId,
    }
}

fn order(raw: &str, query: &Query) -> Result<Order, Rule> {
    let mut words = raw.split(' ').filter(|word| !word.is_empty());
    let (field, direction, end) = (words.next(), words.next(), words.next());
    let by = match field {
        None if query.is_empty() => OrderBy::Name,
        None => OrderBy::Relevance,
        Some("name") => OrderBy::Name,
        Some("create_time") => OrderBy::CreateTime,
        Some("update_time") => OrderBy::UpdateTime,
        Some(_) => return Err(UNKNOWN_ORDER),
    };
    match (direction, end) {
        (None, _) => Ok(Order { by, descending: false }),
        (Some("desc"), None) => Ok(Order { by, descending: true }),
        _ => Err(UNKNOWN_ORDER),
    }
}

const UNKNOWN_ORDER: Rule = Rule::new("must be name, create_time or update_time, as it is or followed by ' desc'");

fn range(violations: &mut Violations, field: &str, raw: Option<pb::TimeRange>) -> Range {
    let pb::TimeRange { start_time, end_time } = raw.unwrap_or_default();
    let from = violations.check(format!("{field}.start_time"), start_time.map(timestamp).transpose()).flatten();
    let until = violations.check(format!("{field}.end_time"), end_time.map(timestamp).transpose()).flatten();
    if from.zip(until).is_some_and(|(from, until)| until < from) {
        violations.push(format!("{field}.end_time"), Rule::new("must not be before start_time"));
    }
    Range { from, until }
}

/// The first timestamp that PostgreSQL can store and that is not before this one: comparisons with stored timestamps
/// have the same results.
fn timestamp(raw: prost_types::Timestamp) -> Result<Timestamp, Rule> {
    const NANOS_OF_MICRO: u32 = 1_000;
    let rule = Rule::new("must be a time from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z");
    let nanos = u32::try_from(raw.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let in_years = (-62_135_596_800..=253_402_300_799).contains(&raw.seconds);
    let timestamp = nanos.filter(|_| in_years).and_then(|nanos| {
        let micros = nanos.div_ceil(NANOS_OF_MICRO);
        Some(DateTime::from_timestamp(raw.seconds, 0)? + TimeDelta::microseconds(i64::from(micros)))
    });
    timestamp.ok_or(rule)
}
