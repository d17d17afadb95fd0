//! `clientele.v1.BillingService`.

mod payment_methods;
mod report;

use tonic::Request;

use crate::{
    grpc::{
        handler::Answered,
        pb::{self, billing_service_server::BillingService},
    },
    service::{
        Services,
        billing::{BillingReport, PaymentMethods},
    },
};

/// The service's handlers.
pub(super) struct Handlers {
    payment_methods: PaymentMethods,
    report: BillingReport,
}

impl Handlers {
    pub(super) fn new(services: &Services) -> Self {
        Self { payment_methods: services.payment_methods.clone(), report: services.billing_report.clone() }
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
}
