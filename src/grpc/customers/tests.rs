//! The messages of a customer, compared with the tables of fields: nothing that a client writes is lost, and each account
//! and view gets the fields that the tables give it.

use std::collections::BTreeSet;

use chrono::DateTime;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::Value;
use strum::VariantArray as _;
use uuid::Uuid;

use super::{read, show};
use crate::{
    domain::{
        access::relation::Relation,
        accounts::{account::Path, policies::Policies},
        billing::{customer_billing::Billing, payment_summary::PaymentSummary},
        customers::{
            customer::{Customer, Stamp},
            dms::DmsLink,
            hold::Hold,
            link::Link,
            migration::Migration,
            status::Status,
        },
        fields::{
            customer_fields::CustomerFields,
            field::{Field, Readers, Shown, Storage, View},
            path::FieldPath,
            read_only::ReadOnlyField,
            references::References,
        },
        requests::principal::Principal,
        search::{SECTIONS, SearchField, Searchable, Section},
        tags::tag::{Tag, TagName},
        values::{
            enums::Origin,
            ids::{AccountId, CustomerId, HoldId, PaymentMethodId, TagId},
            name::Name,
            status_reason::StatusReason,
            text::Text,
            unknown_fields::UnknownFields,
            violation::Violations,
        },
    },
    grpc::{DESCRIPTORS, billing, pb},
    service::customers::CustomerDetails,
};

/// A customer with a value in every field that a client writes.
fn written() -> pb::Customer {
    let address = |street: &str| {
        Some(pb::Address {
            line1: street.to_owned(),
            line2: "Building B".to_owned(),
            city: "Eindhoven".to_owned(),
            state: "NL-NB".to_owned(),
            postal_code: "5652 AW".to_owned(),
            country: "NL".to_owned(),
        })
    };
    let phone = |number: &str, e164: &str, valid: bool| {
        Some(pb::Phone { number: number.to_owned(), extension: "12".to_owned(), e164: e164.to_owned(), valid })
    };
    with_references(&pb::Customer {
        r#type: pb::CustomerType::Personal.into(),
        service_class: pb::ServiceClass::Residential.into(),
        reach: pb::Reach::Fleet.into(),
        name: "Ada".to_owned(),
        legal_name: "Ada Netherlands B.V.".to_owned(),
        custom_ids: [("erp".to_owned(), "00123".to_owned())].into(),
        registration_number: "17048595".to_owned(),
        tax_ids: vec![pb::TaxId {
            value: "NL006486253B01".to_owned(),
            country: "NL".to_owned(),
            check: pb::TaxIdCheck::ChecksumOk.into(),
        }],
        currency: "EUR".to_owned(),
        industry: "non-profit".to_owned(),
        primary_address: address("Hoevenweg 21"),
        billing_address: address("Kanaaldijk 21"),
        shipping_address: address("Havenkade 21"),
        contacts: vec![pb::Contact {
            contact_id: id(1).to_string(),
            first_name: "Jan".to_owned(),
            last_name: "Janssen".to_owned(),
            job_title: "CEO".to_owned(),
            email: "jan.janssen@company.nl".to_owned(),
            phone: phone("+31(0)123456789", "+31123456789", false),
            primary: true,
        }],
        email: "info@company.nl".to_owned(),
        billing_email: "bills@company.nl".to_owned(),
        phone: phone("+31 40 250 5000", "+31402505000", true),
        fax: phone("+31 40 250 5001", "+31402505001", true),
        origin: pb::Origin::Marketplace.into(),
        order_reference: "order-7".to_owned(),
        labels: [("segment".to_owned(), "smb".to_owned())].into(),
        language: "nl-NL".to_owned(),
        ..Default::default()
    })
}

/// The message with an id in every field of the table that holds one.
fn with_references(customer: &pb::Customer) -> pb::Customer {
    let mut message = DynamicMessage::decode(descriptor(), customer.encode_to_vec().as_slice()).unwrap();
    for (field, number) in Field::VARIANTS.iter().filter(|field| field.spec().reference.is_some()).zip(100..) {
        message.set_field_by_name(field.name(), prost_reflect::Value::String(id(number).to_string()));
    }
    message.transcode_to().unwrap()
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn fields() -> CustomerFields {
    read::draft(Some(written()), &Policies::default(), None).unwrap().fields
}

/// A customer with a value in every field of the contract.
fn details(relation: Relation) -> CustomerDetails {
    let account = AccountId::from_uuid(id(4));
    let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    let principal = Principal::new("issuer", "ada");
    let stamp = Stamp { at, by: principal.clone() };
    let custom_ids = read::draft(Some(written()), &Policies::default(), None).unwrap().custom_ids;
    CustomerDetails {
        customer: Customer {
            id: CustomerId::from_uuid(id(5)),
            owner: account,
            path: Path::stored(vec![account]),
            revision: 1,
            fields: fields(),
            status: Status::Rejected { reason: StatusReason::parse("no answer").unwrap() },
            archived_at: Some(at),
            holds: vec![Hold {
                hold_id: HoldId::from_uuid(id(6)),
                kind: Text::parse("open-orders").unwrap(),
                reason: Text::parse("one is on its way").unwrap(),
                placed_at: at,
                placed_by: principal,
                unknown: UnknownFields::default(),
            }],
            payment: PaymentSummary { default: Some(PaymentMethodId::from_uuid(id(12))), count: 1 },
            migration: Some(Migration {
                account,
                from: account,
                at,
                references: References::default(),
                reverted_at: None,
                unknown: UnknownFields::default(),
            }),
            rate_plan: None,
            billing: Billing::default(),
            created: stamp.clone(),
            updated: stamp,
        },
        charges: billing::samples::charges(),
        charges_before: None,
        sales_person_gone: true,
        industries: None,
        link: Link {
            revision: 1,
            custom_ids,
            tags: vec![Tag { id: TagId::from_uuid(id(7)), name: TagName::parse("vip").unwrap() }],
        },
        relation,
        dms_link: DmsLink::Linked,
        allowed_actions: vec!["UpdateCustomer"],
        missing_for_approval: vec![FieldPath::Whole(Field::Email)],
        etag: Some("etag".to_owned()),
    }
}

/// The same with a currency that was stored before there were codes.
fn old_details(relation: Relation) -> CustomerDetails {
    let mut details = details(relation);
    details.customer.fields.profile.currency = Some(Text::parse("Dollar").unwrap());
    details
}

fn descriptor() -> MessageDescriptor {
    DescriptorPool::decode(DESCRIPTORS).unwrap().get_message_by_name("clientele.v1.Customer").unwrap()
}

/// The names of the fields that a message has a value in.
fn names(message: &pb::Customer) -> BTreeSet<String> {
    let all = descriptor();
    let message = DynamicMessage::decode(all.clone(), message.encode_to_vec().as_slice()).unwrap();
    all.fields().filter(|field| message.has_field(field)).map(|field| field.name().to_owned()).collect()
}

/// The names of the fields that the tables give to these readers in this view.
fn tabled(reads: impl Fn(Shown) -> bool) -> BTreeSet<String> {
    let written = Field::VARIANTS.iter().map(|field| (field.name(), Shown::from(*field)));
    let read_only = ReadOnlyField::VARIANTS.iter().map(|field| (field.spec().name, Shown::from(*field)));
    written.chain(read_only).filter(|(_, shown)| reads(*shown)).map(|(name, _)| name.to_owned()).collect()
}

/// The names of the fields that are shown of a customer with a value in each. A status has a reason or another customer.
fn shown(relation: Relation, view: View) -> BTreeSet<String> {
    let rejected = old_details(relation);
    let mut merged = rejected.clone();
    merged.customer.status = Status::Merged { into: CustomerId::from_uuid(id(8)) };
    [rejected, merged].into_iter().flat_map(|details| names(&show::in_view(details, view))).collect()
}

#[test]
fn the_owner_reads_every_field_of_the_contract() {
    let all: BTreeSet<String> = descriptor().fields().map(|field| field.name().to_owned()).collect();
    assert_eq!(shown(Relation::OwnerOrAbove, View::Full), all);
}

#[test]
fn each_account_and_view_gets_the_fields_that_the_tables_give_it() {
    let basic = |shown: Shown| shown.view == View::Basic;
    let below = |shown: Shown| shown.readers == Readers::Below;
    assert_eq!(shown(Relation::OwnerOrAbove, View::Basic), tabled(basic));
    assert_eq!(shown(Relation::Below, View::Full), tabled(below));
    assert_eq!(shown(Relation::Below, View::Basic), tabled(|shown| basic(shown) && below(shown)));
}

#[test]
fn every_field_is_shown_as_it_was_written() {
    let unfilled: Vec<&Field> = Field::VARIANTS.iter().filter(|field| !fields().is_filled(**field)).collect();
    assert!(unfilled.is_empty(), "{unfilled:?}");
    let descriptor = descriptor();
    let [shown, sent] = [show::full(details(Relation::OwnerOrAbove)), written()]
        .map(|message| DynamicMessage::decode(descriptor.clone(), message.encode_to_vec().as_slice()).unwrap());
    for name in names(&written()) {
        assert!(shown.get_field_by_name(&name) == sent.get_field_by_name(&name), "{name}");
    }
}

/// The members of what is stored.
fn stored(fields: &CustomerFields) -> serde_json::Map<String, Value> {
    let Value::Object(members) = serde_json::to_value(fields).unwrap() else { panic!("an object") };
    members
}

/// A customer with the defaults, and the same after an update that names one field.
fn updated(field: Field) -> (CustomerFields, CustomerFields) {
    let bare = CustomerFields::new(Name::parse("Bob").unwrap(), Origin::Api);
    let mut after = bare.clone();
    let mask = prost_types::FieldMask { paths: vec![field.name().to_owned()] };
    let mut sent = written();
    sent.contacts[0].contact_id.clear(); // it is new to this customer
    let mut violations = Violations::default();
    for edit in read::edits(&mut violations, Some(mask), &sent).unwrap() {
        after.apply(edit).unwrap();
    }
    (bare, after)
}

#[test]
fn an_update_writes_the_field_that_its_mask_names_where_the_table_says() {
    for &field in Field::VARIANTS {
        let (bare, after) = updated(field);
        let (before, now) = (stored(&bare), stored(&after));
        let changed: Vec<&String> = now.keys().filter(|name| now.get(*name) != before.get(*name)).collect();
        assert_eq!(changed, [field.name()]);
        let in_profile = bare.profile != after.profile;
        assert_eq!(in_profile, field.spec().storage == Storage::Profile, "{field:?}");
    }
}

#[test]
fn an_update_clears_the_field_that_its_mask_names() {
    let never_empty = [Field::Type, Field::ServiceClass, Field::Reach, Field::Name];
    for &field in Field::VARIANTS {
        let mask = prost_types::FieldMask { paths: vec![field.name().to_owned()] };
        let mut violations = Violations::default();
        let edits = read::edits(&mut violations, Some(mask), &pb::Customer::default()).unwrap();
        if !violations.is_empty() {
            assert!(never_empty.contains(&field), "{field:?}");
            continue;
        }
        let mut cleared = fields();
        for edit in edits {
            cleared.apply(edit).unwrap();
        }
        let filled: Vec<&Field> = Field::VARIANTS.iter().filter(|field| !cleared.is_filled(**field)).collect();
        assert_eq!(filled, [&field]);
    }
}

#[test]
fn a_customer_is_found_by_the_fields_that_the_table_says() {
    for &field in Field::VARIANTS {
        let (bare, after) = updated(field);
        let [before, now] = [&bare, &after].map(Searchable::of);
        let sections: Vec<&Section> = SECTIONS.iter().filter(|it| it.of(before.doc()) != it.of(now.doc())).collect();
        let is_shown_below = field.spec().shown.readers == Readers::Below;
        assert!(sections.iter().all(|section| section.is_shown_below() == is_shown_below), "{field:?}");
        let changed: Vec<SearchField> = sections.iter().map(|section| section.field).collect();
        assert_eq!(changed, field.spec().search, "{field:?}");
    }
}
