//! `clientele.v1.BillingService`.

pub(super) mod convert;
mod credit;
mod features;
mod payment_methods;
mod rate_plans;
mod report;
#[cfg(test)]
pub(super) mod samples;

use tonic::Request;

use crate::{
    grpc::{
        handler::Answered,
        pb::{self, billing_service_server::BillingService},
    },
    service::{
        Services,
        billing::{Billing, BillingReport, PaymentMethods},
    },
};

/// The service's handlers.
pub(super) struct Handlers {
    billing: Billing,
    payment_methods: PaymentMethods,
    report: BillingReport,
}

impl Handlers {
    pub(super) fn new(services: &Services) -> Self {
        Self {
            billing: services.billing.clone(),
            payment_methods: services.payment_methods.clone(),
            report: services.billing_report.clone(),
        }
    }
}

#[tonic::async_trait]
impl BillingService for Handlers {
    async fn add_payment_method(
        &self,
        request: Request<pb::AddPaymentMethodRequest>,
    ) -> Answered<pb::AddPaymentMethodResponse> {
        payment_methods::add(&self.payment_methods, request).await
    }

    async fn set_default_payment_method(
        &self,
        request: Request<pb::SetDefaultPaymentMethodRequest>,
    ) -> Answered<pb::SetDefaultPaymentMethodResponse> {
        payment_methods::set_default(&self.payment_methods, request).await
    }

    async fn remove_payment_method(
        &self,
        request: Request<pb::RemovePaymentMethodRequest>,
    ) -> Answered<pb::RemovePaymentMethodResponse> {
        payment_methods::remove(&self.payment_methods, request).await
    }

    async fn list_payment_methods(
        &self,
        request: Request<pb::ListPaymentMethodsRequest>,
    ) -> Answered<pb::ListPaymentMethodsResponse> {
        payment_methods::list(&self.payment_methods, request).await
    }

    type StreamBillingReportStream = report::Reported;

    async fn stream_billing_report(
        &self,
        request: Request<pb::StreamBillingReportRequest>,
    ) -> Answered<report::Reported> {
        report::stream(&self.report, request).await
    }

    async fn list_rate_plans(&self, request: Request<pb::ListRatePlansRequest>) -> Answered<pb::ListRatePlansResponse> {
        rate_plans::list(&self.billing, request).await
    }

    async fn create_rate_plan(
        &self,
        request: Request<pb::CreateRatePlanRequest>,
    ) -> Answered<pb::CreateRatePlanResponse> {
        rate_plans::create(&self.billing, request).await
    }

    async fn update_rate_plan(
        &self,
        request: Request<pb::UpdateRatePlanRequest>,
    ) -> Answered<pb::UpdateRatePlanResponse> {
        rate_plans::update(&self.billing, request).await
    }

    async fn reorder_rate_plans(
        &self,
        request: Request<pb::ReorderRatePlansRequest>,
    ) -> Answered<pb::ReorderRatePlansResponse> {
        rate_plans::reorder(&self.billing, request).await
    }

    async fn archive_rate_plan(
        &self,
        request: Request<pb::ArchiveRatePlanRequest>,
    ) -> Answered<pb::ArchiveRatePlanResponse> {
        rate_plans::archive(&self.billing, request).await
    }

    async fn list_features(&self, request: Request<pb::ListFeaturesRequest>) -> Answered<pb::ListFeaturesResponse> {
        features::list(&self.billing, request).await
    }

    async fn create_feature(&self, request: Request<pb::CreateFeatureRequest>) -> Answered<pb::CreateFeatureResponse> {
        features::create(&self.billing, request).await
    }

    async fn update_feature(&self, request: Request<pb::UpdateFeatureRequest>) -> Answered<pb::UpdateFeatureResponse> {
        features::update(&self.billing, request).await
    }

    async fn activate_feature(
        &self,
        request: Request<pb::ActivateFeatureRequest>,
    ) -> Answered<pb::ActivateFeatureResponse> {
        credit::activate(&self.billing, request).await
    }

    async fn deactivate_feature(
        &self,
        request: Request<pb::DeactivateFeatureRequest>,
    ) -> Answered<pb::DeactivateFeatureResponse> {
        credit::deactivate(&self.billing, request).await
    }

    async fn list_active_features(
        &self,
        request: Request<pb::ListActiveFeaturesRequest>,
    ) -> Answered<pb::ListActiveFeaturesResponse> {
        credit::list(&self.billing, request).await
    }

    async fn set_credit_limit(
        &self,
        request: Request<pb::SetCreditLimitRequest>,
    ) -> Answered<pb::SetCreditLimitResponse> {
        credit::set_limit(&self.billing, request).await
    }

    async fn assign_rate_plan(
        &self,
        request: Request<pb::AssignRatePlanRequest>,
    ) -> Answered<pb::AssignRatePlanResponse> {
        credit::assign(&self.billing, request).await
    }
}
