//! The rules on fields by their codes: what a client's program reads, as the sentence of a rule is for people.

use strum::VariantArray;

/// The rule that a value breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray)]
#[expect(missing_docs, reason = "`says` has a sentence for each")]
pub enum RuleCode {
    ValueInvalid,
    Required,
    Length,
    Characters,
    TooMany,
    Duplicate,
    Country,
    State,
    PostalCode,
    PostalCodeUnused,
    Email,
    EmailQuoted,
    Phone,
    Extension,
    TaxIdFormat,
    TaxIdChecksum,
    RegistrationNumber,
    Currency,
    CurrencyNotInUse,
    Industry,
    Language,
    LabelKey,
    Primary,
    Reference,
}

impl RuleCode {
    /// The code as it is sent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ValueInvalid => "VALUE_INVALID",
            Self::Required => "REQUIRED",
            Self::Length => "LENGTH",
            Self::Characters => "CHARACTERS",
            Self::TooMany => "TOO_MANY",
            Self::Duplicate => "DUPLICATE",
            Self::Country => "COUNTRY",
            Self::State => "STATE",
            Self::PostalCode => "POSTAL_CODE",
            Self::PostalCodeUnused => "POSTAL_CODE_UNUSED",
            Self::Email => "EMAIL",
            Self::EmailQuoted => "EMAIL_QUOTED",
            Self::Phone => "PHONE",
            Self::Extension => "EXTENSION",
            Self::TaxIdFormat => "TAX_ID_FORMAT",
            Self::TaxIdChecksum => "TAX_ID_CHECKSUM",
            Self::RegistrationNumber => "REGISTRATION_NUMBER",
            Self::Currency => "CURRENCY",
            Self::CurrencyNotInUse => "CURRENCY_NOT_IN_USE",
            Self::Industry => "INDUSTRY",
            Self::Language => "LANGUAGE",
            Self::LabelKey => "LABEL_KEY",
            Self::Primary => "PRIMARY",
            Self::Reference => "REFERENCE",
        }
    }

    /// What a value must be; the sentence of a violation is more precise.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::ValueInvalid => "The value is none that the field takes.",
            Self::Required => "The field is empty and must not be, by itself or by a policy of the account.",
            Self::Length => "The text is too long or too short.",
            Self::Characters => "The text has characters that are not printable.",
            Self::TooMany => "The list has too many entries.",
            Self::Duplicate => "An entry repeats an earlier one.",
            Self::Country => "No country has this code or name (ISO 3166-1).",
            Self::State => {
                "The country has no state of this code or name (ISO 3166-2), and its addresses need one that it has."
            }
            Self::PostalCode => "The postal code is none of the country.",
            Self::PostalCodeUnused => "The country has no postal codes.",
            Self::Email => "The text is no email address.",
            Self::EmailQuoted => "The part of the email address before the @ is in quotes, which few servers deliver.",
            Self::Phone => "No phone number can be like this.",
            Self::Extension => "The extension has other keys than a phone, or differs from that in the number.",
            Self::TaxIdFormat => "Tax numbers of the country have another form.",
            Self::TaxIdChecksum => "The check digits of the tax number do not fit the other digits.",
            Self::RegistrationNumber => "Registration numbers of the country have another form or other check digits.",
            Self::Currency => "No currency has this code or name (ISO 4217).",
            Self::CurrencyNotInUse => "The currency was withdrawn, or is no money that bills are paid in.",
            Self::Industry => "The tenant's list has no such industry.",
            Self::Language => "The text is no language tag (BCP 47).",
            Self::LabelKey => "The key of a label has other characters than it may.",
            Self::Primary => "More than one contact is primary.",
            Self::Reference => "The id is none that the customer or its owner has.",
        }
    }
}
