//! A new customer, and the element of a slice that it is written as.

use std::collections::BTreeSet;

use serde::Serialize;
use uuid::Uuid;

use crate::{
    domain::{
        access::relation::Relation,
        billing::terms::Terms,
        customers::{customer::Customer, link::Link},
        duplicates::{Duplicate, Key, stored_keys},
        fields::references::References,
        history::{event::Changes, event_type::EventType},
        requests::{
            answer::Answer,
            options::Repeatable,
            principal::{Author, Principal},
        },
        search::{Searchable, SearchableIds},
        values::{
            custom_id::{CustomId, CustomIds, System},
            ids::{AccountId, EventId, RequestId},
        },
    },
    store::{customers::columns::CreatedColumns, write::NewAnswer},
};

/// A customer to be created, and what is recorded of it.
#[derive(Clone, Debug)]
pub struct CustomerInsert {
    /// The customer.
    pub customer: Customer,
    /// The owner's custom IDs of it.
    pub custom_ids: CustomIds,
    /// The plan that it begins with.
    pub terms: Terms,
    /// Whether that was chosen; else it is the first one.
    pub chose_plan: bool,
    /// The ids of its events: its creation, and the custom IDs that it is created with.
    pub events: [EventId; 2],
    /// The key of the stored answer; none if the caller cannot repeat the call.
    pub request: Option<Repeatable>,
    /// The customers that may be the same, which the stored answer names.
    pub duplicates: Vec<Duplicate>,
}

impl CustomerInsert {
    /// The owner's link to the new customer: at revision 1 if it is created with custom IDs, else never written.
    #[must_use]
    pub fn link(&self) -> Link {
        Link { revision: i64::from(!self.custom_ids.is_empty()), custom_ids: self.custom_ids.clone(), tags: Vec::new() }
    }
}

/// One element of the slice as the statement reads it.
#[derive(Serialize)]
pub(super) struct Element<'a, A> {
    place: usize,
    customer: CreatedColumns<'a>,
    custom_ids: Vec<CustomIdRow<'a>>,
    chose_plan: bool,
    /// Once more apart from the columns, for the check of what they name.
    refs: &'a References,
    text: Searchable,
    /// Of the owner, who gives the first custom IDs.
    id_lexemes: SearchableIds,
    duplicate_keys: BTreeSet<Key>,
    issuer: &'a str,
    subject: &'a str,
    actors: &'a [Principal],
    workload: Option<&'a str>,
    rpc: &'static str,
    trace_id: &'a str,
    events: Vec<CreatedEvent>,
    /// The stored answer, if the call may be repeated.
    #[serde(flatten)]
    answer: Option<NewAnswer<A>>,
}

/// An event of a creation.
#[derive(Serialize)]
struct CreatedEvent {
    place: usize,
    id: EventId,
    r#type: &'static str,
    /// The one account that sees it; none: all that see the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<AccountId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<RequestId>,
    changes: Changes,
}

#[derive(Serialize)]
struct CustomIdRow<'a> {
    system: &'a str,
    value: &'a str,
    value_key: &'a str,
    search_words: String,
    lexemes: SearchableIds,
}

/// An element: a customer, the call that creates it, the owner's link to it, and where its name is unique.
pub(super) fn element<'a>(
    place: usize,
    (new, author): (&'a CustomerInsert, &'a Author),
    link: &'a Link,
    name_scope: Option<Uuid>,
) -> Element<'a, impl Serialize + 'a> {
    let row = |(system, id): (&'a System, &'a CustomId)| CustomIdRow {
        system: system.as_str(),
        value: id.as_str(),
        value_key: id.key().as_str(),
        search_words: SearchableIds::words(id.as_str()),
        lexemes: SearchableIds::of([id]),
    };
    Element {
        place,
        customer: CreatedColumns::new(&new.customer, name_scope, link),
        custom_ids: new.custom_ids.iter().map(row).collect(),
        chose_plan: new.chose_plan,
        refs: &new.customer.fields.references,
        text: Searchable::of(&new.customer.fields),
        id_lexemes: SearchableIds::of(new.custom_ids.values()),
        duplicate_keys: stored_keys(&new.customer.fields),
        issuer: author.principal.issuer(),
        subject: author.principal.subject(),
        actors: &author.actors,
        workload: author.workload(),
        rpc: author.rpc.name(),
        trace_id: &author.trace_id,
        events: events(new),
        answer: new
            .request
            .as_ref()
            .map(|request| NewAnswer::new(request, Answer::of_created(&new.customer, link, &new.duplicates))),
    }
}

/// The creation, for all that see the customer; and the custom IDs that it is created with, for its owner alone.
fn events(new: &CustomerInsert) -> Vec<CreatedEvent> {
    let customer = &new.customer;
    let [created, changed] = new.events;
    let request_id = new.request.map(|request| request.id);
    let created = CreatedEvent {
        place: 0,
        id: created,
        r#type: EventType::Created.as_str(),
        audience: None,
        request_id,
        changes: Changes::of_new(customer).seen_from(Relation::OwnerOrAbove),
    };
    let custom_ids = (!new.custom_ids.is_empty()).then(|| CreatedEvent {
        place: 1,
        id: changed,
        r#type: EventType::CustomIdsChanged.as_str(),
        audience: Some(customer.owner),
        request_id,
        changes: Changes::of_custom_ids(&CustomIds::new(), &new.custom_ids),
    });
    std::iter::once(created).chain(custom_ids).collect()
}
