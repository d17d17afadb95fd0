//! What tests of billing share: features, rate plans, and customers that have them.

use clientele::grpc::{money::Money, pb};
use tonic::Status;

pub use crate::contract::cases::{feature, rate_plan};
use crate::world::{Client, TestAccount, World, customer, mask};

/// An amount in euros.
pub fn eur(units: i64) -> Money {
    Money { currency_code: "EUR".to_owned(), units, nanos: 0 }
}

/// A chargeable feature.
pub fn chargeable(code: &str) -> pb::Feature {
    pb::Feature { chargeable: true, ..feature(code) }
}

/// A plan in euros with these prices.
pub fn plan(name: &str, prices: &[(&str, i64)]) -> pb::RatePlan {
    let prices = prices.iter().map(|(code, units)| ((*code).to_owned(), eur(*units))).collect();
    pb::RatePlan { prices, ..rate_plan(name) }
}

pub async fn create_feature(client: &Client, feature: pb::Feature) -> Result<pb::Feature, Status> {
    let request = pb::CreateFeatureRequest { feature: Some(feature), ..Default::default() };
    Ok(client.billing().create_feature(request).await?.into_inner().feature.unwrap())
}

pub async fn update_feature(client: &Client, feature: pb::Feature, paths: &[&str]) -> Result<pb::Feature, Status> {
    let request =
        pb::UpdateFeatureRequest { feature: Some(feature), update_mask: Some(mask(paths)), ..Default::default() };
    Ok(client.billing().update_feature(request).await?.into_inner().feature.unwrap())
}

pub async fn create_plan(client: &Client, plan: pb::RatePlan) -> Result<pb::RatePlan, Status> {
    let request = pb::CreateRatePlanRequest { rate_plan: Some(plan), ..Default::default() };
    Ok(client.billing().create_rate_plan(request).await?.into_inner().rate_plan.unwrap())
}

pub async fn update_plan(client: &Client, plan: pb::RatePlan, paths: &[&str]) -> Result<pb::RatePlan, Status> {
    let request =
        pb::UpdateRatePlanRequest { rate_plan: Some(plan), update_mask: Some(mask(paths)), ..Default::default() };
    Ok(client.billing().update_rate_plan(request).await?.into_inner().rate_plan.unwrap())
}

pub async fn archive_plan(client: &Client, id: &str) -> Result<pb::RatePlan, Status> {
    let request = pb::ArchiveRatePlanRequest { rate_plan_id: id.to_owned(), ..Default::default() };
    Ok(client.billing().archive_rate_plan(request).await?.into_inner().rate_plan.unwrap())
}

pub async fn plans(client: &Client) -> pb::ListRatePlansResponse {
    client.billing().list_rate_plans(pb::ListRatePlansRequest::default()).await.unwrap().into_inner()
}

pub async fn activate(client: &Client, id: &str, code: &str, quantity: i32) -> Result<pb::Customer, Status> {
    let (customer_id, code) = (id.to_owned(), code.to_owned());
    let request = pb::ActivateFeatureRequest { customer_id, code, quantity, ..Default::default() };
    Ok(client.billing().activate_feature(request).await?.into_inner().customer.unwrap())
}

pub async fn deactivate(client: &Client, id: &str, code: &str) -> Result<pb::Customer, Status> {
    let request =
        pb::DeactivateFeatureRequest { customer_id: id.to_owned(), code: code.to_owned(), ..Default::default() };
    Ok(client.billing().deactivate_feature(request).await?.into_inner().customer.unwrap())
}

pub async fn set_limit(client: &Client, id: &str, limit: Option<Money>) -> Result<pb::Customer, Status> {
    let request = pb::SetCreditLimitRequest { customer_id: id.to_owned(), credit_limit: limit, ..Default::default() };
    Ok(client.billing().set_credit_limit(request).await?.into_inner().customer.unwrap())
}

pub async fn assign(client: &Client, id: &str, plan: &str) -> Result<pb::AssignRatePlanResponse, Status> {
    let (customer_id, rate_plan_id) = (id.to_owned(), plan.to_owned());
    let request = pb::AssignRatePlanRequest { customer_id, rate_plan_id, ..Default::default() };
    Ok(client.billing().assign_rate_plan(request).await?.into_inner())
}

/// A tenant that sells voicemail for 2 euros, trunks to NORMAL customers for 10, and caller ids for nothing; its plan.
pub async fn telecom(world: &World) -> (TestAccount, pb::RatePlan) {
    let acme = world.tenant("acme").await;
    let normal = vec![pb::ServiceClass::Normal.into()];
    create_feature(&acme.admin, chargeable("voicemail")).await.unwrap();
    create_feature(&acme.admin, pb::Feature { service_classes: normal, ..chargeable("trunk") }).await.unwrap();
    create_feature(&acme.admin, feature("caller-id")).await.unwrap();
    let plan = create_plan(&acme.admin, plan("Standard", &[("voicemail", 2), ("trunk", 10)])).await.unwrap();
    (acme, plan)
}

/// A new customer with a credit limit in euros.
pub async fn with_limit(client: &Client, name: &str, units: i64) -> pb::Customer {
    client.create(pb::Customer { credit_limit: Some(eur(units)), ..customer(name) }).await.unwrap()
}

/// What is active: codes and quantities.
pub fn active(customer: &pb::Customer) -> Vec<(&str, i32)> {
    customer.active_features.iter().map(|feature| (feature.code.as_str(), feature.quantity)).collect()
}

/// The limit, what is used and what is left, in whole units.
pub fn credit(customer: &pb::Customer) -> (Option<i64>, Option<i64>, Option<i64>) {
    let units = |money: &Option<Money>| money.as_ref().map(|money| money.units);
    (units(&customer.credit_limit), units(&customer.credit_used), units(&customer.credit_available))
}

/// The newest event of the account in which the client acts.
pub async fn newest(client: &Client) -> pb::AccountEvent {
    let request = pb::ListAccountEventsRequest { page_size: 1, ..Default::default() };
    client.accounts().list_account_events(request).await.unwrap().into_inner().events.remove(0)
}
