//! The rate plans of customers that move to another account.

use std::collections::HashMap;

use sqlx::PgConnection;

use crate::{
    domain::{
        access::caller::Caller,
        billing::{customer_billing::Billing, rate_plan::PlanTerms, relied::UseChange, terms::Terms},
        customers::customer::Customer,
        refusal::Blocker,
        values::ids::{AccountId, CustomerId, RatePlanId},
    },
    error::Result,
    store,
};

/// What moving customers have, and the first plan where they go.
pub(super) struct Plans {
    first: Option<PlanTerms>,
    terms: HashMap<CustomerId, (Billing, Terms)>,
}

/// A customer before and after a move, with its billing and the plan that it is on.
pub(super) struct Settled {
    /// Before, with what a batch does not read.
    pub(super) before: Customer,
    /// After.
    pub(super) after: Customer,
    /// What changes in what it uses.
    pub(super) uses: UseChange,
}

/// A customer whose plan a move replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplacedPlan {
    /// The customer.
    pub customer: CustomerId,
    /// The plan that it is on then.
    pub plan: Option<RatePlanId>,
    /// The one that it was on.
    pub replaced: RatePlanId,
}

impl Settled {
    /// The plan that it was on, if the move replaces it.
    pub(super) fn replaced(&self) -> Option<ReplacedPlan> {
        let (before, plan) = (self.before.rate_plan, self.after.rate_plan);
        let replaced = before.filter(|_| before != plan)?;
        Some(ReplacedPlan { customer: self.after.id, plan, replaced })
    }
}

impl Plans {
    /// Reads them for customers that the transaction has locked, and that go to this account.
    pub(super) async fn read(
        conn: &mut PgConnection,
        caller: &Caller,
        to: AccountId,
        customers: &[CustomerId],
    ) -> Result<Self> {
        if customers.is_empty() {
            return Ok(Self { first: None, terms: HashMap::new() });
        }
        let terms = store::billing::moves::terms(&mut *conn, caller.scope(), customers).await?;
        // Without a plan anywhere there is nothing to compare.
        let first = if terms.values().any(|(_, terms)| terms.plan.is_some()) {
            store::billing::moves::first_with_prices(conn, caller.scope(), to).await?
        } else {
            None
        };
        Ok(Self { first, terms })
    }

    /// Takes the customer's plan along, or puts it on the first plan where it goes.
    ///
    /// # Errors
    /// `RatePlan`: its features do not fit that plan.
    pub(super) fn settle(&self, before: &Customer, mut after: Customer) -> Result<Settled, Blocker> {
        let mut before = before.clone();
        let Some((billing, terms)) = self.terms.get(&before.id) else {
            return Ok(Settled { before, after, uses: UseChange::default() });
        };
        before.billing = billing.clone();
        after.billing = billing.clone();
        after.take_plan_along(self.first.as_ref(), terms)?;
        let uses = UseChange::of(&before, &after, terms);
        // The plan that it was on is told in the event, its own or not.
        before.rate_plan = before.rate_plan.or(terms.plan_id());
        Ok(Settled { before, after, uses })
    }
}
