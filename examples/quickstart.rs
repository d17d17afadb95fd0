//! Takes a customer from creation to the archive, call by call: reads who the caller is, creates a customer, finds it, gives
//! it a custom ID and a tag, approves, suspends and resumes it, gives it credit and a feature of its rate plan, reads the billing
//! report, archives it, and lists its history. Three calls are refused; the program shows how a client reads why.
//!
//! With `cargo run -- dev` running in another terminal:
//!
//! ```sh
//! cargo run --example quickstart -- 127.0.0.1:50051 "$(cargo run --quiet -- token bob)"
//! ```
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program for a terminal, which makes its own ids"
)]

use std::error::Error;

use clientele::{
    client::{self, Client},
    pb::{self, money::Money},
};
use tonic::{Response, Status};
use uuid::Uuid;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(token)) = (arguments.next(), arguments.next()) else {
        return Err("usage: quickstart ADDRESS TOKEN".into());
    };
    // Every call has a deadline, and is tried again where that is safe. `token_provider` takes a function that renews the token.
    let client = Client::builder(address).token(token).connect().await?;
    Box::pin(walk(&client, |step| println!("{step}"))).await
}

/// Takes one customer from creation to the archive, and reports every step. The token's subject must be an ADMIN of one
/// account.
///
/// # Errors
/// What the server refuses.
pub async fn walk(client: &Client, mut report: impl FnMut(String)) -> Result<(), Box<dyn Error>> {
    let (mut access, mut customers, mut history) = (client.access(), client.customers(), client.history());

    let me = access.who_am_i(pb::WhoAmIRequest::default()).await?.into_inner();
    let membership = me.memberships.first().ok_or("the token's subject is a member of no account")?;
    report(format!("I am {} of {}", membership.role().as_str_name(), membership.account_name));

    // An error lists every invalid field at once, by its path.
    let wrong = pb::Customer {
        name: "Kontiki".to_owned(),
        email: "nowhere".to_owned(),
        phone: Some(pb::Phone { number: "call us".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    let create = pb::CreateCustomerRequest { customer: Some(wrong), ..Default::default() };
    report(refusal(customers.create_customer(create).await)?);

    // A request_id makes the call safe to repeat: the second call gets the first one's answer. The client gives one to every
    // mutation that has none, for its own retries; this one is for repeats by the program.
    let create = pb::CreateCustomerRequest {
        customer: Some(pb::Customer {
            name: format!("Kontiki {}", Uuid::new_v4().simple()),
            legal_name: "Kontiki Reisen GmbH".to_owned(),
            email: "info@kontiki.example".to_owned(),
            billing_email: "billing@kontiki.example".to_owned(),
            primary_address: Some(pb::Address { city: "München".to_owned(), ..Default::default() }),
            contacts: vec![pb::Contact {
                first_name: "Jana".to_owned(),
                email: "jana@kontiki.example".to_owned(),
                ..Default::default()
            }],
            ..Default::default()
        }),
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    };
    customers.create_customer(create.clone()).await?;
    let again = customers.create_customer(create).await?.into_inner();
    let customer = again.customer.ok_or("no customer")?;
    let id = customer.id.clone();
    report(format!(
        "created {}, {}; sent twice, replayed: {}",
        customer.name,
        customer.status().as_str_name(),
        again.replayed
    ));

    let search = pb::SearchCustomersRequest { query: format!("{} munchen", customer.name), ..Default::default() };
    let found = customers.search_customers(search).await?.into_inner();
    report(format!("found {} by name and city", found.results.len()));

    let number = format!("K-{}", Uuid::new_v4().simple());
    let own = pb::UpdateCustomIdRequest {
        customer_id: id.clone(),
        system: "erp".to_owned(),
        custom_id: number.clone(),
        ..Default::default()
    };
    customers.update_custom_id(own).await?;
    let lookup = pb::LookupCustomerRequest { custom_id: number.to_uppercase(), ..Default::default() };
    let called = customers.lookup_customer(lookup).await?.into_inner();
    report(format!("found by its ERP number: {}", called.customer.is_some_and(|customer| customer.id == id)));

    let tag = pb::ModifyCustomerTagsRequest {
        customer_ids: vec![id.clone()],
        add_tags: vec!["key account".to_owned()],
        ..Default::default()
    };
    let tagged = customers.modify_customer_tags(tag).await?.into_inner();
    report(format!("tagged: {}", tagged.outcomes.iter().all(|outcome| outcome.changed)));

    let approve = pb::ApproveCustomerRequest { customer_id: id.clone(), ..Default::default() };
    let approved = customers.approve_customer(approve).await?.into_inner().customer.ok_or("no customer")?;
    let actions = approved.allowed_actions.join(", ");
    report(format!("approved: {}, allowed actions: {actions}", approved.status().as_str_name()));

    // The etag names the version of the customer that this client has read. The first etag is out of date: the error lists
    // what changed since. With the current etag the same call succeeds.
    let suspend = pb::SuspendCustomerRequest {
        customer_id: id.clone(),
        reason: "unpaid".to_owned(),
        etag: customer.etag,
        ..Default::default()
    };
    report(refusal(customers.suspend_customer(suspend.clone()).await)?);
    customers.suspend_customer(pb::SuspendCustomerRequest { etag: approved.etag, ..suspend }).await?;
    customers.resume_customer(pb::ResumeCustomerRequest { customer_id: id.clone(), ..Default::default() }).await?;
    report("suspended, resumed".to_owned());

    sell(client, &id, &mut report).await?;

    let archive = pb::ArchiveCustomersRequest { customer_ids: vec![id.clone()], ..Default::default() };
    customers.archive_customers(archive).await?;
    report("archived".to_owned());

    // Page by page: a page may have fewer items than requested without being the last. The token says if there is more.
    let mut page = pb::ListCustomerEventsRequest { customer_id: id, page_size: 3, ..Default::default() };
    loop {
        let answer = history.list_customer_events(page.clone()).await?.into_inner();
        for event in answer.events {
            let fields: Vec<&str> = event.changes.iter().map(|change| change.field.as_str()).collect();
            report(format!("event: {} ({})", event.r#type().as_str_name(), fields.join(", ")));
        }
        if answer.next_page_token.is_empty() {
            return Ok(());
        }
        page.page_token = answer.next_page_token;
    }
}

/// Gives the customer credit and a feature at the price of its rate plan, and reads what the billing report says of it.
async fn sell(client: &Client, id: &str, report: &mut impl FnMut(String)) -> Result<(), Box<dyn Error>> {
    let mut billing = client.billing();
    // The list is that of the account, or of the nearest one above it that has one. A new customer is on its first plan.
    let listed = billing.list_rate_plans(pb::ListRatePlansRequest::default()).await?.into_inner();
    let plan = listed.rate_plans.first().ok_or("there is no rate plan")?;
    report(format!("rate plan: {}, in {}", plan.name, plan.currency));

    let credit = pb::SetCreditLimitRequest {
        customer_id: id.to_owned(),
        credit_limit: Some(Money { units: 25, ..Default::default() }),
        ..Default::default()
    };
    billing.set_credit_limit(credit).await?;
    let feature = pb::ActivateFeatureRequest {
        customer_id: id.to_owned(),
        code: "voicemail".to_owned(),
        quantity: 2,
        ..Default::default()
    };
    let active = billing.activate_feature(feature.clone()).await?.into_inner().customer.ok_or("no customer")?;
    report(format!("active: voicemail; used {}, left {}", money(active.credit_used), money(active.credit_available)));
    let too_many = pb::ActivateFeatureRequest { quantity: 11, ..feature };
    report(refusal(billing.activate_feature(too_many).await)?);

    // A stream of messages, in the order of ids. Only the columns that are asked for are read and sent.
    let columns =
        [pb::BillingReportColumn::RatePlan, pb::BillingReportColumn::Features, pb::BillingReportColumn::Total];
    let columns = columns.map(i32::from).to_vec();
    let request = pb::StreamBillingReportRequest { columns, ..Default::default() };
    let mut messages = billing.stream_billing_report(request).await?.into_inner();
    while let Some(message) = messages.message().await? {
        for row in message.rows.into_iter().filter(|row| row.customer_id == id) {
            let features: Vec<&str> = row.features.iter().map(|feature| feature.code.as_str()).collect();
            report(format!("billing report: {}, {}, {}", row.rate_plan_name, features.join(", "), money(row.total)));
        }
    }
    Ok(())
}

/// An amount of whole units.
fn money(money: Option<Money>) -> String {
    money.map(|money| format!("{} {}", money.units, money.currency_code)).unwrap_or_default()
}

/// Why the server refused a call: the reason, and the fields that it names.
fn refusal<T>(answer: Result<Response<T>, Status>) -> Result<String, Box<dyn Error>> {
    let Err(status) = answer else { return Err("it should have been refused".into()) };
    let error = client::Error::from(status);
    let Some(reason) = error.reason() else { return Err(error.into()) }; // not the service's answer
    let invalid: Vec<&str> = error.violations().iter().map(|violation| violation.field.as_str()).collect();
    let fields = error.metadata("changed_fields").map_or_else(|| invalid.join(", "), str::to_owned);
    let fields = if fields.is_empty() { fields } else { format!(" ({fields})") };
    Ok(format!("refused: {}{fields}", reason.as_str_name().trim_start_matches("ERROR_REASON_")))
}
