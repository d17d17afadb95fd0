//! What the customers of a report are charged: their plans, prices and features, each read once for many rows.
//!
//! What was read is kept while it is small: accounts, plans and prices up to a limit, the catalogue of features whole, as it has a
//! limit of its own.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;

use crate::{
    domain::{
        access::caller::Scope,
        billing::{
            rate_plan::{PlanTerms, RatePlanName},
            report::{Columns, ReportRow, UnchargedRow},
            terms::Terms,
        },
        values::ids::{AccountId, RatePlanId},
    },
    error::Result,
    service::{bytes::HeldBytes, call},
    store::billing::report_terms::{self, NamedPlan},
};

/// Most rows that `learn` takes: as many plans come at once at most.
pub(super) const LEARNED_AT_ONCE: usize = 25;
/// Memory of plans that are kept, beside those that came last.
const PLANS_BYTES: usize = 512 * 1024;
/// Most accounts that are kept, beside those that came last, and the memory of one.
const ACCOUNTS: usize = 4_000;
const ACCOUNT: usize = 64;

/// What is known of plans, prices and features.
pub(super) struct Charging {
    columns: Columns,
    /// The terms of the last row: its plan, and all features of the tenant once one was needed.
    terms: Terms,
    has_features: bool,
    /// The plans but that one.
    plans: HashMap<RatePlanId, PlanTerms>,
    /// The names of all plans that are known.
    names: HashMap<RatePlanId, RatePlanName>,
    /// The plan that customers of an account without one of their own are on.
    first_plans: HashMap<AccountId, Option<RatePlanId>>,
    plans_held: HeldBytes,
    features_held: HeldBytes,
    accounts_held: HeldBytes,
}

impl Charging {
    pub(super) fn new(columns: Columns) -> Self {
        Self {
            columns,
            terms: Terms::default(),
            has_features: false,
            plans: HashMap::new(),
            names: HashMap::new(),
            first_plans: HashMap::new(),
            plans_held: call::holder(),
            features_held: call::holder(),
            accounts_held: call::holder(),
        }
    }

    /// Reads what these rows need and is not known: at most `LEARNED_AT_ONCE` of them.
    pub(super) async fn learn(&mut self, conn: &mut PgConnection, scope: &Scope, rows: &[UnchargedRow]) -> Result<()> {
        if self.columns.needs_plan() {
            self.forget();
            self.learn_first_plans(&mut *conn, scope, rows).await?;
            self.learn_plans(&mut *conn, scope, rows).await?;
            self.learn_features(conn, scope, rows).await?;
        }
        Ok(())
    }

    /// The row with what the customer is charged. What it needs is known.
    pub(super) fn charge(&mut self, uncharged: UnchargedRow) -> ReportRow {
        if !self.columns.needs_plan() {
            return uncharged.row;
        }
        self.put_on(self.plan_of(&uncharged));
        let UnchargedRow { row, rate_plan, billing, .. } = uncharged;
        let charges = self.terms.charges(rate_plan, &billing.unwrap_or_default());
        row.charged(self.columns, charges, self.terms.plan_id().and_then(|plan| self.names.get(&plan)))
    }

    /// The plan that the customer is on.
    fn plan_of(&self, row: &UnchargedRow) -> Option<RatePlanId> {
        row.rate_plan.or_else(|| *self.first_plans.get(&row.owner?)?)
    }

    fn put_on(&mut self, plan: Option<RatePlanId>) {
        if self.terms.plan_id() == plan {
            return;
        }
        if let Some(last) = self.terms.plan.take() {
            self.plans.insert(last.id, last);
        }
        self.terms.plan = plan.and_then(|plan| self.plans.remove(&plan));
    }

    /// Forgets what has become too large.
    fn forget(&mut self) {
        if self.first_plans.len() > ACCOUNTS {
            self.first_plans.clear();
            self.accounts_held.shrink(0);
        }
        if self.plans_held.bytes() > PLANS_BYTES {
            self.terms.plan = None;
            self.plans.clear();
            self.names.clear();
            self.plans_held.shrink(0);
        }
    }

    async fn learn_first_plans(&mut self, conn: &mut PgConnection, scope: &Scope, rows: &[UnchargedRow]) -> Result<()> {
        let owners = rows.iter().filter(|row| row.rate_plan.is_none()).filter_map(|row| row.owner);
        let unknown: HashSet<AccountId> = owners.filter(|owner| !self.first_plans.contains_key(owner)).collect();
        if !unknown.is_empty() {
            self.accounts_held.grow(ACCOUNT * unknown.len())?;
            let unknown: Vec<AccountId> = unknown.into_iter().collect();
            self.first_plans.extend(report_terms::first_plans(conn, scope, &unknown).await?);
        }
        Ok(())
    }

    async fn learn_plans(&mut self, conn: &mut PgConnection, scope: &Scope, rows: &[UnchargedRow]) -> Result<()> {
        let plans = rows.iter().filter_map(|row| self.plan_of(row));
        let unknown: HashSet<RatePlanId> = plans.filter(|plan| !self.names.contains_key(plan)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let unknown: Vec<RatePlanId> = unknown.into_iter().collect();
        let found = report_terms::plans(conn, scope, &unknown, self.columns.has_charges()).await?;
        for NamedPlan { name, terms, cost } in found {
            self.plans_held.grow(cost)?;
            self.names.insert(terms.id, name);
            self.plans.insert(terms.id, terms);
        }
        Ok(())
    }

    async fn learn_features(&mut self, conn: &mut PgConnection, scope: &Scope, rows: &[UnchargedRow]) -> Result<()> {
        let is_active = |row: &UnchargedRow| row.billing.as_ref().is_some_and(|billing| !billing.features.is_empty());
        if !self.has_features && rows.iter().any(is_active) {
            let (features, cost) = report_terms::features(conn, scope).await?;
            self.features_held.grow(cost)?;
            (self.terms.features, self.has_features) = (features, true);
        }
        Ok(())
    }
}
