//! Activates and deactivates features of a customer.

use crate::domain::{
    billing::{
        customer_billing::{ActiveFeature, Billing, MAX_FEATURES},
        feature::FeatureCode,
        refusal::BillingRefusal,
        terms::{Overflow, Terms},
    },
    customers::{
        customer::{Change, Customer},
        status::Status,
    },
    history::event_type::EventType,
    refusal::Refusal,
    requests::principal::Principal,
    values::{timestamp::Timestamp, unknown_fields::UnknownFields},
};

impl From<Overflow> for Refusal {
    fn from(Overflow: Overflow) -> Self {
        Self::LimitReached("what a customer's features cost must fit into an amount")
    }
}

impl Customer {
    /// Whether features may be activated in its state.
    ///
    /// # Errors
    /// `Archived`, `IllegalTransition` of one that is not ACTIVE, `ValueOfNewerRelease`.
    pub fn may_activate_features(&self) -> Result<(), Refusal> {
        self.must_be_unarchived()?;
        match self.status {
            Status::Active => Ok(()),
            Status::Merged { .. } | Status::Erased | Status::Unknown => self.must_be_changeable(),
            Status::Pending | Status::Rejected { .. } | Status::Suspended { .. } => {
                Err(Refusal::IllegalTransition("features are activated on an ACTIVE customer only"))
            }
        }
    }

    /// Activates a feature, or gives an active one another quantity. A quantity that falls is not compared with the credit.
    ///
    /// # Errors
    /// Why the customer cannot have it.
    pub fn activate_feature(
        &mut self,
        code: &FeatureCode,
        quantity: u32,
        terms: &Terms,
        (by, at): (&Principal, Timestamp),
    ) -> Result<Change, Refusal> {
        let feature = terms.features.get(code).ok_or(BillingRefusal::FeatureNotFound)?;
        let before = self.billing.features.get(code);
        if before.is_some_and(|before| before.quantity == quantity) {
            return Ok(Change::AlreadyMade);
        }
        self.may_activate_features()?;
        let rises = before.is_none_or(|before| before.quantity < quantity);
        if rises && feature.retired {
            return Err(BillingRefusal::FeatureRetired.into());
        }
        if rises && !feature.service_classes.contains(self.fields.service_class) {
            return Err(BillingRefusal::FeatureNotForServiceClass.into());
        }
        if before.is_none() && self.billing.features.len() >= MAX_FEATURES {
            return Err(Refusal::LimitReached("a customer has at most 200 active features"));
        }
        let active = match before {
            Some(before) => ActiveFeature { quantity, ..before.clone() },
            None => ActiveFeature { quantity, since: at, by: by.clone(), unknown: UnknownFields::default() },
        };
        let mut after = self.billing.clone();
        after.features.insert(code.clone(), active);
        if rises && feature.chargeable {
            must_be_covered(&after, code, terms)?;
        }
        self.billing = after;
        Ok(Change::Made(EventType::FeatureActivated))
    }

    /// Deactivates a feature, whatever state the customer is in. Deactivating it twice changes nothing.
    ///
    /// # Errors
    /// `FeatureNotFound`.
    pub fn deactivate_feature(&mut self, code: &FeatureCode, terms: &Terms) -> Result<Change, Refusal> {
        match self.billing.features.remove(code) {
            Some(_) => Ok(Change::Made(EventType::FeatureDeactivated)),
            None if terms.features.contains_key(code) => Ok(Change::AlreadyMade),
            None => Err(BillingRefusal::FeatureNotFound.into()),
        }
    }

    /// Refuses a service class for which an active feature is not.
    ///
    /// # Errors
    /// `FeatureNotForServiceClass`.
    pub fn must_suit_service_class(&self, terms: &Terms) -> Result<(), Refusal> {
        let class = self.fields.service_class;
        let suits = |code| terms.features.get(code).is_some_and(|feature| feature.service_classes.contains(class));
        if self.billing.features.keys().all(suits) {
            Ok(())
        } else {
            Err(BillingRefusal::FeatureNotForServiceClass.into())
        }
    }
}

/// Refuses features that cost more than the credit limit allows, and a chargeable one without a price or a limit.
fn must_be_covered(after: &Billing, code: &FeatureCode, terms: &Terms) -> Result<(), Refusal> {
    let plan = terms.plan.as_ref().ok_or(BillingRefusal::NoRatePlan)?;
    if !plan.prices.contains_key(code) {
        return Err(BillingRefusal::PriceMissing.into());
    }
    let limit = after.credit_limit.as_ref().ok_or(BillingRefusal::CreditLimitMissing)?;
    let needed = terms.used(after)?.ok_or(BillingRefusal::NoRatePlan)?;
    if limit.currency != needed.currency {
        return Err(BillingRefusal::CurrencyMismatch.into());
    }
    if needed.amount > limit.amount {
        return Err(BillingRefusal::CreditLimitExceeded { needed, limit: limit.clone() }.into());
    }
    Ok(())
}
