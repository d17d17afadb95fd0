//! The forms of the five portals of docs/portals.md, filled in as their users do. `.ci/walk` runs the page itself; here every field of
//! a form comes back as it was given, or as its code.

use std::collections::BTreeSet;

use clientele::grpc::pb::{self, CustomerStatus};
use tonic::Code;

use crate::{
    billing::{activate, active, assign, create_plan, credit, eur, plan, set_limit, telecom},
    create_branch,
    payment_methods::{add, adding, card},
    world::{Client, World, assert_refused, customer, metadata, missing, requiring},
};

fn address(line1: &str, city: &str, state: &str, postal_code: &str, country: &str) -> Option<pb::Address> {
    let [line1, city, state, postal_code, country] = [line1, city, state, postal_code, country].map(str::to_owned);
    Some(pb::Address { line1, city, state, postal_code, country, ..Default::default() })
}

fn phone(number: &str) -> Option<pb::Phone> {
    Some(pb::Phone { number: number.to_owned(), ..Default::default() })
}

/// The personal portal's example, as it is printed.
pub fn copaco() -> pb::Customer {
    pb::Customer {
        legal_name: "Copaco Netherlands B.V.".to_owned(),
        custom_ids: [("erp".to_owned(), "123".to_owned())].into(),
        registration_number: "17048595".to_owned(),
        tax_ids: vec![pb::TaxId { value: "NL006486253B01".to_owned(), ..Default::default() }],
        currency: "Euro".to_owned(),
        industry: "Non-profit".to_owned(),
        primary_address: address("Hoevenweg 21", "Eindhoven", "Noord Brabant", "5652AW", "Netherlands"),
        contacts: vec![pb::Contact {
            first_name: "Jan".to_owned(),
            last_name: "Janssen".to_owned(),
            job_title: "CEO".to_owned(),
            email: "Jan.Janssen@company.nl".to_owned(),
            phone: phone("+31(0)123456789"),
            ..Default::default()
        }],
        ..customer("Copaco")
    }
}

async fn found(client: &Client, request: pb::SearchCustomersRequest) -> BTreeSet<String> {
    let results = client.customers().search_customers(request).await.unwrap().into_inner().results;
    results.into_iter().map(|result| result.customer.unwrap().name).collect()
}

#[tokio::test]
async fn the_cloud_marketplaces_forms() {
    let world = World::start().await;
    let required = ["primary_address.line1", "primary_address.city", "primary_address.country", "email", "phone"];
    let policies = pb::AccountPolicies { custom_id_role: pb::Role::Member.into(), ..requiring(&required, &[]) };
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, policies).await;
    let branch_id = acme.branch("Rotterdam").await;
    let sales_person_id = acme.add("moritz", pb::Role::Member).await.member_id;
    let member = acme.member(pb::Role::Member).await;
    // The control panel: a company and its branch; an order: a person and who sold.
    let company = pb::Customer {
        r#type: pb::CustomerType::Business.into(),
        origin: pb::Origin::ControlPanel.into(),
        custom_ids: [("default".to_owned(), "CU-1001".to_owned())].into(),
        primary_address: address("Wijnhaven 3", "Rotterdam", "", "3011 WH", "Netherlands"),
        email: "it@harbour.example".to_owned(),
        phone: phone("010 123 45 67"),
        branch_id,
        ..customer("Harbour Logistics")
    };
    let person = pb::Customer {
        r#type: pb::CustomerType::Personal.into(),
        origin: pb::Origin::Marketplace.into(),
        custom_ids: [("default".to_owned(), "CU-1002".to_owned())].into(),
        order_reference: "MP-7781".to_owned(),
        primary_address: address("Oudegracht 12", "Utrecht", "", "", "NL"),
        email: "noor@example.com".to_owned(),
        phone: phone("+31 6 12345678"),
        sales_person_id,
        ..customer("Noor de Wit")
    };
    for form in [company, person] {
        let made = member.create(form.clone()).await.unwrap();
        assert_eq!((made.r#type, made.origin), (form.r#type, form.origin));
        assert_eq!((&made.custom_ids, &made.email), (&form.custom_ids, &form.email));
        assert_eq!((&made.branch_id, &made.sales_person_id), (&form.branch_id, &form.sales_person_id));
        let (made_at, form_at) = (made.primary_address.as_ref().unwrap(), form.primary_address.as_ref().unwrap());
        assert_eq!((&made_at.line1, &made_at.city, made_at.country.as_str()), (&form_at.line1, &form_at.city, "NL"));
        assert!(made.phone.as_ref().unwrap().e164.starts_with("+31"));
        assert_eq!(made.status(), CustomerStatus::Active);
    }
    let refused = member.create(customer("Half a form")).await;
    let refused = assert_refused(refused, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
    assert_eq!(missing(&refused), Some(required.join(",")));
    // One from before the feature is found, and filled in by any member.
    let old = pb::Customer {
        primary_address: address("Kade 1", "Delft", "", "", "NL"),
        email: "old@x.example".to_owned(),
        phone: phone("+31 15 123 45 67"),
        ..customer("Old")
    };
    let old = member.create(old).await.unwrap().id;
    let lacking = || pb::SearchCustomersRequest { lacks_custom_id_system: "default".to_owned(), ..Default::default() };
    assert_eq!(found(&member, lacking()).await, BTreeSet::from(["Old".to_owned()]));
    let filled = member.set_id(&old, "default", "CU-0001").await.unwrap();
    assert_eq!(filled.custom_ids["default"], "CU-0001");
    assert!(found(&member, lacking()).await.is_empty());
}

#[tokio::test]
async fn the_reseller_portals_forms() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, requiring(&[], &["email"])).await;
    let quick = acme.member(pb::Role::Member).await;
    let mut ids = Vec::new();
    for name in ["Bakery One", "Bakery Two", "Big Bakery"] {
        let form = pb::Customer { email: "hello@bakery.example".to_owned(), ..customer(name) };
        let made = quick.create(form).await.unwrap();
        assert_eq!(made.status(), CustomerStatus::Active, "name and email are enough");
        ids.push(made.id);
    }
    // Later: contact, shipping, company details, payment method.
    let later = pb::Customer {
        id: ids[0].clone(),
        contacts: vec![pb::Contact {
            first_name: "Bea".to_owned(),
            email: "bea@bakery.example".to_owned(),
            phone: phone("+31 20 555 0123"),
            ..Default::default()
        }],
        shipping_address: address("Loading dock 2", "Amsterdam", "Noord-Holland", "1012ab", "NL"),
        legal_name: "Bakery One B.V.".to_owned(),
        registration_number: "KvK 17048595".to_owned(),
        tax_ids: vec![pb::TaxId { value: "NL006486253B01".to_owned(), ..Default::default() }],
        ..Default::default()
    };
    let paths = ["contacts", "shipping_address", "legal_name", "registration_number", "tax_ids"];
    let made = quick.update(later, &paths).await.unwrap();
    let shipping = made.shipping_address.unwrap();
    assert_eq!((shipping.state.as_str(), shipping.postal_code.as_str()), ("NL-NH", "1012 AB"));
    assert!(made.contacts[0].primary && made.tax_ids[0].check() == pb::TaxIdCheck::ChecksumOk);
    let paid = pb::AddPaymentMethodRequest { payment_method: Some(card()), ..adding(&ids[0]) };
    let method = add(&quick, &paid).await.unwrap().payment_method.unwrap();
    assert_eq!(quick.get(&ids[0]).await.unwrap().default_payment_method_id, method.id);
    // Many at once: a new tag, a filter by it, the archive and back.
    let two: Vec<&str> = ids[..2].iter().map(String::as_str).collect();
    quick.tag(&two, &["Bakeries"], &[]).await.unwrap();
    let tagged = || pb::SearchCustomersRequest {
        tags: Some(pb::TagFilter { all_of: vec!["bakeries".to_owned()], ..Default::default() }),
        ..Default::default()
    };
    let both: BTreeSet<String> = ["Bakery One", "Bakery Two"].map(str::to_owned).into();
    assert_eq!(found(&quick, tagged()).await, both);
    quick.archive(&two).await.unwrap();
    assert!(found(&quick, tagged()).await.is_empty());
    let archived = pb::SearchCustomersRequest { archived: pb::ArchivedFilter::Only.into(), ..tagged() };
    assert_eq!(found(&quick, archived).await, both, "nothing was deleted");
    quick.unarchive(&two).await.unwrap();
    assert_eq!(found(&quick, tagged()).await, both);
    // The large one gets a portal of its own.
    let moved = acme.admin.migrate(&ids[2]).await.unwrap();
    let moved = moved.customer.unwrap();
    assert!(moved.account_id != acme.account && moved.reseller_account_id == moved.account_id);
}

#[tokio::test]
async fn the_personal_portals_form_as_it_is_printed() {
    let world = World::start().await;
    let approval = [
        "legal_name",
        "custom_ids.erp",
        "registration_number",
        "tax_ids",
        "currency",
        "industry",
        "primary_address.line1",
        "primary_address.postal_code",
        "primary_address.city",
        "primary_address.country",
        "primary_contact.first_name",
        "primary_contact.last_name",
        "primary_contact.job_title",
        "primary_contact.email",
        "primary_contact.phone",
    ];
    let policies = pb::AccountPolicies {
        auto_approve: Some(false),
        create_role: pb::Role::Admin.into(),
        ..requiring(&["legal_name"], &approval)
    };
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, policies).await;
    // The form draws itself from two calls.
    let account = pb::GetAccountRequest { account_id: acme.account.clone() };
    let account = acme.admin.accounts().get_account(account).await.unwrap().into_inner().account.unwrap();
    let shown = account.policies.unwrap();
    assert_eq!(shown.required_to_approve.unwrap().paths.len(), approval.len());
    let menus = pb::ListReferenceDataRequest { country: "Netherlands".to_owned() };
    let menus = acme.admin.accounts().list_reference_data(menus).await.unwrap().into_inner();
    assert!(menus.states.iter().any(|state| state.code == "NL-NB") && menus.currencies.len() > 100);
    assert!(menus.industries.iter().any(|industry| industry.code == "non-profit"));
    let form = copaco();
    let member = acme.member(pb::Role::Member).await;
    assert_refused(member.create(form.clone()).await, Code::PermissionDenied, "ROLE_TOO_LOW");

    let made = acme.admin.create(form).await.unwrap();

    assert_eq!((made.currency.as_str(), made.industry.as_str()), ("EUR", "non-profit"));
    let home = made.primary_address.as_ref().unwrap();
    let home = [&home.line1, &home.city, &home.state, &home.postal_code, &home.country];
    assert_eq!(home, ["Hoevenweg 21", "Eindhoven", "NL-NB", "5652 AW", "NL"]);
    assert_eq!(
        (made.tax_ids[0].value.as_str(), made.tax_ids[0].check()),
        ("NL006486253B01", pb::TaxIdCheck::ChecksumOk)
    );
    let jan = &made.contacts[0];
    let called = jan.phone.as_ref().unwrap();
    assert_eq!((called.number.as_str(), called.e164.as_str()), ("+31(0)123456789", "+31123456789"));
    assert!(!called.valid && jan.primary, "possible, and in no range in use: accepted and flagged");
    assert_eq!((made.status(), made.missing_for_approval.len()), (CustomerStatus::Pending, 0));
    let pending = pb::SearchCustomersRequest { statuses: vec![CustomerStatus::Pending.into()], ..Default::default() };
    assert_eq!(found(&acme.admin, pending).await, BTreeSet::from(["Copaco".to_owned()]));
    assert!(made.allowed_actions.contains(&"ApproveCustomer".to_owned()));
    assert_eq!(acme.admin.approve(&made.id).await.unwrap().status(), CustomerStatus::Active);
}

#[tokio::test]
async fn the_telecom_portals_form() {
    let world = World::start().await;
    let (acme, standard) = telecom(&world).await;
    let rule = pb::UpdateAccountRequest {
        account: Some(pb::Account {
            id: acme.account.clone(),
            name_uniqueness: pb::NameUniqueness::Tenant.into(),
            policies: Some(requiring(&["billing_email"], &[])),
            ..Default::default()
        }),
        update_mask: Some(crate::world::mask(&["name_uniqueness", "policies.required_to_create"])),
        ..Default::default()
    };
    acme.admin.accounts().update_account(rule).await.unwrap();
    let value = create_plan(&acme.admin, plan("Value", &[("voicemail", 1), ("trunk", 8)])).await.unwrap();
    let policies = || Some(requiring(&["billing_email"], &[]));
    let (north, south) = (acme.child_with("north", policies()).await, acme.child_with("south", policies()).await);
    let form = |name: &str, class: pb::ServiceClass| pb::Customer {
        service_class: class.into(),
        billing_email: "bills@x.example".to_owned(),
        ..customer(name)
    };
    let business = north.admin.create(form("Acme Trading", pb::ServiceClass::Normal)).await.unwrap();
    assert_eq!((business.billing_email.as_str(), &business.rate_plan_id), ("bills@x.example", &standard.id));
    let chosen = pb::Customer {
        rate_plan_id: value.id.clone(),
        credit_limit: Some(eur(25)),
        ..form("Family Jones", pb::ServiceClass::Residential)
    };
    let family = north.admin.create(chosen).await.unwrap();
    assert_eq!((&family.rate_plan_id, credit(&family).0), (&value.id, Some(25)));
    let twice = south.admin.create(form("ACME  trading", pb::ServiceClass::Normal)).await;
    let twice = assert_refused(twice, Code::AlreadyExists, "NAME_TAKEN");
    assert_eq!(metadata(&twice, "field").as_deref(), Some("customer.name"));
    let without = south.admin.create(customer("No bills")).await;
    let without = assert_refused(without, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
    assert_eq!(missing(&without).as_deref(), Some("billing_email"));
    // A credit limit comes before chargeable features; RESIDENTIAL has a limited set.
    let refused = activate(&north.admin, &business.id, "trunk", 1).await;
    assert!(refused.is_err(), "{refused:?}");
    set_limit(&north.admin, &business.id, Some(eur(25))).await.unwrap();
    let sold = activate(&north.admin, &business.id, "trunk", 2).await.unwrap();
    assert_eq!((active(&sold), credit(&sold)), (vec![("trunk", 2)], (Some(25), Some(20), Some(5))));
    let refused = activate(&north.admin, &family.id, "trunk", 1).await;
    assert_refused(refused, Code::FailedPrecondition, "FEATURE_NOT_FOR_SERVICE_CLASS");
    assert_eq!(active(&activate(&north.admin, &family.id, "voicemail", 1).await.unwrap()), [("voicemail", 1)]);
    assign(&north.admin, &business.id, &value.id).await.unwrap();
    assert_eq!(north.admin.get(&business.id).await.unwrap().rate_plan_id, value.id);
    // One customer at a time, from the account at the top.
    let switched = acme.admin.narrowed_to(&business.id);
    let all = pb::SearchCustomersRequest { include_descendants: true, ..Default::default() };
    assert_eq!(found(&acme.admin, all.clone()).await.len(), 2);
    assert_eq!(found(&switched, all).await, BTreeSet::from(["Acme Trading".to_owned()]));
    assert_refused(switched.get(&family.id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
}

#[tokio::test]
async fn the_dealer_portals_form() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, requiring(&["custom_ids.dms"], &[])).await;
    let branch_id = create_branch::branch(&acme.admin, "East Yard", true).await.unwrap().id;
    let (member, manager) = (acme.member(pb::Role::Member).await, acme.member(pb::Role::ServiceManager).await);
    let form = pb::Customer {
        custom_ids: [("dms".to_owned(), "004711".to_owned())].into(),
        branch_id,
        primary_address: address("Havenstraat 8", "Zwolle", "Overijssel", "", "NL"),
        email: "plan@groen.example".to_owned(),
        phone: Some(pb::Phone { number: "038 123 4567".to_owned(), extension: "12".to_owned(), ..Default::default() }),
        fax: phone("+31 38 123 4568"),
        ..customer("Groen Transport")
    };
    let query = |query: &str, field: pb::SearchField| pb::SearchCustomersRequest {
        query: query.to_owned(),
        field: field.into(),
        ..Default::default()
    };
    assert!(found(&member, query("groen", pb::SearchField::All)).await.is_empty(), "search first");
    let made = member.create(form).await.unwrap();
    let called = made.phone.as_ref().unwrap();
    assert_eq!((called.extension.as_str(), called.e164.as_str()), ("12", "+31381234567"));
    assert_eq!((made.fax.as_ref().unwrap().e164.as_str(), made.dms_link()), ("+31381234568", pb::DmsLink::Linked));
    for (text, field) in [
        ("transp", pb::SearchField::Name),
        ("zwol", pb::SearchField::City),
        ("over", pb::SearchField::State),
        ("0047", pb::SearchField::Number),
        ("zwolle 004711", pb::SearchField::All),
    ] {
        assert_eq!(found(&member, query(text, field)).await, BTreeSet::from(["Groen Transport".to_owned()]), "{text}");
    }
    let nameless = pb::Customer { name: String::new(), ..customer("") };
    let refused = assert_refused(member.create(nameless).await, Code::InvalidArgument, "INVALID_FIELDS");
    let fields = crate::world::bad_fields(&refused);
    assert!(fields.contains(&"customer.name".to_owned()) && fields.contains(&"customer.custom_ids.dms".to_owned()));
    // LOCAL: a service manager changes a number. FLEET: anybody fills in a blank one.
    assert_refused(member.set_id(&made.id, "dms", "004712").await, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(manager.set_id(&made.id, "dms", "004712").await.unwrap().custom_ids["dms"], "004712");
    let dealer = acme.child("dealer").await;
    let seller = dealer.member(pb::Role::Member).await;
    let fleet = pb::Customer {
        reach: pb::Reach::Fleet.into(),
        custom_ids: [("dms".to_owned(), "F-1".to_owned())].into(),
        ..customer("Rental Fleet")
    };
    let fleet = acme.admin.create(fleet).await.unwrap().id;
    assert_eq!(seller.set_id(&fleet, "dms", "009000").await.unwrap().custom_ids["dms"], "009000");
    assert_refused(seller.set_id(&fleet, "dms", "009001").await, Code::PermissionDenied, "ROLE_TOO_LOW");
}
