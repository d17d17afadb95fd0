//! What is stored of answers, and read: of this release, of a newer one, and broken ones.

use serde_json::{Value, json};

use super::answer::*;
use crate::domain::{
    duplicates::{Duplicate, Reason},
    samples,
};

#[test]
fn an_answer_of_borrowed_values_is_stored_like_any_other() {
    let (customer, link) = (samples::customer(), samples::link());
    for duplicates in [Vec::new(), vec![Duplicate { customer: customer.id, reasons: vec![Reason::Email] }]] {
        let borrowed = serde_json::to_string(&Answer::of_created(&customer, &link, &duplicates)).unwrap();
        let borrowed: Value = serde_json::from_str(&borrowed).unwrap();
        let answer = Answer::Customer { customer: customer.clone(), link: link.clone(), duplicates };
        assert_eq!(borrowed, answer.to_stored().unwrap());
        assert_eq!(Answer::stored(borrowed), Ok(answer));
    }
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

#[test]
fn a_reason_of_a_newer_release_does_not_hide_the_answer() {
    let answer = Answer::Customer {
        customer: samples::customer(),
        link: samples::link(),
        duplicates: vec![Duplicate { customer: samples::customer().id, reasons: vec![Reason::Email] }],
    };
    let mut stored = answer.to_stored().unwrap();
    stored["duplicates"][0]["reasons"] = json!(["EMAIL", "IBAN"]);
    let Ok(Answer::Customer { duplicates, .. }) = Answer::stored(stored) else { panic!("not read") };
    assert_eq!(duplicates[0].reasons, [Reason::Email, Reason::Unknown]);
    assert_eq!(duplicates[0].score(), 40);
}
