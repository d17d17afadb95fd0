//! Values for tests: texts that a hostile, careless or foreign client sends, and one of everything that is stored, with every
//! field filled in.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;
use strum::VariantArray as _;
use uuid::Uuid;

use crate::domain::{
    access::{
        invitation::{Invitation, InvitationState},
        member::Member,
    },
    accounts::{
        account::{Account, Path},
        branch::{Branch, BranchName},
        policies::{LeastRole, Policies},
    },
    billing::{self, payment_summary::PaymentSummary, samples::payment_method},
    customers::{
        customer::{Customer, Stamp},
        hold::Hold,
        link::Link,
        migration::Migration,
        status::Status,
    },
    fields::{
        customer_fields::CustomerFields, field::Field, path::FieldPath, profile::Profile, references::References,
        requirements::Requirements,
    },
    requests::principal::Principal,
    tags::tag::{Tag, TagName},
    values::{
        address::{Address, AddressPart},
        characters::{is_joiner, is_selector},
        contact::Contact,
        contacts::Contacts,
        custom_id::{CustomId, CustomIds, System},
        email::Email,
        enums::{CustomerType, NameUniqueness, Origin, Reach, Role, ServiceClass},
        ids::{AccountId, BranchId, ContactId, CustomerId, HoldId, InvitationId, MemberId, RatePlanId, TagId},
        language::Language,
        name::Name,
        phone::Phone,
        status_reason::StatusReason,
        tax_id::{TaxId, TaxIds},
        text::Text,
        timestamp::Timestamp,
        unknown_fields::UnknownFields,
    },
};

/// Any text, with the characters that matter here far more often than chance would have them.
pub(super) fn raw() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[ -~]{1,12}",
        3 => "[a-z0-9-]{1,8}",
        3 => "[À-žΆ-ώА-я가-힣ぁ-んア-ン一-龥]{1,6}",
        2 => "[\\u0300-\\u036F\\u1100-\\u11FF\\u1E00-\\u1FFF]{1,4}",
        2 => "[\\uFB00-\\uFFEF\\u2100-\\u214F\\u3300-\\u33FF\\u00A0-\\u00BF]{1,4}",
        1 => "[ \\t\\n\\u00A0\\u2000-\\u200A\\u3000]{1,3}",
        1 => "[a\\u{645}-\\u{64A}\\u{94D}\\u{D9A}-\\u{DC6}\\u{1F468}\\u{2764}\\u{845B}\\u{307}\\u{654} \\u{200C}\\u{200D}\\u{FE0F}\\u{E0100}]{1,6}",
        1 => "[iIİıj\\u{307}\\u{301}\\u{323}'’´`–—-]{1,5}",
        1 => "[\\x00-\\x1F\\x7F\\u0085\\u00AD\\u034F\\u200B-\\u200F\\u2028-\\u202E\\u2066-\\u2069\\uFEFF\\uFE0F]",
        1 => any::<char>().prop_map(String::from),
    ];
    prop_oneof![
        40 => prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat()),
        1 => "[a-zé ]{400,9000}",
    ]
}

/// Asserts what every kept text promises.
pub(super) fn assert_kept(text: &str, most: usize) {
    assert!(text.chars().count() <= most, "{text:?} is too long");
    assert_eq!(text.trim(), text);
    for character in text.chars() {
        assert!(!character.is_control(), "{text:?} holds a control character");
        assert!(!character.is_whitespace() || character == ' ', "{text:?} holds unusual white space");
        let invisible = ['\u{61C}', '\u{AD}', '\u{34F}', '\u{2028}', '\u{2029}', '\u{2060}', '\u{FEFF}', '\u{3164}'];
        assert!(!invisible.contains(&character), "{text:?} holds an invisible character");
        assert!(!['\u{200B}', '\u{200E}', '\u{200F}'].contains(&character), "{text:?} holds a zero-width character");
        assert!(!('\u{202A}'..='\u{202E}').contains(&character), "{text:?} holds a bidi control");
        assert!(!('\u{2066}'..='\u{2069}').contains(&character), "{text:?} holds a bidi isolate");
    }
    assert!(!text.contains("  "), "{text:?} holds two spaces in a row");
    for word in text.split(' ') {
        assert!(!word.starts_with(|first| is_joiner(first) || is_selector(first)), "{text:?} holds a lone joiner");
    }
    let pairs = text.chars().zip(text.chars().skip(1));
    for (one, next) in pairs {
        assert!(!(is_joiner(one) && is_joiner(next)), "{text:?} holds two joiners in a row");
        assert!(!(is_selector(one) && is_selector(next)), "{text:?} holds two selectors in a row");
    }
}

/// An id of this number.
pub(super) fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number)
}

/// A timestamp so many days after the first.
pub(super) fn at(day: u32) -> Timestamp {
    Timestamp::from_timestamp_micros(1_767_323_045_678_901 + i64::from(day) * 86_400_000_000).unwrap()
}

pub(super) fn principal(subject: &str) -> Principal {
    Principal::new("https://issuer.example", subject)
}

pub(super) fn policies() -> Policies {
    Policies {
        required_to_create: Requirements::new(vec![
            FieldPath::Whole(Field::Email),
            FieldPath::CustomId(System::parse("erp").unwrap()),
        ]),
        required_to_approve: Requirements::new(vec![FieldPath::Whole(Field::TaxIds)]),
        auto_approve: false,
        create_role: LeastRole::Known(Role::Admin),
        custom_id_role: LeastRole::Known(Role::Member),
        default_currency: Some(Text::parse("Euro").unwrap()),
        default_region: Some(Text::parse("Netherlands").unwrap()),
        unknown: UnknownFields::default(),
    }
}

pub(super) fn account() -> Account {
    Account {
        id: AccountId::from_uuid(id(2)),
        path: path(),
        name: Text::parse("Noordzee Cloud").unwrap(),
        policies: Arc::new(policies()),
        name_uniqueness: NameUniqueness::Account,
        revision: 3,
        tenant_revision: 4,
        created_at: at(0),
        suspended_at: None,
        suspended_above: false,
        industries: None,
    }
}

fn path() -> Path {
    Path::stored([2, 1].map(|number| AccountId::from_uuid(id(number))).into())
}

pub(super) fn member() -> Member {
    Member {
        id: MemberId::from_uuid(id(3)),
        account: AccountId::from_uuid(id(2)),
        principal: principal("ada"),
        role: Role::ServiceManager,
        created_at: at(1),
        waiting: true,
    }
}

pub(super) fn invitation() -> Invitation {
    Invitation {
        id: InvitationId::from_uuid(id(8)),
        account: AccountId::from_uuid(id(2)),
        email: Email::parse("Nora.Hale@north.example").unwrap(),
        role: Role::Admin,
        language: Some(Language::parse("nl").unwrap()),
        state: InvitationState::Accepted,
        created_at: at(1),
        created_by: principal("ada"),
        expires_at: Some(at(8)),
        sent_at: Some(at(1)),
        ended_at: Some(at(2)),
        member: Some(MemberId::from_uuid(id(3))),
    }
}

pub(super) fn branch() -> Branch {
    Branch {
        id: BranchId::from_uuid(id(4)),
        name: BranchName::parse("Harbour").unwrap(),
        dms_integrated: true,
        created_at: at(2),
    }
}

pub(super) fn tag() -> Tag {
    Tag { id: TagId::from_uuid(id(5)), name: TagName::parse("vip").unwrap() }
}

pub(super) fn custom_ids() -> CustomIds {
    BTreeMap::from([
        (System::default(), CustomId::parse("K-1").unwrap()),
        (System::parse("erp").unwrap(), CustomId::parse("00123").unwrap()),
    ])
}

pub(super) fn link() -> Link {
    Link { revision: 2, custom_ids: custom_ids(), tags: vec![tag()] }
}

fn address(street: &str) -> Address {
    let mut address = Address::default();
    for (part, text) in AddressPart::VARIANTS.iter().zip([street, "Building B", "Eindhoven", "NB", "5652AW", "NL"]) {
        address.set(*part, text).unwrap();
    }
    address
}

fn contact(number: u128, name: &str, primary: bool) -> Contact {
    Contact {
        contact_id: ContactId::from_uuid(id(number)),
        first_name: Some(Text::parse(name).unwrap()),
        last_name: Some(Text::parse("Janssen").unwrap()),
        job_title: Some(Text::parse("CEO").unwrap()),
        email: Some(Email::parse("jan@company.nl").unwrap()),
        phone: Some(Phone::parse("+31(0)123456789", "12").unwrap()),
        primary,
        unknown: UnknownFields::default(),
    }
}

pub(super) fn profile() -> Profile {
    let tax_ids = [("NL006486253B01", "Netherlands"), ("17048595", "")];
    Profile {
        legal_name: Some(Text::parse("Copaco Netherlands B.V.").unwrap()),
        registration_number: Some(Text::parse("17048595").unwrap()),
        tax_ids: TaxIds::try_new(tax_ids.map(|(value, country)| TaxId::parse(value, country).unwrap()).into()).unwrap(),
        currency: Some(Text::parse("Euro").unwrap()),
        industry: Some(Text::parse("Non-profit").unwrap()),
        primary_address: address("Hoevenweg 21"),
        billing_address: address("Kanaaldijk 1"),
        shipping_address: address("Havenkade 3"),
        contacts: Contacts::try_new(vec![contact(6, "Jan", true), contact(7, "Piet", false)]).unwrap(),
        email: Some(Email::parse("info@company.nl").unwrap()),
        billing_email: Some(Email::parse("bills@company.nl").unwrap()),
        phone: Some(Phone::parse("+31 40 250 5000", "12").unwrap()),
        fax: Some(Phone::parse("+31 40 250 5001", "").unwrap()),
        // The empty value was stored when there could be one.
        labels: serde_json::from_str(r#"{"tier": "gold", "cost-centre": ""}"#).unwrap(),
        language: Some(Language::parse("nl-NL").unwrap()),
        unknown: UnknownFields::default(),
    }
}

pub(super) fn hold() -> Hold {
    Hold {
        hold_id: HoldId::from_uuid(id(8)),
        kind: Text::parse("open-orders").unwrap(),
        reason: Text::parse("two to deliver").unwrap(),
        placed_at: at(3),
        placed_by: principal("order-service"),
        unknown: UnknownFields::default(),
    }
}

pub(super) fn references() -> References {
    [(Field::BranchId, Some(id(4))), (Field::SalesPersonId, Some(id(3)))].into_iter().collect()
}

pub(super) fn migration() -> Migration {
    Migration {
        account: AccountId::from_uuid(id(9)),
        from: AccountId::from_uuid(id(2)),
        at: at(4),
        references: references(),
        reverted_at: Some(at(5)),
        unknown: UnknownFields::default(),
    }
}

pub(super) fn customer() -> Customer {
    Customer {
        id: CustomerId::from_uuid(id(10)),
        owner: AccountId::from_uuid(id(2)),
        path: path(),
        revision: 7,
        fields: CustomerFields {
            customer_type: CustomerType::Business,
            service_class: ServiceClass::Residential,
            reach: Reach::Fleet,
            name: Name::parse("Copaco").unwrap(),
            origin: Origin::Marketplace,
            references: references(),
            order_reference: Some(Text::parse("order-1").unwrap()),
            profile: Box::new(profile()),
        },
        status: Status::Suspended { reason: StatusReason::parse("unpaid").unwrap() },
        archived_at: Some(at(6)),
        holds: vec![hold()],
        payment: PaymentSummary { default: Some(payment_method().id), count: 2 },
        migration: Some(migration()),
        rate_plan: Some(RatePlanId::from_uuid(id(11))),
        billing: billing::tests::billing(),
        created: Stamp { at: at(2), by: principal("ada") },
        updated: Stamp { at: at(6), by: principal("max") },
    }
}
