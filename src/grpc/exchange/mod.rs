//! `clientele.v1.ExchangeService`.

mod import;

use tonic::Request;

use crate::{
    domain::{access::caller::Caller, exchange::SubjectDocument},
    grpc::{
        convert::{customer_id, page_size},
        handler::{Answered, fit, read},
        pb::{self, exchange_service_server::ExchangeService},
    },
    service::{Services, exchange::Exchange},
};

/// The service's handlers.
pub(super) struct Handlers {
    exchange: Exchange,
}

impl Handlers {
    pub(super) fn new(services: &Services) -> Self {
        Self { exchange: services.exchange.clone() }
    }
}

#[tonic::async_trait]
impl ExchangeService for Handlers {
    async fn import_customers(
        &self,
        request: Request<pb::ImportCustomersRequest>,
    ) -> Answered<pb::ImportCustomersResponse> {
        import::import(&self.exchange, request).await
    }

    async fn export_subject_data(
        &self,
        request: Request<pb::ExportSubjectDataRequest>,
    ) -> Answered<pb::ExportSubjectDataResponse> {
        read(
            request,
            |violations, _, pb::ExportSubjectDataRequest { customer_id: id, page_size: size, page_token }| {
                let id = customer_id(violations, "customer_id", &id);
                id.zip(page_size(violations, size)).map(|(id, size)| (id, size, page_token))
            },
            async |caller: &Caller, (id, size, token)| {
                let page = self.exchange.export_subject(caller, id, size, &token).await?;
                let places: Vec<_> = page.items.iter().map(|document| document.at.clone()).collect();
                let (documents, cut) = fit(page.items.into_iter().map(document_out).collect());
                let next = if cut { places.get(documents.len().wrapping_sub(1)) } else { page.next.as_ref() };
                let token = next.map(|at| self.exchange.subject_token(caller, id, at)).transpose()?;
                Ok(pb::ExportSubjectDataResponse { documents, next_page_token: token.unwrap_or_default() })
            },
        )
        .await
    }
}

fn document_out(document: SubjectDocument) -> pb::SubjectDocument {
    let SubjectDocument { at, json } = document;
    pb::SubjectDocument { kind: at.kind.as_str().to_owned(), customer_id: at.customer.to_string(), json }
}
