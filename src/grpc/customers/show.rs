//! Writes a customer's message: the fields that the acting account may read, in the view that was asked for.

use crate::{
    domain::{
        access::relation::Relation,
        customers::{dms::DmsLink, hold::Hold, status::Status},
        fields::{
            field::{Field, Readers, Shown, View},
            read_only::ReadOnlyField,
            references::References,
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
pub(in crate::grpc) fn full(details: CustomerDetails) -> pb::Customer {
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
        industries,
        charges,
        charges_before: _,
        etag,
    } = details;
    let cut = Cut { relation, view };
    // What needs the whole customer. After that its values are moved into the message.
    let invalid_fields = cut.show(ReadOnly::InvalidFields, || {
        let refused = customer.fields.refused_today(industries.as_deref());
        refused.all().iter().take(MAX_INVALID).map(invalid_field).collect()
    });
    let reseller = cut.show(ReadOnly::ResellerAccountId, || customer.migrated().map(|migration| migration.account));
    let profile = *customer.fields.profile;
    // Every field is named, so that a field that is added to the contract does not compile here.
    pb::Customer {
        id: cut.show(ReadOnly::Id, || customer.id.to_string()),
        account_id: cut.show(ReadOnly::AccountId, || customer.owner.to_string()),
        r#type: cut.show(Field::Type, || customer_type(customer.fields.customer_type).into()),
        service_class: cut.show(Field::ServiceClass, || service_class(customer.fields.service_class).into()),
        reach: cut.show(Field::Reach, || reach(customer.fields.reach).into()),
        name: cut.show(Field::Name, || customer.fields.name.into_string()),
        legal_name: cut.show(Field::LegalName, || text(profile.legal_name)),
        custom_ids: cut.show(ReadOnly::CustomIds, || {
            link.custom_ids.into_iter().map(|(system, id)| (system.into_string(), id.into_string())).collect()
        }),
        registration_number: cut.show(Field::RegistrationNumber, || text(profile.registration_number)),
        tax_ids: cut.show(Field::TaxIds, || profile.tax_ids.as_slice().iter().map(tax_id).collect()),
        currency: cut.show(Field::Currency, || text(profile.currency)),
        industry: cut.show(Field::Industry, || text(profile.industry)),
        primary_address: cut.show(Field::PrimaryAddress, || address(profile.primary_address)),
        billing_address: cut.show(Field::BillingAddress, || address(profile.billing_address)),
        shipping_address: cut.show(Field::ShippingAddress, || address(profile.shipping_address)),
        contacts: cut.show(Field::Contacts, || profile.contacts.into_vec().into_iter().map(contact).collect()),
        email: cut.show(Field::Email, || email(profile.email)),
        billing_email: cut.show(Field::BillingEmail, || email(profile.billing_email)),
        phone: cut.show(Field::Phone, || profile.phone.map(phone)),
        fax: cut.show(Field::Fax, || profile.fax.map(phone)),
        sales_person_id: cut
            .show(Field::SalesPersonId, || reference(&customer.fields.references, Field::SalesPersonId)),
        origin: cut.show(ReadOnly::Origin, || origin(customer.fields.origin).into()),
        order_reference: cut.show(Field::OrderReference, || text(customer.fields.order_reference)),
        labels: cut.show(Field::Labels, || profile.labels.into_texts().collect()),
        language: cut.show(Field::Language, || {
            profile.language.as_ref().map_or_else(String::new, |language| language.as_str().to_owned())
        }),
        status: cut.show(ReadOnly::Status, || status(&customer.status).into()),
        status_reason: cut.show(ReadOnly::StatusReason, || {
            customer.status.reason().map(|reason| reason.as_str().to_owned()).unwrap_or_default()
        }),
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
        branch_id: cut.show(Field::BranchId, || reference(&customer.fields.references, Field::BranchId)),
        tags: cut.show(ReadOnly::Tags, || link.tags.iter().map(tag_out).collect()),
        holds: cut.show(ReadOnly::Holds, || customer.holds.iter().map(hold).collect()),
        default_payment_method_id: cut.show(ReadOnly::DefaultPaymentMethodId, || {
            customer.payment.default.map(|id| id.to_string()).unwrap_or_default()
        }),
        dms_link: cut.show(ReadOnly::DmsLink, || dms(dms_link).into()),
        reseller_account_id: reseller.map(|account| account.to_string()).unwrap_or_default(),
        sales_person_gone: cut.show(ReadOnly::SalesPersonGone, || sales_person_gone),
        merged_into: cut
            .show(ReadOnly::MergedInto, || customer.status.merged_into().map(|id| id.to_string()).unwrap_or_default()),
        rate_plan_id: cut.show(ReadOnly::RatePlanId, || charges.plan.map(|plan| plan.to_string()).unwrap_or_default()),
        credit_limit: cut.show(ReadOnly::CreditLimit, || charges.limit.as_ref().and_then(money_out)),
        credit_used: cut.show(ReadOnly::CreditUsed, || charges.used.as_ref().and_then(money_out)),
        credit_available: cut.show(ReadOnly::CreditAvailable, || charges.available.as_ref().and_then(money_out)),
        active_features: cut.show(ReadOnly::ActiveFeatures, || active_features(&charges)),
        invalid_fields,
    }
}

fn invalid_field(violation: &Violation) -> pb::InvalidField {
    pb::InvalidField {
        field: violation.field.clone(),
        rule: field_rule(violation.rule.code()).into(),
        description: violation.rule.text().to_owned(),
    }
}

fn text<const MAX: usize>(text: Option<Text<MAX>>) -> String {
    text.map(Text::into_string).unwrap_or_default()
}

fn email(email: Option<Email>) -> String {
    email.map(Email::into_string).unwrap_or_default()
}

fn reference(references: &References, field: Field) -> String {
    references.get(field).map(|id| id.to_string()).unwrap_or_default()
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

fn address(mut address: Address) -> Option<pb::Address> {
    (!address.is_empty()).then(|| pb::Address {
        line1: address.take(AddressPart::Line1),
        line2: address.take(AddressPart::Line2),
        city: address.take(AddressPart::City),
        state: address.take(AddressPart::State),
        postal_code: address.take(AddressPart::PostalCode),
        country: address.take(AddressPart::Country),
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

fn phone(phone: Phone) -> pb::Phone {
    let (number, extension, e164, valid) = phone.into_parts();
    pb::Phone { number, extension, e164, valid }
}

fn contact(contact: Contact) -> pb::Contact {
    pb::Contact {
        contact_id: contact.contact_id.to_string(),
        first_name: text(contact.first_name),
        last_name: text(contact.last_name),
        job_title: text(contact.job_title),
        email: email(contact.email),
        phone: contact.phone.map(phone),
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
        Status::Merged { .. } => pb::CustomerStatus::Merged,
        Status::Erased => pb::CustomerStatus::Erased,
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
