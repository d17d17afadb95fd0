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
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::values::{phone::Phone, text::Text, unknown_fields::UnknownFields};

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
    fn the_first_contact_is_primary_unless_another_is() {
        let contacts = Contacts::try_new(vec![jan(1), jan(2)]).unwrap();
        assert_eq!(contacts.primary(), contacts.as_slice().first());
        let contacts = Contacts::try_new(vec![jan(1), Contact { primary: true, ..jan(2) }]).unwrap();
        assert_eq!(contacts.primary(), contacts.as_slice().last());
        assert_eq!(Contacts::try_new(vec![]).unwrap().primary(), None);
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let nobody = Contact { first_name: None, job_title: Some(Text::parse("CEO").unwrap()), ..jan(3) };
        let main = |id| Contact { primary: true, ..jan(id) };
        let refused = Contacts::try_new(vec![main(1), jan(1), nobody, main(4)]).unwrap_err();
        let told: Vec<_> =
            refused.all().iter().map(|violation| (violation.field.as_str(), violation.rule.text())).collect();
        assert_eq!(
            told,
            [
                ("contacts[1].contact_id", "must not repeat that of contacts[0]"),
                ("contacts[2]", "must have a first name, a last name or an email"),
                ("contacts[3].primary", "must be set on one contact only; contacts[0] has it"),
            ]
        );
    }

    #[test]
    fn who_comes_again_without_an_id_keeps_the_old_one() {
        let piet = |id| Contact { first_name: Some(Text::parse("Piet").unwrap()), ..jan(id) };
        let contacts = |list| Contacts::try_new(list).unwrap();
        let before = contacts(vec![jan(1), jan(2), piet(3)]);
        let again = contacts(vec![jan(11), jan(12), piet(13)]).keeping_ids(&before);
        assert_eq!(again, before);
        // One that is named keeps to itself, and a third Jan is new.
        let more = contacts(vec![Contact { primary: true, ..jan(11) }, jan(2), jan(14)]).keeping_ids(&before);
        assert_eq!(more, contacts(vec![Contact { primary: true, ..jan(1) }, jan(2), jan(14)]));
    }

    #[test]
    fn an_id_that_no_contact_has_is_refused() {
        let contacts = |list| Contacts::try_new(list).unwrap();
        let before = contacts(vec![jan(1), jan(2)]);
        let sent = |named: &[usize]| SentContacts {
            contacts: contacts(vec![jan(2), jan(9), jan(1), jan(8)]),
            named: named.to_vec(),
        };
        let refused = |named: &[usize]| {
            let violations = sent(named).over(&before).unwrap_err();
            violations.all().iter().map(|violation| violation.field.clone()).collect::<Vec<_>>()
        };
        assert_eq!(refused(&[0, 1, 2, 3]), ["contacts[1].contact_id", "contacts[3].contact_id"]);
        assert_eq!(refused(&[3]), ["contacts[3].contact_id"]);
        let kept = sent(&[0, 2]).over(&before).unwrap();
        assert_eq!(kept, contacts(vec![jan(2), jan(9), jan(1), jan(8)]));
    }

    #[test]
    fn a_contact_keeps_the_fields_of_a_newer_release_with_its_id_and_those_of_its_phone_with_the_number() {
        let with_phone = |id, number: &str| Contact { phone: Some(Phone::parse(number, "").unwrap()), ..jan(id) };
        let mut stored = serde_json::to_value([with_phone(1, "112"), with_phone(2, "113")]).unwrap();
        for place in ["/0", "/0/phone", "/1", "/1/phone"] {
            stored.pointer_mut(place).unwrap()["added"] = place.into();
        }
        let before: Contacts = serde_json::from_value(stored.clone()).unwrap();
        // Sent again in another order: the second without its id, the first with another number.
        let sent = vec![with_phone(12, "113"), with_phone(1, "114"), with_phone(13, "115")];
        let mut sent = Contacts(sent).keeping_ids(&before);
        sent.keep_unknown(&before);
        let kept = serde_json::to_value(&sent).unwrap();
        assert_eq!(kept[0], stored[1]);
        assert_eq!((&kept[1]["added"], kept[1]["phone"].get("added")), (&stored[0]["added"], None));
        assert_eq!((kept[2].get("added"), kept[2]["phone"].get("added")), (None, None));
    }

    #[test]
    fn a_customer_has_at_most_50_contacts() {
        assert!(Contacts::try_new((1..=50).map(jan).collect()).is_ok());
        let refused = Contacts::try_new((1..=51).map(jan).collect()).unwrap_err();
        assert_eq!(
            refused,
            Violations::of("contacts", Rule::coded(RuleCode::TooMany, "must be at most 50 contacts; these are 51"))
        );
    }

    proptest! {
        #[test]
        fn a_list_that_is_accepted_has_one_primary_and_is_accepted_again(
            marks in prop::collection::vec((1_u128..60, any::<bool>(), prop::bool::weighted(0.1)), 0..8),
        ) {
            let contacts = marks.into_iter().map(|(id, named, primary)| {
                let first_name = jan(id).first_name.filter(|_| named || id > 5);
                Contact { first_name, primary, ..jan(id) }
            });
            if let Ok(contacts) = Contacts::try_new(contacts.collect()) {
                let marked = contacts.as_slice().iter().filter(|contact| contact.primary).count();
                prop_assert_eq!(marked, contacts.as_slice().len().min(1));
                prop_assert!(contacts.as_slice().iter().all(|contact| Outline::of(contact).is_somebody));
                prop_assert_eq!(Contacts::try_new(contacts.as_slice().to_vec()), Ok(contacts));
            }
        }
    }
}
