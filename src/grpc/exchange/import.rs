//! The handler of ImportCustomers.

use prost::Message as _;
use tonic::{Code, Request};
use tonic_types::pb as rpc;

use crate::{
    domain::{
        access::caller::Caller,
        duplicates::{Duplicate, DuplicatePolicy},
        exchange::MAX_IMPORTED,
        fields::path::FieldPath,
        requests::options::{Options, Repeatable},
        values::{
            custom_id::System,
            ids::RequestId,
            violation::{Rule, Violations},
        },
    },
    error::Error,
    grpc::{
        customers::{
            duplicates::{self, reasons},
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

/// What all rows of a request have in common.
struct Common {
    /// The upsert of every row, but for its customer.
    message: pb::UpsertCustomerRequest,
    /// The fields to change of customers that exist.
    paths: Vec<FieldPath>,
    duplicates: DuplicatePolicy,
}

pub(super) async fn import(
    exchange: &Exchange,
    request: Request<pb::ImportCustomersRequest>,
) -> Answered<pb::ImportCustomersResponse> {
    mutate(request, parse, async |caller: &Caller, (rows, common), options| {
        let key = |place| options.request.map(|request| of_row(request.id, place));
        let rows = rows.into_iter().enumerate().map(|(place, row)| (row, key(place))).collect();
        let read = |caller: &Caller, row, key| read_row(caller, row, key, &common, options);
        let answer = |place, imported| {
            let result = result_out(place, imported, options);
            (size_of::<pb::ImportResult>() + result.encoded_len(), result)
        };
        let results = exchange.import(caller, rows, read, answer, options).await?;
        Ok(pb::ImportCustomersResponse { results })
    })
    .await
}

/// Takes the rows, which are read when their turn comes, and reads what they have in common.
fn parse(
    violations: &mut Violations,
    _: &Caller,
    message: pb::ImportCustomersRequest,
) -> Option<(Vec<pb::ImportRow>, Common)> {
    let pb::ImportCustomersRequest { rows, system, update_mask, request_id: _, validate_only, duplicate_policy } =
        message;
    if rows.is_empty() || rows.len() > MAX_IMPORTED {
        violations.push("rows", Rule::with(format!("must be 1 to {MAX_IMPORTED} rows")));
    }
    violations.check("system", System::parse_or_default(&system));
    let paths = mask::paths(violations, update_mask.clone());
    let duplicates = duplicates::policy(violations, duplicate_policy);
    let message = pb::UpsertCustomerRequest {
        customer: None,
        system,
        update_mask,
        request_id: String::new(),
        validate_only,
        duplicate_policy,
    };
    let (paths, duplicates) = paths.zip(duplicates)?;
    Some((rows, Common { message, paths, duplicates }))
}

/// Reads a row as the upsert that it is.
fn read_row(caller: &Caller, row: pb::ImportRow, key: Option<RequestId>, common: &Common, options: &Options) -> Row {
    let customer = row.customer.map(|customer| pb::Customer { origin: imported(customer.origin), ..*customer });
    let by_id = customer.as_ref().is_some_and(|customer| !customer.id.is_empty());
    let system = if by_id { "" } else { &common.message.system };
    let request = options.request.zip(key).map(|(Repeatable { id, .. }, key)| {
        let message = pb::UpsertCustomerRequest { customer: customer.clone(), ..common.message.clone() };
        Repeatable { id, key, fingerprint: fingerprint(&caller.around(), &message) }
    });
    let names = customer.as_ref().and_then(|customer| upsert::named(customer, system));
    let mut violations = Violations::default();
    let mask = (Some(common.paths.as_slice()), Violations::default());
    let upsert = upsert::read_customer(&mut violations, customer, system, mask, caller.account());
    Row { upsert: upsert.map(|upsert| upsert.with_duplicates(common.duplicates)), violations, names, request }
}

/// Where a new customer comes from, if the row does not say it.
fn imported(origin: i32) -> i32 {
    if origin == pb::Origin::Unspecified as i32 { pb::Origin::Import.into() } else { origin }
}

fn result_out(place: usize, result: Imported, options: &Options) -> pb::ImportResult {
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
            error: Some(status_out(place, failure, options)),
            ..Default::default()
        },
        Imported::NotTried => pb::ImportResult { outcome: pb::ImportOutcome::NotTried.into(), ..Default::default() },
    }
}

fn duplicate_out(duplicate: &Duplicate) -> pb::ImportDuplicate {
    pb::ImportDuplicate {
        customer_id: duplicate.customer.to_string(),
        score: duplicate.score(),
        reasons: reasons(duplicate),
    }
}

/// The error of a row, as UpsertCustomer has it. The call itself succeeds, so a fault of ours is logged here.
fn status_out(place: usize, failure: Error, options: &Options) -> rpc::Status {
    let cause = failure.to_string();
    let status = status::for_request::<pb::UpsertCustomerRequest>(failure, repeat(options.request.is_some()));
    if matches!(status.code(), Code::Internal | Code::Unavailable) {
        tracing::warn!(row = place, cause, "a row of an import failed");
    }
    // The details of a status are this very message.
    rpc::Status::decode(status.details()).unwrap_or_else(|_| rpc::Status {
        code: status.code().into(),
        message: status.message().to_owned(),
        details: Vec::new(),
    })
}
