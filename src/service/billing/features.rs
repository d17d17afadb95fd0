//! The tenant's catalogue of features.

use sqlx::PgConnection;

use super::Billing;
use crate::{
    domain::{
        access::caller::Caller,
        billing::{
            customer_billing::class_key,
            feature::{Feature, FeatureCode, FeatureEdit},
            refusal::BillingRefusal,
        },
        refusal::Refusal,
        requests::{
            answer::Answer,
            options::{Options, Outcome},
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
    store,
};

impl Billing {
    /// Adds a feature to the tenant's catalogue.
    ///
    /// # Errors
    /// See the contract's CreateFeature.
    pub async fn create_feature(
        &self,
        caller: &Caller,
        feature: &Feature,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        caller.must_act_in_provider()?;
        let attempt = |mut lease: Lease| async move {
            lease.transaction(end(options), async |conn| create_locked(conn, caller, feature, options).await).await
        };
        // What customers may do depends on whether there is any feature.
        let call = Call::new(caller, options).making_stale(Some(Stale::Tenant(caller.scope().tenant())));
        let done = self.mutations.run(call, attempt, replay_as_stored).await;
        done.map_err(|failure| failure.on_key("features_pkey", Refusal::from(BillingRefusal::FeatureExists).into()))
    }

    /// Changes a feature of the tenant's catalogue.
    ///
    /// # Errors
    /// See the contract's UpdateFeature.
    pub async fn update_feature(
        &self,
        caller: &Caller,
        code: &FeatureCode,
        edit: &FeatureEdit,
        options: &Options,
    ) -> Result<Outcome<Answer>> {
        caller.must_not_be_narrowed()?;
        caller.must_act_in_provider()?;
        let attempt = |mut lease: Lease| async move {
            lease.transaction(end(options), async |conn| update_locked(conn, caller, code, edit, options).await).await
        };
        self.mutations.run(Call::new(caller, options), attempt, replay_as_stored).await
    }

    /// Lists the tenant's features by code.
    ///
    /// # Errors
    /// `PageToken`.
    pub async fn list_features(&self, caller: &Caller, size: usize, token: &str) -> Result<Page<Feature>> {
        let after: Option<String> = self.sealer.open_page(&features_context(caller), token)?;
        let after = after.unwrap_or_default();
        let mut lease = self.pool.lease().await?;
        let found = lease
            .run(async |conn| {
                store::billing::features::list(conn, caller.scope(), &after, page::limit(size), call::hold).await
            })
            .await?;
        Ok(Page::of(found, size))
    }

    /// The token of the page after this feature.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn features_token(&self, caller: &Caller, last: &Feature) -> Result<String> {
        self.sealer.page_token(&features_context(caller), &last.code.as_str())
    }
}

async fn create_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    feature: &Feature,
    options: &Options,
) -> Result<Outcome<Answer>> {
    store::accounts::lock_lists(conn, caller.scope()).await?;
    if let Some(answer) = find_stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(answer));
    }
    if store::billing::features::count(conn, caller.scope()).await? >= Feature::MAX_IN_TENANT {
        return Err(Refusal::LimitReached("a tenant has at most 1,000 features").into());
    }
    let feature = Feature { created_at: clock::now(), ..feature.clone() };
    let answer = Answer::Feature { feature: feature.clone() };
    let (stored, write) = (to_stored(&answer, options)?, write(caller, feature.created_at, options));
    store::billing::features::create(conn, caller.scope(), &feature, stored, write).await?;
    Ok(Outcome::changed(answer))
}

async fn update_locked(
    conn: &mut PgConnection,
    caller: &Caller,
    code: &FeatureCode,
    edit: &FeatureEdit,
    options: &Options,
) -> Result<Outcome<Answer>> {
    let before = store::billing::features::lock(conn, caller.scope(), code).await?;
    if let Some(answer) = find_stored(conn, caller, options).await? {
        return Ok(Outcome::replayed(answer));
    }
    let after = before.edited(edit.clone());
    let answer = Answer::Feature { feature: after.clone() };
    if before == after {
        return Ok(Outcome::unchanged(answer));
    }
    let classes = before.classes_in_the_way(&after).into_iter();
    let keys: Vec<String> = classes.map(|class| class_key(class, code)).collect();
    if store::billing::features::are_used(conn, caller.scope(), &keys).await? {
        return Err(Refusal::from(BillingRefusal::FeatureInUse).into());
    }
    let (stored, write) = (to_stored(&answer, options)?, write(caller, clock::now(), options));
    store::billing::features::update(conn, caller.scope(), &before, &after, stored, write).await?;
    Ok(Outcome::changed(answer))
}

fn features_context(caller: &Caller) -> PageContext<'static, bool> {
    PageContext::new("ListFeatures", caller, &true)
}
