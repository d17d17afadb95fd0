//! The credit limit of a customer.

use crate::domain::{
    billing::{
        money::{Amount, Currency, Money},
        refusal::BillingRefusal,
        terms::Terms,
    },
    customers::{
        customer::{Change, Customer},
        status::Status,
    },
    history::event_type::EventType,
    refusal::Refusal,
};

/// A credit limit as a caller gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedLimit {
    /// Its currency; by default that of the customer's plan.
    pub currency: Option<Currency>,
    /// How much.
    pub amount: Amount,
}

impl AskedLimit {
    /// The limit in the currency of the customer's plan.
    ///
    /// # Errors
    /// `NoRatePlan`, `CurrencyMismatch`.
    pub fn under(&self, terms: &Terms) -> Result<Money, Refusal> {
        let plan = terms.plan.as_ref().ok_or(BillingRefusal::NoRatePlan)?;
        if self.currency.as_ref().is_some_and(|currency| *currency != plan.currency) {
            return Err(BillingRefusal::CurrencyMismatch.into());
        }
        Ok(Money { currency: plan.currency.clone(), amount: self.amount })
    }
}

impl Customer {
    /// Whether its credit limit may rise in its state.
    ///
    /// # Errors
    /// `Archived`, `IllegalTransition` of one that is neither PENDING nor ACTIVE, `ValueOfNewerRelease`.
    pub fn may_raise_credit(&self) -> Result<(), Refusal> {
        self.must_be_pending_or_active("the credit limit of a REJECTED or SUSPENDED customer cannot rise")
    }

    /// Sets the credit limit, or takes it away. Only `force` makes it less than what is used.
    ///
    /// # Errors
    /// `CreditBelowUsed`, `CurrencyMismatch`, `NoRatePlan`, and why it cannot rise.
    pub fn set_credit_limit(
        &mut self,
        asked: Option<&AskedLimit>,
        force: bool,
        terms: &Terms,
    ) -> Result<Change, Refusal> {
        let after = asked.map(|asked| asked.under(terms)).transpose()?;
        if self.billing.credit_limit == after {
            return Ok(Change::AlreadyMade);
        }
        let amount = |limit: &Option<Money>| limit.as_ref().map(|limit| limit.amount);
        // No limit is less than any: nothing chargeable can be activated without one.
        if amount(&after) > amount(&self.billing.credit_limit) {
            self.may_raise_credit()?;
        } else if let Some(used) = terms.used(&self.billing)?
            && amount(&after).unwrap_or_default() < used.amount
            && !force
        {
            return Err(BillingRefusal::CreditBelowUsed { used }.into());
        }
        self.billing.credit_limit = after;
        Ok(Change::Made(EventType::CreditLimitChanged))
    }

    /// Refuses an archived customer, and one that is neither PENDING nor ACTIVE, for this reason.
    pub(super) fn must_be_pending_or_active(&self, why: &'static str) -> Result<(), Refusal> {
        self.must_be_unarchived()?;
        match self.status {
            Status::Pending | Status::Active => Ok(()),
            Status::Merged { .. } | Status::Erased | Status::Unknown => self.must_be_changeable(),
            Status::Rejected { .. } | Status::Suspended { .. } => Err(Refusal::IllegalTransition(why)),
        }
    }
}
