//! One contact: a person at a customer. The rules on all of them together are in `contacts.rs`.

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use super::email::Email;
use super::ids::ContactId;
use super::phone::Phone;
use super::text::Text;
use super::unknown_fields::UnknownFields;

/// A part of a contact, as a required path names it: `primary_contact.email`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, VariantArray)]
pub enum ContactPart {
    /// First name.
    FirstName,
    /// Last name.
    LastName,
    /// Job title.
    JobTitle,
    /// E-mail address.
    Email,
    /// Phone number.
    Phone,
}

impl ContactPart {
    /// Its name in a path.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::JobTitle => "job_title",
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }

    /// The part that a path names, if any.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::VARIANTS.iter().copied().find(|part| part.as_str() == name)
    }
}

/// A person at a customer. Its parts are in order each by itself; the rules on them together are those of
/// [`Contacts`](super::contacts::Contacts).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The contact's id; never changes.
    #[serde(rename = "contact_id")]
    pub contact_id: ContactId,
    /// First name, at most 100 characters.
    #[serde(rename = "first_name", skip_serializing_if = "Option::is_none")]
    pub first_name: Option<Text<100>>,
    /// Last name, at most 100 characters.
    #[serde(rename = "last_name", skip_serializing_if = "Option::is_none")]
    pub last_name: Option<Text<100>>,
    /// Job title, at most 100 characters.
    #[serde(rename = "job_title", skip_serializing_if = "Option::is_none")]
    pub job_title: Option<Text<100>>,
    /// E-mail address.
    #[serde(rename = "email", skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// Phone number.
    #[serde(rename = "phone", skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// Whether this is the customer's primary contact.
    #[serde(rename = "primary", default)]
    pub primary: bool,
    /// Fields of a newer release.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

impl Contact {
    /// One part, if it is set; the phone as its number.
    #[must_use]
    pub fn get(&self, part: ContactPart) -> Option<&str> {
        match part {
            ContactPart::FirstName => self.first_name.as_ref().map(Text::as_str),
            ContactPart::LastName => self.last_name.as_ref().map(Text::as_str),
            ContactPart::JobTitle => self.job_title.as_ref().map(Text::as_str),
            ContactPart::Email => self.email.as_ref().map(Email::as_str),
            ContactPart::Phone => self.phone.as_ref().map(Phone::number),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn jan(id: u128) -> Contact {
        Contact {
            contact_id: ContactId::from_uuid(Uuid::from_u128(id)),
            first_name: Some(Text::parse("Jan").unwrap()),
            last_name: None,
            job_title: None,
            email: None,
            phone: None,
            primary: false,
            unknown: UnknownFields::default(),
        }
    }

    #[test]
    fn every_part_is_read_by_its_name_and_stored_under_it() {
        let contact = Contact {
            last_name: Some(Text::parse("Janssen").unwrap()),
            job_title: Some(Text::parse("CEO").unwrap()),
            email: Some(Email::parse("Jan.Janssen@company.nl").unwrap()),
            phone: Some(Phone::parse("+31(0)123456789", "").unwrap()),
            ..jan(1)
        };
        let told: Vec<_> = ContactPart::VARIANTS.iter().map(|part| contact.get(*part).unwrap()).collect();
        assert_eq!(told, ["Jan", "Janssen", "CEO", "Jan.Janssen@company.nl", "+31(0)123456789"]);
        let stored = serde_json::to_value(&contact).unwrap();
        for &part in ContactPart::VARIANTS {
            assert_eq!(ContactPart::parse(part.as_str()), Some(part));
            assert!(stored.get(part.as_str()).is_some());
            assert_eq!(jan(1).get(part).is_some(), part == ContactPart::FirstName);
        }
        assert_eq!(serde_json::from_value::<Contact>(stored).unwrap(), contact);
        assert_eq!(ContactPart::parse("shoe_size"), None);
    }
}
