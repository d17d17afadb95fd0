//! Reads the fields of a customer: all of a new customer's, or those that an update's mask names.

use strum::VariantArray as _;

use crate::{
    domain::{
        accounts::policies::Policies,
        duplicates::DuplicatePolicy,
        fields::{
            customer_fields::CustomerFields, edit::Edit, field::Field, path::FieldPath, profile::Profile,
            settle::Tables,
        },
        reference::industries::Industries,
        values::{
            address::{Address, AddressKind},
            contacts::SentContacts,
            custom_id::{CustomId, CustomIds, MAX_SYSTEMS, System},
            email::Email,
            enums::{CustomerType, Origin, Reach, ServiceClass},
            ids::{self, RatePlanId},
            label::{LabelValue, Labels},
            language::Language,
            name::Name,
            rule_code::RuleCode,
            text::{Text, optional},
            violation::{Rule, Violations},
        },
    },
    grpc::{
        billing::convert::credit_limit,
        customers::mask,
        customers::read_parts::{address, contacts, line, phone, tax_ids},
        pb,
    },
    service::customers::NewCustomer,
};

/// Reads a new customer of an account with these policies, in a tenant with these industries of its own. What is wrong is reported together with what they require and is
/// missing; that alone is the use case's to refuse.
pub(super) fn draft(
    customer: Option<pb::Customer>,
    policies: &Policies,
    industries: Option<&Industries>,
) -> Result<NewCustomer, Violations> {
    let customer =
        customer.ok_or_else(|| Violations::of("customer", Rule::coded(RuleCode::Required, "must be given")))?;
    let mut violations = Violations::default();
    let name = violations.check("customer.name", Name::parse(&customer.name));
    let origin = violations.check("customer.origin", origin(customer.origin));
    let custom_ids = custom_ids(&mut violations, &customer);
    let rate_plan = violations.check("customer.rate_plan_id", optional(&customer.rate_plan_id, RatePlanId::parse));
    let credit_limit = match &customer.credit_limit {
        Some(limit) => credit_limit(&mut violations, "customer.credit_limit", limit).map(Some),
        None => Some(None),
    };
    let edits: Vec<Edit> = Field::VARIANTS
        .iter()
        .filter(|field| **field != Field::Name && !is_left_out(**field, &customer))
        .filter_map(|field| edit(&mut violations, &FieldPath::Whole(*field), &customer))
        .collect();
    // What can be read is compared with the tables also if other fields cannot be read.
    let stand_in = || Name::from(customer.name.clone());
    let fields = CustomerFields::new(name.clone().unwrap_or_else(stand_in), origin.unwrap_or_default());
    let (mut fields, mut known_contacts) = (fields, Vec::new());
    for mut edit in edits {
        if let Edit::Contacts(SentContacts { named, .. }) = &mut edit {
            known_contacts = std::mem::take(named);
        }
        violations.nest("customer", fields.apply(edit));
    }
    // Of contacts that cannot be read nothing is said to be missing.
    let unread = violations.concern("customer.contacts");
    let region = policies.default_region.as_ref().map(Text::as_str);
    violations.nest("customer", fields.settle(&Profile::default(), Tables { region, industries }));
    if !violations.is_empty() {
        missing_too(&mut violations, &fields, unread, custom_ids.as_ref().unwrap_or(&CustomIds::default()), policies);
        if customer.credit_limit.is_none() {
            // Whether there is a plan, only the use case knows.
            let missing = policies.required_to_create.missing_terms((true, false));
            missing.iter().for_each(|path| violations.push(format!("customer.{path}"), Rule::REQUIRED_BY_POLICY));
        }
    }
    let billed = rate_plan.zip(credit_limit);
    violations.finish(name.zip(origin).zip(custom_ids).zip(billed).map(
        |((_, custom_ids), (rate_plan, credit_limit))| NewCustomer {
            fields,
            custom_ids,
            known_contacts,
            duplicates: DuplicatePolicy::default(),
            rate_plan,
            credit_limit,
        },
    ))
}

/// Adds the fields that the policies require and that are empty, unless something else is wrong with them.
fn missing_too(
    violations: &mut Violations,
    fields: &CustomerFields,
    unread_contacts: bool,
    custom_ids: &CustomIds,
    policies: &Policies,
) {
    for path in policies.required_to_create.missing(fields, custom_ids) {
        let field = format!("customer.{path}");
        let is_unread = unread_contacts && matches!(path, FieldPath::PrimaryContact(_));
        if !violations.concern(&field) && !is_unread {
            violations.push(field, Rule::REQUIRED_BY_POLICY);
        }
    }
}

/// Reads the fields that a mask names: those that can be read. None: the mask itself is wrong.
pub(super) fn edits(
    violations: &mut Violations,
    mask: Option<prost_types::FieldMask>,
    customer: &pb::Customer,
) -> Option<Vec<Edit>> {
    let paths = mask::paths(violations, mask)?;
    Some(edits_of(violations, &paths, customer))
}

/// Reads these fields: those that can be read.
pub(super) fn edits_of(violations: &mut Violations, paths: &[FieldPath], customer: &pb::Customer) -> Vec<Edit> {
    paths.iter().filter_map(|path| edit(violations, path, customer)).collect()
}

/// Whether a new customer gets the default of this field.
fn is_left_out(field: Field, customer: &pb::Customer) -> bool {
    match field {
        Field::Type => customer.r#type == 0,
        Field::ServiceClass => customer.service_class == 0,
        Field::Reach => customer.reach == 0,
        _ => false,
    }
}

/// Reads the new value of a path. None: it breaks a rule, which is noted.
pub(super) fn edit(violations: &mut Violations, path: &FieldPath, customer: &pb::Customer) -> Option<Edit> {
    let at = format!("customer.{path}");
    match path {
        FieldPath::Whole(field) => whole(violations, at, *field, customer),
        FieldPath::AddressPart(kind, part) => {
            let mut address = Address::default();
            let raw = address_of(*kind, customer).map_or("", |address| line(address, *part));
            violations.check(at, address.set(*part, raw)).map(|()| Edit::AddressPart(*kind, *part, address))
        }
        FieldPath::Label(key) => {
            let value = customer.labels.get(key.as_str()).map_or("", String::as_str);
            let value = violations.check(at, LabelValue::parse_optional(value));
            value.map(|value| Edit::Label(key.clone(), value))
        }
        FieldPath::PrimaryContact(_) | FieldPath::CustomId(_) | FieldPath::RatePlan | FieldPath::CreditLimit => None,
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
        Field::PrimaryAddress => whole_address(violations, &at, AddressKind::Primary, customer),
        Field::BillingAddress => whole_address(violations, &at, AddressKind::Billing, customer),
        Field::ShippingAddress => whole_address(violations, &at, AddressKind::Shipping, customer),
        Field::Contacts => contacts(violations, &customer.contacts).map(Edit::Contacts),
        Field::Email => violations.check(at, optional(&customer.email, Email::written)).map(Edit::Email),
        Field::BillingEmail => {
            violations.check(at, optional(&customer.billing_email, Email::written)).map(Edit::BillingEmail)
        }
        Field::Phone => phone(violations, &at, customer.phone.as_ref()).map(Edit::Phone),
        Field::Fax => phone(violations, &at, customer.fax.as_ref()).map(Edit::Fax),
        Field::BranchId => reference(violations, at, field, &customer.branch_id),
        Field::SalesPersonId => reference(violations, at, field, &customer.sales_person_id),
        Field::OrderReference => {
            violations.check(at, Text::parse_optional(&customer.order_reference)).map(Edit::OrderReference)
        }
        Field::Labels => violations.nest("customer", Labels::parse(customer.labels.iter())).map(Edit::Labels),
        Field::Language => violations.check(at, optional(&customer.language, Language::parse)).map(Edit::Language),
    }
}

/// Reads the id of something that the owner has. The store checks that the owner has it.
fn reference(violations: &mut Violations, at: String, field: Field, raw: &str) -> Option<Edit> {
    violations.check(at, optional(raw, ids::parse)).map(|id| Edit::Reference(field, id))
}

fn whole_address(violations: &mut Violations, at: &str, kind: AddressKind, customer: &pb::Customer) -> Option<Edit> {
    address(violations, at, address_of(kind, customer)).map(|address| Edit::Address(kind, address))
}

fn address_of(kind: AddressKind, customer: &pb::Customer) -> Option<&pb::Address> {
    match kind {
        AddressKind::Primary => customer.primary_address.as_ref(),
        AddressKind::Billing => customer.billing_address.as_ref(),
        AddressKind::Shipping => customer.shipping_address.as_ref(),
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
        // A malformed key is not repeated in the error: it may be of any length and content.
        let Some(system) = violations.check("customer.custom_ids", System::parse(system)) else { continue };
        let field = format!("customer.custom_ids.{}", system.as_str());
        if let Some(id) = violations.check(field, CustomId::parse(id)) {
            ids.insert(system, id);
        }
    }
    Some(ids)
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
