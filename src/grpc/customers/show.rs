//! Writes a customer's message: the fields that the acting account may read, in the view that was asked for.

use crate::{
    domain::{
        access::relation::Relation,
        customers::{dms::DmsLink, hold::Hold, status::Status},
        fields::{
            customer_fields::CustomerFields,
            field::{Field, Readers, Shown, View},
            read_only::ReadOnlyField,
        },
        reference::tax::TaxCheck,
        requests::options::Outcome,
        values::{
            address::{Address, AddressPart},
            contact::Contact,
            email::Email,
            enums::{CustomerType, Origin, Reach, ServiceClass},
            phone::Phone,
            tax_id::TaxId,
            text::Text,
            violation::Violation,
        },
    },
    grpc::{
        billing::convert::{active_features, money_out},
        convert::{field_rule, principal_out, time_out},
        pb,
        tags::tag_out,
    },
    service::customers::CustomerDetails,
};

/// The most stored values that are reported as refused today.
const MAX_INVALID: usize = 100;

/// All fields that the acting account may read.
pub(super) fn full(details: CustomerDetails) -> pb::Customer {
    in_view(details, View::Full)
}

/// A customer in the view FULL, and whether it is a stored answer.
pub(in crate::grpc) fn outcome(outcome: Outcome<CustomerDetails>) -> (Option<pb::Customer>, bool) {
    (Some(full(outcome.value)), outcome.replayed)
}

/// Which fields a message has. The tables of fields decide; a field that is left out costs nothing.
#[derive(Clone, Copy)]
struct Cut {
    relation: Relation,
    view: View,
}

impl Cut {
    fn show<T: Default>(self, field: impl Into<Shown>, value: impl FnOnce() -> T) -> T {
        let Shown { readers, view } = field.into();
        let readable = self.relation == Relation::OwnerOrAbove || readers == Readers::Below;
        if readable && view <= self.view { value() } else { T::default() }
    }
}

/// The fields of a view that the acting account may read.
pub(super) fn in_view(details: CustomerDetails, view: View) -> pb::Customer {
    use ReadOnlyField as ReadOnly;
    let CustomerDetails {
        customer,
        link,
        relation,
        dms_link,
        allowed_actions,
        missing_for_approval,
        sales_person_gone,
        charges,
        charges_before: _,
        industries,
        etag,
    } = details;
    let (fields, profile) = (&customer.fields, &customer.fields.profile);
    let cut = Cut { relation, view };
    // Every field is named, so that a field that is added to the contract does not compile here.
    pb::Customer {
        id: cut.show(ReadOnly::Id, || customer.id.to_string()),
        account_id: cut.show(ReadOnly::AccountId, || customer.owner.to_string()),
        r#type: cut.show(Field::Type, || customer_type(fields.customer_type).into()),
        service_class: cut.show(Field::ServiceClass, || service_class(fields.service_class).into()),
        reach: cut.show(Field::Reach, || reach(fields.reach).into()),
        name: cut.show(Field::Name, || fields.name.as_str().to_owned()),
        legal_name: cut.show(Field::LegalName, || text(profile.legal_name.as_ref())),
        custom_ids: cut.show(ReadOnly::CustomIds, || {
            link.custom_ids.iter().map(|(system, id)| (system.as_str().to_owned(), id.as_str().to_owned())).collect()
        }),
        registration_number: cut.show(Field::RegistrationNumber, || text(profile.registration_number.as_ref())),
        tax_ids: cut.show(Field::TaxIds, || profile.tax_ids.as_slice().iter().map(tax_id).collect()),
        currency: cut.show(Field::Currency, || text(profile.currency.as_ref())),
        industry: cut.show(Field::Industry, || text(profile.industry.as_ref())),
        primary_address: cut.show(Field::PrimaryAddress, || address(&profile.primary_address)),
        billing_address: cut.show(Field::BillingAddress, || address(&profile.billing_address)),
        shipping_address: cut.show(Field::ShippingAddress, || address(&profile.shipping_address)),
        contacts: cut.show(Field::Contacts, || profile.contacts.as_slice().iter().map(contact).collect()),
        email: cut.show(Field::Email, || email(profile.email.as_ref())),
        billing_email: cut.show(Field::BillingEmail, || email(profile.billing_email.as_ref())),
        phone: cut.show(Field::Phone, || profile.phone.as_ref().map(phone)),
        fax: cut.show(Field::Fax, || profile.fax.as_ref().map(phone)),
        sales_person_id: cut.show(Field::SalesPersonId, || reference(fields, Field::SalesPersonId)),
        origin: cut.show(ReadOnly::Origin, || origin(fields.origin).into()),
        order_reference: cut.show(Field::OrderReference, || text(fields.order_reference.as_ref())),
        labels: cut.show(Field::Labels, || {
            profile.labels.iter().map(|(key, value)| (key.as_str().to_owned(), value.as_str().to_owned())).collect()
        }),
        language: cut.show(Field::Language, || {
            profile.language.as_ref().map_or_else(String::new, |language| language.as_str().to_owned())
        }),
        status: cut.show(ReadOnly::Status, || status(&customer.status).into()),
        status_reason: cut.show(ReadOnly::StatusReason, || text(customer.status.reason())),
        archived_at: cut.show(ReadOnly::ArchivedAt, || customer.archived_at.map(time_out)),
        allowed_actions: cut
            .show(ReadOnly::AllowedActions, || allowed_actions.into_iter().map(ToOwned::to_owned).collect()),
        missing_for_approval: cut
            .show(ReadOnly::MissingForApproval, || missing_for_approval.iter().map(ToString::to_string).collect()),
        create_time: cut.show(ReadOnly::CreateTime, || Some(time_out(customer.created.at))),
        update_time: cut.show(ReadOnly::UpdateTime, || Some(time_out(customer.updated.at))),
        created_by: cut.show(ReadOnly::CreatedBy, || Some(principal_out(&customer.created.by))),
        updated_by: cut.show(ReadOnly::UpdatedBy, || Some(principal_out(&customer.updated.by))),
        etag: cut.show(ReadOnly::Etag, || etag.unwrap_or_default()),
        branch_id: cut.show(Field::BranchId, || reference(fields, Field::BranchId)),
        tags: cut.show(ReadOnly::Tags, || link.tags.iter().map(tag_out).collect()),
        holds: cut.show(ReadOnly::Holds, || customer.holds.iter().map(hold).collect()),
        dms_link: cut.show(ReadOnly::DmsLink, || dms(dms_link).into()),
        reseller_account_id: cut.show(ReadOnly::ResellerAccountId, || {
            customer.migrated().map(|migration| migration.account.to_string()).unwrap_or_default()
        }),
        sales_person_gone: cut.show(ReadOnly::SalesPersonGone, || sales_person_gone),
        rate_plan_id: cut.show(ReadOnly::RatePlanId, || charges.plan.map(|plan| plan.to_string()).unwrap_or_default()),
        credit_limit: cut.show(ReadOnly::CreditLimit, || charges.limit.as_ref().and_then(money_out)),
        credit_used: cut.show(ReadOnly::CreditUsed, || charges.used.as_ref().and_then(money_out)),
        credit_available: cut.show(ReadOnly::CreditAvailable, || charges.available.as_ref().and_then(money_out)),
        active_features: cut.show(ReadOnly::ActiveFeatures, || active_features(&charges)),
        invalid_fields: cut.show(ReadOnly::InvalidFields, || {
            fields.refused_today(industries.as_deref()).all().iter().take(MAX_INVALID).map(invalid_field).collect()
        }),
    }
}

fn invalid_field(violation: &Violation) -> pb::InvalidField {
    pb::InvalidField {
        field: violation.field.clone(),
        rule: field_rule(violation.rule.code()).into(),
        description: violation.rule.text().to_owned(),
    }
}

fn text<const MAX: usize>(text: Option<&Text<MAX>>) -> String {
    text.map_or_else(String::new, |text| text.as_str().to_owned())
}

fn email(email: Option<&Email>) -> String {
    email.map_or_else(String::new, |email| email.as_str().to_owned())
}

fn reference(fields: &CustomerFields, field: Field) -> String {
    fields.references.get(field).map(|id| id.to_string()).unwrap_or_default()
}

fn tax_id(tax_id: &TaxId) -> pb::TaxId {
    let check = match tax_id.check() {
        Ok(TaxCheck::FormatOnly) => pb::TaxIdCheck::FormatOnly,
        Ok(TaxCheck::ChecksumOk) => pb::TaxIdCheck::ChecksumOk,
        Ok(TaxCheck::UnknownCountry) => pb::TaxIdCheck::UnknownCountry,
        Err(_) => pb::TaxIdCheck::Invalid,
    };
    pb::TaxId {
        value: tax_id.value().to_owned(),
        country: tax_id.country().unwrap_or_default().to_owned(),
        check: check.into(),
    }
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
    pb::Phone {
        number: phone.number().to_owned(),
        extension: phone.extension().unwrap_or_default().to_owned(),
        e164: phone.e164().unwrap_or_default().to_owned(),
        valid: phone.is_valid(),
    }
}

fn contact(contact: &Contact) -> pb::Contact {
    pb::Contact {
        contact_id: contact.contact_id.to_string(),
        first_name: text(contact.first_name.as_ref()),
        last_name: text(contact.last_name.as_ref()),
        job_title: text(contact.job_title.as_ref()),
        email: email(contact.email.as_ref()),
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

pub(in crate::grpc) fn service_class(service_class: ServiceClass) -> pb::ServiceClass {
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
