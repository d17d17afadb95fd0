//! The handlers of CustomerService that change custom IDs and upsert customers.

use tonic::Request;

use crate::{
    domain::{
        access::caller::Caller,
        accounts::account::Account,
        customers::{command::Command, custom_id_change::CustomIdChange},
        fields::path::FieldPath,
        values::{
            custom_id::{CustomId, CustomIds, System},
            ids::CustomerId,
            rule_code::RuleCode,
            violation::{Rule, Violations},
        },
    },
    grpc::{
        convert::customer_id,
        customers::{duplicates, mask, read as fields, show},
        handler::{Answered, mutate, mutate_completing},
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
    mutate_completing(
        request,
        |violations, caller: &Caller, message| read(violations, caller, message),
        async |caller: &Caller, upsert, violations| {
            customers.add_upsert_violations(caller, upsert, violations).await;
        },
        async |caller: &Caller, upsert, options| {
            let (outcome, upserted) = customers.upsert(caller, &upsert, options).await?;
            let possible_duplicates = duplicates::out(outcome.value.duplicates);
            let (mut customer, replayed) = (show::full(outcome.value.customer), outcome.replayed);
            if options.validate_only && upserted == Upserted::Created {
                // It is not stored, so its id finds nothing.
                customer.id.clear();
            }
            let result = match upserted {
                Upserted::Created => pb::UpsertResult::Created,
                Upserted::Updated => pb::UpsertResult::Updated,
                Upserted::Unchanged => pb::UpsertResult::Unchanged,
            };
            Ok(pb::UpsertCustomerResponse {
                customer: Some(customer),
                result: result.into(),
                replayed,
                possible_duplicates,
            })
        },
    )
    .await
}

/// Reads an upsert: what can be read of it.
fn read(violations: &mut Violations, caller: &Caller, message: pb::UpsertCustomerRequest) -> Option<Upsert> {
    let pb::UpsertCustomerRequest { customer, system, update_mask, request_id: _, validate_only: _, duplicate_policy } =
        message;
    let policy = duplicates::policy(violations, duplicate_policy);
    let mut of_mask = Violations::default();
    let paths = mask::paths(&mut of_mask, update_mask);
    let upsert = read_customer(violations, customer, &system, (paths.as_deref(), of_mask), caller.account())?;
    Some(upsert.with_duplicates(policy.unwrap_or_default()))
}

/// Reads the customer to create or update: what can be read of it. The mask comes with what is wrong with it.
pub(in crate::grpc) fn read_customer(
    violations: &mut Violations,
    customer: Option<pb::Customer>,
    system: &str,
    (paths, mut of_mask): (Option<&[FieldPath]>, Violations),
    acting: &Account,
) -> Option<Upsert> {
    let Some(customer) = customer else {
        violations.push("customer", Rule::coded(RuleCode::Required, "must be given"));
        return None;
    };
    let edits = paths.map(|paths| fields::edits_of(&mut of_mask, paths, &customer));
    let found_by = if customer.id.is_empty() {
        // What is wrong with them, the draft says.
        let custom_ids = readable_ids(&customer);
        let new = violations.nest("", fields::draft(Some(customer), &acting.policies, acting.industries.as_deref()));
        let asked = custom_ids.and_then(|ids| violations.nest("", custom_id_to_find(system, &ids)));
        new.zip(asked)
            .map(|(new, (system, id))| (new.custom_ids.clone(), Match::CustomId { system, id, new: Box::new(new) }))
    } else {
        if !system.is_empty() {
            violations.push("system", Rule::new("must not be given together with customer.id"));
        }
        let custom_ids = fields::custom_ids(violations, &customer);
        let id = customer_id(violations, "customer.id", &customer.id);
        custom_ids.zip(id).map(|(custom_ids, id)| (custom_ids, Match::Id(id)))
    };
    // Its fields were parsed for the new customer too: the same violation is reported once.
    for violation in of_mask.all() {
        if !violations.all().contains(violation) {
            violations.push(violation.field.clone(), violation.rule.clone());
        }
    }
    let ((custom_ids, by), edits) = found_by.zip(edits)?;
    Some(Upsert { by, custom_ids, update: Command::Update(edits) })
}

/// The customer that a row names, as far as that can be read: by a custom ID in a system, or by its id.
pub(in crate::grpc) fn named(customer: &pb::Customer, system: &str) -> Option<(Option<System>, String)> {
    if !customer.id.is_empty() {
        return Some((None, CustomerId::parse(&customer.id).ok()?.to_string()));
    }
    let ids = readable_ids(customer)?;
    let (system, id) = custom_id_to_find(system, &ids).ok()?;
    Some((Some(system), id.key().as_str().to_owned()))
}

/// The custom IDs, if nothing is wrong with any.
fn readable_ids(customer: &pb::Customer) -> Option<CustomIds> {
    let mut violations = Violations::default();
    fields::custom_ids(&mut violations, customer).filter(|_| violations.is_empty())
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
