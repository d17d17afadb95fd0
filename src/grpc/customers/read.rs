//! A customer as clients write it, field by field: the same reading for a new customer and for an update's mask.

use crate::{
    domain::{
        fields::{
            customer_fields::CustomerFields,
            edit::Edit,
            field::{Field, FieldPath},
            profile::Profile,
        },
        values::{
            address::{Address, AddressKind, AddressPart},
            contact::{Contact, Contacts, Outline},
            custom_id::{CustomId, CustomIds, MAX_SYSTEMS, System},
            email::Email,
            enums::{CustomerType, Origin, Reach, ServiceClass},
            ids::{BranchId, ContactId, MemberId},
            label::{LabelValue, Labels},
            language::Language,
            name::Name,
            phone::Phone,
            tax_id::{TaxId, TaxIds},
            text::{Text, optional},
            violation::{Rule, Violations},
        },
    },
    grpc::pb,
    service::{clock, customers::NewCustomer},
};

/// Paths of one mask.
const MAX_PATHS: usize = 100;

/// Reads a new customer.
pub(super) fn draft(customer: Option<pb::Customer>) -> Result<NewCustomer, Violations> {
    let customer = customer.ok_or_else(|| Violations::of("customer", Rule::new("must be given")))?;
    let mut violations = Violations::default();
    let name = violations.check("customer.name", Name::parse(&customer.name));
    let origin = violations.check("customer.origin", origin(customer.origin));
    let custom_ids = custom_ids(&mut violations, &customer);
    let edits: Vec<Edit> = Field::ALL
        .into_iter()
        .filter(|field| *field != Field::Name && !is_left_out(*field, &customer))
        .filter_map(|field| edit(&mut violations, &FieldPath::Whole(field), &customer))
        .collect();
    let parts = name.zip(origin).zip(custom_ids);
    let ((name, origin), custom_ids) = violations.finish(parts)?;
    let mut fields = CustomerFields {
        customer_type: CustomerType::default(),
        service_class: ServiceClass::default(),
        reach: Reach::default(),
        name,
        origin,
        branch: None,
        sales_person: None,
        order_reference: None,
        profile: Profile::default(),
    };
    for edit in edits {
        let of = |(field, rule): (Field, Rule)| Violations::of(format!("customer.{}", field.as_str()), rule);
        fields.apply(edit).map_err(of)?;
    }
    Ok(NewCustomer { fields, custom_ids })
}

/// Reads the fields that a mask names.
pub(super) fn edits(mask: Option<prost_types::FieldMask>, customer: &pb::Customer) -> Result<Vec<Edit>, Violations> {
    let raw = mask.map(|mask| mask.paths).unwrap_or_default();
    if raw.is_empty() || raw.len() > MAX_PATHS {
        let rule = Rule::with(format!("must name 1 to {MAX_PATHS} paths, such as name or primary_address.city"));
        return Err(Violations::of("update_mask", rule));
    }
    let mut violations = Violations::default();
    let mut paths: Vec<FieldPath> = Vec::with_capacity(raw.len());
    for (place, path) in raw.iter().enumerate() {
        let field = format!("update_mask.paths[{place}]");
        match FieldPath::parse_writable(path) {
            None => violations.push(field, unknown_path(path)),
            Some(path) if paths.contains(&path) => {}
            Some(path) if paths.iter().any(|other| other.overlaps(&path)) => {
                violations.push(field, Rule::new("must not name a field both as a whole and in part"));
            }
            Some(path) => paths.push(path),
        }
    }
    let edits = paths.iter().filter_map(|path| edit(&mut violations, path, customer)).collect();
    violations.finish(Some(edits))
}

fn unknown_path(path: &str) -> Rule {
    match path.split('.').next() {
        Some("custom_ids") => Rule::new("must not name custom_ids: UpdateCustomId changes them"),
        Some("status" | "status_reason" | "archived_at") => {
            Rule::new("must not name the status: ApproveCustomer, RejectCustomer and ArchiveCustomers change it")
        }
        Some("origin") => Rule::new("must not name origin: it is set at creation and stays"),
        Some("contacts" | "tax_ids" | "phone" | "fax") => Rule::new("must name this field as a whole, without a part"),
        _ => Rule::new("must be a field of Customer that can be written, such as name or primary_address.city"),
    }
}

/// Whether a new customer leaves the choice of this field to the default.
fn is_left_out(field: Field, customer: &pb::Customer) -> bool {
    match field {
        Field::Type => customer.r#type == 0,
        Field::ServiceClass => customer.service_class == 0,
        Field::Reach => customer.reach == 0,
        _ => false,
    }
}

/// Reads one field's new value; none if it breaks a rule, which is noted.
fn edit(violations: &mut Violations, path: &FieldPath, customer: &pb::Customer) -> Option<Edit> {
    let at = format!("customer.{path}");
    match path {
        FieldPath::Whole(field) => whole(violations, at, *field, customer),
        FieldPath::AddressPart(kind, part) => {
            let mut address = Address::default();
            let raw = address_of(*kind, customer).map_or("", |address| line(address, *part));
            violations.check(at, address.set(*part, raw)).map(|()| Edit::AddressPart(*kind, *part, address))
        }
        FieldPath::Label(key) => {
            let value = customer.labels.get(key.as_str());
            let value = violations.check(at, value.map(|value| LabelValue::parse(value)).transpose());
            value.map(|value| Edit::Label(key.clone(), value))
        }
        FieldPath::PrimaryContact(_) | FieldPath::CustomId(_) => None,
    }
}

fn whole(violations: &mut Violations, at: String, field: Field, customer: &pb::Customer) -> Option<Edit> {
    match field {
        Field::Type => violations.check(at, customer_type(customer.r#type)).map(Edit::Type),
        Field::ServiceClass => violations.check(at, service_class(customer.service_class)).map(Edit::ServiceClass),
        Field::Reach => violations.check(at, reach(customer.reach)).map(Edit::Reach),
        Field::Name => violations.check(at, Name::parse(&customer.name)).map(Edit::Name),
        Field::LegalName => violations.check(at, Text::parse_optional(&customer.legal_name)).map(Edit::LegalName),
        Field::RegistrationNumber => {
            violations.check(at, Text::parse_optional(&customer.registration_number)).map(Edit::RegistrationNumber)
        }
        Field::TaxIds => tax_ids(violations, &customer.tax_ids).map(Edit::TaxIds),
        Field::Currency => violations.check(at, Text::parse_optional(&customer.currency)).map(Edit::Currency),
        Field::Industry => violations.check(at, Text::parse_optional(&customer.industry)).map(Edit::Industry),
        Field::Address(kind) => {
            address(violations, &at, address_of(kind, customer)).map(|address| Edit::Address(kind, address))
        }
        Field::Contacts => contacts(violations, &customer.contacts).map(Edit::Contacts),
        Field::Email => violations.check(at, optional(&customer.email, Email::parse)).map(Edit::Email),
        Field::BillingEmail => {
            violations.check(at, optional(&customer.billing_email, Email::parse)).map(Edit::BillingEmail)
        }
        Field::Phone => phone(violations, &at, customer.phone.as_ref()).map(Edit::Phone),
        Field::Fax => phone(violations, &at, customer.fax.as_ref()).map(Edit::Fax),
        Field::BranchId => violations.check(at, optional(&customer.branch_id, BranchId::parse)).map(Edit::Branch),
        Field::SalesPersonId => {
            violations.check(at, optional(&customer.sales_person_id, MemberId::parse)).map(Edit::SalesPerson)
        }
        Field::OrderReference => {
            violations.check(at, Text::parse_optional(&customer.order_reference)).map(Edit::OrderReference)
        }
        Field::Labels => violations.nest("customer", Labels::parse(customer.labels.iter())).map(Edit::Labels),
        Field::Language => violations.check(at, optional(&customer.language, Language::parse)).map(Edit::Language),
    }
}

/// Reads custom IDs.
pub(super) fn custom_ids(violations: &mut Violations, customer: &pb::Customer) -> Option<CustomIds> {
    if customer.custom_ids.len() > MAX_SYSTEMS {
        let rule = Rule::with(format!("must be at most {MAX_SYSTEMS}; these are {}", customer.custom_ids.len()));
        violations.push("customer.custom_ids", rule);
        return None;
    }
    let mut ids = CustomIds::new();
    for (system, id) in &customer.custom_ids {
        // A key that is no system is not echoed: it may be anything.
        let Some(system) = violations.check("customer.custom_ids", System::parse(system)) else { continue };
        let field = format!("customer.custom_ids.{}", system.as_str());
        if let Some(id) = violations.check(field, CustomId::parse(id)) {
            ids.insert(system, id);
        }
    }
    Some(ids)
}

fn tax_ids(violations: &mut Violations, raw: &[pb::TaxId]) -> Option<TaxIds> {
    violations.nest("customer", TaxIds::check_count(raw.len()))?;
    let parsed: Vec<Option<TaxId>> = raw
        .iter()
        .enumerate()
        .map(|(place, pb::TaxId { value, country })| {
            violations.nest(&format!("customer.tax_ids[{place}]"), TaxId::parse(value, country))
        })
        .collect();
    let together = TaxIds::check(parsed.iter().map(Option::as_ref));
    match parsed.into_iter().collect() {
        Some(whole) => violations.nest("customer", TaxIds::try_new(whole)),
        None => violations.nest("customer", Err(together)),
    }
}

fn address_of(kind: AddressKind, customer: &pb::Customer) -> Option<&pb::Address> {
    match kind {
        AddressKind::Primary => customer.primary_address.as_ref(),
        AddressKind::Billing => customer.billing_address.as_ref(),
        AddressKind::Shipping => customer.shipping_address.as_ref(),
    }
}

fn line(address: &pb::Address, part: AddressPart) -> &str {
    match part {
        AddressPart::Line1 => &address.line1,
        AddressPart::Line2 => &address.line2,
        AddressPart::City => &address.city,
        AddressPart::State => &address.state,
        AddressPart::PostalCode => &address.postal_code,
        AddressPart::Country => &address.country,
    }
}

fn address(violations: &mut Violations, at: &str, raw: Option<&pb::Address>) -> Option<Address> {
    let mut address = Address::default();
    let mut whole = true;
    if let Some(raw) = raw {
        for part in AddressPart::ALL {
            let set = address.set(part, line(raw, part));
            whole &= violations.check(format!("{at}.{}", part.as_str()), set).is_some();
        }
    }
    whole.then_some(address)
}

fn phone(violations: &mut Violations, at: &str, raw: Option<&pb::Phone>) -> Option<Option<Phone>> {
    let Some(pb::Phone { number, extension }) = raw else { return Some(None) };
    violations.nest(at, Phone::parse_optional(number, extension))
}

fn contacts(violations: &mut Violations, raw: &[pb::Contact]) -> Option<Contacts> {
    violations.nest("customer", Contacts::check_count(raw.len()))?;
    let parsed: Vec<Option<Contact>> = raw
        .iter()
        .enumerate()
        .map(|(place, contact)| parse_contact(violations, &format!("customer.contacts[{place}]"), contact))
        .collect();
    match parsed.into_iter().collect() {
        Some(whole) => violations.nest("customer", Contacts::try_new(whole)),
        // What is wrong with them together is told too, as far as it can be said of what was sent.
        None => {
            let outlines: Vec<Outline> = raw.iter().map(outline).collect();
            violations.nest("customer", Err(Contacts::check(&outlines)))
        }
    }
}

fn outline(raw: &pb::Contact) -> Outline {
    Outline {
        contact_id: ContactId::parse(&raw.contact_id).ok(),
        is_somebody: [&raw.first_name, &raw.last_name, &raw.email].iter().any(|part| !part.trim().is_empty()),
        primary: raw.primary,
    }
}

fn parse_contact(violations: &mut Violations, at: &str, raw: &pb::Contact) -> Option<Contact> {
    // Every field is named: one that is added to the contract fails to compile here.
    let pb::Contact { contact_id, first_name, last_name, job_title, email, phone: number, primary } = raw;
    let field = |name: &str| format!("{at}.{name}");
    let id = if contact_id.is_empty() {
        Some(ContactId::from_uuid(clock::new_id()))
    } else {
        violations.check(field("contact_id"), ContactId::parse(contact_id))
    };
    let first_name = violations.check(field("first_name"), Text::parse_optional(first_name));
    let last_name = violations.check(field("last_name"), Text::parse_optional(last_name));
    let job_title = violations.check(field("job_title"), Text::parse_optional(job_title));
    let email = violations.check(field("email"), optional(email, Email::parse));
    let phone = phone(violations, &field("phone"), number.as_ref());
    Some(Contact {
        contact_id: id?,
        first_name: first_name?,
        last_name: last_name?,
        job_title: job_title?,
        email: email?,
        phone: phone?,
        primary: *primary,
        unknown: Default::default(),
    })
}

pub(super) fn customer_type(raw: i32) -> Result<CustomerType, Rule> {
    match pb::CustomerType::try_from(raw) {
        Ok(pb::CustomerType::Business) => Ok(CustomerType::Business),
        Ok(pb::CustomerType::Personal) => Ok(CustomerType::Personal),
        Ok(pb::CustomerType::Unspecified) | Err(_) => {
            Err(Rule::new("must be CUSTOMER_TYPE_BUSINESS or CUSTOMER_TYPE_PERSONAL"))
        }
    }
}

pub(super) fn service_class(raw: i32) -> Result<ServiceClass, Rule> {
    match pb::ServiceClass::try_from(raw) {
        Ok(pb::ServiceClass::Normal) => Ok(ServiceClass::Normal),
        Ok(pb::ServiceClass::Residential) => Ok(ServiceClass::Residential),
        Ok(pb::ServiceClass::Unspecified) | Err(_) => {
            Err(Rule::new("must be SERVICE_CLASS_NORMAL or SERVICE_CLASS_RESIDENTIAL"))
        }
    }
}

pub(super) fn reach(raw: i32) -> Result<Reach, Rule> {
    match pb::Reach::try_from(raw) {
        Ok(pb::Reach::Local) => Ok(Reach::Local),
        Ok(pb::Reach::Fleet) => Ok(Reach::Fleet),
        Ok(pb::Reach::Unspecified) | Err(_) => Err(Rule::new("must be REACH_LOCAL or REACH_FLEET")),
    }
}

pub(super) fn origin(raw: i32) -> Result<Origin, Rule> {
    match pb::Origin::try_from(raw) {
        Ok(pb::Origin::Unspecified | pb::Origin::Api) => Ok(Origin::Api),
        Ok(pb::Origin::ControlPanel) => Ok(Origin::ControlPanel),
        Ok(pb::Origin::Marketplace) => Ok(Origin::Marketplace),
        Ok(pb::Origin::Import) => Ok(Origin::Import),
        Err(_) => Err(Rule::new("must be ORIGIN_CONTROL_PANEL, ORIGIN_MARKETPLACE, ORIGIN_API or ORIGIN_IMPORT")),
    }
}
