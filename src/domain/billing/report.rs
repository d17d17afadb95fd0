//! The billing report: its columns, and a row of it.

use crate::domain::{
    billing::{
        customer_billing::{ActiveFeature, Billing},
        feature::FeatureCode,
        money::{Currency, Money},
        rate_plan::RatePlanName,
        terms::{Charges, FeatureCharge},
    },
    values::{
        custom_id::CustomIds,
        ids::{AccountId, CustomerId, RatePlanId},
        timestamp::Timestamp,
    },
};

/// The columns that a report has beside the customer's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the column of that name in the contract")]
pub struct Columns {
    pub account: bool,
    pub name: bool,
    pub custom_ids: bool,
    pub status: bool,
    pub billing_email: bool,
    pub currency: bool,
    pub rate_plan: bool,
    pub features: bool,
    pub total: bool,
    pub credit: bool,
}

impl Columns {
    /// All of them.
    pub const ALL: Self = Self {
        account: true,
        name: true,
        custom_ids: true,
        status: true,
        billing_email: true,
        currency: true,
        rate_plan: true,
        features: true,
        total: true,
        credit: true,
    };
    /// None of them.
    pub const NONE: Self = Self {
        account: false,
        name: false,
        custom_ids: false,
        status: false,
        billing_email: false,
        currency: false,
        rate_plan: false,
        features: false,
        total: false,
        credit: false,
    };

    /// Whether a row shows what the customer is charged, or the limit of that.
    #[must_use]
    pub fn has_charges(self) -> bool {
        self.features || self.total || self.credit
    }

    /// Whether a row needs the plan that the customer is on.
    #[must_use]
    pub fn needs_plan(self) -> bool {
        self.rate_plan || self.has_charges()
    }
}

/// What a report is asked for.
#[derive(Clone, Copy, Debug)]
pub struct ReportQuery {
    /// Whether it has the customers of the accounts below the acting one.
    pub include_descendants: bool,
    /// Its columns.
    pub columns: Columns,
    /// It begins after this customer.
    pub after: Option<CustomerId>,
}

/// A customer in a report. A column that was not asked for is empty.
#[derive(Clone, Debug)]
pub struct ReportRow {
    /// The customer.
    pub id: CustomerId,
    /// Its owner.
    pub account: Option<AccountId>,
    /// Its name.
    pub name: String,
    /// The acting account's custom IDs of it.
    pub custom_ids: CustomIds,
    /// The word of its status.
    pub status: Option<String>,
    /// When it was archived.
    pub archived_at: Option<Timestamp>,
    /// Its billing email address.
    pub billing_email: String,
    /// Its billing currency.
    pub currency: String,
    /// The plan that it is on.
    pub rate_plan: Option<ReportedPlan>,
    /// Its active features, by code.
    pub features: Vec<ReportedFeature>,
    /// What they cost a month.
    pub total: Option<Money>,
    /// Its credit limit.
    pub credit_limit: Option<Money>,
    /// What is left of that.
    pub credit_available: Option<Money>,
}

/// The plan that a customer is on.
#[derive(Clone, Debug)]
pub struct ReportedPlan {
    /// The plan.
    pub id: RatePlanId,
    /// What people call it; none if there is no such plan any more.
    pub name: Option<RatePlanName>,
    /// The currency of its prices.
    pub currency: Option<Currency>,
}

/// An active feature of a customer.
#[derive(Clone, Debug)]
pub struct ReportedFeature {
    /// The code.
    pub code: FeatureCode,
    /// What people call it.
    pub name: String,
    /// How many.
    pub quantity: u32,
    /// What one costs a month; none if it is not chargeable.
    pub price: Option<Money>,
    /// What it costs a month; none if it is not chargeable.
    pub amount: Option<Money>,
}

impl ReportedFeature {
    fn of(charge: FeatureCharge, currency: Option<&Currency>) -> Self {
        let money = |amount| Some(Money { currency: currency?.clone(), amount: amount? });
        let (price, amount) = (money(charge.price), money(charge.amount()));
        Self { code: charge.code, name: charge.name, quantity: charge.active.quantity, price, amount }
    }
}

/// A customer as the database has it, before it is known what it is charged.
#[derive(Clone, Debug)]
pub struct UnchargedRow {
    /// What is read of it alone.
    pub row: ReportRow,
    /// Its owner, if the owner's first plan may apply.
    pub owner: Option<AccountId>,
    /// The plan of its own.
    pub rate_plan: Option<RatePlanId>,
    /// Its credit limit and active features, if they matter.
    pub billing: Option<Billing>,
}

impl UnchargedRow {
    /// What an active feature costs in memory beside its texts.
    const FEATURE: usize = 256;

    /// What it costs in memory at most.
    #[must_use]
    pub fn cost(&self) -> usize {
        let feature = |(code, active): (&FeatureCode, &ActiveFeature)| {
            Self::FEATURE + code.as_str().len() + active.by.issuer().len() + active.by.subject().len()
        };
        let features = self.billing.iter().flat_map(|billing| billing.features.iter()).map(feature);
        self.row.cost() + features.sum::<usize>()
    }
}

impl ReportRow {
    /// What a row costs beside its texts, in memory and on the wire.
    const FIXED: usize = 384;
    /// What a custom ID costs beside its text.
    const CUSTOM_ID: usize = 64;
    /// What a feature costs beside its texts.
    const FEATURE: usize = 192;

    /// What it costs at most, in memory or as a message.
    #[must_use]
    pub fn cost(&self) -> usize {
        let ids =
            self.custom_ids.iter().map(|(system, id)| Self::CUSTOM_ID + system.as_str().len() + id.as_str().len());
        let features = self.features.iter().map(|one| Self::FEATURE + one.code.as_str().len() + one.name.len());
        let plan = self.rate_plan.as_ref().and_then(|plan| plan.name.as_ref()).map_or(0, |name| name.as_str().len());
        let texts = self.name.len() + self.billing_email.len() + self.currency.len() + plan;
        Self::FIXED + texts + ids.sum::<usize>() + features.sum::<usize>()
    }

    /// The row with what the customer is charged, in the columns that were asked for.
    #[must_use]
    pub fn charged(mut self, columns: Columns, charges: Charges, plan_name: Option<&RatePlanName>) -> Self {
        let Charges { plan, currency, limit, used, available, features } = charges;
        if columns.features {
            self.features = features.into_iter().map(|one| ReportedFeature::of(one, currency.as_ref())).collect();
        }
        if columns.total {
            self.total = used;
        }
        if columns.credit {
            (self.credit_limit, self.credit_available) = (limit, available);
        }
        if columns.rate_plan {
            self.rate_plan = plan.map(|id| ReportedPlan { id, name: plan_name.cloned(), currency });
        }
        self
    }
}
