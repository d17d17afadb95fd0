//! Contacts: the people at a customer. Clients write the whole list, so the list checks the rules between contacts.

use serde::{Deserialize, Serialize};

use super::email::Email;
use super::ids::ContactId;
use super::phone::Phone;
use super::text::Text;
use super::unknown_fields::UnknownFields;
use super::violation::{Rule, Violations};

/// A part of a contact, as a required path names it: `primary_contact.email`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// Every part, in the order in which the contract lists them.
    pub const ALL: [Self; 5] = [Self::FirstName, Self::LastName, Self::JobTitle, Self::Email, Self::Phone];

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
        Self::ALL.into_iter().find(|part| part.as_str() == name)
    }
}

/// A person at a customer. Each part is valid by itself; [`Contacts`] checks the rules between them.
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

/// What the rules between contacts depend on. It is also known of a contact whose parts are invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Its id; none if that is invalid.
    pub contact_id: Option<ContactId>,
    /// Whether it has a first name, a last name or an email.
    pub is_somebody: bool,
    /// Whether it is marked primary.
    pub primary: bool,
}

impl Outline {
    fn of(contact: &Contact) -> Self {
        Self {
            contact_id: Some(contact.contact_id),
            is_somebody: contact.first_name.is_some() || contact.last_name.is_some() || contact.email.is_some(),
            primary: contact.primary,
        }
    }
}

/// A customer's contacts, at most 50, of which exactly one is primary if there are any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Contacts(Vec<Contact>);

impl Contacts {
    /// The most that a customer has.
    pub const MAX: usize = 50;

    /// Makes the list from contacts that are each valid. If none is marked primary, the first one becomes primary.
    ///
    /// # Errors
    /// Those of [`Contacts::check_count`] and [`Contacts::check`].
    pub fn try_new(mut contacts: Vec<Contact>) -> Result<Self, Violations> {
        Self::check_count(contacts.len())?;
        let outlines: Vec<Outline> = contacts.iter().map(Outline::of).collect();
        let violations = Self::check(&outlines);
        if !contacts.iter().any(|contact| contact.primary)
            && let Some(first) = contacts.first_mut()
        {
            first.primary = true;
        }
        violations.finish(Some(Self(contacts)))
    }

    /// Checks the number of contacts.
    ///
    /// # Errors
    /// More than 50; the path is `contacts`.
    pub fn check_count(count: usize) -> Result<(), Violations> {
        if count <= Self::MAX {
            return Ok(());
        }
        let rule = Rule::with(format!("must be at most {} contacts; these are {count}", Self::MAX));
        Err(Violations::of("contacts", rule))
    }

    /// Checks the rules between contacts: at most one is primary, no id is repeated, each has a name or an email. The
    /// paths start at the customer: `contacts[3]`, `contacts[3].primary`.
    #[must_use]
    pub fn check(outlines: &[Outline]) -> Violations {
        let mut violations = Violations::default();
        let primary = outlines.iter().position(|outline| outline.primary);
        for (place, outline) in outlines.iter().enumerate() {
            let mut refuse = |part: &str, rule| violations.push(format!("contacts[{place}]{part}"), rule);
            if !outline.is_somebody {
                refuse("", Rule::new("must have a first name, a last name or an email"));
            }
            let is_twin = |other: &Outline| outline.contact_id.is_some() && other.contact_id == outline.contact_id;
            if let Some(first) = outlines.iter().take(place).position(is_twin) {
                refuse(".contact_id", Rule::with(format!("must not repeat that of contacts[{first}]")));
            }
            if let Some(first) = primary.filter(|&first| outline.primary && first != place) {
                refuse(".primary", Rule::with(format!("must be set on one contact only; contacts[{first}] has it")));
            }
        }
        violations
    }

    /// The list with old ids: a contact without a known id that is otherwise equal to one of `before` gets that one's id.
    #[must_use]
    pub fn keeping_ids(mut self, before: &Self) -> Self {
        let named: Vec<ContactId> = self.0.iter().map(|contact| contact.contact_id).collect();
        let mut free: Vec<&Contact> = before.0.iter().filter(|old| !named.contains(&old.contact_id)).collect();
        for contact in &mut self.0 {
            if before.0.iter().any(|old| old.contact_id == contact.contact_id) {
                continue;
            }
            let same = |old: &&Contact| **old == Contact { contact_id: old.contact_id, ..contact.clone() };
            if let Some(place) = free.iter().position(same) {
                contact.contact_id = free.remove(place).contact_id;
            }
        }
        self
    }

    /// The primary contact; none only if the list is empty.
    #[must_use]
    pub fn primary(&self) -> Option<&Contact> {
        self.0.iter().find(|contact| contact.primary)
    }

    /// Keeps the fields that a newer release stored with the contacts of `before` whose ids are still in the list.
    pub(in crate::domain) fn keep_unknown(&mut self, before: &Self) {
        for new in &mut self.0 {
            let Some(old) = before.0.iter().find(|old| old.contact_id == new.contact_id) else { continue };
            new.unknown.clone_from(&old.unknown);
            if let Some(phone) = &mut new.phone {
                phone.keep_unknown(old.phone.as_ref());
            }
        }
    }

    /// All of them, in the order given.
    #[must_use]
    pub fn as_slice(&self) -> &[Contact] {
        &self.0
    }

    pub(in crate::domain) fn iter_mut(&mut self) -> std::slice::IterMut<'_, Contact> {
        self.0.iter_mut()
    }

    /// Whether the list is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests;
