//! The client of the crate: what it adds to calls, when it tries again, and the errors that it decodes.

mod alone;
mod front;

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use clientele::{
    client::{Builder, Client, Error, SERVICES, Tls},
    config::{Config, Reloadable, tls},
    grpc::{DESCRIPTORS, pb},
};
use prost_reflect::DescriptorPool;
use tonic::{Code, Request, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use uuid::Uuid;

use self::front::{Fate, Front};
use crate::{
    pki::Authority,
    world::{TestAccount, World, customer, database, full_customer, unknown_id},
};

/// A client of this address, with the account's admin.
fn of(address: impl ToString, account: &TestAccount) -> Builder {
    let token = account.admin.token.clone().unwrap();
    Client::builder(address.to_string()).token(token).account(&account.account)
}

async fn fronted() -> (World, TestAccount, Front) {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let front = Front::of(world.channel()).await;
    (world, acme, front)
}

fn creating(name: &str) -> pb::CreateCustomerRequest {
    pb::CreateCustomerRequest { customer: Some(customer(name)), ..Default::default() }
}

fn unavailable() -> Fate {
    Fate::Refused(Status::unavailable("not now"))
}

/// The service's refusal with a pause after which it may succeed.
fn later(pause: Duration) -> Fate {
    let mut details = ErrorDetails::new();
    details.set_error_info("OVERLOADED", "clientele", []).set_retry_info(Some(pause));
    Fate::Refused(Status::with_error_details(Code::ResourceExhausted, "not now", details))
}

#[test]
fn the_client_has_every_service_of_the_contract() {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let services = pool.services().filter(|service| service.package_name() == "clientele.v1");
    let mut clients: Vec<_> = services.map(|service| format!("{}Client", service.name())).collect();
    clients.sort();
    assert_eq!(SERVICES, clients);
}

#[tokio::test]
async fn an_error_is_decoded_with_its_reason_and_all_its_details() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let client = of(world.server.address(), &acme).connect().await.unwrap();
    let phone = Some(pb::Phone { number: "call us".to_owned(), ..Default::default() });
    let wrong = pb::Customer { email: "nowhere".to_owned(), phone, ..customer("Ada") };
    let create = |customer| {
        let request = pb::CreateCustomerRequest { customer: Some(customer), ..Default::default() };
        let mut customers = client.customers();
        async move { customers.create_customer(request).await.map_err(Error::from) }
    };
    let invalid = create(wrong).await.unwrap_err();
    assert_eq!((invalid.code(), invalid.reason()), (Code::InvalidArgument, Some(pb::ErrorReason::InvalidFields)));
    let fields: Vec<&str> = invalid.violations().iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["customer.email", "customer.phone.number"]);
    let text = invalid.to_string();
    assert!(text.starts_with("InvalidArgument INVALID_FIELDS: ") && text.contains("; customer.email: "), "{text}");

    let get = pb::GetCustomerRequest { customer_id: unknown_id(), ..Default::default() };
    let absent = Error::from(client.customers().get_customer(get).await.unwrap_err());
    assert_eq!((absent.code(), absent.reason()), (Code::NotFound, Some(pb::ErrorReason::CustomerNotFound)));
    assert!(!absent.resource().unwrap().resource_type.is_empty() && absent.retry_after().is_none());

    let stranger = Client::builder(world.server.address().to_string()).token("none").connect().await.unwrap();
    let refused = Error::from(stranger.access().who_am_i(pb::WhoAmIRequest::default()).await.unwrap_err());
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(refused.reason().is_some() && refused.reason_name().is_some());

    // What is not the service's has no reason; one of a later release has its name alone.
    let other = Error::from(Status::unavailable("no connection"));
    assert_eq!(
        (other.reason(), other.reason_name(), other.to_string().as_str()),
        (None, None, "Unavailable: no connection")
    );
    let later =
        ErrorDetails::with_error_info("OF_A_LATER_RELEASE", "clientele", [("field".to_owned(), "name".to_owned())]);
    let later = Error::from(Status::with_error_details(Code::Aborted, "", later));
    assert_eq!((later.reason(), later.reason_name()), (None, Some("OF_A_LATER_RELEASE")));
    assert_eq!((later.metadata("field"), later.metadata("etag")), (Some("name"), None));
}

#[tokio::test]
async fn a_mutation_gets_a_request_id_and_keeps_the_one_of_its_caller() {
    let (_world, acme, front) = fronted().await;
    let client = of(front.address, &acme).connect().await.unwrap();
    let full = pb::CreateCustomerRequest { customer: Some(full_customer("Ada")), ..Default::default() };
    let ada = client.customers().create_customer(full).await.unwrap().into_inner().customer.unwrap();
    let mine = Uuid::new_v4().to_string();
    let suspend = pb::SuspendCustomerRequest {
        customer_id: ada.id.clone(),
        reason: "unpaid".to_owned(),
        request_id: mine.clone(),
        ..Default::default()
    };
    client.customers().suspend_customer(suspend).await.unwrap();
    let request_ids: Vec<_> =
        acme.admin.events(&ada.id).await.unwrap().into_iter().map(|event| event.request_id).collect();
    let [suspended, created] = request_ids.try_into().unwrap();
    assert_eq!(suspended, mine);
    let [call, _] = front.seen().try_into().unwrap();
    assert_eq!(call.request::<pb::CreateCustomerRequest>().request_id, created);
    assert_eq!(Uuid::parse_str(&created).unwrap().get_version_num(), 4);
    // Everything else is as it was sent.
    assert_eq!(acme.admin.get(&ada.id).await.unwrap().legal_name, full_customer("Ada").legal_name);
}

#[tokio::test]
async fn a_mutation_whose_answer_is_lost_is_sent_again_and_made_once() {
    let (_world, acme, front) = fronted().await;
    let client = of(front.address, &acme).connect().await.unwrap();
    front.expect([Fate::Lost, Fate::Answered]);
    let made = client.customers().create_customer(creating("Ada")).await.unwrap().into_inner();
    assert!(made.replayed, "the second try got the first one's answer");
    let [first, second] = front.seen().try_into().unwrap();
    assert_eq!(first.message, second.message, "the same request_id");
    assert_eq!(acme.admin.events(&made.customer.unwrap().id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_call_is_tried_three_times_with_a_fresh_token_and_the_time_that_is_left() {
    let (world, acme, front) = fronted().await;
    let (given, admin) = (Arc::new(AtomicU32::new(0)), acme.admin.token.clone().unwrap());
    let provide = {
        let given = given.clone();
        move || {
            let number = given.fetch_add(1, Ordering::Relaxed);
            // The last one is good.
            let token = if number == 2 { admin.clone() } else { format!("token-{number}") };
            async move { Ok::<_, std::convert::Infallible>(token) }
        }
    };
    let builder = Client::builder(front.address.to_string()).account(&acme.account).token_provider(provide);
    let client = builder.deadline(Duration::from_secs(20)).connect().await.unwrap();
    front.expect([unavailable(), unavailable(), Fate::Answered]);
    client.tags().list_tags(pb::ListTagsRequest::default()).await.unwrap();
    let seen = front.seen();
    let tokens: Vec<_> = seen.iter().map(|call| call.header("authorization")).collect();
    assert_eq!(tokens[..2], ["Bearer token-0", "Bearer token-1"]);
    assert_eq!(given.load(Ordering::Relaxed), 3);
    for call in &seen {
        assert_eq!(
            (call.path.as_str(), call.header("clientele-account")),
            ("/clientele.v1.TagService/ListTags", acme.account.as_str())
        );
        assert!(call.header("user-agent").starts_with("clientele-rust/"));
    }
    for pair in seen.windows(2) {
        assert!(pair[1].at - pair[0].at >= Duration::from_millis(50), "the first pause");
        assert!(pair[1].time_left() < pair[0].time_left() && pair[0].time_left() <= Duration::from_secs(20));
    }
    // The third failure is the caller's; one try if the builder says so.
    let client = of(front.address, &acme).connect().await.unwrap();
    front.expect([unavailable(), unavailable(), unavailable()]);
    let failed = client.tags().list_tags(pb::ListTagsRequest::default()).await.unwrap_err();
    assert_eq!((failed.code(), failed.message(), front.seen().len()), (Code::Unavailable, "not now", 3));
    let client = of(front.address, &acme).attempts(1).connect().await.unwrap();
    front.expect([unavailable()]);
    client.tags().list_tags(pb::ListTagsRequest::default()).await.unwrap_err();
    assert_eq!(front.seen().len(), 1);
    drop(world);
}

#[tokio::test]
async fn the_pause_that_the_server_asks_for_is_obeyed_unless_the_deadline_is_before_its_end() {
    let (_world, acme, front) = fronted().await;
    let client = of(front.address, &acme).connect().await.unwrap();
    front.expect([later(Duration::from_millis(700)), Fate::Answered]);
    client.customers().create_customer(creating("Ada")).await.unwrap();
    let [first, second] = front.seen().try_into().unwrap();
    assert!(second.at - first.at >= Duration::from_millis(700));

    front.expect([later(Duration::from_secs(600))]);
    let refused = Error::from(client.customers().create_customer(creating("Bob")).await.unwrap_err());
    assert_eq!(refused.reason(), Some(pb::ErrorReason::Overloaded), "at once, with the reason");
    assert_eq!((refused.retry_after(), front.seen().len()), (Some(Duration::from_secs(600)), 1));
}

#[tokio::test]
async fn what_the_server_refuses_for_good_is_sent_once() {
    let (_world, acme, front) = fronted().await;
    let client = of(front.address, &acme).connect().await.unwrap();
    client.customers().create_customer(creating("")).await.unwrap_err();
    front.expect([Fate::Refused(Status::internal("a fault")), Fate::Refused(Status::aborted("a conflict"))]);
    client.tags().list_tags(pb::ListTagsRequest::default()).await.unwrap_err();
    client.tags().list_tags(pb::ListTagsRequest::default()).await.unwrap_err();
    assert_eq!(front.seen().len(), 3);
}

#[tokio::test]
async fn a_call_ends_with_its_deadline_and_without_one_with_the_service_configs() {
    let (_world, acme, front) = fronted().await;
    let client = of(front.address, &acme).deadline(Duration::from_millis(300)).connect().await.unwrap();
    front.expect([Fate::Ignored]);
    let late = client.tags().list_tags(pb::ListTagsRequest::default()).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late:?}");
    // A call's own limit goes before the client's.
    let mut own = Request::new(pb::ListTagsRequest::default());
    own.set_timeout(Duration::from_secs(17));
    client.tags().list_tags(own).await.unwrap();
    let [_, own] = front.seen().try_into().unwrap();
    assert!((Duration::from_secs(16)..=Duration::from_secs(17)).contains(&own.time_left()), "{own:?}");

    let client = of(front.address, &acme).connect().await.unwrap();
    client.tags().list_tags(pb::ListTagsRequest::default()).await.unwrap();
    client.customers().create_customer(creating("Ada")).await.unwrap();
    let limits: Vec<_> = front.seen().iter().map(|call| call.time_left().as_millis().div_ceil(1000)).collect();
    assert_eq!(limits, [5, 10]);
}

#[tokio::test]
async fn a_report_is_read_and_its_beginning_is_tried_again() {
    let (_world, acme, front) = fronted().await;
    acme.admin.create(customer("Ada")).await.unwrap();
    let client = of(front.address, &acme).connect().await.unwrap();
    front.expect([unavailable(), Fate::Answered]);
    let report = client.billing().stream_billing_report(pb::StreamBillingReportRequest::default()).await;
    let mut report = report.unwrap().into_inner();
    let mut names = Vec::new();
    while let Some(message) = report.message().await.unwrap() {
        names.extend(message.rows.into_iter().map(|row| row.name));
    }
    assert_eq!((names, front.seen().len()), (vec!["Ada".to_owned()], 2));
}

#[tokio::test]
async fn a_client_acts_in_another_account_or_is_narrowed_to_a_customer() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let client = of(world.server.address(), &acme).connect_lazy().unwrap();
    let there = client.in_account(&north.account).unwrap();
    let ada = there.customers().create_customer(creating("Ada")).await.unwrap().into_inner().customer.unwrap();
    assert_eq!(ada.account_id, north.account);
    let bob = acme.admin.create(customer("Bob")).await.unwrap();
    let narrowed = client.for_customer(&ada.id).unwrap();
    let get = |id: &str| pb::GetCustomerRequest { customer_id: id.to_owned(), ..Default::default() };
    narrowed.customers().get_customer(get(&ada.id)).await.unwrap();
    assert_eq!(narrowed.customers().get_customer(get(&bob.id)).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(client.in_account("a\nb").unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn over_tls_the_server_is_verified_and_the_client_presents_its_certificate() {
    let authority = Authority::new();
    let (server, own, ca) = (authority.server(), authority.client(&[]), authority.pem());
    let [certificate, key, clients] = ["tls.crt", "tls.key", "clients.crt"].map(|name| authority.path(name));
    fs::write(&certificate, &server.certificate).unwrap();
    fs::write(&key, &server.key).unwrap();
    fs::write(&clients, &ca).unwrap();
    let read = move || tls::Tls::read(&certificate, &key, Some(&clients));
    let reloadable = Reloadable::from_files(Vec::new(), read).unwrap();
    let world = World::start_with(database().await, |config: &mut Config| config.tls = Some(reloadable)).await;
    let address = format!("localhost:{}", world.server.address().port());
    let calling = |tls: Tls| {
        let client = Client::builder(&address).tls(tls).token("none").attempts(1).connect_lazy().unwrap();
        async move { client.access().who_am_i(pb::WhoAmIRequest::default()).await.unwrap_err() }
    };
    let trusting = || Tls::authorities(&ca);
    let refused = calling(trusting().identity(&own.certificate, &own.key)).await;
    assert_eq!(Error::from(refused).reason_name(), Some("TOKEN_INVALID"), "the service has answered");
    for (tls, why) in [
        (Tls::mozilla_roots(), "UnknownIssuer"),
        (trusting(), ""),
        (trusting().server_name("other"), "not valid for name"),
    ] {
        let refused = calling(tls).await;
        assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
        assert!(refused.message().contains(why), "{refused:?}");
    }
}

#[tokio::test]
async fn a_wrong_address_is_an_error_that_names_it() {
    let error = |builder: Builder| builder.connect_lazy().unwrap_err().to_string();
    assert!(error(Client::builder("not an address")).contains("not an address is not of the form HOST:PORT"));
    let clear = error(Client::builder("http://127.0.0.1:1").tls(Tls::mozilla_roots()));
    assert!(clear.contains("http://127.0.0.1:1: is without TLS"), "{clear}");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let nobody = Client::builder(address.to_string()).connect().await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unavailable);
    assert!(
        nobody.to_string().contains(&address.to_string()) && nobody.to_string().to_lowercase().contains("refused"),
        "{nobody}"
    );
}
