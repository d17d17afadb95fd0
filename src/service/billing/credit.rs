//! What a customer has: commands on one customer, run as all of them are.

use super::Billing;
use crate::{
    domain::{
        access::{caller::Caller, relation::Relation},
        billing::{credit::AskedLimit, feature::FeatureCode, terms::Charges},
        customers::command::Command,
        refusal::Refusal,
        requests::options::{Options, Outcome},
        values::ids::{CustomerId, RatePlanId},
    },
    error::Result,
    service::customers::CustomerDetails,
};

impl Billing {
    /// Activates a feature, or changes its quantity. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's ActivateFeature.
    pub async fn activate_feature(
        &self,
        caller: &Caller,
        id: CustomerId,
        code: FeatureCode,
        quantity: u32,
        options: &Options,
    ) -> Result<Outcome<CustomerDetails>> {
        let by = caller.author().principal.clone();
        self.customers.change(caller, id, &Command::ActivateFeature { code, quantity, by }, options).await
    }

    /// Deactivates a feature. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's DeactivateFeature.
    pub async fn deactivate_feature(
        &self,
        caller: &Caller,
        id: CustomerId,
        code: FeatureCode,
        options: &Options,
    ) -> Result<Outcome<CustomerDetails>> {
        self.customers.change(caller, id, &Command::DeactivateFeature(code), options).await
    }

    /// Sets the credit limit, or takes it away. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's SetCreditLimit.
    pub async fn set_credit_limit(
        &self,
        caller: &Caller,
        id: CustomerId,
        limit: Option<AskedLimit>,
        force: bool,
        options: &Options,
    ) -> Result<Outcome<CustomerDetails>> {
        self.customers.change(caller, id, &Command::SetCreditLimit { limit, force }, options).await
    }

    /// Puts a customer on another plan. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's AssignRatePlan.
    pub async fn assign_rate_plan(
        &self,
        caller: &Caller,
        id: CustomerId,
        plan: RatePlanId,
        options: &Options,
    ) -> Result<Outcome<CustomerDetails>> {
        self.customers.change(caller, id, &Command::AssignRatePlan(plan), options).await
    }

    /// What a customer has, and what that costs now.
    ///
    /// # Errors
    /// `CustomerNotFound`, `FleetOwnedElsewhere`.
    pub async fn active_features(&self, caller: &Caller, id: CustomerId) -> Result<Charges> {
        let details = self.customers.get(caller, id).await?;
        match details.relation {
            Relation::OwnerOrAbove => Ok(details.charges),
            Relation::Below => Err(Refusal::FleetOwnedElsewhere.into()),
        }
    }
}
