//! The handlers of BillingService on one customer.

use tonic::Request;

use super::convert::{active_feature, credit_limit, money_of, money_out};
use crate::{
    domain::{
        access::caller::Caller,
        billing::{
            customer_billing::MAX_QUANTITY,
            feature::FeatureCode,
            terms::{Charges, FeatureCharge},
        },
        values::{
            ids::RatePlanId,
            violation::{Rule, Violations},
        },
    },
    grpc::{
        convert::{customer_id, principal_out},
        customers::show,
        handler::{Answered, mutate, read},
        pb,
    },
    service::billing::Billing,
};

pub(super) async fn activate(
    billing: &Billing,
    request: Request<pb::ActivateFeatureRequest>,
) -> Answered<pb::ActivateFeatureResponse> {
    mutate(
        request,
        |violations, _, message| {
            let pb::ActivateFeatureRequest {
                customer_id: id,
                code,
                quantity,
                etag: _,
                request_id: _,
                validate_only: _,
            } = message;
            let id = customer_id(violations, "customer_id", &id);
            let code = violations.check("code", FeatureCode::parse(&code));
            id.zip(code).zip(self::quantity(violations, quantity))
        },
        async |caller: &Caller, ((id, code), quantity), options| {
            let outcome = billing.activate_feature(caller, id, code, quantity, options).await?;
            let (customer, replayed) = show::outcome(outcome);
            Ok(pb::ActivateFeatureResponse { customer, replayed })
        },
    )
    .await
}

/// Reads a quantity; 0 means 1.
fn quantity(violations: &mut Violations, raw: i32) -> Option<u32> {
    let within = u32::try_from(raw).ok().map(|quantity| quantity.max(1)).filter(|quantity| *quantity <= MAX_QUANTITY);
    if within.is_none() {
        violations.push("quantity", Rule::new("must be 0, which means 1, or 1 to 1,000,000"));
    }
    within
}

pub(super) async fn deactivate(
    billing: &Billing,
    request: Request<pb::DeactivateFeatureRequest>,
) -> Answered<pb::DeactivateFeatureResponse> {
    mutate(
        request,
        |violations, _, message| {
            let pb::DeactivateFeatureRequest { customer_id: id, code, etag: _, request_id: _, validate_only: _ } =
                message;
            let id = customer_id(violations, "customer_id", &id);
            id.zip(violations.check("code", FeatureCode::parse(&code)))
        },
        async |caller: &Caller, (id, code), options| {
            let (customer, replayed) = show::outcome(billing.deactivate_feature(caller, id, code, options).await?);
            Ok(pb::DeactivateFeatureResponse { customer, replayed })
        },
    )
    .await
}

pub(super) async fn set_limit(
    billing: &Billing,
    request: Request<pb::SetCreditLimitRequest>,
) -> Answered<pb::SetCreditLimitResponse> {
    mutate(
        request,
        |violations, _, message| {
            let pb::SetCreditLimitRequest {
                customer_id: id,
                credit_limit: limit,
                force,
                etag: _,
                request_id: _,
                validate_only: _,
            } = message;
            let id = customer_id(violations, "customer_id", &id);
            let limit = match limit {
                Some(limit) => credit_limit(violations, "credit_limit", &limit).map(Some),
                None => Some(None),
            };
            id.zip(limit).map(|(id, limit)| (id, limit, force))
        },
        async |caller: &Caller, (id, limit, force), options| {
            let outcome = billing.set_credit_limit(caller, id, limit, force, options).await?;
            let (customer, replayed) = show::outcome(outcome);
            Ok(pb::SetCreditLimitResponse { customer, replayed })
        },
    )
    .await
}

pub(super) async fn assign(
    billing: &Billing,
    request: Request<pb::AssignRatePlanRequest>,
) -> Answered<pb::AssignRatePlanResponse> {
    mutate(
        request,
        |violations, _, message| {
            let pb::AssignRatePlanRequest { customer_id: id, rate_plan_id, etag: _, request_id: _, validate_only: _ } =
                message;
            let id = customer_id(violations, "customer_id", &id);
            id.zip(violations.check("rate_plan_id", RatePlanId::parse(&rate_plan_id)))
        },
        async |caller: &Caller, (id, plan), options| {
            let mut outcome = billing.assign_rate_plan(caller, id, plan, options).await?;
            let before = outcome.value.charges_before.take().unwrap_or_default();
            let (customer, replayed) = show::outcome(outcome);
            Ok(pb::AssignRatePlanResponse {
                customer,
                replayed,
                previous_rate_plan_id: before.plan.map(|plan| plan.to_string()).unwrap_or_default(),
                previous_credit_used: before.used.as_ref().and_then(money_out),
            })
        },
    )
    .await
}

pub(super) async fn list(
    billing: &Billing,
    request: Request<pb::ListActiveFeaturesRequest>,
) -> Answered<pb::ListActiveFeaturesResponse> {
    read(
        request,
        |violations, _, pb::ListActiveFeaturesRequest { customer_id: id }| customer_id(violations, "customer_id", &id),
        async |caller: &Caller, id| {
            let charges = billing.active_features(caller, id).await?;
            Ok(pb::ListActiveFeaturesResponse {
                features: charges.features.iter().map(|feature| details(&charges, feature)).collect(),
                rate_plan_id: charges.plan.map(|plan| plan.to_string()).unwrap_or_default(),
                credit_limit: charges.limit.as_ref().and_then(money_out),
                credit_used: charges.used.as_ref().and_then(money_out),
                credit_available: charges.available.as_ref().and_then(money_out),
            })
        },
    )
    .await
}

fn details(charges: &Charges, feature: &FeatureCharge) -> pb::ActiveFeatureDetails {
    pb::ActiveFeatureDetails {
        feature: Some(active_feature(charges, feature)),
        name: feature.name.clone(),
        price: charges.currency.as_ref().zip(feature.price).and_then(|(currency, price)| money_of(currency, price)),
        activated_by: Some(principal_out(&feature.active.by)),
    }
}
