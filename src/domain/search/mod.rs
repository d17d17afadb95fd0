//! What is searched for, and what was found of it.
//!
//! Rule: everything that decides whether a word matches is here. Words, values and lexemes are stored as they are made here; the
//! database is asked for what lies in them, and which fields matched is then told from the same text.

mod condition;
mod field;
mod filters;
mod fold;
mod lexemes;
pub(in crate::domain) mod phones;
mod place_names;
pub(in crate::domain) mod places;
mod query;
mod text;
pub(in crate::domain) mod words;

use serde::Serialize;
use strum::VariantArray as _;

pub use self::{
    condition::{Condition, IN_BUCKET, IN_NODE},
    field::SearchField,
    filters::country as country_key,
    fold::fold,
    lexemes::VERSION,
    query::{Asked, Fields, Query, Word},
    text::{FREE, GROUP, HIDDEN, SECTION, SECTIONS, Searchable, SearchableIds, Section},
};
use crate::domain::values::{
    enums::{CustomerType, Origin, Reach, ServiceClass},
    ids::{BranchId, MemberId},
    key::Key,
    label::Labels,
    timestamp::Timestamp,
};

/// Entries that each list of a search has at most.
pub const MAX_LIST: usize = 50;

/// Whether archived customers are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Archived {
    /// They are not.
    #[default]
    Hide,
    /// They are found like others.
    Show,
    /// Nothing else is.
    Only,
}

/// In which order results come. Ties go by id, in the same direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum OrderBy {
    /// The exact name or number first, then names that start with the query, then the rest; each by name.
    Relevance,
    /// By the sort key of the name.
    Name,
    /// By creation.
    CreateTime,
    /// By the last change.
    UpdateTime,
}

impl OrderBy {
    /// Whether names decide the order, also within a rank.
    #[must_use]
    pub const fn is_by_name(self) -> bool {
        matches!(self, Self::Relevance | Self::Name)
    }
}

/// The order, and whether it is turned around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Order {
    /// By what.
    pub by: OrderBy,
    /// The greatest first. Never with [`OrderBy::Relevance`].
    pub descending: bool,
}

/// Moments from one on, up to but without another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The first moment.
    pub from: Option<Timestamp>,
    /// The first moment after it.
    pub until: Option<Timestamp>,
}

/// A search: customers that match all that is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Search {
    /// The words.
    pub query: Query,
    /// In which field they are looked for; none: in all.
    pub field: Option<SearchField>,
    /// Has one of these tags of the acting account, by their names' keys. Empty: whatever.
    pub any_of: Vec<Key>,
    /// Has all of these tags.
    pub all_of: Vec<Key>,
    /// Has none of these tags.
    pub none_of: Vec<Key>,
    /// Has one of these statuses, as they are stored. Empty: any that this release knows but MERGED and ERASED; together with
    /// [`Archived::Show`] those of a newer release too.
    pub statuses: Vec<&'static str>,
    /// Is of one of these types. Empty: any.
    pub types: Vec<CustomerType>,
    /// Is of one of these service classes. Empty: any.
    pub service_classes: Vec<ServiceClass>,
    /// Has this reach.
    pub reach: Option<Reach>,
    /// Came by one of these ways. Empty: any.
    pub origins: Vec<Origin>,
    /// Has its primary address in one of these countries, as [`country_key`] compares them. Empty: anywhere.
    pub countries: Vec<String>,
    /// Has all of these labels.
    pub labels: Labels,
    /// Whether archived customers are found.
    pub archived: Archived,
    /// Has no current custom ID of the acting account in this system.
    pub lacks_custom_id_system: Option<String>,
    /// Is kept by this branch.
    pub branch: Option<BranchId>,
    /// Is looked after by this member.
    pub sales_person: Option<MemberId>,
    /// Was created then.
    pub created: Range,
    /// Was last changed then.
    pub updated: Range,
    /// Whether customers of the accounts below the acting one are found.
    pub include_descendants: bool,
    /// The order.
    pub order: Order,
}

impl Search {
    /// Whether words are looked for in this field.
    #[must_use]
    pub fn asks(&self, field: SearchField) -> bool {
        self.field.is_none_or(|only| only == field)
    }

    /// Of which kinds the fields are in which words are looked for.
    #[must_use]
    pub fn fields(&self) -> Fields {
        let asks_some = |is: fn(SearchField) -> bool| self.field.is_none_or(is);
        Fields { free: asks_some(SearchField::is_free), numbers: asks_some(SearchField::is_number) }
    }

    /// Whether it asks for what many customers of an account have as a rule: a city, a state, or one short word.
    #[must_use]
    pub fn asks_for_common(&self) -> bool {
        matches!(self.field, Some(SearchField::City | SearchField::State)) || self.query.is_short()
    }

    /// What holds of the lexemes of every customer which the filters let through. A filter that lets several values of a field through
    /// has nothing.
    #[must_use]
    pub fn filter_lexemes(&self) -> Vec<Condition> {
        filters::asked(&self.types, &self.service_classes, self.reach, &self.origins, &self.countries, &self.labels)
    }

    /// What holds of the lexemes of customers that accounts below their owner see.
    #[must_use]
    pub fn fleet_lexemes() -> Condition {
        filters::fleet()
    }

    /// Whether it asks for what an account below the owner is not shown. Who could filter by it would learn it.
    #[must_use]
    pub fn filters_by_hidden(&self) -> bool {
        !self.origins.is_empty() || !self.labels.is_empty() || self.branch.is_some() || self.sales_person.is_some()
    }

    /// What tells in which fields customers match.
    #[must_use]
    pub fn matcher(&self) -> Matcher<'_> {
        let query = &self.query;
        Matcher { search: self, asked: query.asked(), number: query.number(), value: query.value() }
    }
}

/// What of a search tells in which fields customers match: made once for a page.
#[derive(Debug)]
pub struct Matcher<'a> {
    search: &'a Search,
    asked: Vec<Asked>,
    number: Option<String>,
    value: String,
}

impl Matcher<'_> {
    /// In which fields at least one word of the query lies, or a number that starts with it: of a customer with this document, of
    /// which everything or what accounts below the owner see is shown, and these custom IDs, as their words are stored.
    #[must_use]
    pub fn fields(&self, doc: &str, is_all_shown: bool, ids: &[String]) -> Vec<SearchField> {
        let matches = |field: SearchField| {
            let lies_in = |section: &str| {
                self.asked.iter().flat_map(Asked::lists).flatten().any(|word| word.lies_in(field, section))
                    || section.contains(&self.value)
                    || (field.is_number() && self.number.as_ref().is_some_and(|number| section.contains(number)))
            };
            let shown = SECTIONS.iter().filter(|it| it.field == field && (is_all_shown || it.is_shown_below()));
            shown.map(|it| it.of(doc)).any(lies_in)
                || (field == SearchField::Number && ids.iter().any(|id| lies_in(id)))
        };
        let asked = SearchField::VARIANTS.iter().copied().filter(|field| self.search.asks(*field));
        asked.filter(|field| matches(*field)).collect()
    }
}

#[cfg(test)]
mod tests;
