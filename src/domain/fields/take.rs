//! A field of one customer in another one.

use crate::domain::fields::{customer_fields::CustomerFields, field::Field};

impl CustomerFields {
    /// Takes the value of a field from another customer, whether it is filled in or not.
    pub fn take(&mut self, field: Field, from: &Self) {
        let (profile, theirs) = (&mut self.profile, &from.profile);
        match field {
            Field::Type => self.customer_type = from.customer_type,
            Field::ServiceClass => self.service_class = from.service_class,
            Field::Reach => self.reach = from.reach,
            Field::Name => self.name = from.name.clone(),
            Field::LegalName => profile.legal_name.clone_from(&theirs.legal_name),
            Field::RegistrationNumber => profile.registration_number.clone_from(&theirs.registration_number),
            Field::TaxIds => profile.tax_ids.clone_from(&theirs.tax_ids),
            Field::Currency => profile.currency.clone_from(&theirs.currency),
            Field::Industry => profile.industry.clone_from(&theirs.industry),
            Field::PrimaryAddress => profile.primary_address.clone_from(&theirs.primary_address),
            Field::BillingAddress => profile.billing_address.clone_from(&theirs.billing_address),
            Field::ShippingAddress => profile.shipping_address.clone_from(&theirs.shipping_address),
            Field::Contacts => profile.contacts.clone_from(&theirs.contacts),
            Field::Email => profile.email.clone_from(&theirs.email),
            Field::BillingEmail => profile.billing_email.clone_from(&theirs.billing_email),
            Field::Phone => profile.phone.clone_from(&theirs.phone),
            Field::Fax => profile.fax.clone_from(&theirs.fax),
            Field::BranchId | Field::SalesPersonId => self.references.set(field, from.references.get(field)),
            Field::OrderReference => self.order_reference.clone_from(&from.order_reference),
            Field::Labels => profile.labels.clone_from(&theirs.labels),
            Field::Language => profile.language.clone_from(&theirs.language),
        }
    }

    /// Whether a field has the same value in both.
    #[must_use]
    pub fn agrees(&self, field: Field, with: &Self) -> bool {
        let mut taken = self.clone();
        taken.take(field, with);
        taken == *self
    }
}

#[cfg(test)]
mod tests {
    use strum::VariantArray as _;

    use super::*;
    use crate::domain::{
        samples,
        values::{enums::Origin, name::Name},
    };

    #[test]
    fn every_field_is_taken_and_none_but_it() {
        let (full, empty) = (samples::customer().fields, CustomerFields::new(Name::erased(), Origin::Api));
        let mut all = CustomerFields { origin: full.origin, ..empty.clone() };
        for field in Field::VARIANTS {
            let mut one = empty.clone();
            one.take(*field, &full);
            assert!(one.agrees(*field, &full), "{field:?}");
            let others = Field::VARIANTS.iter().filter(|other| *other != field);
            assert!(others.clone().all(|other| one.agrees(*other, &empty)), "{field:?}");
            all.take(*field, &full);
        }
        all.profile.unknown = full.profile.unknown.clone();
        assert_eq!(all, full);
    }
}
