//! Data in bulk: imports, and the parts of what is stored about one customer.

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use crate::domain::values::ids::CustomerId;

/// Rows of one import.
pub const MAX_IMPORTED: usize = 500;

/// What a document about a customer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray, Serialize, Deserialize)]
pub enum SubjectKind {
    /// The record.
    #[serde(rename = "customer")]
    Customer,
    /// An account's link: its custom IDs and tags.
    #[serde(rename = "link")]
    Link,
    /// A current or former custom ID.
    #[serde(rename = "custom_id")]
    CustomId,
    /// An event.
    #[serde(rename = "event")]
    Event,
    /// What is kept of a merge, to undo it.
    #[serde(rename = "merge")]
    Merge,
    /// An invitation to one of its addresses.
    #[serde(rename = "invitation")]
    Invitation,
    /// A payment method, with its token.
    #[serde(rename = "payment_method")]
    PaymentMethod,
}

impl SubjectKind {
    /// The name in the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Link => "link",
            Self::CustomId => "custom_id",
            Self::Event => "event",
            Self::Merge => "merge",
            Self::Invitation => "invitation",
            Self::PaymentMethod => "payment_method",
        }
    }

    /// The kind after this one.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        let at = Self::VARIANTS.iter().position(|kind| *kind == self)?;
        Self::VARIANTS.get(at + 1).copied()
    }
}

/// A position among all documents about a customer and those that were merged into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The customer that the documents are about.
    #[serde(rename = "customer")]
    pub customer: CustomerId,
    /// Their kind.
    #[serde(rename = "kind")]
    pub kind: SubjectKind,
    /// The last document of the kind; empty before the first.
    #[serde(rename = "place")]
    pub place: String,
}

impl Position {
    /// Before all documents about a customer.
    #[must_use]
    pub const fn start(customer: CustomerId) -> Self {
        Self { customer, kind: SubjectKind::Customer, place: String::new() }
    }

    /// Before the documents that follow all of this kind, where `sources` are the customers that were merged into `subject`, in id
    /// order; none at the end.
    #[must_use]
    pub fn next(&self, subject: CustomerId, sources: &[CustomerId]) -> Option<Self> {
        if let Some(kind) = self.kind.next() {
            return Some(Self { customer: self.customer, kind, place: String::new() });
        }
        let follows = |source: &&CustomerId| self.customer == subject || **source > self.customer;
        sources.iter().find(follows).copied().map(Self::start)
    }
}

/// Something that is stored about a customer.
#[derive(Clone, Debug)]
pub struct SubjectDocument {
    /// Where it is.
    pub at: Position,
    /// The document: a JSON object.
    pub json: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::id;

    #[test]
    fn all_kinds_of_the_customer_come_first_and_then_those_of_each_source() {
        let [subject, first, second] = [5, 2, 9].map(|number| CustomerId::from_uuid(id(number)));
        let mut at = Some(Position::start(subject));
        let mut seen = Vec::new();
        while let Some(now) = at {
            at = now.next(subject, &[first, second]);
            seen.push((now.customer, now.kind));
        }
        let all =
            [subject, first, second].map(|customer| SubjectKind::VARIANTS.iter().map(move |kind| (customer, *kind)));
        assert_eq!(seen, all.into_iter().flatten().collect::<Vec<_>>());
    }
}
