//! Custom IDs changed, and customers made to be there: what CustomerService's handlers do.

use tonic::{Request, Response, Status};

use crate::{
    domain::{
        access::caller::Caller,
        customers::{command::Command, custom_id_change::CustomIdChange},
        fields::edit::Edit,
        values::{
            custom_id::{CustomId, CustomIds, System},
            violation::{Rule, Violations},
        },
    },
    grpc::{
        admit_mutation,
        convert::{caller_options, customer_id},
        customers::{read, show},
        of_mutation, pb, refuse,
    },
    service::customers::{Customers, Match, Upsert, Upserted},
};

pub(super) async fn update_custom_id(
    customers: &Customers,
    request: Request<pb::UpdateCustomIdRequest>,
) -> Result<Response<pb::UpdateCustomIdResponse>, Status> {
    let (caller, message): (Caller, _) = admit_mutation(request)?;
    let mut violations = Violations::default();
    let options = caller_options(&mut violations, &caller, &message);
    let pb::UpdateCustomIdRequest { customer_id: id, system, custom_id, etag: _, request_id: _, validate_only: _ } =
        message;
    let id = customer_id(&mut violations, "customer_id", &id);
    let system = violations.check("system", System::parse_or_default(&system));
    let custom_id = violations.check("custom_id", CustomId::parse_optional(&custom_id));
    let parts = id.zip(system).zip(custom_id).zip(options);
    let (((id, system), custom_id), options) = violations.finish(parts).map_err(refuse)?;
    let change = CustomIdChange::of_one(system, custom_id);
    let outcome = customers.update_custom_id(&caller, id, &change, &options).await.map_err(of_mutation(&options))?;
    let customer = Some(show::full(outcome.value));
    Ok(Response::new(pb::UpdateCustomIdResponse { customer, replayed: outcome.replayed }))
}

pub(super) async fn upsert(
    customers: &Customers,
    request: Request<pb::UpsertCustomerRequest>,
) -> Result<Response<pb::UpsertCustomerResponse>, Status> {
    let (caller, message): (Caller, _) = admit_mutation(request)?;
    let mut violations = Violations::default();
    let options = caller_options(&mut violations, &caller, &message);
    let pb::UpsertCustomerRequest { customer, system, update_mask, request_id: _, validate_only: _ } = message;
    let upsert = violations.nest("", read(customer, &system, update_mask));
    let (upsert, options) = violations.finish(upsert.zip(options)).map_err(refuse)?;
    let (outcome, upserted) = customers.upsert(&caller, &upsert, &options).await.map_err(of_mutation(&options))?;
    let mut customer = show::full(outcome.value);
    if upserted == Upserted::Created && options.validate_only {
        // Nobody can find it by this id.
        customer.id.clear();
    }
    let result = match upserted {
        Upserted::Created => pb::UpsertResult::Created,
        Upserted::Updated => pb::UpsertResult::Updated,
        Upserted::Unchanged => pb::UpsertResult::Unchanged,
    };
    Ok(Response::new(pb::UpsertCustomerResponse {
        customer: Some(customer),
        result: result.into(),
        replayed: outcome.replayed,
    }))
}

/// Reads a customer that is to be there.
fn read(
    customer: Option<pb::Customer>,
    system: &str,
    mask: Option<prost_types::FieldMask>,
) -> Result<Upsert, Violations> {
    let customer = customer.ok_or_else(|| Violations::of("customer", Rule::new("must be given")))?;
    let mut violations = Violations::default();
    let edits = read::edits(mask, &customer);
    let read = if customer.id.is_empty() {
        let draft = violations.nest("", read::draft(Some(customer)));
        draft.and_then(|draft| {
            let (system, id) = violations.nest("", matching(system, &draft.custom_ids))?;
            Some((draft.custom_ids.clone(), Match::CustomId { system, id, draft: Box::new(draft) }))
        })
    } else {
        if !system.is_empty() {
            violations.push("system", Rule::new("must not be given together with customer.id"));
        }
        let custom_ids = read::custom_ids(&mut violations, &customer);
        let id = customer_id(&mut violations, "customer.id", &customer.id);
        custom_ids.zip(id).map(|(custom_ids, id)| (custom_ids, Match::Id(id)))
    };
    let edits = besides(&mut violations, edits);
    let ((custom_ids, by), edits) = violations.finish(read.zip(edits))?;
    Ok(Upsert { by, custom_ids, update: Command::Update(edits) })
}

/// What a customer is found by: its custom ID in this system; the system may stay unsaid where it is clear.
fn matching(system: &str, ids: &CustomIds) -> Result<(System, CustomId), Violations> {
    let asked = match ids.first_key_value() {
        Some((only, _)) if system.is_empty() && ids.len() == 1 => only.clone(),
        _ => System::parse_or_default(system).map_err(|rule| Violations::of("system", rule))?,
    };
    let id = ids.get(&asked).cloned();
    let id = id.ok_or_else(|| {
        let rule = Rule::new(
            "must have the custom ID by which the customer is found; `system` says which, or give customer.id",
        );
        Violations::of("customer.custom_ids", rule)
    })?;
    Ok((asked, id))
}

/// What a mask names is a part of what is read for a new customer: what is wrong with both is told once.
fn besides(violations: &mut Violations, edits: Result<Vec<Edit>, Violations>) -> Option<Vec<Edit>> {
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
