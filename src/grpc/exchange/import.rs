//! The handler of ImportCustomers.

use prost::Message as _;
use tonic::{Code, Request};
use tonic_types::pb as rpc;

use crate::{
    domain::{
        access::caller::Caller,
        duplicates::Duplicate,
        exchange::MAX_IMPORTED,
        requests::options::{Options, Repeatable},
        values::{
            custom_id::System,
            violation::{Rule, Violations},
        },
    },
    error::Error,
    grpc::{
        customers::{
            duplicates::{self, reason_out},
            mask, upsert,
        },
        fingerprint::{fingerprint, of_row},
        handler::{Actor as _, Answered, mutate, repeat},
        pb, status,
    },
    service::{
        customers::Upserted,
        exchange::{Done, Exchange, Imported, Row},
    },
};

pub(super) async fn import(
    exchange: &Exchange,
    request: Request<pb::ImportCustomersRequest>,
) -> Answered<pb::ImportCustomersResponse> {
    mutate(request, parse, async |caller: &Caller, (rows, every), options| {
        let rows = rows.into_iter().enumerate().map(|(index, row)| read_row(caller, index, row, &every, options));
        let results = exchange.import(caller, rows, options).await?;
        Ok(pb::ImportCustomersResponse {
            results: results
                .into_iter()
                .enumerate()
                .map(|(index, result)| result_out(index, result, options))
                .collect(),
        })
    })
    .await
}

/// Takes the rows, which are read when their turn comes, and checks what they have in common: the upsert of every row, but for its
/// customer.
fn parse(
    violations: &mut Violations,
    _: &Caller,
    message: pb::ImportCustomersRequest,
) -> Option<(Vec<pb::ImportRow>, pb::UpsertCustomerRequest)> {
    let pb::ImportCustomersRequest { rows, system, update_mask, request_id: _, validate_only, duplicate_policy } =
        message;
    if rows.is_empty() || rows.len() > MAX_IMPORTED {
        violations.push("rows", Rule::with(format!("must be 1 to {MAX_IMPORTED} rows")));
    }
    violations.check("system", System::parse_or_default(&system));
    mask::paths(violations, update_mask.clone());
    duplicates::policy(violations, duplicate_policy);
    let every = pb::UpsertCustomerRequest {
        customer: None,
        system,
        update_mask,
        request_id: String::new(),
        validate_only,
        duplicate_policy,
    };
    Some((rows, every))
}

/// Reads a row as the upsert that it is.
fn read_row(
    caller: &Caller,
    index: usize,
    row: pb::ImportRow,
    every: &pb::UpsertCustomerRequest,
    options: &Options,
) -> Row {
    let pb::ImportRow { customer } = row;
    let by_id = customer.as_ref().is_some_and(|customer| !customer.id.is_empty());
    let customer = customer.map(|customer| pb::Customer { origin: imported(customer.origin), ..customer });
    let mut message = pb::UpsertCustomerRequest { customer, ..every.clone() };
    if by_id {
        message.system.clear();
    }
    let request = options.request.map(|request| Repeatable {
        id: request.id,
        key: of_row(request.id, index),
        fingerprint: fingerprint(&caller.around(), &message),
    });
    let mut violations = Violations::default();
    let upsert = upsert::read(&mut violations, caller, message);
    Row { upsert, violations, request }
}

/// Where a new customer comes from, if the row does not say it.
fn imported(origin: i32) -> i32 {
    if origin == pb::Origin::Unspecified as i32 { pb::Origin::Import.into() } else { origin }
}

fn result_out(index: usize, result: Imported, options: &Options) -> pb::ImportResult {
    match result {
        Imported::Done(done) => {
            let Done { id, etag, result, replayed, duplicates } = *done;
            let outcome = match result {
                Upserted::Created => pb::ImportOutcome::Created,
                Upserted::Updated => pb::ImportOutcome::Updated,
                Upserted::Unchanged => pb::ImportOutcome::Unchanged,
            };
            pb::ImportResult {
                outcome: outcome.into(),
                customer_id: id.map(|id| id.to_string()).unwrap_or_default(),
                etag: etag.unwrap_or_default(),
                replayed,
                possible_duplicates: duplicates.iter().map(duplicate_out).collect(),
                error: None,
            }
        }
        Imported::Failed(failure) => pb::ImportResult {
            outcome: pb::ImportOutcome::Failed.into(),
            error: Some(status_out(index, failure, options)),
            ..Default::default()
        },
        Imported::NotTried => pb::ImportResult { outcome: pb::ImportOutcome::NotTried.into(), ..Default::default() },
    }
}

fn duplicate_out(duplicate: &Duplicate) -> pb::ImportDuplicate {
    pb::ImportDuplicate {
        customer_id: duplicate.customer.to_string(),
        score: duplicate.score(),
        reasons: duplicate.reasons.iter().map(|reason| reason_out(*reason).into()).collect(),
    }
}

/// The error of a row, as UpsertCustomer has it. The call itself succeeds, so a fault of ours is logged here.
fn status_out(index: usize, failure: Error, options: &Options) -> rpc::Status {
    let cause = failure.to_string();
    let status = status::for_request::<pb::UpsertCustomerRequest>(failure, repeat(options.request.is_some()));
    if matches!(status.code(), Code::Internal | Code::Unavailable) {
        tracing::warn!(row = index, cause, "a row of an import failed");
    }
    // The details of a status are this very message.
    rpc::Status::decode(status.details()).unwrap_or_else(|_| rpc::Status {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: Vec::new(),
    })
}
