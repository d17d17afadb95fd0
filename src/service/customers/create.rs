//! Creating customers: one statement, decided on the account as the caller's gate knew it. The statement names the
//! revisions it was decided on; if they have moved, nothing is written, and it is decided again.

use std::sync::Arc;

use super::{CustomerDetails, Customers, near};
use crate::{
    domain::{
        access::caller::Caller,
        accounts::account::Account,
        customers::customer::{Customer, Stamp},
        fields::customer_fields::CustomerFields,
        refusal::Refusal,
        requests::options::{Options, Outcome},
        values::{
            custom_id::{CustomIds, System},
            enums::{Reach, Role},
            ids::{AccountId, CustomerId, EventId},
            violation::{Rule, Violations},
        },
    },
    error::{Error, Result},
    service::{
        clock,
        mutation::{retrying, settle},
        pool::{End, Lease},
    },
    store::{
        self,
        customers::{CustomerInsert, CustomerRecord},
    },
};

/// A customer to be created.
#[derive(Clone, Debug)]
pub struct NewCustomer {
    /// What it is.
    pub fields: CustomerFields,
    /// The acting account's custom IDs of it.
    pub custom_ids: CustomIds,
}

/// How often it is decided anew because the account or its tenant changed meanwhile.
const TRIES: usize = 4;

impl Customers {
    /// Creates a customer of the acting account.
    ///
    /// # Errors
    /// See the contract's CreateCustomer.
    pub async fn create(
        &self,
        caller: &Caller,
        draft: &NewCustomer,
        options: &Options,
    ) -> Result<Outcome<CustomerDetails>> {
        let failure = match retrying(|| self.create_once(caller, draft, options)).await {
            Ok(seen) => return self.fresh(caller, options, seen),
            // What the caller may not do it may not learn the outcome of either.
            Err(
                error @ (Error::RoleTooLow(_)
                | Error::Refused { refusal: Refusal::Narrowed | Refusal::RoleOfNewerRelease(_), .. }),
            ) => return Err(error),
            Err(error) => error,
        };
        let failure =
            match settle(&self.pool, caller.scope().tenant(), caller.author(), options.request.as_ref(), failure).await
            {
                Ok(answer) => return self.replay(caller, answer).await,
                Err(failure) => failure,
            };
        Err(self.explain(caller, draft, failure).await)
    }

    async fn create_once(&self, caller: &Caller, draft: &NewCustomer, options: &Options) -> Result<CustomerRecord> {
        let mut lease = self.pool.lease().await?;
        let mut account = Arc::new(caller.account().clone());
        for attempt in 0..TRIES {
            let refused = match decide(caller, &account, draft, options) {
                Ok(new) => match insert(&mut lease, caller, &account, &new, options).await? {
                    1 => return Ok(seen(&account, new)),
                    _ => None,
                },
                Err(refused) => Some(refused),
            };
            // Either the account is not as the gate knew it, or what was said of it holds.
            let now = lease
                .run(async |conn| store::accounts::get(conn, caller.scope(), account.id).await)
                .await
                .map(Arc::new)?;
            if now.revision == account.revision && now.tenant_revision == account.tenant_revision {
                return Err(refused.unwrap_or_else(|| does_not_fit(draft)));
            }
            account = now;
            tracing::debug!(attempt, "the account changed while a customer was created");
        }
        Err(Error::Contended)
    }

    /// Says what a broken key means to the caller.
    async fn explain(&self, caller: &Caller, draft: &NewCustomer, failure: Error) -> Error {
        match failure.broken_key() {
            Some("customers_name_key") => self.name_taken(caller, caller.account().id, &draft.fields).await,
            Some("customers_order_reference_key") => Error::OrderReferenceTaken,
            Some("custom_ids_value_key" | "custom_ids_system_key") => self.custom_id_taken(caller, draft).await,
            _ => failure,
        }
    }

    /// `NameTaken`, with names near it that are free.
    pub(super) async fn name_taken(&self, caller: &Caller, owner: AccountId, fields: &CustomerFields) -> Error {
        let free = async {
            self.pool
                .lease()
                .await?
                .run(async |conn| store::customers::free_names(conn, caller.scope(), owner, &near(fields)).await)
                .await
        };
        Error::NameTaken { free: free.await.unwrap_or_default() }
    }

    async fn custom_id_taken(&self, caller: &Caller, draft: &NewCustomer) -> Error {
        let system = self.first_taken(caller, &draft.custom_ids).await;
        Error::CustomIdTaken { field: system.map(|system| format!("customer.custom_ids.{}", system.as_str())) }
    }

    /// Of these, the first system in which a customer of the acting account has that custom ID, if that can be told.
    pub(super) async fn first_taken(&self, caller: &Caller, ids: &CustomIds) -> Option<System> {
        let taken = async {
            let mut lease = self.pool.lease().await?;
            lease.run(async |conn| store::customers::custom_ids::first_taken(conn, caller.scope(), ids).await).await
        };
        taken.await.ok().flatten()
    }
}

fn decide(caller: &Caller, account: &Account, draft: &NewCustomer, options: &Options) -> Result<CustomerInsert> {
    let role = |least| caller.must_be(least).map_err(|_| Error::RoleTooLow(least));
    caller.must_not_be_narrowed()?;
    role(account.policies.create_role.role()?)?;
    if draft.fields.reach == Reach::Fleet {
        role(Role::ServiceManager)?;
    }
    let created = Stamp { at: clock::now(), by: caller.author().principal.clone() };
    let id = CustomerId::from_uuid(clock::new_id());
    let customer = Customer::create(id, account, draft.fields.clone(), &draft.custom_ids, created)?;
    Ok(CustomerInsert {
        customer,
        custom_ids: draft.custom_ids.clone(),
        events: [(); 2].map(|()| EventId::from_uuid(clock::new_id())),
        request: options.request,
    })
}

async fn insert(
    lease: &mut Lease,
    caller: &Caller,
    account: &Account,
    new: &CustomerInsert,
    options: &Options,
) -> Result<usize> {
    let slice = std::slice::from_ref(new);
    if options.validate_only {
        // The same statement, so the same checks.
        return lease
            .transaction(End::Rollback, async |conn| store::customers::create(conn, caller, account, slice).await)
            .await;
    }
    lease.run(async |conn| store::customers::create(conn, caller, account, slice).await).await
}

/// The new customer as its owner sees it, with the policies that it was decided by.
fn seen(account: &Account, new: CustomerInsert) -> CustomerRecord {
    let link = new.link();
    CustomerRecord {
        customer: new.customer,
        owner_link_revision: link.revision,
        link,
        owner_ids: new.custom_ids,
        policies: Arc::clone(&account.policies),
    }
}

pub(super) fn not_a_sales_person() -> Error {
    let rule = Rule::new("must be the member_id of a member of the customer's owner; ListMembers has them");
    Error::Invalid(Violations::of("customer.sales_person_id", rule))
}

pub(super) fn not_a_branch() -> Error {
    let rule = Rule::new("must be the id of a branch of the customer's owner; ListBranches has them");
    Error::Invalid(Violations::of("customer.branch_id", rule))
}

/// What the statement found to be nobody of the account's: with both given, either may be.
fn does_not_fit(draft: &NewCustomer) -> Error {
    match (draft.fields.sales_person, draft.fields.branch) {
        (None, Some(_)) => not_a_branch(),
        (Some(_) | None, None) => not_a_sales_person(),
        (Some(_), Some(_)) => {
            let rule = Rule::new("must be the account's own, both the sales person and the branch");
            Error::Invalid(Violations::of("customer.sales_person_id, customer.branch_id", rule))
        }
    }
}
