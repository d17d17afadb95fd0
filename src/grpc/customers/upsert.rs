//! The handlers of CustomerService that change custom IDs and upsert customers.

use tonic::Request;

use crate::{
    domain::{
        access::caller::Caller,
        accounts::account::Account,
        customers::{command::Command, custom_id_change::CustomIdChange},
        fields::edit::Edit,
        values::{
            custom_id::{CustomId, CustomIds, System},
            rule_code::RuleCode,
            violation::{Rule, Violations},
        },
    },
    grpc::{
        convert::customer_id,
        customers::{read, show},
        handler::{Answered, mutate},
        pb,
    },
    service::customers::{Customers, Match, Upsert, Upserted},
};

pub(super) async fn update_custom_id(
    customers: &Customers,
    request: Request<pb::UpdateCustomIdRequest>,
) -> Answered<pb::UpdateCustomIdResponse> {
    mutate(
        request,
        |violations, _, message| {
            let pb::UpdateCustomIdRequest {
                customer_id: id,
                system,
                custom_id,
                etag: _,
                request_id: _,
                validate_only: _,
            } = message;
            let id = customer_id(violations, "customer_id", &id);
            let system = violations.check("system", System::parse_or_default(&system));
            let custom_id = violations.check("custom_id", CustomId::parse_optional(&custom_id));
            let change = system.zip(custom_id).map(|(system, custom_id)| CustomIdChange::of_one(system, custom_id));
            id.zip(change)
        },
        async |caller: &Caller, (id, change), options| {
            let (customer, replayed) = show::outcome(customers.update_custom_id(caller, id, &change, options).await?);
            Ok(pb::UpdateCustomIdResponse { customer, replayed })
        },
    )
    .await
}

pub(super) async fn upsert(
    customers: &Customers,
    request: Request<pb::UpsertCustomerRequest>,
) -> Answered<pb::UpsertCustomerResponse> {
    mutate(
        request,
        |violations, caller: &Caller, message| {
            let pb::UpsertCustomerRequest { customer, system, update_mask, request_id: _, validate_only: _ } = message;
            violations.nest("", parse(customer, &system, update_mask, caller.account()))
        },
        async |caller: &Caller, upsert, options| {
            let (outcome, upserted) = customers.upsert(caller, &upsert, options).await?;
            let (mut customer, replayed) = show::outcome(outcome);
            if let Some(customer) = customer.as_mut().filter(|_| options.validate_only)
                && upserted == Upserted::Created
            {
                // It is not stored, so its id finds nothing.
                customer.id.clear();
            }
            let result = match upserted {
                Upserted::Created => pb::UpsertResult::Created,
                Upserted::Updated => pb::UpsertResult::Updated,
                Upserted::Unchanged => pb::UpsertResult::Unchanged,
            };
            Ok(pb::UpsertCustomerResponse { customer, result: result.into(), replayed })
        },
    )
    .await
}

/// Parses the customer to create or update.
fn parse(
    customer: Option<pb::Customer>,
    system: &str,
    mask: Option<prost_types::FieldMask>,
    acting: &Account,
) -> Result<Upsert, Violations> {
    let customer =
        customer.ok_or_else(|| Violations::of("customer", Rule::coded(RuleCode::Required, "must be given")))?;
    let mut violations = Violations::default();
    let edits = read::edits(mask, &customer);
    let found_by = if customer.id.is_empty() {
        let new = violations.nest("", read::draft(Some(customer), &acting.policies, acting.industries.as_deref()));
        new.and_then(|new| {
            let (system, id) = violations.nest("", custom_id_to_find(system, &new.custom_ids))?;
            Some((new.custom_ids.clone(), Match::CustomId { system, id, new: Box::new(new) }))
        })
    } else {
        if !system.is_empty() {
            violations.push("system", Rule::new("must not be given together with customer.id"));
        }
        let custom_ids = read::custom_ids(&mut violations, &customer);
        let id = customer_id(&mut violations, "customer.id", &customer.id);
        custom_ids.zip(id).map(|(custom_ids, id)| (custom_ids, Match::Id(id)))
    };
    let edits = add_once(&mut violations, edits);
    let ((custom_ids, by), edits) = violations.finish(found_by.zip(edits))?;
    Ok(Upsert { by, custom_ids, update: Command::Update(edits) })
}

/// The custom ID by which the customer is found. The system may be left out if the customer has one custom ID.
fn custom_id_to_find(system: &str, ids: &CustomIds) -> Result<(System, CustomId), Violations> {
    let asked = match ids.first_key_value() {
        Some((only, _)) if system.is_empty() && ids.len() == 1 => only.clone(),
        _ => System::parse_or_default(system).map_err(|rule| Violations::of("system", rule))?,
    };
    let id = ids.get(&asked).cloned();
    let id = id.ok_or_else(|| {
        let rule = Rule::new(
            "must have the custom ID by which the customer is found: `system` says in which system; or give customer.id",
        );
        Violations::of("customer.custom_ids", rule)
    })?;
    Ok((asked, id))
}

/// The edits of the mask. Their fields were parsed for the new customer too: the same violation is reported once.
fn add_once(violations: &mut Violations, edits: Result<Vec<Edit>, Violations>) -> Option<Vec<Edit>> {
    let broken = match edits {
        Ok(edits) => return Some(edits),
        Err(broken) => broken,
    };
    for violation in broken.all() {
        if !violations.all().contains(violation) {
            violations.push(violation.field.clone(), violation.rule.clone());
        }
    }
    None
}
