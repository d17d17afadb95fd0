//! The handlers of CustomerService that move customers to other accounts.

use tonic::Request;

use crate::{
    domain::{
        access::caller::Caller,
        customers::migration::{FirstAdmin, MigrationPlan},
        fields::field::Field,
        refusal::Blocker,
        values::{
            email::Email,
            ids::AccountId,
            text::{self, Text},
            violation::Rule,
        },
    },
    grpc::{
        accounts::show::account_out,
        convert::{batch, customer_id, principal, principal_out},
        customers::{batch::outcomes_out, show},
        handler::{Answered, mutate},
        pb,
    },
    service::customers::{Blocked, Customers, Migrated, ReplacedPlan, Reseller},
};

pub(super) async fn migrate(
    customers: &Customers,
    request: Request<pb::MigrateCustomerToResellerRequest>,
) -> Answered<pb::MigrateCustomerToResellerResponse> {
    mutate(
        request,
        |violations, caller: &Caller, message| {
            let pb::MigrateCustomerToResellerRequest {
                customer_id: id,
                account_name,
                first_admin,
                admin_email,
                copy_tags,
                copy_custom_ids,
                etag: _,
                request_id: _,
                validate_only: _,
            } = message;
            let id = customer_id(violations, "customer_id", &id);
            let name = violations.check("account_name", Text::parse_optional(&account_name));
            if first_admin.is_some() && !admin_email.is_empty() {
                violations.push("admin_email", Rule::new("must not be given together with first_admin"));
            }
            let admin = match first_admin {
                Some(admin) => principal(violations, "first_admin", caller.author(), Some(admin)).map(Some),
                None => Some(None),
            };
            let email = violations.check("admin_email", text::optional(&admin_email, Email::parse));
            let (((id, name), admin), email) = id.zip(name).zip(admin).zip(email)?;
            Some((id, Reseller { name, admin, email, copy_tags, copy_custom_ids }))
        },
        async |caller, (id, reseller), options| {
            let outcome = customers.migrate(caller, id, &reseller, options).await?;
            let Migrated { customer, plan, stored, blockers } = outcome.value;
            let mut customer = show::full(customer);
            if !stored && customer.account_id == customer.reseller_account_id {
                // The account is not stored, so its id finds nothing.
                customer.account_id.clear();
                customer.reseller_account_id.clear();
            }
            Ok(pb::MigrateCustomerToResellerResponse {
                customer: Some(customer),
                replayed: outcome.replayed,
                plan: Some(plan_out(&plan, stored)),
                blockers: blockers_out(blockers),
            })
        },
    )
    .await
}

pub(super) async fn revert(
    customers: &Customers,
    request: Request<pb::RevertCustomerMigrationRequest>,
) -> Answered<pb::RevertCustomerMigrationResponse> {
    mutate(
        request,
        |violations, _, message| {
            let pb::RevertCustomerMigrationRequest { customer_id: id, etag: _, request_id: _, validate_only: _ } =
                message;
            customer_id(violations, "customer_id", &id)
        },
        async |caller: &Caller, id, options| {
            let outcome = customers.revert_migration(caller, id, options).await?;
            Ok(pb::RevertCustomerMigrationResponse {
                customer: Some(show::full(outcome.value.customer)),
                replayed: outcome.replayed,
                blockers: blockers_out(outcome.value.blockers),
            })
        },
    )
    .await
}

pub(super) async fn transfer(
    customers: &Customers,
    request: Request<pb::TransferCustomersRequest>,
) -> Answered<pb::TransferCustomersResponse> {
    mutate(
        request,
        |violations, _, message| {
            let pb::TransferCustomersRequest { customer_ids, account_id, request_id: _, validate_only: _ } = message;
            let items = batch(violations, &customer_ids);
            items.zip(violations.check("account_id", AccountId::parse(&account_id)))
        },
        async |caller: &Caller, (items, to), options| {
            let outcome = customers.transfer(caller, &items, to, options).await?;
            Ok(pb::TransferCustomersResponse {
                outcomes: outcomes_out(outcome.value.outcomes),
                replayed: outcome.replayed,
                blockers: blockers_out(outcome.value.blockers),
                replaced_rate_plans: outcome.value.replaced_plans.into_iter().map(replaced_out).collect(),
            })
        },
    )
    .await
}

fn replaced_out(ReplacedPlan { customer, plan, replaced }: ReplacedPlan) -> pb::ReplacedRatePlan {
    pb::ReplacedRatePlan {
        customer_id: customer.to_string(),
        rate_plan_id: plan.map(|plan| plan.to_string()).unwrap_or_default(),
        replaced_rate_plan_id: replaced.to_string(),
    }
}

fn plan_out(plan: &MigrationPlan, stored: bool) -> pb::MigrationPlan {
    let (first_admin, admin_email) = match &plan.admin {
        Some(FirstAdmin::Principal(principal)) => (Some(principal_out(principal)), String::new()),
        Some(FirstAdmin::Invited(email)) => (None, email.as_str().to_owned()),
        None => (None, String::new()),
    };
    let cleared = |field| plan.references.get(field).map(|id| id.to_string()).unwrap_or_default();
    pb::MigrationPlan {
        account: plan.account.as_ref().map(|account| account_out(account, stored)),
        first_admin,
        admin_email,
        copied_tags: plan.tags.iter().map(|name| name.as_str().to_owned()).collect(),
        copied_custom_ids: plan
            .custom_ids
            .iter()
            .map(|(system, id)| (system.as_str().to_owned(), id.as_str().to_owned()))
            .collect(),
        cleared_branch_id: cleared(Field::BranchId),
        cleared_sales_person_id: cleared(Field::SalesPersonId),
        rate_plan_id: plan.rate_plan.map(|plan| plan.to_string()).unwrap_or_default(),
        replaced_rate_plan_id: plan.replaced_rate_plan.map(|plan| plan.to_string()).unwrap_or_default(),
    }
}

fn blockers_out(blockers: Vec<Blocked>) -> Vec<pb::BlockedMove> {
    blockers
        .into_iter()
        .map(|blocked| pb::BlockedMove {
            customer_id: blocked.customer.to_string(),
            field: blocked.at.unwrap_or_else(|| "customer_id".to_owned()),
            blocker: blocker_out(blocked.blocker).into(),
            message: blocked.blocker.text().to_owned(),
            taken_by_customer_id: blocked.by.map(|id| id.to_string()).unwrap_or_default(),
        })
        .collect()
}

fn blocker_out(blocker: Blocker) -> pb::MoveBlocker {
    match blocker {
        Blocker::Archived => pb::MoveBlocker::Archived,
        Blocker::NotActive => pb::MoveBlocker::NotActive,
        Blocker::NameTaken => pb::MoveBlocker::NameTaken,
        Blocker::NoAdminEmail => pb::MoveBlocker::NoAdminEmail,
        Blocker::TreeTooDeep => pb::MoveBlocker::TreeTooDeep,
        Blocker::Fleet => pb::MoveBlocker::Fleet,
        Blocker::Hold => pb::MoveBlocker::Hold,
        Blocker::OrderReferenceTaken => pb::MoveBlocker::OrderReferenceTaken,
        Blocker::NotMigrated => pb::MoveBlocker::NotMigrated,
        Blocker::TooLate => pb::MoveBlocker::TooLate,
        Blocker::MovedOn => pb::MoveBlocker::MovedOn,
        Blocker::HasBranch => pb::MoveBlocker::HasBranch,
        Blocker::HasAccount => pb::MoveBlocker::HasAccount,
        Blocker::HasCustomer => pb::MoveBlocker::HasCustomer,
        Blocker::InUse => pb::MoveBlocker::InUse,
        Blocker::RatePlan => pb::MoveBlocker::RatePlan,
    }
}
