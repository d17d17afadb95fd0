//! Words of a newer release.

use std::sync::Arc;

use serde_json::Value;

use super::{super::samples, stored};
use crate::domain::{
    customers::{custom_id_change::CustomIdChange, customer::Customer},
    refusal::Refusal,
    values::{custom_id::CustomIds, enums::CustomerType},
};

/// Where a document holds a word.
type Place = fn(&mut Value) -> &mut Value;

#[test]
fn a_customer_with_an_unknown_word_is_not_changed_and_needs_the_role_for_its_custom_ids() {
    let known = samples::customer();
    assert_eq!(known.must_be_known(), Ok(()));
    let words: [(&str, &str, Place); 5] = [
        ("the customer's type", "COOPERATIVE", |stored| &mut stored["fields"]["type"]),
        ("the customer's service_class", "PREMIUM", |stored| &mut stored["fields"]["service_class"]),
        ("the customer's reach", "REGION", |stored| &mut stored["fields"]["reach"]),
        ("the customer's origin", "PARTNER", |stored| &mut stored["fields"]["origin"]),
        ("the customer's status", "ON_TRIAL", |stored| &mut stored["status"]["name"]),
    ];
    for (what, word, place) in words {
        let mut document = stored(&known);
        *place(&mut document) = word.into();
        let customer: Customer = serde_json::from_value(document).unwrap();
        assert_eq!(customer.must_be_known(), Err(Refusal::ValueOfNewerRelease(what)));
        assert_eq!(customer.fields.customer_type == CustomerType::Unknown, what == "the customer's type");
    }
    let blank = CustomIdChange::towards(&samples::custom_ids(), &CustomIds::new());
    let unknown = crate::domain::values::enums::Reach::Unknown;
    assert!(blank.takes_custom_id_role(unknown, &CustomIds::new()), "as on a LOCAL customer");
    assert_eq!(Arc::new(samples::account()).must_know_name_rule(), Ok(()));
}
