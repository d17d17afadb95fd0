//! The stored formats, each with a golden file: a change of one changes what other releases read.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::samples;
use crate::domain::{
    access::membership::Membership,
    accounts::policies::{Policies, PolicyChoices},
    billing::{self, customer_billing::Billing, samples::payment_method, terms::Terms},
    customers::{
        command::{Command, DecisionInputs},
        customer::{Change, Customer},
        hold::Hold,
        migration::{FirstAdmin, Migration, MigrationPlan},
    },
    fields::{edit::Edit, field::Field, profile::Profile, references::References},
    history::{
        event::{Changes, Delta},
        event_type::EventType,
    },
    reference::industries::Industries,
    refusal::Refusal,
    requests::{
        answer::{Answer, BatchOutcome, KINDS, Tenant},
        principal::Principal,
    },
    values::{
        address::{Address, AddressKind, AddressPart},
        contacts::{Contacts, SentContacts},
        custom_id::CustomIds,
        enums::{NameUniqueness, Role},
        ids::TenantId,
        phone::Phone,
        tax_id::{TaxId, TaxIds},
    },
};

mod unknown_words;

/// The document as it is stored. It is read back as the same value.
fn stored<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> Value {
    let stored = serde_json::to_value(value).unwrap();
    assert_eq!(serde_json::from_value::<T>(stored.clone()).unwrap(), *value);
    stored
}

#[test]
fn every_stored_document_has_the_fields_of_its_golden_file() {
    let mut reverted = samples::migration();
    (reverted.references, reverted.reverted_at) = (References::default(), None);
    insta::assert_json_snapshot!("profile", stored(&samples::profile()));
    insta::assert_json_snapshot!("profile_empty", stored(&Profile::default()));
    insta::assert_json_snapshot!("billing", stored(&billing::tests::billing()));
    insta::assert_json_snapshot!("holds", stored(&vec![samples::hold()]));
    insta::assert_json_snapshot!("migrations", stored(&vec![samples::migration(), reverted]));
    insta::assert_json_snapshot!("custom_ids", stored(&samples::custom_ids()));
    insta::assert_json_snapshot!("principals", stored(&vec![samples::principal("ada"), samples::principal("max")]));
    insta::assert_json_snapshot!("policies", stored(&samples::policies()));
    insta::assert_json_snapshot!("policies_default", stored(&Policies::default()));
    let industries = [("kfz", "Kraftfahrzeuge"), ("bau", "Bau")].map(|(code, name)| (code.to_owned(), name.to_owned()));
    insta::assert_json_snapshot!("industries", stored(&Industries::parse(&industries).unwrap()));
}

#[test]
fn the_changes_of_events_are_stored_as_their_golden_file_has_them() {
    let (customer, branch, tag) = (samples::customer(), samples::branch(), samples::tag());
    let owner = crate::domain::values::ids::AccountId::from_uuid(samples::id(9));
    let mut moved = Customer { owner, archived_at: None, ..customer.clone() };
    moved.fields.references.set(Field::BranchId, None);
    let all = [
        ("of_new", Changes::of_new(&customer)),
        ("of_move", Changes::of_move(&customer, &moved)),
        ("of_custom_ids", Changes::of_custom_ids(&CustomIds::new(), &samples::custom_ids())),
        ("of_tags", Changes::of_tags(&[], std::slice::from_ref(&tag))),
        ("of_tag", Changes::of_tag(Some(&tag), None)),
        ("of_branch", Changes::of_branch(None, &branch)),
        ("of_member", Changes::of_member(Some(&samples::member()), None)),
        ("of_feature", Changes::of_feature(None, &billing::tests::feature())),
        ("of_rate_plan", Changes::of_rate_plan(None, &billing::tests::rate_plan())),
    ];
    insta::assert_json_snapshot!("event_changes", all.map(|(name, changes)| json!({name: stored(&changes)})));
    let words: Vec<&str> = EventType::KNOWN.iter().map(|event_type| event_type.as_str()).collect();
    insta::assert_json_snapshot!("event_types", words);
    let partial: Delta = serde_json::from_value(json!({"new": 1, "of_newer_release": true})).unwrap();
    assert_eq!(partial, Delta { old: Value::Null, new: 1.into() });
}

/// One of each kind.
fn answers() -> Vec<Answer> {
    let (customer, link, account, member) =
        (samples::customer(), samples::link(), samples::account(), samples::member());
    let plan = MigrationPlan {
        account: Some(account.clone()),
        admin: Some(FirstAdmin::Principal(samples::principal("max"))),
        tags: vec![samples::tag().name],
        custom_ids: samples::custom_ids(),
        references: samples::references(),
        rate_plan: Some(billing::tests::rate_plan().id),
        replaced_rate_plan: None,
    };
    let outcome = BatchOutcome { customer: customer.id, changed: true, revision: 7, link_revision: 2 };
    let tenant_id = TenantId::from_uuid(samples::id(1));
    let tenant = Tenant {
        id: tenant_id,
        name: "Noordzee".to_owned(),
        name_uniqueness: NameUniqueness::Tenant,
        created_at: samples::at(0),
        suspended_at: None,
    };
    let suspended = Tenant { suspended_at: Some(samples::at(1)), ..tenant.clone() };
    vec![
        Answer::Customer { customer: customer.clone(), link: link.clone(), duplicates: Vec::new() },
        Answer::Batch { touched: vec![outcome] },
        Answer::Migrated { customer, link, plan },
        Answer::Account { account: account.clone(), admin: Some(member.clone()), invitation: None },
        Answer::Tenant { tenant, account, admin: member.clone() },
        Answer::Member { member: member.clone() },
        Answer::Membership { membership: Membership::of(tenant_id, "Noordzee".to_owned(), &member) },
        Answer::Invitation { invitation: samples::invitation() },
        Answer::Branch { branch: samples::branch() },
        Answer::Tag { tag: samples::tag() },
        Answer::TagDeleted { customers: 7 },
        Answer::TenantChanged { tenant: suspended },
        Answer::BranchDeleted {},
        Answer::PaymentMethod { customer: samples::customer(), link: samples::link(), method: payment_method() },
        Answer::Feature { feature: billing::tests::feature() },
        Answer::RatePlan { plan: billing::tests::rate_plan() },
        Answer::RatePlans { order: vec![billing::tests::rate_plan().id] },
    ]
}

#[test]
fn every_answer_is_stored_as_its_golden_file_has_it() {
    let answers = answers();
    assert_eq!(answers.len(), KINDS.len());
    for (answer, kind) in answers.into_iter().zip(KINDS) {
        let stored = answer.to_stored().unwrap();
        assert_eq!(stored["of"], kind);
        insta::assert_json_snapshot!(format!("answer_{kind}"), stored);
        let read = Answer::stored(stored).unwrap();
        if let Answer::Customer { customer, .. } = &read {
            assert!(!customer.fields.profile.has_unknown(), "fields beside the profile are known");
        }
        assert_eq!(read, answer);
    }
    let invited = FirstAdmin::Invited(samples::invitation().email);
    assert_eq!(stored(&invited), json!({"invited": "Nora.Hale@north.example"}));
}

/// What a newer release may have added to any object.
const ADDED: &str = "of_newer_release";

/// Places in a document where an object is that has fields of ours; the keys of labels and custom IDs are the clients'.
fn objects(document: &Value, at: &str, found: &mut Vec<String>) {
    match document {
        Value::Object(fields) if !at.ends_with("/labels") => {
            found.push(at.to_owned());
            fields.iter().for_each(|(name, value)| objects(value, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(place, item)| objects(item, &format!("{at}/{place}"), found));
        }
        _ => {}
    }
}

/// The document with a field added at each of its objects, and how many those are.
fn with_added(mut document: Value) -> (Value, Vec<String>) {
    let mut places = Vec::new();
    objects(&document, "", &mut places);
    for place in &places {
        document.pointer_mut(place).unwrap()[ADDED] = json!({"at": place, "list": [1, null, "ß"]});
    }
    (document, places)
}

fn rewritten<T: Serialize + DeserializeOwned>(document: &Value) -> Value {
    serde_json::to_value(serde_json::from_value::<T>(document.clone()).unwrap()).unwrap()
}

#[test]
fn added_fields_survive_in_every_object_of_the_documents_that_updates_rewrite() {
    let (profile, places) = with_added(stored(&samples::profile()));
    assert_eq!(places.len(), 12, "{places:?}");
    assert_eq!(rewritten::<Profile>(&profile), profile);
    let (holds, places) = with_added(stored(&vec![samples::hold()]));
    assert_eq!(places, ["/0", "/0/placed_by"]);
    assert_eq!(rewritten::<Vec<Hold>>(&holds), holds);
    let mut billing = stored(&billing::tests::billing());
    for place in ["", "/features/voicemail", "/features/voicemail/by"] {
        billing.pointer_mut(place).unwrap()[ADDED] = json!([1, null]);
    }
    assert_eq!(rewritten::<Billing>(&billing), billing);
    let (migration, _) = with_added(stored(&samples::migration()));
    assert_eq!(rewritten::<Migration>(&migration), migration);
    let (policies, _) = with_added(stored(&samples::policies()));
    assert_eq!(rewritten::<Policies>(&policies), policies);
    let (principal, _) = with_added(stored(&samples::principal("ada")));
    assert_eq!(rewritten::<Principal>(&principal), principal);
}

#[test]
fn a_new_account_gets_its_parents_policies_with_what_this_release_does_not_know() {
    let (mut parent, _) = with_added(stored(&samples::policies()));
    parent["required_to_create"] = json!(["email", "loyalty_tier", "name"]);
    parent["create_role"] = json!("OWNER");
    let read: Policies = serde_json::from_value(parent.clone()).unwrap();
    assert_eq!(serde_json::to_value(PolicyChoices::default().over(&read)).unwrap(), parent);
    assert!(matches!(read.must_be_known(), Err(Refusal::ValueOfNewerRelease(_))));
    assert!(matches!(read.create_role.role(), Err(Refusal::RoleOfNewerRelease(_))));
    assert_eq!(read.custom_id_role.role(), Ok(Role::Member));
    let chosen = PolicyChoices { create_role: Some(Role::Admin), ..PolicyChoices::default() }.over(&read);
    assert_eq!(chosen.create_role.role(), Ok(Role::Admin));
}

#[test]
fn a_profile_knows_each_added_field_and_drops_it_from_what_is_shown() {
    let known = stored(&samples::profile());
    assert!(!samples::profile().has_unknown());
    let (_, places) = with_added(known.clone());
    for place in places {
        let mut document = known.clone();
        document.pointer_mut(&place).unwrap()[ADDED] = Value::Null;
        let mut profile: Profile = serde_json::from_value(document).unwrap();
        assert!(profile.has_unknown(), "{place}");
        profile.drop_unknown();
        assert_eq!(serde_json::to_value(&profile).unwrap(), known, "{place}");
    }
}

/// A customer whose profile has added fields everywhere, after an update; its profile as it would be stored.
fn updated(edits: Vec<Edit>) -> (Value, Value) {
    let mut customer = samples::customer();
    let (before, _) = with_added(stored(&customer.fields.profile));
    customer.fields.profile = serde_json::from_value(before.clone()).unwrap();
    let acting = samples::account();
    let inputs = DecisionInputs {
        policies: &Policies::default(),
        owner_ids: &samples::custom_ids(),
        acting: &acting,
        terms: &Terms::default(),
    };
    let change = Command::Update(edits).decide(&mut customer, inputs, samples::at(9));
    assert_eq!(change, Ok(Change::Made(EventType::Updated)));
    (before, serde_json::to_value(&customer.fields.profile).unwrap())
}

#[test]
fn added_fields_stay_with_the_contacts_tax_ids_phones_and_addresses_that_an_update_keeps() {
    let plain = samples::profile();
    let mut contacts = plain.contacts.as_slice().to_vec();
    contacts.reverse();
    contacts[0].first_name = None;
    let contacts = Contacts::try_new(contacts).unwrap();
    let tax_ids = [("1", ""), ("17048595", "")].map(|(value, country)| TaxId::parse(value, country).unwrap());
    let mut address = Address::default();
    address.set(AddressPart::City, "Utrecht").unwrap();
    let mut line = Address::default();
    line.set(AddressPart::City, "Breda").unwrap();
    let (before, after) = updated(vec![
        Edit::Contacts(SentContacts { contacts, named: vec![0, 1] }),
        Edit::TaxIds(TaxIds::try_new(tax_ids.into()).unwrap()),
        Edit::Phone(Some(Phone::parse("+31 40 250 5000", "").unwrap())),
        Edit::Fax(Some(Phone::parse("+31 40 250 5009", "").unwrap())),
        Edit::Address(AddressKind::Primary, Address::default()),
        Edit::Address(AddressKind::Billing, address),
        Edit::AddressPart(AddressKind::Shipping, AddressPart::City, line),
    ]);
    let added = |document: &Value, place: &str| document.pointer(place).unwrap().get(ADDED).cloned();
    for (now, then) in [
        ("", ""),
        ("/contacts/0", "/contacts/1"),
        ("/contacts/0/phone", "/contacts/1/phone"),
        ("/contacts/1", "/contacts/0"),
        ("/tax_ids/1", "/tax_ids/1"),
        ("/phone", "/phone"),
        ("/billing_address", "/billing_address"),
        ("/shipping_address", "/shipping_address"),
    ] {
        assert!(added(&before, then).is_some(), "{then}");
        assert_eq!(added(&after, now), added(&before, then), "{now}");
    }
    for new in ["/tax_ids/0", "/fax"] {
        assert_eq!(added(&after, new), None, "{new}: it is another one");
    }
    assert_eq!(after.pointer("/primary_address"), None, "it was cleared");
    assert_eq!(after.pointer("/shipping_address/city"), Some(&json!("Breda")));
}

#[test]
fn events_do_not_show_added_fields() {
    let mut customer = samples::customer();
    let plain = Changes::of_new(&customer);
    let (profile, _) = with_added(stored(&customer.fields.profile));
    customer.fields.profile = serde_json::from_value(profile).unwrap();
    assert_eq!(Changes::of_new(&customer), plain);
}
