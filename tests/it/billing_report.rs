//! StreamBillingReport.

mod charges;
pub mod streams;

use clientele::grpc::pb::{
    self, BillingReportColumn as Column, BillingReportRow as Row, StreamBillingReportRequest,
    StreamBillingReportResponse as Message,
};
use tonic::{Code, Status, Streaming};

use crate::{
    custom_ids::with_custom_ids,
    suspend_account,
    world::{
        Client, TestAccount, World, assert_refused, bad_fields, customer, full_customer, manual_approval, unknown_id,
    },
};

pub use clientele::grpc::pb::StreamBillingReportRequest as Reporting;

/// A report of all customers below, in a stream.
pub async fn report(client: &Client, request: &StreamBillingReportRequest) -> Result<Streaming<Message>, Status> {
    Ok(client.billing().stream_billing_report(request.clone()).await?.into_inner())
}

/// The remaining messages, and how the stream ended.
pub async fn rest(mut stream: Streaming<Message>) -> (Vec<Message>, Result<(), Status>) {
    let mut messages = Vec::new();
    loop {
        match stream.message().await {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, Ok(())),
            Err(status) => return (messages, Err(status)),
        }
    }
}

/// All rows of a report that comes to its end.
pub async fn rows(client: &Client, request: &Reporting) -> Result<Vec<Row>, Status> {
    let (messages, ended) = rest(report(client, request).await?).await;
    ended?;
    Ok(messages.into_iter().flat_map(|message| message.rows).collect())
}

/// The row that a customer has, by what GetCustomer shows.
fn shown(customer: pb::Customer) -> Row {
    Row {
        customer_id: customer.id,
        account_id: customer.account_id,
        name: customer.name,
        custom_ids: customer.custom_ids,
        status: customer.status,
        archived_at: customer.archived_at,
        billing_email: customer.billing_email,
        currency: customer.currency,
        rate_plan_id: customer.rate_plan_id,
        total: customer.credit_used,
        credit_limit: customer.credit_limit,
        credit_available: customer.credit_available,
        ..Default::default()
    }
}

/// A row with one column alone.
type Only = fn(&Row) -> Row;

fn ids(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.customer_id.as_str()).collect()
}

/// A provider with customers of all kinds in three accounts: the provider, north, and a shop below north.
async fn filled(world: &World) -> [TestAccount; 3] {
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let north = acme.child("north").await;
    let shop = north.child("shop").await;
    for account in [&acme, &north, &shop] {
        let full = account.admin.create(full_customer("Copaco")).await.unwrap();
        account.admin.approve(&full.id).await.unwrap();
        account.admin.create(customer("Bare")).await.unwrap();
        let euro = pb::Customer { currency: "Euro".to_owned(), ..with_custom_ids("Euro", &[("billing", "B-7")]) };
        let euro = account.admin.create(euro).await.unwrap().id;
        account.admin.reject(&euro, "no").await.unwrap();
        account.admin.archive(&[&euro]).await.unwrap();
    }
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Fleet") };
    let fleet = acme.admin.create(fleet).await.unwrap().id;
    // Ids of accounts that do not own the customer are their own.
    north.admin.set_id(&fleet, "erp", "N-1").await.unwrap();
    let of_shop = rows(&shop.admin, &Reporting::default()).await.unwrap().remove(0);
    acme.admin.set_id(&of_shop.customer_id, "erp", "P-1").await.unwrap();
    [acme, north, shop]
}

#[tokio::test]
async fn each_row_is_what_get_customer_shows_of_what_the_account_owns_or_has_below() {
    let world = World::start().await;
    let [acme, north, shop] = filled(&world).await;
    for (account, own, below) in [(&acme, 4, 10), (&north, 3, 6), (&shop, 3, 3)] {
        for (include_descendants, count) in [(false, own), (true, below)] {
            let clerk = account.member(pb::Role::Member).await;
            let request = Reporting { include_descendants, ..Default::default() };
            let found = rows(&clerk, &request).await.unwrap();
            assert_eq!(found.len(), count, "{}: {include_descendants}", account.account);
            assert!(found.is_sorted_by(|a, b| a.customer_id < b.customer_id), "by id");
            for row in found {
                assert_eq!(row, shown(clerk.get(&row.customer_id).await.unwrap()));
            }
        }
    }
    let seen = rows(&acme.admin, &Reporting { include_descendants: true, ..Default::default() }).await.unwrap();
    assert!(seen.iter().any(|row| row.custom_ids.get("erp").is_some_and(|id| id == "P-1")));
    assert!(seen.iter().all(|row| row.custom_ids.values().all(|id| id != "N-1")), "another account's");
    let other = world.tenant("globex").await;
    assert_eq!(rows(&other.admin, &Reporting { include_descendants: true, ..Default::default() }).await.unwrap(), []);
}

#[tokio::test]
async fn columns_that_are_not_asked_for_are_empty_and_unknown_ones_are_refused() {
    let world = World::start().await;
    let [acme, ..] = filled(&world).await;
    let all = rows(&acme.admin, &Reporting::default()).await.unwrap();
    let asking = |columns: &[i32]| Reporting { columns: columns.to_vec(), ..Default::default() };
    let bare = |row: &Row| Row { customer_id: row.customer_id.clone(), ..Default::default() };
    let cases: [(Column, Only); 6] = [
        (Column::Account, |row| Row { account_id: row.account_id.clone(), ..Default::default() }),
        (Column::Name, |row| Row { name: row.name.clone(), ..Default::default() }),
        (Column::CustomIds, |row| Row { custom_ids: row.custom_ids.clone(), ..Default::default() }),
        (Column::Status, |row| Row { status: row.status, archived_at: row.archived_at, ..Default::default() }),
        (Column::BillingEmail, |row| Row { billing_email: row.billing_email.clone(), ..Default::default() }),
        (Column::Currency, |row| Row { currency: row.currency.clone(), ..Default::default() }),
    ];
    for (column, only) in cases {
        let expected: Vec<Row> =
            all.iter().map(|row| Row { customer_id: bare(row).customer_id, ..only(row) }).collect();
        let found = rows(&acme.admin, &asking(&[column.into(), column.into()])).await.unwrap();
        assert_eq!(found, expected, "{column:?}");
        assert!(found.iter().any(|row| *row != bare(row)), "{column:?}: some customer has it");
    }
    let everything: Vec<i32> = cases.iter().map(|(column, _)| (*column).into()).collect();
    assert_eq!(rows(&acme.admin, &asking(&everything)).await.unwrap(), all);
    for unknown in [0, 7_777, -1] {
        let refused = report(&acme.admin, &asking(&[Column::Name.into(), unknown])).await;
        let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["columns[1]"]);
    }
    let refused = report(&acme.admin, &Reporting { after_id: "7".to_owned(), ..Default::default() }).await;
    let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["after_id"]);
}

#[tokio::test]
async fn a_report_begins_after_the_customer_that_it_names_whether_there_is_one_or_not() {
    let world = World::start().await;
    let [acme, ..] = filled(&world).await;
    let all = rows(&acme.admin, &Reporting::default()).await.unwrap();
    for (place, row) in all.iter().enumerate() {
        let after = Reporting { after_id: row.customer_id.to_uppercase(), ..Default::default() };
        assert_eq!(rows(&acme.admin, &after).await.unwrap(), all[place + 1..]);
    }
    let last = unknown_id();
    let after = Reporting { after_id: last.clone(), ..Default::default() };
    let (messages, ended) = rest(report(&acme.admin, &after).await.unwrap()).await;
    ended.unwrap();
    assert_eq!(messages.len(), 1, "a message says when it was");
    assert!(messages[0].rows.is_empty() && messages[0].after_id == last && messages[0].snapshot_time.is_some());
}

#[tokio::test]
async fn a_narrowed_call_gets_its_customer_and_a_suspended_account_its_report() {
    let world = World::start().await;
    let [acme, north, shop] = filled(&world).await;
    let all = rows(&north.admin, &Reporting::default()).await.unwrap();
    let narrowed = north.admin.narrowed_to(&all[1].customer_id);
    for include_descendants in [false, true] {
        let request = Reporting { include_descendants, ..Default::default() };
        assert_eq!(rows(&narrowed, &request).await.unwrap(), [all[1].clone()]);
        let of_shop = rows(&shop.admin, &Reporting::default()).await.unwrap();
        let below = north.admin.narrowed_to(&of_shop[0].customer_id);
        assert_eq!(ids(&rows(&below, &request).await.unwrap()).len(), usize::from(include_descendants));
        let above = rows(&acme.admin, &Reporting::default()).await.unwrap();
        for row in above {
            assert_eq!(rows(&north.admin.narrowed_to(&row.customer_id), &request).await.unwrap(), []);
        }
    }
    suspend_account::suspend(&acme.admin, &north.account).await.unwrap();
    assert_eq!(rows(&north.admin, &Reporting::default()).await.unwrap(), all);
    let viewer = acme.member(pb::Role::Viewer).await;
    assert_refused(report(&viewer, &Reporting::default()).await, Code::PermissionDenied, "ROLE_TOO_LOW");
}

#[tokio::test]
async fn of_many_customers_those_of_other_accounts_are_left_out() {
    const MANY: usize = 10_100;
    let world = World::start().await;
    let [acme, north, shop] = filled(&world).await;
    let of_shop = rows(&shop.admin, &Reporting::default()).await.unwrap();
    let bare = of_shop.iter().find(|row| row.name == "Bare").unwrap();
    world.copies(&bare.customer_id, i32::try_from(MANY).unwrap()).await;
    let cases = [
        (&acme, false, 4),
        (&acme, true, 10 + MANY),
        (&north, false, 3),
        (&north, true, 6 + MANY),
        (&shop, false, 3 + MANY),
    ];
    for (account, include_descendants, count) in cases {
        let request = Reporting { include_descendants, columns: vec![Column::Account.into()], ..Default::default() };
        let found = rows(&account.admin, &request).await.unwrap();
        assert_eq!(found.len(), count, "{}: {include_descendants}", account.account);
        assert!(found.is_sorted_by(|a, b| a.customer_id < b.customer_id), "by id");
        let is_below =
            |row: &Row| row.account_id == account.account || include_descendants && row.account_id != acme.account;
        assert!(account.account == acme.account || found.iter().all(is_below));
        // Also of the rest, and of one.
        let after = Reporting { after_id: found[count - 2].customer_id.clone(), ..request.clone() };
        assert_eq!(rows(&account.admin, &after).await.unwrap(), [found[count - 1].clone()]);
        let narrowed = account.admin.narrowed_to(&found[1].customer_id);
        assert_eq!(rows(&narrowed, &request).await.unwrap(), [found[1].clone()]);
    }
}

#[tokio::test]
async fn a_status_of_a_newer_release_is_unspecified() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    acme.admin.create(customer("Ada")).await.unwrap();
    let newer = "alter table customers drop constraint customers_status_check,
                 drop constraint customers_status_reason_check;
                 update customers set status = 'ON_TRIAL'";
    sqlx::raw_sql(newer).execute(&mut world.sql().await).await.unwrap();
    assert_eq!(rows(&acme.admin, &Reporting::default()).await.unwrap()[0].status, 0);
}
