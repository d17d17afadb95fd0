//! Changes of a customer's rate plan: by a command, and by a move to another account.

use crate::domain::{
    billing::{rate_plan::PlanTerms, refusal::BillingRefusal, terms::Terms},
    customers::customer::{Change, Customer},
    history::event_type::EventType,
    refusal::{Blocker, Refusal},
    values::ids::RatePlanId,
};

impl Customer {
    /// Whether it may get another plan in its state.
    ///
    /// # Errors
    /// `Archived`, `IllegalTransition` of one that is neither PENDING nor ACTIVE, `ValueOfNewerRelease`.
    pub fn may_change_plan(&self) -> Result<(), Refusal> {
        self.must_be_pending_or_active("the rate plan of a REJECTED or SUSPENDED customer cannot be changed")
    }

    /// Puts it on the plan that the command names. A credit limit in another currency means nothing any more, and goes.
    ///
    /// # Errors
    /// `RatePlanNotFound`, `RatePlanArchived`, `CurrencyMismatch`, `PriceMissing`, and why its state does not allow it.
    pub fn assign_plan(&mut self, plan: RatePlanId, terms: &Terms) -> Result<Change, Refusal> {
        if terms.plan_id() == Some(plan) {
            return Ok(Change::AlreadyMade);
        }
        let target =
            terms.target.as_ref().filter(|target| target.id == plan).ok_or(BillingRefusal::RatePlanNotFound)?;
        if target.archived {
            return Err(BillingRefusal::RatePlanArchived.into());
        }
        self.may_change_plan()?;
        self.must_fit(target, terms)?;
        self.put_on(target);
        Ok(Change::Made(EventType::RatePlanAssigned))
    }

    /// Takes its plan to another account, whose list begins with `first`: a plan of that list stays, any other one is replaced
    /// by the first.
    ///
    /// # Errors
    /// `RatePlan`: its chargeable features do not fit the first plan.
    pub fn take_plan_along(&mut self, first: Option<&PlanTerms>, terms: &Terms) -> Result<(), Blocker> {
        let Some(plan) = &terms.plan else { return Ok(()) };
        match first {
            Some(first) if first.account == plan.account => self.rate_plan = Some(plan.id),
            Some(first) => {
                self.must_fit(first, terms).map_err(|_| Blocker::RatePlan)?;
                self.put_on(first);
            }
            None if self.has_chargeable(terms) => return Err(Blocker::RatePlan),
            None => {
                self.rate_plan = None;
                self.billing.credit_limit = None;
            }
        }
        Ok(())
    }

    fn put_on(&mut self, plan: &PlanTerms) {
        self.rate_plan = Some(plan.id);
        self.billing.credit_limit.take_if(|limit| limit.currency != plan.currency);
    }

    fn has_chargeable(&self, terms: &Terms) -> bool {
        self.billing.features.keys().any(|code| terms.is_chargeable(code))
    }

    /// Refuses a plan that has no price for an active chargeable feature, or is of another currency while there is one.
    fn must_fit(&self, plan: &PlanTerms, terms: &Terms) -> Result<(), Refusal> {
        let currency = terms.plan.as_ref().map(|plan| &plan.currency);
        if self.has_chargeable(terms) && currency.is_some_and(|currency| *currency != plan.currency) {
            return Err(BillingRefusal::CurrencyMismatch.into());
        }
        let priced = |code| !terms.is_chargeable(code) || plan.prices.contains_key(code);
        if self.billing.features.keys().all(priced) { Ok(()) } else { Err(BillingRefusal::PriceMissing.into()) }
    }
}
