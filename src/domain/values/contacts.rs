//! Contacts: the people at a customer. They are written as a whole list, so the list is where their rules hold.

use serde::{Deserialize, Serialize};

use super::contact::Contact;
use super::ids::ContactId;
use super::rule_code::RuleCode;
use super::violation::{Rule, Violations};

/// What the rules on the contacts together look at: it can be said of one whose parts break rules of their own, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    /// What it is called; none if that is unknown.
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

/// Contacts as a caller sends them, with the places of those that came with an id: only a contact that is there already
/// has one, as the server gives the ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentContacts {
    /// The contacts. Those without an id have a new one.
    pub contacts: Contacts,
    /// The places of those that came with an id, in order.
    pub named: Vec<usize>,
}

impl SentContacts {
    /// The contacts of a customer that has these so far. One that comes again without its id keeps it.
    ///
    /// # Errors
    /// The contacts whose id is none of these; the paths start at the customer.
    pub fn over(self, before: &Contacts) -> Result<Contacts, Violations> {
        let mut violations = Violations::default();
        let known = |place: &usize| {
            self.contacts.0.get(*place).is_some_and(|sent| before.0.iter().any(|old| old.contact_id == sent.contact_id))
        };
        for place in self.named.iter().filter(|place| !known(place)) {
            let rule = "must be the id of a contact that the customer has; leave it empty for a new contact";
            violations.push(format!("contacts[{place}].contact_id"), Rule::coded(RuleCode::Reference, rule));
        }
        violations.finish(Some(self.contacts)).map(|contacts| contacts.keeping_ids(before))
    }
}

/// A customer's contacts, at most 50, of which exactly one is primary if there are any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Contacts(Vec<Contact>);

impl Contacts {
    /// The most that a customer has.
    pub const MAX: usize = 50;

    /// Makes a whole of contacts that are each in order. If none is marked primary, the first becomes it.
    ///
    /// # Errors
    /// What [`Contacts::check_count`] or [`Contacts::check`] says.
    pub fn try_new(contacts: Vec<Contact>) -> Result<Self, Violations> {
        Self::check_count(contacts.len())?;
        let (contacts, violations) = Self::read(contacts);
        violations.finish(Some(contacts))
    }

    /// The same whatever is wrong with the list, to find what else is wrong.
    pub fn read(mut contacts: Vec<Contact>) -> (Self, Violations) {
        let outlines: Vec<Outline> = contacts.iter().map(Outline::of).collect();
        let violations = Self::check(&outlines);
        if !contacts.iter().any(|contact| contact.primary)
            && let Some(first) = contacts.first_mut()
        {
            first.primary = true;
        }
        (Self(contacts), violations)
    }

    /// Contacts of stored customers, of which one at most is primary.
    pub(in crate::domain) const fn stored(contacts: Vec<Contact>) -> Self {
        Self(contacts)
    }

    /// Whether a customer can have so many.
    ///
    /// # Errors
    /// More than 50; the path is `contacts`.
    pub fn check_count(count: usize) -> Result<(), Violations> {
        if count <= Self::MAX {
            return Ok(());
        }
        let text = format!("must be at most {} contacts; these are {count}", Self::MAX);
        let rule = Rule::coded_with(RuleCode::TooMany, text);
        Err(Violations::of("contacts", rule))
    }

    /// What is wrong with the contacts together: more than one primary, an id twice, or one that has neither a name nor
    /// an email. The paths start at the customer: `contacts[3]`, `contacts[3].primary`.
    #[must_use]
    pub fn check(outlines: &[Outline]) -> Violations {
        let mut violations = Violations::default();
        let primary = outlines.iter().position(|outline| outline.primary);
        for (place, outline) in outlines.iter().enumerate() {
            let mut refuse = |part: &str, rule| violations.push(format!("contacts[{place}]{part}"), rule);
            if !outline.is_somebody {
                refuse("", Rule::coded(RuleCode::Required, "must have a first name, a last name or an email"));
            }
            let is_twin = |other: &Outline| outline.contact_id.is_some() && other.contact_id == outline.contact_id;
            if let Some(first) = outlines.iter().take(place).position(is_twin) {
                let text = format!("must not repeat that of contacts[{first}]");
                refuse(".contact_id", Rule::coded_with(RuleCode::Duplicate, text));
            }
            if let Some(first) = primary.filter(|&first| outline.primary && first != place) {
                let text = format!("must be set on one contact only; contacts[{first}] has it");
                refuse(".primary", Rule::coded_with(RuleCode::Primary, text));
            }
        }
        violations
    }

    /// The same where somebody who was among them before, and comes again without an id that was, keeps the id.
    #[must_use]
    fn keeping_ids(mut self, before: &Self) -> Self {
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

    /// The one to turn to; none only if there are no contacts.
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

    /// The contacts themselves.
    #[must_use]
    pub fn into_vec(self) -> Vec<Contact> {
        self.0
    }

    pub(in crate::domain) fn iter_mut(&mut self) -> std::slice::IterMut<'_, Contact> {
        self.0.iter_mut()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests;
