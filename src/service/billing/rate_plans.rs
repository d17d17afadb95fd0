//! Rate plans of accounts.

use sqlx::PgConnection;

use super::Billing;
use crate::{
    domain::{
        access::caller::Caller,
        billing::{
            customer_billing::price_key,
            feature::FeatureCode,
            rate_plan::{RatePlan, RatePlanEdit},
            refusal::BillingRefusal,
        },
        refusal::Refusal,
        requests::{
            answer::Answer,
            options::{Options, Outcome},
        },
        values::{
            ids::{AccountId, RatePlanId},
            violation::{Rule, Violations},
        },
    },
    error::Result,
    service::{
        access::cache::Stale,
        call, clock,
        mutation::{Call, end, find_stored, replay_as_stored, to_stored, write},
        page::{self, Page},
        pool::Lease,
        seal::PageContext,
    },
    store::{self, billing::rate_plans::Place},
};

/// One page of a list of plans.
#[derive(Clone, Debug)]
pub struct PlanPage {
    /// The account whose list it is; none if no list applies.
    pub account: Option<AccountId>,
    /// The plans, each with its place.
    pub plans: Page<(Place, RatePlan)>,
}

impl Billing {
    /// Adds a plan to the acting account's list.
    ///
    /// # Errors
    /// See the contract's CreateRatePlan.
    pub async fn create_rate_plan(
        &self,
        caller: &Caller,
        plan: &RatePlan,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        let attempt = |mut lease: Lease| async move {
            lease.transaction(end(options), async |conn| create_locked(conn, caller, plan, options).await).await
        };
        self.change_plans(caller, options, attempt).await
    }

    /// Changes one of the acting account's plans.
    ///
    /// # Errors
    /// See the contract's UpdateRatePlan.
    pub async fn update_rate_plan(
        &self,
        caller: &Caller,
        id: RatePlanId,
        edit: &RatePlanEdit,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        let attempt = |mut lease: Lease| async move {
            lease.transaction(end(options), async |conn| update_locked(conn, caller, id, edit, options).await).await
        };
        self.change_plans(caller, options, attempt).await
    }

    /// Gives the acting account's list another order.
    ///
    /// # Errors
    /// See the contract's ReorderRatePlans.
    pub async fn reorder_rate_plans(
        &self,
        caller: &Caller,
        order: &[RatePlanId],
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        let attempt = |mut lease: Lease| async move {
            lease.transaction(end(options), async |conn| reorder_locked(conn, caller, order, options).await).await
        };
        self.change_plans(caller, options, attempt).await
    }

    /// Takes a plan from the acting account's list. Safe to repeat.
    ///
    /// # Errors
    /// See the contract's ArchiveRatePlan.
    pub async fn archive_rate_plan(
        &self,
        caller: &Caller,
        id: RatePlanId,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        let attempt = |mut lease: Lease| async move {
            lease.transaction(end(options), async |conn| archive_locked(conn, caller, id, options).await).await
        };
        self.change_plans(caller, options, attempt).await
    }

    /// Runs a change of the acting account's plans. Accounts below inherit the list, so all of the tenant's entries may be stale.
    async fn change_plans<A>(
        &self,
        caller: &Caller,
        options: &Options,
        attempt: impl Fn(Lease) -> A,
    ) -> Result<Outcome<Answer>>
    where
        A: Future<Output = Result<Outcome<Answer>>>,
    {
        caller.must_not_be_narrowed()?;
        let call = Call::new(caller, options).making_stale(Some(Stale::Tenant(caller.scope().tenant())));
        self.mutations.run(call, attempt, replay_as_stored).await
    }

    /// Lists the plans that apply to the acting account, in their order.
    ///
    /// # Errors
    /// `PageToken`.
    pub async fn list_rate_plans(&self, caller: &Caller, archived: bool, size: usize, token: &str) -> Result<PlanPage> {
        let scope = caller.scope();
        let mut lease = self.pool.lease().await?;
        let account =
            lease.run(async |conn| store::billing::rate_plans::list_account(conn, scope, scope.root()).await).await?;
        // Without a list that applies, the account's own archived plans can still be listed.
        let listed = account.unwrap_or(scope.root());
        let after: Option<Place> = self.sealer.open_page(&context(caller, &(archived, listed)), token)?;
        let limit = page::limit(size);
        let found = lease
            .run(async |conn| {
                store::billing::rate_plans::list(conn, scope, listed, (archived, after), limit, call::hold).await
            })
            .await?;
        Ok(PlanPage { account, plans: Page::of(found, size) })
    }

    /// The token of the page after this place.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn rate_plans_token(
        &self,
        caller: &Caller,
        archived: bool,
        account: Option<AccountId>,
        last: &Place,
    ) -> Result<String> {
        self.sealer.page_token(&context(caller, &(archived, account.unwrap_or(caller.scope().root()))), last)
    }
}

async fn create_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    plan: &RatePlan,
    options: &Options,
) -> Result<Outcome<Answer>> {
    let scope = caller.scope();
    store::accounts::lock_lists(conn, scope).await?;
    if let Some(answer) = find_stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(answer));
    }
    store::accounts::hold_first_plans_above(conn, scope).await?;
    must_be_known(conn, caller, &plan.prices.keys().cloned().collect::<Vec<_>>()).await?;
    let (listed, all) = store::billing::rate_plans::count(conn, scope).await?;
    if listed >= RatePlan::MAX_IN_LIST {
        return Err(Refusal::LimitReached("an account has at most 200 rate plans in its list").into());
    }
    if all >= RatePlan::MAX_IN_ACCOUNT {
        return Err(Refusal::LimitReached("an account has at most 1,000 rate plans, archived ones too").into());
    }
    let plan = RatePlan {
        id: RatePlanId::from_uuid(clock::new_id()),
        account: scope.root(),
        created_at: clock::now(),
        ..plan.clone()
    };
    let answer = Answer::RatePlan { plan: plan.clone() };
    let (stored, write) = (to_stored(&answer, options)?, write(caller, plan.created_at, options));
    store::billing::plan_changes::create(conn, scope, &plan, stored, write).await?;
    Ok(Outcome::changed(answer))
}

async fn update_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    id: RatePlanId,
    edit: &RatePlanEdit,
    options: &Options,
) -> Result<Outcome<Answer>> {
    let scope = caller.scope();
    let before = store::billing::rate_plans::lock(conn, scope, id).await?;
    if let Some(answer) = find_stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(answer));
    }
    if edit.currencies.iter().any(|currency| *currency != before.currency) {
        return Err(Refusal::from(BillingRefusal::CurrencyMismatch).into());
    }
    let after = before.edited(edit);
    if before == after {
        return Ok(Outcome::unchanged(Answer::RatePlan { plan: after }));
    }
    must_be_known(conn, caller, &before.prices_added(&after)).await?;
    if after.prices.len() > RatePlan::MAX_PRICES {
        return Err(Refusal::LimitReached("a rate plan has at most 1,000 prices").into());
    }
    let taken = store::billing::features::chargeable(conn, scope, &before.prices_taken_away(&after)).await?;
    let keys: Vec<String> = taken.iter().map(|code| price_key(id, code)).collect();
    if store::billing::features::are_used(conn, scope, &keys).await? {
        return Err(Refusal::from(BillingRefusal::FeatureInUse).into());
    }
    write_plan(conn, caller, &before, after, options).await
}

async fn archive_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    id: RatePlanId,
    options: &Options,
) -> Result<Outcome<Answer>> {
    store::accounts::lock_lists(conn, caller.scope()).await?;
    let before = store::billing::rate_plans::lock(conn, caller.scope(), id).await?;
    if let Some(answer) = find_stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(answer));
    }
    if before.archived_at.is_some() {
        return Ok(Outcome::unchanged(Answer::RatePlan { plan: before }));
    }
    let after = RatePlan { archived_at: Some(clock::now()), ..before.clone() };
    write_plan(conn, caller, &before, after, options).await
}

async fn write_plan(
    conn: &mut PgConnection,
    caller: &Caller,
    before: &RatePlan,
    after: RatePlan,
    options: &Options,
) -> Result<Outcome<Answer>> {
    let answer = Answer::RatePlan { plan: after.clone() };
    let (stored, write) = (to_stored(&answer, options)?, write(caller, clock::now(), options));
    store::billing::plan_changes::update(conn, caller.scope(), before, &after, stored, write).await?;
    Ok(Outcome::changed(answer))
}

async fn reorder_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    order: &[RatePlanId],
    options: &Options,
) -> Result<Outcome<Answer>> {
    store::accounts::lock_lists(conn, caller.scope()).await?;
    if let Some(answer) = find_stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(answer));
    }
    let before = store::billing::rate_plans::order(conn, caller.scope()).await?;
    let answer = Answer::RatePlans { order: order.to_vec() };
    if before == order {
        return Ok(Outcome::unchanged(answer));
    }
    let sorted = |plans: &[RatePlanId]| {
        let mut plans = plans.to_vec();
        plans.sort_unstable();
        plans
    };
    if sorted(&before) != sorted(order) {
        let rule =
            Rule::new("must be the ids of all plans in the acting account's list, each once; ListRatePlans has them");
        return Err(Violations::of("rate_plan_ids", rule).into());
    }
    let (stored, write) = (to_stored(&answer, options)?, write(caller, clock::now(), options));
    store::billing::plan_changes::reorder(conn, caller.scope(), (&before, order), stored, write).await?;
    Ok(Outcome::changed(answer))
}

/// Refuses prices of features that the catalogue lacks.
async fn must_be_known(conn: &mut PgConnection, caller: &Caller, codes: &[FeatureCode]) -> Result<()> {
    if codes.is_empty() || store::billing::features::unknown(conn, caller.scope(), codes).await?.is_empty() {
        return Ok(());
    }
    Err(Refusal::from(BillingRefusal::FeatureNotFound).into())
}

fn context<'a>(caller: &Caller, query: &'a (bool, AccountId)) -> PageContext<'a, (bool, AccountId)> {
    PageContext::new("ListRatePlans", caller, query)
}
