//! What the demo's distributor sells, and what one customer has of it.

use super::{
    calls::{DemoCreation, Step, request_id},
    record::Owner,
    wire::into_result,
};
use crate::grpc::{
    money::Money,
    pb::{self, billing_service_client::BillingServiceClient},
};

/// The features: code, name, whether it is chargeable, whether RESIDENTIAL customers can have it.
const FEATURES: [(&str, &str, bool, bool); 4] = [
    ("voicemail", "Voicemail", true, true),
    ("sip-trunk", "SIP trunk", true, false),
    ("call-recording", "Call recording", true, false),
    ("caller-id", "Caller ID", false, true),
];

/// The plans: name, and the prices of the chargeable features in units and nanos.
const PLANS: [(&str, [(i64, i32); 3]); 2] = [
    ("Standard", [(2, 500_000_000), (12, 0), (6, 900_000_000)]),
    ("Value", [(1, 900_000_000), (9, 500_000_000), (5, 0)]),
];

impl DemoCreation<'_> {
    /// Makes the distributor's catalogue and its rate plans, which all accounts below inherit.
    pub(super) async fn create_rate_plans(&self) -> Result<(), String> {
        let mut client = BillingServiceClient::new(self.channel.clone());
        for (index, (code, name, chargeable, residential)) in FEATURES.into_iter().enumerate() {
            let classes = [Some(pb::ServiceClass::Normal), residential.then_some(pb::ServiceClass::Residential)];
            let feature = Some(pb::Feature {
                code: code.to_owned(),
                name: name.to_owned(),
                chargeable,
                service_classes: classes.into_iter().flatten().map(i32::from).collect(),
                ..Default::default()
            });
            let request_id = request_id(Step::Feature, index);
            let message = pb::CreateFeatureRequest { feature, request_id, validate_only: false };
            let response = client.create_feature(self.request(message, "admin", Owner::Distributor)?).await;
            into_result("CreateFeature", response)?;
        }
        let codes: Vec<&str> = FEATURES.iter().filter(|(_, _, chargeable, _)| *chargeable).map(|it| it.0).collect();
        for (index, (name, prices)) in PLANS.into_iter().enumerate() {
            let prices = codes.iter().zip(prices).map(|(code, (units, nanos))| {
                ((*code).to_owned(), Money { currency_code: String::new(), units, nanos })
            });
            let rate_plan = Some(pb::RatePlan {
                name: name.to_owned(),
                currency: "EUR".to_owned(),
                prices: prices.collect(),
                ..Default::default()
            });
            let request_id = request_id(Step::RatePlan, index);
            let message = pb::CreateRatePlanRequest { rate_plan, request_id, validate_only: false };
            let response = client.create_rate_plan(self.request(message, "admin", Owner::Distributor)?).await;
            into_result("CreateRatePlan", response)?;
        }
        Ok(())
    }

    /// Gives a customer of the first reseller credit, and two features.
    pub(super) async fn activate_features(&self, customer: &str) -> Result<(), String> {
        let mut client = BillingServiceClient::new(self.channel.clone());
        let message = pb::SetCreditLimitRequest {
            customer_id: customer.to_owned(),
            credit_limit: Some(Money { currency_code: String::new(), units: 50, nanos: 0 }),
            request_id: request_id(Step::Credit, 0),
            ..Default::default()
        };
        let response = client.set_credit_limit(self.request(message, "admin", Owner::Cloud)?).await;
        into_result("SetCreditLimit", response)?;
        for (index, (code, quantity)) in [("voicemail", 3), ("caller-id", 1)].into_iter().enumerate() {
            let message = pb::ActivateFeatureRequest {
                customer_id: customer.to_owned(),
                code: code.to_owned(),
                quantity,
                request_id: request_id(Step::Feature, 0x100 + index),
                ..Default::default()
            };
            let response = client.activate_feature(self.request(message, "alice", Owner::Cloud)?).await;
            into_result("ActivateFeature", response)?;
        }
        Ok(())
    }
}
