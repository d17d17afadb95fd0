//! `clientele.v1.CustomerService`.

mod batch;
mod create;
pub(super) mod duplicates;
mod find;
mod holds;
pub(super) mod mask;
mod merge;
mod ownership;
mod read;
mod read_parts;
mod search;
pub(super) mod show;
#[cfg(test)]
mod tests;
pub(super) mod upsert;

use tonic::Request;

use crate::{
    domain::{access::caller::Caller, customers::command::Command, values::status_reason::StatusReason},
    grpc::{
        convert::{self, customer_id},
        handler::{self, Answered, mutate, mutate_completing},
        pb::{self, customer_service_server::CustomerService},
    },
    service::{Services, customers::Customers},
};

/// The service's handlers.
pub(super) struct Handlers {
    customers: Customers,
}

impl Handlers {
    pub(super) fn new(services: &Services) -> Self {
        Self { customers: services.customers.clone() }
    }
}

#[tonic::async_trait]
impl CustomerService for Handlers {
    async fn create_customer(
        &self,
        request: Request<pb::CreateCustomerRequest>,
    ) -> Answered<pb::CreateCustomerResponse> {
        create::create(&self.customers, request).await
    }

    async fn get_customer(&self, request: Request<pb::GetCustomerRequest>) -> Answered<pb::GetCustomerResponse> {
        handler::read(
            request,
            |violations, _, pb::GetCustomerRequest { customer_id: id, view }| {
                let id = customer_id(violations, "customer_id", &id);
                id.zip(violations.check("view", convert::view(view)))
            },
            async |caller: &Caller, (id, view)| {
                let customer = Some(show::in_view(self.customers.get(caller, id).await?, view));
                Ok(pb::GetCustomerResponse { customer })
            },
        )
        .await
    }

    async fn batch_get_customers(
        &self,
        request: Request<pb::BatchGetCustomersRequest>,
    ) -> Answered<pb::BatchGetCustomersResponse> {
        find::batch_get(&self.customers, request).await
    }

    async fn lookup_customer(
        &self,
        request: Request<pb::LookupCustomerRequest>,
    ) -> Answered<pb::LookupCustomerResponse> {
        find::lookup(&self.customers, request).await
    }

    async fn check_name_availability(
        &self,
        request: Request<pb::CheckNameAvailabilityRequest>,
    ) -> Answered<pb::CheckNameAvailabilityResponse> {
        find::check_name(&self.customers, request).await
    }

    async fn search_customers(
        &self,
        request: Request<pb::SearchCustomersRequest>,
    ) -> Answered<pb::SearchCustomersResponse> {
        search::search(&self.customers, request).await
    }

    async fn find_duplicate_customers(
        &self,
        request: Request<pb::FindDuplicateCustomersRequest>,
    ) -> Answered<pb::FindDuplicateCustomersResponse> {
        duplicates::find(&self.customers, request).await
    }

    async fn update_customer(
        &self,
        request: Request<pb::UpdateCustomerRequest>,
    ) -> Answered<pb::UpdateCustomerResponse> {
        mutate_completing(
            request,
            |violations, _, message| {
                let pb::UpdateCustomerRequest { customer, update_mask, etag: _, request_id: _, validate_only: _ } =
                    message;
                let customer = customer.unwrap_or_default();
                let id = customer_id(violations, "customer.id", &customer.id);
                id.zip(read::edits(violations, update_mask, &customer))
            },
            async |caller: &Caller, (id, edits), violations| {
                self.customers.add_violations(caller, id, Command::Update(edits), violations).await;
            },
            async |caller: &Caller, (id, edits), options| {
                let (customer, replayed) = show::outcome(self.customers.update(caller, id, edits, options).await?);
                Ok(pb::UpdateCustomerResponse { customer, replayed })
            },
        )
        .await
    }

    async fn upsert_customer(
        &self,
        request: Request<pb::UpsertCustomerRequest>,
    ) -> Answered<pb::UpsertCustomerResponse> {
        upsert::upsert(&self.customers, request).await
    }

    async fn update_custom_id(
        &self,
        request: Request<pb::UpdateCustomIdRequest>,
    ) -> Answered<pb::UpdateCustomIdResponse> {
        upsert::update_custom_id(&self.customers, request).await
    }

    async fn approve_customer(
        &self,
        request: Request<pb::ApproveCustomerRequest>,
    ) -> Answered<pb::ApproveCustomerResponse> {
        mutate(
            request,
            |violations, _, message| {
                let pb::ApproveCustomerRequest { customer_id: id, etag: _, request_id: _, validate_only: _ } = message;
                customer_id(violations, "customer_id", &id)
            },
            async |caller: &Caller, id, options| {
                let (customer, replayed) = show::outcome(self.customers.approve(caller, id, options).await?);
                Ok(pb::ApproveCustomerResponse { customer, replayed })
            },
        )
        .await
    }

    async fn reject_customer(
        &self,
        request: Request<pb::RejectCustomerRequest>,
    ) -> Answered<pb::RejectCustomerResponse> {
        mutate(
            request,
            |violations, _, message| {
                let pb::RejectCustomerRequest { customer_id: id, reason, etag: _, request_id: _, validate_only: _ } =
                    message;
                let id = customer_id(violations, "customer_id", &id);
                id.zip(violations.check("reason", StatusReason::parse(&reason)))
            },
            async |caller: &Caller, (id, reason), options| {
                let (customer, replayed) = show::outcome(self.customers.reject(caller, id, reason, options).await?);
                Ok(pb::RejectCustomerResponse { customer, replayed })
            },
        )
        .await
    }

    async fn suspend_customer(
        &self,
        request: Request<pb::SuspendCustomerRequest>,
    ) -> Answered<pb::SuspendCustomerResponse> {
        mutate(
            request,
            |violations, _, message| {
                let pb::SuspendCustomerRequest { customer_id: id, reason, etag: _, request_id: _, validate_only: _ } =
                    message;
                let id = customer_id(violations, "customer_id", &id);
                id.zip(violations.check("reason", StatusReason::parse(&reason)))
            },
            async |caller: &Caller, (id, reason), options| {
                let (customer, replayed) = show::outcome(self.customers.suspend(caller, id, reason, options).await?);
                Ok(pb::SuspendCustomerResponse { customer, replayed })
            },
        )
        .await
    }

    async fn resume_customer(
        &self,
        request: Request<pb::ResumeCustomerRequest>,
    ) -> Answered<pb::ResumeCustomerResponse> {
        mutate(
            request,
            |violations, _, message| {
                let pb::ResumeCustomerRequest { customer_id: id, etag: _, request_id: _, validate_only: _ } = message;
                customer_id(violations, "customer_id", &id)
            },
            async |caller: &Caller, id, options| {
                let (customer, replayed) = show::outcome(self.customers.resume(caller, id, options).await?);
                Ok(pb::ResumeCustomerResponse { customer, replayed })
            },
        )
        .await
    }

    async fn place_hold(&self, request: Request<pb::PlaceHoldRequest>) -> Answered<pb::PlaceHoldResponse> {
        holds::place(&self.customers, request).await
    }

    async fn release_hold(&self, request: Request<pb::ReleaseHoldRequest>) -> Answered<pb::ReleaseHoldResponse> {
        holds::release(&self.customers, request).await
    }

    async fn modify_customer_tags(
        &self,
        request: Request<pb::ModifyCustomerTagsRequest>,
    ) -> Answered<pb::ModifyCustomerTagsResponse> {
        batch::modify_tags(&self.customers, request).await
    }

    async fn archive_customers(
        &self,
        request: Request<pb::ArchiveCustomersRequest>,
    ) -> Answered<pb::ArchiveCustomersResponse> {
        batch::archive(&self.customers, request).await
    }

    async fn unarchive_customers(
        &self,
        request: Request<pb::UnarchiveCustomersRequest>,
    ) -> Answered<pb::UnarchiveCustomersResponse> {
        batch::unarchive(&self.customers, request).await
    }

    async fn migrate_customer_to_reseller(
        &self,
        request: Request<pb::MigrateCustomerToResellerRequest>,
    ) -> Answered<pb::MigrateCustomerToResellerResponse> {
        ownership::migrate(&self.customers, request).await
    }

    async fn revert_customer_migration(
        &self,
        request: Request<pb::RevertCustomerMigrationRequest>,
    ) -> Answered<pb::RevertCustomerMigrationResponse> {
        ownership::revert(&self.customers, request).await
    }

    async fn transfer_customers(
        &self,
        request: Request<pb::TransferCustomersRequest>,
    ) -> Answered<pb::TransferCustomersResponse> {
        ownership::transfer(&self.customers, request).await
    }

    async fn merge_customers(
        &self,
        request: Request<pb::MergeCustomersRequest>,
    ) -> Answered<pb::MergeCustomersResponse> {
        merge::merge(&self.customers, request).await
    }

    async fn unmerge_customers(
        &self,
        request: Request<pb::UnmergeCustomersRequest>,
    ) -> Answered<pb::UnmergeCustomersResponse> {
        merge::unmerge(&self.customers, request).await
    }

    async fn erase_customer(&self, request: Request<pb::EraseCustomerRequest>) -> Answered<pb::EraseCustomerResponse> {
        merge::erase(&self.customers, request).await
    }
}
