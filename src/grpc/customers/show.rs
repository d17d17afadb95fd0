//! A customer as clients are shown it: as far as the acting account may see, and as much as was asked for.

use crate::{
    domain::{
        access::relation::Relation,
        customers::{dms::DmsLink, hold::Hold, status::Status},
        values::{
            address::{Address, AddressPart},
            contact::Contact,
            enums::{CustomerType, Origin, Reach, ServiceClass},
            phone::Phone,
            text::Text,
        },
    },
    grpc::{
        convert::{principal_out, time_out},
        pb,
        tags::tag_out,
    },
    service::customers::CustomerDetails,
};

/// The whole customer, as far as the acting account may see.
pub(super) fn full(shown: CustomerDetails) -> pb::Customer {
    let CustomerDetails { customer, link, relation, dms_link, allowed_actions, missing_for_approval, etag } = shown;
    let reseller_account_id = customer.migrated().map(|migration| migration.account.to_string()).unwrap_or_default();
    let fields = customer.fields;
    let profile = fields.profile;
    let whole = pb::Customer {
        id: customer.id.to_string(),
        account_id: customer.owner.to_string(),
        r#type: customer_type(fields.customer_type).into(),
        service_class: service_class(fields.service_class).into(),
        reach: reach(fields.reach).into(),
        name: fields.name.as_str().to_owned(),
        legal_name: text(profile.legal_name.as_ref()),
        custom_ids: link
            .custom_ids
            .iter()
            .map(|(system, id)| (system.as_str().to_owned(), id.as_str().to_owned()))
            .collect(),
        registration_number: text(profile.registration_number.as_ref()),
        tax_ids: profile
            .tax_ids
            .as_slice()
            .iter()
            .map(|tax_id| pb::TaxId {
                value: tax_id.value().to_owned(),
                country: tax_id.country().unwrap_or_default().to_owned(),
            })
            .collect(),
        currency: text(profile.currency.as_ref()),
        industry: text(profile.industry.as_ref()),
        primary_address: address(&profile.primary_address),
        billing_address: address(&profile.billing_address),
        shipping_address: address(&profile.shipping_address),
        contacts: profile.contacts.as_slice().iter().map(contact).collect(),
        email: profile.email.as_ref().map_or_else(String::new, |email| email.as_str().to_owned()),
        billing_email: profile.billing_email.as_ref().map_or_else(String::new, |email| email.as_str().to_owned()),
        phone: profile.phone.as_ref().map(phone),
        fax: profile.fax.as_ref().map(phone),
        sales_person_id: fields.sales_person.map(|member| member.to_string()).unwrap_or_default(),
        origin: origin(fields.origin).into(),
        order_reference: text(fields.order_reference.as_ref()),
        labels: profile
            .labels
            .iter()
            .map(|(key, value)| (key.as_str().to_owned(), value.as_str().to_owned()))
            .collect(),
        language: profile.language.as_ref().map_or_else(String::new, |language| language.as_str().to_owned()),
        status: status(&customer.status).into(),
        status_reason: text(customer.status.reason()),
        archived_at: customer.archived_at.map(time_out),
        allowed_actions: allowed_actions.into_iter().map(ToOwned::to_owned).collect(),
        missing_for_approval: missing_for_approval.iter().map(ToString::to_string).collect(),
        create_time: Some(time_out(customer.created.at)),
        update_time: Some(time_out(customer.updated.at)),
        created_by: Some(principal_out(&customer.created.by)),
        updated_by: Some(principal_out(&customer.updated.by)),
        etag: etag.unwrap_or_default(),
        branch_id: fields.branch.map(|branch| branch.to_string()).unwrap_or_default(),
        tags: link.tags.iter().map(tag_out).collect(),
        holds: customer.holds.iter().map(hold).collect(),
        dms_link: dms(dms_link).into(),
        reseller_account_id,
    };
    match relation {
        Relation::OwnerOrAbove => whole,
        Relation::Below => from_below(whole),
    }
}

/// What a list shows.
pub(super) fn basic(shown: CustomerDetails) -> pb::Customer {
    let mut customer = full(shown);
    customer.contacts.clear();
    customer.billing_address = None;
    customer.shipping_address = None;
    customer.labels.clear();
    customer.holds.clear();
    customer.allowed_actions.clear();
    customer.missing_for_approval.clear();
    customer
}

/// What an account below the owner sees through the reach FLEET. Every field is named: one that is added to the contract
/// must be put on one side or the other.
fn from_below(customer: pb::Customer) -> pb::Customer {
    let pb::Customer {
        id,
        account_id,
        r#type,
        service_class,
        reach,
        name,
        legal_name,
        custom_ids,
        registration_number,
        tax_ids,
        currency: _,
        industry: _,
        primary_address,
        billing_address: _,
        shipping_address,
        contacts,
        email,
        billing_email: _,
        phone,
        fax,
        sales_person_id: _,
        origin: _,
        order_reference: _,
        labels: _,
        language: _,
        status,
        status_reason: _,
        archived_at,
        allowed_actions,
        missing_for_approval: _,
        create_time,
        update_time,
        created_by: _,
        updated_by: _,
        etag,
        branch_id: _,
        tags,
        holds: _,
        dms_link,
        reseller_account_id: _,
    } = customer;
    pb::Customer {
        id,
        account_id,
        r#type,
        service_class,
        reach,
        name,
        legal_name,
        custom_ids,
        registration_number,
        tax_ids,
        primary_address,
        shipping_address,
        contacts,
        email,
        phone,
        fax,
        status,
        archived_at,
        allowed_actions,
        create_time,
        update_time,
        etag,
        tags,
        dms_link,
        ..pb::Customer::default()
    }
}

fn text<const MAX: usize>(text: Option<&Text<MAX>>) -> String {
    text.map_or_else(String::new, |text| text.as_str().to_owned())
}

fn address(address: &Address) -> Option<pb::Address> {
    let line = |part| address.get(part).unwrap_or_default().to_owned();
    (!address.is_empty()).then(|| pb::Address {
        line1: line(AddressPart::Line1),
        line2: line(AddressPart::Line2),
        city: line(AddressPart::City),
        state: line(AddressPart::State),
        postal_code: line(AddressPart::PostalCode),
        country: line(AddressPart::Country),
    })
}

fn hold(hold: &Hold) -> pb::Hold {
    pb::Hold {
        hold_id: hold.hold_id.to_string(),
        kind: hold.kind.as_str().to_owned(),
        reason: hold.reason.as_str().to_owned(),
        create_time: Some(time_out(hold.placed_at)),
        placed_by: Some(principal_out(&hold.placed_by)),
    }
}

fn dms(link: DmsLink) -> pb::DmsLink {
    match link {
        DmsLink::NotIntegrated => pb::DmsLink::NotIntegrated,
        DmsLink::NumberMissing => pb::DmsLink::NumberMissing,
        DmsLink::Linked => pb::DmsLink::Linked,
    }
}

fn phone(phone: &Phone) -> pb::Phone {
    pb::Phone { number: phone.number().to_owned(), extension: phone.extension().unwrap_or_default().to_owned() }
}

fn contact(contact: &Contact) -> pb::Contact {
    pb::Contact {
        contact_id: contact.contact_id.to_string(),
        first_name: text(contact.first_name.as_ref()),
        last_name: text(contact.last_name.as_ref()),
        job_title: text(contact.job_title.as_ref()),
        email: contact.email.as_ref().map_or_else(String::new, |email| email.as_str().to_owned()),
        phone: contact.phone.as_ref().map(phone),
        primary: contact.primary,
    }
}

fn status(status: &Status) -> pb::CustomerStatus {
    match status {
        Status::Unknown => pb::CustomerStatus::Unspecified,
        Status::Pending => pb::CustomerStatus::Pending,
        Status::Active => pb::CustomerStatus::Active,
        Status::Rejected { .. } => pb::CustomerStatus::Rejected,
        Status::Suspended { .. } => pb::CustomerStatus::Suspended,
    }
}

fn customer_type(customer_type: CustomerType) -> pb::CustomerType {
    match customer_type {
        CustomerType::Unknown => pb::CustomerType::Unspecified,
        CustomerType::Business => pb::CustomerType::Business,
        CustomerType::Personal => pb::CustomerType::Personal,
    }
}

fn service_class(service_class: ServiceClass) -> pb::ServiceClass {
    match service_class {
        ServiceClass::Unknown => pb::ServiceClass::Unspecified,
        ServiceClass::Normal => pb::ServiceClass::Normal,
        ServiceClass::Residential => pb::ServiceClass::Residential,
    }
}

fn reach(reach: Reach) -> pb::Reach {
    match reach {
        Reach::Unknown => pb::Reach::Unspecified,
        Reach::Local => pb::Reach::Local,
        Reach::Fleet => pb::Reach::Fleet,
    }
}

fn origin(origin: Origin) -> pb::Origin {
    match origin {
        Origin::Unknown => pb::Origin::Unspecified,
        Origin::ControlPanel => pb::Origin::ControlPanel,
        Origin::Marketplace => pb::Origin::Marketplace,
        Origin::Api => pb::Origin::Api,
        Origin::Import => pb::Origin::Import,
    }
}
