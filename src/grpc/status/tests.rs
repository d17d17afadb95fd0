use super::{
    details::MAX_SIZE,
    message::wire_size,
    samples::{SECRET, all_errors, duplicate},
    *,
};
use crate::domain::{
    duplicates::Duplicate,
    fields::{field::Field, path::FieldPath},
    refusal::Blocker,
    values::{
        enums::Role,
        ids::{BranchId, CustomerId, MemberId, TagId},
        violation::Rule,
    },
};

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

fn metadata_of(error: Error) -> Vec<(String, String)> {
    let mut metadata: Vec<_> =
        from_error(error, Repeat::Unsafe).get_details_error_info().unwrap().metadata.into_iter().collect();
    metadata.sort();
    metadata
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[test]
fn every_reason_of_the_contract_belongs_to_an_error() {
    // The layers `content_type`, `error_details` and `verify` make these.
    let made_elsewhere = [
        ErrorReason::MessageMalformed,
        ErrorReason::MessageTooLarge,
        ErrorReason::OriginNotAllowed,
        ErrorReason::RpcUnknown,
    ];
    let found: Vec<String> =
        all_errors().into_iter().map(|(error, ..)| reason(&from_error(error, Repeat::Safe))).collect();
    let reasons: Vec<ErrorReason> = (1..1_000).filter_map(|number| ErrorReason::try_from(number).ok()).collect();
    assert!(reasons.len() >= 32);
    for reason in reasons.into_iter().filter(|reason| !made_elsewhere.contains(reason)) {
        let name = reason.as_str_name().trim_start_matches("ERROR_REASON_").to_owned();
        assert!(found.contains(&name), "{name}");
    }
}

#[test]
fn an_error_has_retry_info_only_if_a_retry_is_safe_and_may_succeed() {
    for ((error, when_unsafe, when_safe), (same, ..)) in all_errors().into_iter().zip(all_errors()) {
        let name = error.to_string();
        for (error, repeat, retry) in [(error, Repeat::Unsafe, when_unsafe), (same, Repeat::Safe, when_safe)] {
            assert_eq!(from_error(error, repeat).get_details_retry_info().is_some(), retry, "{name} {repeat:?}");
        }
    }
}

#[test]
fn no_status_contains_sql_tables_or_hosts() {
    for (error, ..) in all_errors() {
        let status = from_error(error, Repeat::Safe);
        let wire = format!("{} {}", status.message(), String::from_utf8_lossy(status.details()));
        assert!(!wire.contains("customers at") && !wire.contains("10.0.0.7") && !wire.contains("insert"), "{wire}");
        assert!(status.message().ends_with('.') && wire_size(&status) <= MAX_SIZE, "{wire}");
        assert!(std::error::Error::source(&status).is_some(), "{wire}");
    }
}

#[test]
fn the_cause_does_not_contain_the_debug_output_of_a_database_error() {
    let status = from_error(Error::Database(sqlx::Error::Configuration(SECRET.into())), Repeat::Safe);
    assert!(!format!("{status:?}").contains("Configuration("), "{status:?}");
}

#[test]
fn metadata_has_the_contracts_keys() {
    assert_eq!(metadata_of(Error::RoleTooLow(Role::ServiceManager)), [pair("required_role", "SERVICE_MANAGER")]);
    assert_eq!(metadata_of(Refusal::RoleTooLow(Role::Admin).into()), [pair("required_role", "ADMIN")]);
    assert_eq!(metadata_of(Error::NotAnOperator), [pair("required_role", "PLATFORM")]);
    assert_eq!(
        metadata_of(Error::CustomerNotFound { at: Some("customer_ids[17]".into()) }),
        [pair("field", "customer_ids[17]")]
    );
    assert_eq!(
        metadata_of(Error::refused_at(Refusal::RoleTooLow(Role::Admin), "customer_ids[1]".into())),
        [pair("field", "customer_ids[1]"), pair("required_role", "ADMIN")]
    );
    assert_eq!(
        metadata_of(Error::EtagMismatch { etag: "e".into(), changed: Some(vec!["name".into(), "email".into()]) }),
        [pair("changed_fields", "name,email"), pair("etag", "e")]
    );
    assert_eq!(metadata_of(Error::EtagMismatch { etag: "e".into(), changed: None }), [pair("etag", "e")]);
    let found: Vec<Duplicate> = (1..=7).map(duplicate).collect();
    let ids: Vec<String> = found[..5].iter().map(|duplicate| duplicate.customer.to_string()).collect();
    assert_eq!(
        metadata_of(Error::PossibleDuplicate { found }),
        [pair("duplicates", &ids.join(",")), pair("reasons", "TAX_ID,NAME"), pair("score", "90")]
    );
    let missing = Refusal::RequiredToApprove(vec![FieldPath::Whole(Field::Email), FieldPath::Whole(Field::Phone)]);
    assert_eq!(metadata_of(missing.into()), [pair("missing_fields", "customer.email,customer.phone")]);
}

#[test]
fn a_resource_is_named_by_its_type_and_by_its_id_if_the_caller_sees_it() {
    let id = uuid::Uuid::from_u128(7);
    let (customer, member) = (CustomerId::from_uuid(id), MemberId::from_uuid(id));
    let (tag, branch) = (TagId::from_uuid(id), BranchId::from_uuid(id));
    let blocker = Blocker::OrderReferenceTaken;
    for (error, kind, named) in [
        (Error::CustomerNotFound { at: None }, "clientele.v1.Customer", false),
        (Error::AccountNotFound, "clientele.v1.Account", false),
        (Error::MemberNotFound, "clientele.v1.Member", false),
        (Error::MembershipNotFound, "clientele.v1.Membership", false),
        (Error::TenantNotFound, "clientele.v1.Tenant", false),
        (Error::TagNotFound, "clientele.v1.Tag", false),
        (Error::BranchNotFound, "clientele.v1.Branch", false),
        (Error::NameTaken { free: Vec::new(), by: None }, "clientele.v1.Customer", false),
        (Error::NameTaken { free: Vec::new(), by: Some(customer) }, "clientele.v1.Customer", true),
        (Error::CustomIdTaken { field: None, by: Some(customer) }, "clientele.v1.Customer", true),
        (Error::OrderReferenceTaken { by: Some(customer) }, "clientele.v1.Customer", true),
        (Error::TakenThere { blocker, at: None, by: Some(customer) }, "clientele.v1.Customer", true),
        (Error::PossibleDuplicate { found: vec![duplicate(7)] }, "clientele.v1.Customer", true),
        (Error::MemberExists { by: Some(member) }, "clientele.v1.Member", true),
        (Error::TagExists { by: Some(tag) }, "clientele.v1.Tag", true),
        (Error::BranchExists { by: Some(branch) }, "clientele.v1.Branch", true),
    ] {
        let resource = from_error(error, Repeat::Safe).get_details_resource_info().unwrap();
        assert_eq!(resource.resource_type, kind);
        assert_eq!(resource.resource_name, if named { id.to_string() } else { String::new() }, "{kind}");
        assert_eq!((resource.owner, resource.description), Default::default());
    }
}

#[test]
fn a_thousand_violations_become_as_many_as_fit_and_the_number_of_the_others() {
    let mut violations = Violations::default();
    for index in 0..1000 {
        violations.push(format!("customer.contacts[{index}].email"), Rule::new("must have an @ between two parts"));
    }
    let status = from_error(Error::Invalid(violations), Repeat::Unsafe);
    let listed = status.get_details_bad_request().unwrap().field_violations;
    let (last, first) = listed.split_last().unwrap();
    assert_eq!((last.field.as_str(), &last.description), ("", &format!("and {} more", 1000 - first.len())));
    assert_eq!(first[3].field, "customer.contacts[3].email");
    assert!((3900..=MAX_SIZE).contains(&wire_size(&status)), "{}", wire_size(&status));
    assert_eq!(status.message(), "customer.contacts[0].email must have an @ between two parts (and 999 more).");

    let headers = status.into_http::<()>().headers().iter().map(|(_, value)| value.len()).sum::<usize>();
    assert!(headers < MAX_SIZE + 64, "the estimate is the size that is sent: {headers}");
}

#[test]
fn long_values_of_a_caller_stay_within_the_limit() {
    let long = "ß\u{1}".repeat(5000);
    let mut violations = Violations::of(format!("customer.labels.{long}"), Rule::with(long.clone()));
    let status = from_error(Error::Invalid(violations.clone()), Repeat::Safe);
    assert_eq!(status.get_details_bad_request().unwrap().field_violations.len(), 1);
    violations.push(long.clone(), Rule::with(long.clone()));
    for error in [
        Error::Invalid(violations),
        Error::from(Refusal::BreaksRule(Violations::of("labels", Rule::with(long.clone())))),
        Error::NameTaken { free: vec![long.clone(), "Ada 2".to_owned()], by: None },
        Error::NameTaken { free: vec!["ß".repeat(120); 9], by: None },
        Error::from(Refusal::RequiredToApprove(vec![FieldPath::Whole(Field::RegistrationNumber); 50])),
        Error::EtagMismatch { etag: "e".repeat(80), changed: Some(vec!["registration_number".to_owned(); 100]) },
        Error::CustomIdTaken { field: Some(long), by: None },
    ] {
        let status = from_error(error, Repeat::Safe);
        assert!(wire_size(&status) <= MAX_SIZE, "{} {status:?}", wire_size(&status));
    }
}

#[test]
fn repeating_is_safe_for_reads_and_for_mutations_with_a_request_id() {
    for rpc in crate::domain::requests::contract::RPCS {
        assert_eq!(Repeat::for_rpc(*rpc, true), Repeat::Safe);
        assert_eq!(Repeat::for_rpc(*rpc, false) == Repeat::Unsafe, rpc.mutates);
    }
}

#[test]
fn the_same_refusal_has_the_same_bytes() {
    let refusal = || {
        let free = (2..6).map(|number| format!("Ada {number}")).collect();
        [
            Error::EtagMismatch { etag: "e".into(), changed: Some(vec!["name".into()]) },
            Error::refused_at(Refusal::RoleTooLow(Role::Admin), "customer_ids[1]".into()),
            Error::NameTaken { free, by: None },
        ]
        .map(|error| from_error(error, Repeat::Safe).details().to_vec())
    };
    let first = refusal();
    for _ in 0..64 {
        assert_eq!(refusal(), first);
    }
}

#[test]
fn free_names_are_a_list_whatever_they_contain() {
    let free = vec!["Ada, \"Ltd.\" 2".to_owned(), "Ada 3".to_owned()];
    let [(key, names)] = &metadata_of(Error::NameTaken { free: free.clone(), by: None })[..] else { panic!() };
    assert_eq!((key.as_str(), serde_json::from_str::<Vec<String>>(names).unwrap()), ("free_names", free));
}
