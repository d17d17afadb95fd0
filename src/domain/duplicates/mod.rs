//! Duplicates: which customers may be the same as another one, and why.
//!
//! Rule: what two customers have in common is decided here, from their fields. The keys that are stored only find candidates, so two
//! values with one hash cost time and nothing else.

mod keys;
mod legal_forms;
mod names;
#[cfg(test)]
mod tests;
mod traits;

use serde::{Deserialize, Serialize};
use strum::VariantArray;

pub use self::{
    keys::{Asked, FLEET, Key, VERSION, stored_keys},
    traits::Traits,
};
use crate::domain::values::ids::CustomerId;

/// The most duplicates that are reported.
pub const MAX_REPORTED: usize = 20;

/// What is done if a new customer may be a duplicate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DuplicatePolicy {
    /// It is created, and the answer names the others.
    #[default]
    Report,
    /// It is not created.
    Block,
    /// Nothing is looked up.
    Ignore,
}

/// What two customers have in common. The names are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, VariantArray, Serialize, Deserialize)]
pub enum Reason {
    /// A tax number, without the prefix of its country, which is not another one.
    #[serde(rename = "TAX_ID")]
    TaxId,
    /// The registration number, and not another country.
    #[serde(rename = "REGISTRATION_NUMBER")]
    RegistrationNumber,
    /// An email address, compared without case.
    #[serde(rename = "EMAIL")]
    Email,
    /// A phone or fax number in the form of E.164.
    #[serde(rename = "PHONE")]
    Phone,
    /// Names alike in one city.
    #[serde(rename = "NAME_AND_CITY")]
    NameAndCity,
    /// Names alike, where one of the two has no city.
    #[serde(rename = "NAME")]
    Name,
    /// What a newer release stored.
    #[serde(other, rename = "UNKNOWN")]
    Unknown,
}

impl Reason {
    /// The contract's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TaxId => "TAX_ID",
            Self::RegistrationNumber => "REGISTRATION_NUMBER",
            Self::Email => "EMAIL",
            Self::Phone => "PHONE",
            Self::NameAndCity => "NAME_AND_CITY",
            Self::Name => "NAME",
            Self::Unknown => "UNKNOWN",
        }
    }

    /// What the reason adds to a score. A number that a state gives once weighs more than what a family or a group of companies
    /// shares.
    #[must_use]
    pub const fn points(self) -> i32 {
        match self {
            Self::TaxId | Self::RegistrationNumber => 60,
            Self::Email | Self::NameAndCity => 40,
            Self::Phone | Self::Name => 30,
            Self::Unknown => 0,
        }
    }
}

/// How likely customers with these things in common are one: the points of the reasons together, 100 at most.
#[must_use]
pub fn score(reasons: &[Reason]) -> i32 {
    reasons.iter().map(|reason| reason.points()).sum::<i32>().min(100)
}

/// A customer that may be the same as another one, as it is stored with an answer: what is shown of it is read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicate {
    /// The customer.
    #[serde(rename = "customer_id")]
    pub customer: CustomerId,
    /// What they have in common: ascending, each once, at least one.
    #[serde(rename = "reasons")]
    pub reasons: Vec<Reason>,
}

impl Duplicate {
    /// How likely it is the same: see [`score`].
    #[must_use]
    pub fn score(&self) -> i32 {
        score(&self.reasons)
    }
}
