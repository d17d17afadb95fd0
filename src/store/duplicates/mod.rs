//! The keys by which duplicates are found: what a change of a customer changes of them, and how those of old rows are made. The
//! look-up is in `store/customers`, because it reads customers.

mod renew;

use std::collections::BTreeSet;

pub(super) use self::renew::renew;
use crate::domain::{
    duplicates::{Key, stored_keys},
    fields::customer_fields::CustomerFields,
};

/// What a change of a customer's fields changes of its keys: those that go, and those that come.
pub(super) fn change(before: &CustomerFields, after: &CustomerFields) -> (Vec<Key>, Vec<Key>) {
    let (before, after) = (stored_keys(before), stored_keys(after));
    let without = |all: &BTreeSet<Key>, others: &BTreeSet<Key>| all.difference(others).copied().collect();
    (without(&before, &after), without(&after, &before))
}
