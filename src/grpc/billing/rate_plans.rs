//! The handlers of BillingService for rate plans.

use std::collections::BTreeMap;

use tonic::Request;

use super::convert::{amount, currency, money_of};
use crate::{
    domain::{
        access::caller::Caller,
        billing::{
            feature::FeatureCode,
            money::{Amount, Currency},
            rate_plan::{Prices, RatePlan, RatePlanEdit, RatePlanName},
        },
        requests::answer::Answer,
        values::{
            ids::RatePlanId,
            violation::{Rule, Violations},
        },
    },
    error::Result,
    grpc::{
        convert::{page_size, time_out},
        handler::{Answered, mutate, other_answer, page, read},
        money::Money,
        pb,
    },
    service::{
        billing::{Billing, PlanPage},
        clock,
    },
};

/// Paths of one mask.
const MAX_PATHS: usize = 100;

pub(super) async fn list(
    billing: &Billing,
    request: Request<pb::ListRatePlansRequest>,
) -> Answered<pb::ListRatePlansResponse> {
    read(
        request,
        |violations, _, pb::ListRatePlansRequest { include_archived, page_size: size, page_token }| {
            page_size(violations, size).map(|size| (include_archived, size, page_token))
        },
        async |caller: &Caller, (archived, size, token)| {
            let PlanPage { account, plans } = billing.list_rate_plans(caller, archived, size, &token).await?;
            let (rate_plans, next_page_token) = page(
                &plans,
                |(_, plan)| plan_out(plan),
                |(last, _)| billing.rate_plans_token(caller, archived, account, last),
            )?;
            Ok(pb::ListRatePlansResponse {
                rate_plans,
                next_page_token,
                account_id: account.map(|account| account.to_string()).unwrap_or_default(),
                inherited: account.is_some_and(|account| account != caller.scope().root()),
            })
        },
    )
    .await
}

pub(super) async fn create(
    billing: &Billing,
    request: Request<pb::CreateRatePlanRequest>,
) -> Answered<pb::CreateRatePlanResponse> {
    mutate(
        request,
        |violations, caller: &Caller, pb::CreateRatePlanRequest { rate_plan, request_id: _, validate_only: _ }| {
            let pb::RatePlan { id: _, account_id: _, name, currency: code, prices, create_time: _, archived_at: _ } =
                rate_plan.unwrap_or_default();
            let name = violations.check("rate_plan.name", RatePlanName::parse(&name));
            let currency = currency(violations, "rate_plan.currency", &code);
            let prices = self::prices(violations, &prices);
            let priced = prices.and_then(|prices| in_currency(violations, prices, currency.as_ref()));
            name.zip(currency).zip(priced).map(|((name, currency), prices)| RatePlan {
                // The use case gives it its own.
                id: RatePlanId::from_uuid(clock::new_id()),
                account: caller.scope().root(),
                name,
                currency,
                prices,
                created_at: clock::now(),
                archived_at: None,
            })
        },
        async |caller: &Caller, plan, options| {
            let outcome = billing.create_rate_plan(caller, &plan, options).await?;
            let mut plan = plan_of(&outcome.value)?;
            if options.validate_only {
                // It is not stored, so its id finds nothing.
                plan.id.clear();
            }
            Ok(pb::CreateRatePlanResponse { rate_plan: Some(plan), replayed: outcome.replayed })
        },
    )
    .await
}

pub(super) async fn update(
    billing: &Billing,
    request: Request<pb::UpdateRatePlanRequest>,
) -> Answered<pb::UpdateRatePlanResponse> {
    mutate(
        request,
        |violations, _, pb::UpdateRatePlanRequest { rate_plan, update_mask, request_id: _, validate_only: _ }| {
            let plan = rate_plan.unwrap_or_default();
            let id = violations.check("rate_plan.id", RatePlanId::parse(&plan.id));
            id.zip(edit(violations, &plan, update_mask))
        },
        async |caller: &Caller, (id, edit), options| {
            let outcome = billing.update_rate_plan(caller, id, &edit, options).await?;
            Ok(pb::UpdateRatePlanResponse { rate_plan: Some(plan_of(&outcome.value)?), replayed: outcome.replayed })
        },
    )
    .await
}

pub(super) async fn reorder(
    billing: &Billing,
    request: Request<pb::ReorderRatePlansRequest>,
) -> Answered<pb::ReorderRatePlansResponse> {
    mutate(
        request,
        |violations, _, pb::ReorderRatePlansRequest { rate_plan_ids, request_id: _, validate_only: _ }| {
            if rate_plan_ids.is_empty() || rate_plan_ids.len() > RatePlan::MAX_IN_LIST {
                violations.push("rate_plan_ids", Rule::new("must be 1 to 200 ids"));
                return None;
            }
            let mut ids = Vec::with_capacity(rate_plan_ids.len());
            for (index, id) in rate_plan_ids.iter().enumerate() {
                ids.extend(violations.check(format!("rate_plan_ids[{index}]"), RatePlanId::parse(id)));
            }
            Some(ids)
        },
        async |caller: &Caller, order, options| {
            let outcome = billing.reorder_rate_plans(caller, &order, options).await?;
            let Answer::RatePlans { order } = &outcome.value else { return Err(other_answer()) };
            let rate_plan_ids = order.iter().map(ToString::to_string).collect();
            Ok(pb::ReorderRatePlansResponse { rate_plan_ids, replayed: outcome.replayed })
        },
    )
    .await
}

pub(super) async fn archive(
    billing: &Billing,
    request: Request<pb::ArchiveRatePlanRequest>,
) -> Answered<pb::ArchiveRatePlanResponse> {
    mutate(
        request,
        |violations, _, pb::ArchiveRatePlanRequest { rate_plan_id, request_id: _, validate_only: _ }| {
            violations.check("rate_plan_id", RatePlanId::parse(&rate_plan_id))
        },
        async |caller: &Caller, id, options| {
            let outcome = billing.archive_rate_plan(caller, id, options).await?;
            Ok(pb::ArchiveRatePlanResponse { rate_plan: Some(plan_of(&outcome.value)?), replayed: outcome.replayed })
        },
    )
    .await
}

/// A price with the currency that it names, if it names one.
type Named = (Amount, Option<Currency>);

fn price(violations: &mut Violations, code: &FeatureCode, raw: &Money) -> Option<Named> {
    let field = format!("rate_plan.prices.{}", code.as_str());
    let amount = amount(violations, &field, (raw.units, raw.nanos), Amount::MAX_PRICE);
    let named = match raw.currency_code.as_str() {
        "" => Some(None),
        code => currency(violations, &format!("{field}.currency_code"), code).map(Some),
    };
    amount.zip(named)
}

fn prices(violations: &mut Violations, raw: &BTreeMap<String, Money>) -> Option<BTreeMap<FeatureCode, Named>> {
    if raw.len() > RatePlan::MAX_PRICES {
        let rule = Rule::with(format!("must be at most {}; these are {}", RatePlan::MAX_PRICES, raw.len()));
        violations.push("rate_plan.prices", rule);
        return None;
    }
    let mut prices = BTreeMap::new();
    for (code, raw) in raw {
        // A malformed code is not repeated in the error: it may be of any length and content.
        let Some(code) = violations.check("rate_plan.prices", FeatureCode::parse(code)) else { continue };
        if let Some(price) = price(violations, &code, raw) {
            prices.insert(code, price);
        }
    }
    Some(prices)
}

/// The prices, if each names the plan's currency or none.
fn in_currency(
    violations: &mut Violations,
    prices: BTreeMap<FeatureCode, Named>,
    plan: Option<&Currency>,
) -> Option<Prices> {
    for (code, (_, named)) in &prices {
        if named.is_some() && plan.is_some() && named.as_ref() != plan {
            let field = format!("rate_plan.prices.{}.currency_code", code.as_str());
            violations.push(field, Rule::new("must be the currency of the rate plan, or empty"));
        }
    }
    Some(prices.into_iter().map(|(code, (amount, _))| (code, amount)).collect())
}

/// Reads the fields that a mask names.
fn edit(
    violations: &mut Violations,
    plan: &pb::RatePlan,
    mask: Option<prost_types::FieldMask>,
) -> Option<RatePlanEdit> {
    let paths = mask.map(|mask| mask.paths).unwrap_or_default();
    if paths.is_empty() || paths.len() > MAX_PATHS {
        let rule = Rule::with(format!("must name 1 to {MAX_PATHS} paths: name, prices or prices.CODE"));
        violations.push("update_mask", rule);
        return None;
    }
    let mut edit = RatePlanEdit::default();
    for (index, path) in paths.iter().enumerate() {
        let field = format!("update_mask.paths[{index}]");
        match path.split_once('.') {
            None if path == "name" => {
                edit.name = violations.check("rate_plan.name", RatePlanName::parse(&plan.name));
            }
            None if path == "prices" => {
                let whole = prices(violations, &plan.prices);
                edit.currencies.extend(whole.iter().flatten().filter_map(|(_, (_, named))| named.clone()));
                edit.prices = whole.map(|whole| whole.into_iter().map(|(code, (amount, _))| (code, amount)).collect());
            }
            Some(("prices", code)) => {
                let Some(code) = violations.check(field, FeatureCode::parse(code)) else { continue };
                let price = match plan.prices.get(code.as_str()) {
                    Some(raw) => price(violations, &code, raw).map(Some),
                    None => Some(None),
                };
                let Some(price) = price else { continue };
                edit.currencies.extend(price.iter().filter_map(|(_, named)| named.clone()));
                edit.single.insert(code, price.map(|(amount, _)| amount));
            }
            _ => violations.push(field, unwritable(path)),
        }
    }
    if edit.prices.is_some() && !edit.single.is_empty() {
        violations.push("update_mask", Rule::new("must not name prices both as a whole and in part"));
    }
    Some(edit)
}

/// The rule that such a path of a mask breaks.
fn unwritable(path: &str) -> Rule {
    match path {
        "id" => Rule::new("must not name id: it names the plan, and never changes"),
        "account_id" => Rule::new("must not name account_id: a plan stays in its account"),
        "currency" => Rule::new("must not name currency: it never changes"),
        "create_time" => Rule::new("must not name create_time: the server sets it"),
        "archived_at" => Rule::new("must not name archived_at: ArchiveRatePlan sets it"),
        _ => Rule::new("must be name, prices or prices.CODE"),
    }
}

/// The plan of an answer.
fn plan_of(answer: &Answer) -> Result<pb::RatePlan> {
    if let Answer::RatePlan { plan } = answer { Ok(plan_out(plan)) } else { Err(other_answer()) }
}

fn plan_out(plan: &RatePlan) -> pb::RatePlan {
    let prices = plan.prices.iter();
    pb::RatePlan {
        id: plan.id.to_string(),
        account_id: plan.account.to_string(),
        name: plan.name.as_str().to_owned(),
        currency: plan.currency.as_str().to_owned(),
        prices: prices
            .filter_map(|(code, price)| Some((code.as_str().to_owned(), money_of(&plan.currency, *price)?)))
            .collect(),
        create_time: Some(time_out(plan.created_at)),
        archived_at: plan.archived_at.map(time_out),
    }
}
