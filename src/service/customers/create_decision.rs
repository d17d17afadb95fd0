//! Decides on a creation.

use super::new_customer::NewCustomer;
use crate::{
    domain::{
        access::caller::Caller,
        accounts::account::Account,
        billing::{rate_plan::PlanTerms, refusal::BillingRefusal, terms::Terms},
        customers::customer::{Customer, Stamp},
        refusal::Refusal,
        requests::options::Options,
        values::{
            enums::{Reach, Role},
            ids::{CustomerId, EventId},
            violation::{Rule, Violations},
        },
    },
    error::{Error, Result},
    service::clock,
    store::customers::CustomerInsert,
};

/// A refusal, by whether the order of checks has it before the replay or after it.
pub(super) enum Refused {
    BeforeReplay(Error),
    AfterReplay(Error),
}

/// Decides whether the customer may be created, and what is written.
pub(super) fn decide(
    caller: &Caller,
    account: &Account,
    plan: Result<Option<PlanTerms>, BillingRefusal>,
    new: &NewCustomer,
    options: &Options,
) -> Result<CustomerInsert, Refused> {
    permits(caller, account, new).map_err(Refused::BeforeReplay)?;
    refuse_known_contacts(new).map_err(Refused::AfterReplay)?;
    let refused = |refusal: Refusal| Refused::AfterReplay(refusal.into());
    let terms = Terms { plan: plan.map_err(|refusal| refused(refusal.into()))?, ..Terms::default() };
    let limit = new.credit_limit.as_ref().map(|limit| limit.under(&terms)).transpose().map_err(refused)?;
    let created = Stamp { at: clock::now(), by: caller.author().principal.clone() };
    let id = CustomerId::from_uuid(clock::new_id());
    let billed = (terms.plan_id(), limit);
    let customer = Customer::create(id, account, new.fields.clone(), &new.custom_ids, billed, created);
    Ok(CustomerInsert {
        customer: customer.map_err(refused)?,
        terms,
        chose_plan: new.rate_plan.is_some(),
        custom_ids: new.custom_ids.clone(),
        events: [(); 2].map(|()| EventId::from_uuid(clock::new_id())),
        request: options.request,
        duplicates: Vec::new(),
    })
}

/// Refuses contacts with an id: a new customer has no contacts that could be known by one.
fn refuse_known_contacts(new: &NewCustomer) -> Result<()> {
    let mut violations = Violations::default();
    for place in &new.known_contacts {
        let rule = Rule::new("must be empty: the customer is new, and so are its contacts");
        violations.push(format!("customer.contacts[{place}].contact_id"), rule);
    }
    Ok(violations.finish(Some(()))?)
}

/// Whether the caller may create this customer.
fn permits(caller: &Caller, account: &Account, new: &NewCustomer) -> Result<()> {
    let role = |least| caller.must_be(least).map_err(|_| Error::RoleTooLow(least));
    caller.must_not_be_narrowed()?;
    role(account.policies.create_role.role()?)?;
    if new.fields.reach == Reach::Fleet || new.credit_limit.is_some() {
        role(Role::ServiceManager)?;
    }
    Ok(())
}
