//! `clientele.v1.CustomerService`.

mod find;
mod holds;
mod ownership;
mod read;
mod search;
pub(super) mod show;
mod upsert;

use tonic::{Request, Response, Status};

use crate::{
    domain::{
        access::caller::Caller,
        requests::options::{Options, Outcome},
        values::{status_reason::StatusReason, violation::Violations},
    },
    grpc::{
        Mutation, admit, admit_mutation,
        convert::{batch, caller_options, customer_id, is_full},
        of_mutation, of_read,
        pb::{self, customer_service_server::CustomerService},
        refuse,
        tags::tag_names,
    },
    service::{
        Services,
        customers::{BatchItem, BatchOutcomes, CustomerDetails, Customers},
    },
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
    ) -> Result<Response<pb::CreateCustomerResponse>, Status> {
        let (caller, message): (Caller, _) = admit_mutation(request)?;
        let mut violations = Violations::default();
        let options = caller_options(&mut violations, &caller, &message);
        let pb::CreateCustomerRequest { customer, request_id: _, validate_only: _ } = message;
        let draft = violations.nest("", read::draft(customer));
        let (draft, options) = violations.finish(draft.zip(options)).map_err(refuse)?;
        let outcome = self.customers.create(&caller, &draft, &options).await.map_err(of_mutation(&options))?;
        let (mut customer, replayed) = shown(outcome);
        if let Some(customer) = customer.as_mut().filter(|_| options.validate_only) {
            // Nobody can find it by this id.
            customer.id.clear();
        }
        Ok(Response::new(pb::CreateCustomerResponse { customer, replayed }))
    }

    async fn get_customer(
        &self,
        request: Request<pb::GetCustomerRequest>,
    ) -> Result<Response<pb::GetCustomerResponse>, Status> {
        let (caller, message): (Caller, _) = admit(request)?;
        let pb::GetCustomerRequest { customer_id: id, view } = message;
        let mut violations = Violations::default();
        let id = customer_id(&mut violations, "customer_id", &id);
        let full = violations.check("view", is_full(view));
        let (id, full) = violations.finish(id.zip(full)).map_err(refuse)?;
        let shown = self.customers.get(&caller, id).await.map_err(of_read)?;
        let customer = if full { show::full(shown) } else { show::basic(shown) };
        Ok(Response::new(pb::GetCustomerResponse { customer: Some(customer) }))
    }

    async fn batch_get_customers(
        &self,
        request: Request<pb::BatchGetCustomersRequest>,
    ) -> Result<Response<pb::BatchGetCustomersResponse>, Status> {
        find::batch_get(&self.customers, request).await
    }

    async fn lookup_customer(
        &self,
        request: Request<pb::LookupCustomerRequest>,
    ) -> Result<Response<pb::LookupCustomerResponse>, Status> {
        find::lookup(&self.customers, request).await
    }

    async fn check_name_availability(
        &self,
        request: Request<pb::CheckNameAvailabilityRequest>,
    ) -> Result<Response<pb::CheckNameAvailabilityResponse>, Status> {
        find::check_name(&self.customers, request).await
    }

    async fn upsert_customer(
        &self,
        request: Request<pb::UpsertCustomerRequest>,
    ) -> Result<Response<pb::UpsertCustomerResponse>, Status> {
        upsert::upsert(&self.customers, request).await
    }

    async fn update_custom_id(
        &self,
        request: Request<pb::UpdateCustomIdRequest>,
    ) -> Result<Response<pb::UpdateCustomIdResponse>, Status> {
        upsert::update_custom_id(&self.customers, request).await
    }

    async fn search_customers(
        &self,
        request: Request<pb::SearchCustomersRequest>,
    ) -> Result<Response<pb::SearchCustomersResponse>, Status> {
        let (caller, message): (Caller, _) = admit(request)?;
        let (wanted, how) = search::search(message).map_err(refuse)?;
        let found = self.customers.search(&caller, &wanted, how.size, &how.token, how.count).await.map_err(of_read)?;
        search::page(&self.customers, &caller, &wanted, found, how.full).map(Response::new)
    }

    async fn update_customer(
        &self,
        request: Request<pb::UpdateCustomerRequest>,
    ) -> Result<Response<pb::UpdateCustomerResponse>, Status> {
        let (caller, message): (Caller, _) = admit_mutation(request)?;
        let mut violations = Violations::default();
        let options = caller_options(&mut violations, &caller, &message);
        let pb::UpdateCustomerRequest { customer, update_mask, etag: _, request_id: _, validate_only: _ } = message;
        let customer = customer.unwrap_or_default();
        let id = customer_id(&mut violations, "customer.id", &customer.id);
        let edits = violations.nest("", read::edits(update_mask, &customer));
        let ((id, edits), options) = violations.finish(id.zip(edits).zip(options)).map_err(refuse)?;
        let outcome = self.customers.update(&caller, id, edits, &options).await.map_err(of_mutation(&options))?;
        let (customer, replayed) = shown(outcome);
        Ok(Response::new(pb::UpdateCustomerResponse { customer, replayed }))
    }

    async fn approve_customer(
        &self,
        request: Request<pb::ApproveCustomerRequest>,
    ) -> Result<Response<pb::ApproveCustomerResponse>, Status> {
        let (caller, message): (Caller, _) = admit_mutation(request)?;
        let mut violations = Violations::default();
        let options = caller_options(&mut violations, &caller, &message);
        let pb::ApproveCustomerRequest { customer_id: id, etag: _, request_id: _, validate_only: _ } = message;
        let id = customer_id(&mut violations, "customer_id", &id);
        let (id, options) = violations.finish(id.zip(options)).map_err(refuse)?;
        let outcome = self.customers.approve(&caller, id, &options).await.map_err(of_mutation(&options))?;
        let (customer, replayed) = shown(outcome);
        Ok(Response::new(pb::ApproveCustomerResponse { customer, replayed }))
    }

    async fn reject_customer(
        &self,
        request: Request<pb::RejectCustomerRequest>,
    ) -> Result<Response<pb::RejectCustomerResponse>, Status> {
        let (caller, message): (Caller, _) = admit_mutation(request)?;
        let mut violations = Violations::default();
        let options = caller_options(&mut violations, &caller, &message);
        let pb::RejectCustomerRequest { customer_id: id, reason, etag: _, request_id: _, validate_only: _ } = message;
        let id = customer_id(&mut violations, "customer_id", &id);
        let reason = violations.check("reason", StatusReason::parse(&reason));
        let ((id, reason), options) = violations.finish(id.zip(reason).zip(options)).map_err(refuse)?;
        let outcome = self.customers.reject(&caller, id, reason, &options).await.map_err(of_mutation(&options))?;
        let (customer, replayed) = shown(outcome);
        Ok(Response::new(pb::RejectCustomerResponse { customer, replayed }))
    }

    async fn suspend_customer(
        &self,
        request: Request<pb::SuspendCustomerRequest>,
    ) -> Result<Response<pb::SuspendCustomerResponse>, Status> {
        let (caller, message): (Caller, _) = admit_mutation(request)?;
        let mut violations = Violations::default();
        let options = caller_options(&mut violations, &caller, &message);
        let pb::SuspendCustomerRequest { customer_id: id, reason, etag: _, request_id: _, validate_only: _ } = message;
        let id = customer_id(&mut violations, "customer_id", &id);
        let reason = violations.check("reason", StatusReason::parse(&reason));
        let ((id, reason), options) = violations.finish(id.zip(reason).zip(options)).map_err(refuse)?;
        let outcome = self.customers.suspend(&caller, id, reason, &options).await.map_err(of_mutation(&options))?;
        let (customer, replayed) = shown(outcome);
        Ok(Response::new(pb::SuspendCustomerResponse { customer, replayed }))
    }

    async fn resume_customer(
        &self,
        request: Request<pb::ResumeCustomerRequest>,
    ) -> Result<Response<pb::ResumeCustomerResponse>, Status> {
        let (caller, message): (Caller, _) = admit_mutation(request)?;
        let mut violations = Violations::default();
        let options = caller_options(&mut violations, &caller, &message);
        let pb::ResumeCustomerRequest { customer_id: id, etag: _, request_id: _, validate_only: _ } = message;
        let id = customer_id(&mut violations, "customer_id", &id);
        let (id, options) = violations.finish(id.zip(options)).map_err(refuse)?;
        let outcome = self.customers.resume(&caller, id, &options).await.map_err(of_mutation(&options))?;
        let (customer, replayed) = shown(outcome);
        Ok(Response::new(pb::ResumeCustomerResponse { customer, replayed }))
    }

    async fn place_hold(
        &self,
        request: Request<pb::PlaceHoldRequest>,
    ) -> Result<Response<pb::PlaceHoldResponse>, Status> {
        holds::place(&self.customers, request).await
    }

    async fn release_hold(
        &self,
        request: Request<pb::ReleaseHoldRequest>,
    ) -> Result<Response<pb::ReleaseHoldResponse>, Status> {
        holds::release(&self.customers, request).await
    }

    async fn modify_customer_tags(
        &self,
        request: Request<pb::ModifyCustomerTagsRequest>,
    ) -> Result<Response<pb::ModifyCustomerTagsResponse>, Status> {
        let (caller, message): (Caller, _) = admit_mutation(request)?;
        let mut violations = Violations::default();
        let options = caller_options(&mut violations, &caller, &message);
        let pb::ModifyCustomerTagsRequest { customer_ids, add_tags, remove_tags, request_id: _, validate_only: _ } =
            message;
        let ids = batch(&mut violations, &customer_ids);
        let names = tag_names(&mut violations, &add_tags, &remove_tags);
        let ((ids, names), options) = violations.finish(ids.zip(names).zip(options)).map_err(refuse)?;
        let outcome = self.customers.modify_tags(&caller, &ids, &names, &options).await;
        let (outcomes, replayed) = outcomes(outcome.map_err(of_mutation(&options))?);
        Ok(Response::new(pb::ModifyCustomerTagsResponse { outcomes, replayed }))
    }

    async fn archive_customers(
        &self,
        request: Request<pb::ArchiveCustomersRequest>,
    ) -> Result<Response<pb::ArchiveCustomersResponse>, Status> {
        let (caller, message): (Caller, _) = admit_mutation(request)?;
        let (ids, options) = archiving(&caller, &message.customer_ids, &message)?;
        let outcome = self.customers.archive(&caller, &ids, &options).await.map_err(of_mutation(&options))?;
        let (outcomes, replayed) = outcomes(outcome);
        Ok(Response::new(pb::ArchiveCustomersResponse { outcomes, replayed }))
    }

    async fn unarchive_customers(
        &self,
        request: Request<pb::UnarchiveCustomersRequest>,
    ) -> Result<Response<pb::UnarchiveCustomersResponse>, Status> {
        let (caller, message): (Caller, _) = admit_mutation(request)?;
        let (ids, options) = archiving(&caller, &message.customer_ids, &message)?;
        let outcome = self.customers.unarchive(&caller, &ids, &options).await.map_err(of_mutation(&options))?;
        let (outcomes, replayed) = outcomes(outcome);
        Ok(Response::new(pb::UnarchiveCustomersResponse { outcomes, replayed }))
    }

    async fn migrate_customer_to_reseller(
        &self,
        request: Request<pb::MigrateCustomerToResellerRequest>,
    ) -> Result<Response<pb::MigrateCustomerToResellerResponse>, Status> {
        ownership::migrate(&self.customers, request).await
    }

    async fn revert_customer_migration(
        &self,
        request: Request<pb::RevertCustomerMigrationRequest>,
    ) -> Result<Response<pb::RevertCustomerMigrationResponse>, Status> {
        // Boxed: it holds the customer several times, before and after.
        Box::pin(ownership::revert(&self.customers, request)).await
    }

    async fn transfer_customers(
        &self,
        request: Request<pb::TransferCustomersRequest>,
    ) -> Result<Response<pb::TransferCustomersResponse>, Status> {
        ownership::transfer(&self.customers, request).await
    }
}

/// What the two batches have in common.
fn archiving(caller: &Caller, ids: &[String], message: &impl Mutation) -> Result<(Vec<BatchItem>, Options), Status> {
    let mut violations = Violations::default();
    let options = caller_options(&mut violations, caller, message);
    let ids = batch(&mut violations, ids);
    violations.finish(ids.zip(options)).map_err(refuse)
}

/// A customer in full, and whether it is a stored answer.
pub(super) fn shown(outcome: Outcome<CustomerDetails>) -> (Option<pb::Customer>, bool) {
    (Some(show::full(outcome.value)), outcome.replayed)
}

fn outcomes(outcome: Outcome<BatchOutcomes>) -> (Vec<pb::CustomerOutcome>, bool) {
    (outcomes_out(outcome.value), outcome.replayed)
}

/// What became of a batch's customers.
pub(super) fn outcomes_out(outcomes: BatchOutcomes) -> Vec<pb::CustomerOutcome> {
    outcomes
        .into_iter()
        .map(|(id, changed, etag)| pb::CustomerOutcome {
            customer_id: id.to_string(),
            changed,
            etag: etag.unwrap_or_default(),
        })
        .collect()
}
