//! The fields of a search.

use serde::Serialize;
use strum::VariantArray;

/// What is searched: a customer's text, field by field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, VariantArray)]
pub enum SearchField {
    /// Name and legal name.
    Name,
    /// City of the primary address.
    City,
    /// State of the primary address.
    State,
    /// The acting account's custom IDs, aliases too; order reference; registration number.
    Number,
    /// Email addresses: the customer's, that of the billing, those of contacts.
    Email,
    /// Phone and fax numbers, those of contacts too, with extensions.
    Phone,
    /// Tax IDs.
    TaxId,
}

impl SearchField {
    /// Whether a word may lie anywhere in the field's text; else only where the text or a word in it begins.
    #[must_use]
    pub const fn is_free(self) -> bool {
        matches!(self, Self::Name | Self::City)
    }

    /// Whether a value is found from its start by the letters and digits of the whole query.
    #[must_use]
    pub const fn is_number(self) -> bool {
        matches!(self, Self::Number | Self::Phone | Self::TaxId)
    }
}
