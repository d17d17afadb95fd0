//! Keys: hashes of what customers are compared by, as they are stored.
//!
//! Rule: a change of what a key is made of, of folding or of what counts as a legal form raises [`VERSION`]; `clientele migrate` then
//! makes the keys of all customers again.

use std::collections::BTreeSet;

use super::{Reason, traits::Traits};
use crate::domain::{
    access::relation::Relation, fields::customer_fields::CustomerFields, hash::hash, values::enums::Reach,
};

/// The version of the stored keys.
pub const VERSION: i32 = 2;

/// A stored key: a hash, with [`FLEET`] and the kind of its value in the lowest bits.
pub type Key = i64;

/// Marks the keys by which accounts below the owner find a FLEET customer.
pub const FLEET: Key = 0b1000;
/// The lowest bits, which are no part of the hash.
const MARKS: Key = 0b1111;

/// Kinds of values.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    TaxId = 0,
    RegistrationNumber = 1,
    Email = 2,
    Phone = 3,
    /// A name and the city.
    NameAndCity = 4,
    /// A name, whatever the city: asked by who has none.
    Name = 5,
    /// A name of a customer without a city: asked by who has one.
    NameWithoutCity = 6,
}

/// A key that is looked up, and the reason that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// The key, without [`FLEET`].
    pub key: Key,
    /// The reason.
    pub reason: Reason,
}

/// A hash of the kind and the parts, with the kind in the place of the lowest bits.
fn key(kind: Kind, parts: &[&str]) -> Key {
    // No text has the byte that ends each.
    let parts = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    let hash = hash(std::iter::once(kind as u8).chain(parts));
    (i64::from_le_bytes(hash.to_le_bytes()) & !MARKS) | Key::from(kind as u8)
}

/// All keys of a customer as they are stored: those of a FLEET customer once more with the mark, of what accounts below the owner
/// are shown.
#[must_use]
pub fn stored_keys(fields: &CustomerFields) -> BTreeSet<Key> {
    let mut keys = Traits::of(fields, Relation::OwnerOrAbove).keys();
    if fields.reach == Reach::Fleet {
        keys.extend(Traits::of(fields, Relation::Below).keys().into_iter().map(|key| key | FLEET));
    }
    keys
}

impl Traits {
    /// The keys by which the owner and the accounts above it find the customer.
    #[must_use]
    pub fn keys(&self) -> BTreeSet<Key> {
        let mut keys: BTreeSet<Key> = self.values().map(|asked| asked.key).collect();
        for name in &self.names {
            keys.insert(key(Kind::Name, &[name]));
            keys.insert(match &self.city {
                Some(city) => key(Kind::NameAndCity, &[name, city]),
                None => key(Kind::NameWithoutCity, &[name]),
            });
        }
        keys
    }

    /// The keys of customers that have something in common with this one.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        let mut asked: BTreeSet<Asked> = self.values().collect();
        for name in &self.names {
            match &self.city {
                Some(city) => {
                    let key_and_city = key(Kind::NameAndCity, &[name, city]);
                    asked.insert(Asked { key: key_and_city, reason: Reason::NameAndCity });
                    asked.insert(Asked { key: key(Kind::NameWithoutCity, &[name]), reason: Reason::Name });
                }
                None => _ = asked.insert(Asked { key: key(Kind::Name, &[name]), reason: Reason::Name }),
            }
        }
        asked.into_iter().collect()
    }

    /// The values that are asked for as they are stored.
    fn values(&self) -> impl Iterator<Item = Asked> {
        let of = |kind, reason| move |value: &str| Asked { key: key(kind, &[value]), reason };
        let numbers = self.tax_ids.iter().map(|number| number.digits.as_str());
        let registration = self.registration_number.iter().map(|number| number.digits.as_str());
        numbers
            .map(of(Kind::TaxId, Reason::TaxId))
            .chain(registration.map(of(Kind::RegistrationNumber, Reason::RegistrationNumber)))
            .chain(self.emails.iter().map(String::as_str).map(of(Kind::Email, Reason::Email)))
            .chain(self.phones.iter().map(String::as_str).map(of(Kind::Phone, Reason::Phone)))
    }
}
