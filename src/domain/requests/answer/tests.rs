//! Stored answers of this release, of a newer one, and broken ones.

use serde_json::json;

use super::*;
use crate::domain::samples;

#[test]
fn an_answer_of_borrowed_values_is_stored_like_any_other() {
    let (customer, link) = (samples::customer(), samples::link());
    let borrowed = serde_json::to_string(&Answer::of_customer(&customer, &link)).unwrap();
    let borrowed: Value = serde_json::from_str(&borrowed).unwrap();
    let answer = Answer::Customer { customer, link };
    assert_eq!(borrowed, answer.to_stored().unwrap());
    assert_eq!(Answer::stored(borrowed), Ok(answer));
}

#[test]
fn an_answer_of_a_newer_release_is_told_from_a_broken_one() {
    for newer in [
        json!({"v": 2, "of": "tag_deleted", "customers": 7}),
        json!({"v": 2, "of": "invoice"}),
        json!({"v": 1, "of": "invoice", "number": "7"}),
    ] {
        assert_eq!(Answer::stored(newer.clone()), Err(Unreadable::Newer), "{newer}");
    }
    for broken in [
        json!({}),
        json!([]),
        json!({"v": 1}),
        json!({"of": "tag_deleted", "customers": 7}),
        json!({"v": "1", "of": "tag_deleted", "customers": 7}),
        json!({"v": 1, "of": "tag_deleted"}),
    ] {
        assert_eq!(Answer::stored(broken.clone()), Err(Unreadable::Broken), "{broken}");
    }
    let counted = json!({"v": 1, "of": "tag_deleted", "customers": 7, "since": null});
    assert_eq!(Answer::stored(counted), Ok(Answer::TagDeleted { customers: 7 }), "an added field does no harm");
}
