//! The memory of a `serve` process stays bounded, whatever its callers send, ask for, and do not take.

#![expect(clippy::print_stderr, reason = "`--nocapture` shows the figures")]

mod peer;
mod serve;

use std::{collections::HashMap, net::SocketAddr};

use clientele::grpc::pb;
use h2::RecvStream;
use http::Response;
use prost::Message as _;
use tokio::time::timeout;
use tonic::Status;
use tonic_health::pb::HealthCheckRequest;

use self::{
    peer::{Peer, frame, send},
    serve::Serve,
};
use crate::{
    list_customer_events_pages::copy_events,
    processes::BOUND,
    world::{Client, TestAccount, World, at_once, connect, customer, production, production_database, repeat_at_once},
};

const BATCH_GET: &str = "/clientele.v1.CustomerService/BatchGetCustomers";
const WATCH: &str = "/grpc.health.v1.Health/Watch";
const CHECK: &str = "/grpc.health.v1.Health/Check";
/// The answers that a peer asks for and does not take.
const ANSWERS: usize = 200;

/// A customer of 122 KB: some of the largest values of its largest fields.
fn large_customer(name: &str) -> pb::Customer {
    let long = |chars| "𠀀".repeat(chars);
    pb::Customer {
        labels: (0..50).map(|number| (format!("label-{number}"), long(300))).collect(),
        contacts: (0..50)
            .map(|number| pb::Contact {
                first_name: long(100),
                last_name: long(100),
                job_title: long(100),
                email: format!("{number}@{}.example", "a".repeat(60)),
                ..Default::default()
            })
            .collect(),
        ..customer(name)
    }
}

/// The data of all attacks, made by a server of this process, and the server that is attacked.
struct Attacked {
    serve: Serve,
    world: World,
    acme: TestAccount,
    viewer: Client,
    bystander: Client,
    /// Of a small customer.
    bystanders: String,
    /// Of a thousand large customers.
    ids: Vec<String>,
}

impl Attacked {
    async fn start() -> Self {
        let database = production_database().await;
        let world = World::start_with(database.clone(), |_| ()).await;
        let mut acme = world.tenant("acme").await;
        let large = acme.admin.create(large_customer("Large")).await.unwrap();
        assert!((122_000..130_000).contains(&large.encoded_len()), "{}", large.encoded_len());
        let mut ids = world.copies(&large.id, 999).await;
        ids.push(large.id);
        let globex = world.tenant("globex").await;
        let bystanders = globex.admin.create(customer("Bob")).await.unwrap().id;
        let serve = Serve::start(&production().await.url(database.get_database().unwrap()), &world.keys).await;
        let to_serve = |client: Client| client.over(connect(serve.address));
        let viewer = to_serve(acme.member(pb::Role::Viewer).await);
        let bystander = to_serve(globex.admin.clone());
        acme.admin = to_serve(acme.admin.clone());
        Self { serve, world, acme, viewer, bystander, bystanders, ids }
    }

    fn address(&self) -> SocketAddr {
        self.serve.address
    }

    /// Asserts that the memory is bounded, and that another caller is served.
    async fn check(&self, after: &str) {
        self.serve.check(after);
        self.bystander.get(&self.bystanders).await.unwrap_or_else(|refused| panic!("after {after}: {refused}"));
    }

    async fn searches(&self) {
        let request = pb::SearchCustomersRequest { page_size: 1_000, ..Default::default() };
        let search = || {
            let (client, request) = (self.viewer.clone(), request.clone());
            async move { client.customers().search_customers(request).await.map(|found| found.into_inner().results.len()) }
        };
        report("searches", repeat_at_once(4, search).await);
    }

    async fn half_messages(&self) {
        const LENGTH: usize = 4 << 20;
        let (peer, half) = (Peer::open(self.address(), 65_535).await, frame(LENGTH, &vec![0; LENGTH - 6]));
        let sent = at_once((0..120).map(|_| {
            let (peer, half) = (peer.clone(), half.clone());
            async move {
                let (mut response, mut body) = peer.begin(None, CHECK).await;
                tokio::select! {
                    () = send(&mut body, half) => (),
                    _ = &mut response => (),
                }
                (response, body)
            }
        }));
        let sent = timeout(BOUND, sent).await.expect("all is sent or refused");
        self.check("half messages").await;
        drop(sent);
    }

    /// Answers that the peer does not take are freed when it has taken nothing of them for 20 s.
    async fn answers_not_taken(&self) {
        let request =
            pb::BatchGetCustomersRequest { customer_ids: self.ids[..25].to_vec(), view: pb::CustomerView::Full.into() };
        let peer = Peer::open(self.address(), 65_535).await;
        let call = || {
            let (peer, client, request) = (peer.clone(), self.viewer.clone(), request.clone());
            async move { peer.call(Some(&client), BATCH_GET, &request).await.unwrap() }
        };
        // One after the other until its principal has as much as it may; then all at once.
        let (mut answers, mut refused) = (Vec::new(), Vec::new());
        while refused.is_empty() && answers.len() < ANSWERS {
            sort(call().await, &mut answers, &mut refused);
        }
        for answer in repeat_at_once(ANSWERS - answers.len() - refused.len(), call).await {
            sort(answer, &mut answers, &mut refused);
        }
        report(
            "answers that are not taken",
            refused.into_iter().map(Err).chain(answers.iter().map(|_| Ok(1))).collect(),
        );
        self.check("answers that are not taken").await;
        assert!((1..ANSWERS).contains(&answers.len()));
        for answer in answers {
            let mut body = answer.into_body();
            let end = async {
                loop {
                    if let Err(end) = body.data().await.expect("the answer does not end") {
                        break end;
                    }
                }
            };
            let end = timeout(BOUND, end).await.expect("the stream is reset");
            assert_eq!(end.reason(), Some(h2::Reason::CANCEL));
        }
        self.viewer.get(&self.ids[0]).await.expect("its principal is served again");
    }

    async fn events(&self) {
        let ada = self.acme.admin.create(customer("Ada")).await.unwrap();
        let contacts = |name: &str| large_customer(name).contacts;
        let one = pb::Customer { id: ada.id.clone(), contacts: contacts("Ada"), ..Default::default() };
        self.acme.admin.update(one.clone(), &["contacts"]).await.unwrap();
        let other = pb::Customer { contacts: contacts("Ada")[..49].to_vec(), ..one };
        self.acme.admin.update(other, &["contacts"]).await.unwrap();
        copy_events(&self.world, &ada.id, 998).await;
        let request = pb::ListCustomerEventsRequest { customer_id: ada.id, page_size: 1_000, ..Default::default() };
        let list = || {
            let (client, request) = (self.viewer.clone(), request.clone());
            async move { client.history().list_customer_events(request).await.map(|page| page.into_inner().events.len()) }
        };
        report("lists of events", repeat_at_once(16, list).await);
    }

    async fn watches(&self) {
        let peers = at_once((0..100).map(|_| {
            let address = self.address();
            async move {
                let peer = Peer::open(address, 65_535).await;
                let request = HealthCheckRequest { service: "liveness".to_owned() };
                let watches = (0..256).map(|_| {
                    let (peer, request) = (peer.clone(), request.clone());
                    async move { peer.call(None, WATCH, &request).await }
                });
                (at_once(watches).await, peer)
            }
        }));
        let peers = timeout(BOUND, peers).await.expect("all are answered or refused");
        let open = peers.iter().flat_map(|(watches, _)| watches).flatten();
        let open = open.filter(|watch| !watch.headers().contains_key(Status::GRPC_STATUS)).count();
        eprintln!("{open} watches");
        self.check("health watches").await;
    }

    async fn batches(&self) {
        let ids: Vec<_> = self.ids.iter().map(String::as_str).collect();
        let admin = &self.acme.admin;
        let batch_get = |count: usize| {
            let (client, ids) = (self.viewer.clone(), self.ids[..count].to_vec());
            async move {
                let view = pb::CustomerView::Full.into();
                let request = pb::BatchGetCustomersRequest { customer_ids: ids, view };
                client.customers().batch_get_customers(request).await.map(|found| found.into_inner().customers.len())
            }
        };
        // As many as a call may name, and as many as an answer can have.
        for count in [100, 30] {
            report("batch reads", repeat_at_once(16, || batch_get(count)).await);
            self.check("BatchGetCustomers").await;
        }
        report("archives", vec![admin.archive(&ids).await.map(|done| done.outcomes.len())]);
        self.check("ArchiveCustomers").await;
        report("unarchives", vec![admin.unarchive(&ids).await.map(|done| done.outcomes.len())]);
        self.check("UnarchiveCustomers").await;
        let tags: Vec<_> = (0..100).map(|number| format!("tag {number}")).collect();
        let tags: Vec<_> = tags.iter().map(String::as_str).collect();
        report("tags", vec![admin.tag(&ids, &tags, &[]).await.map(|done| done.outcomes.len())]);
        self.check("ModifyCustomerTags").await;
        let branch = self.acme.child("branch").await;
        report("transfers", vec![admin.transfer(&ids, &branch.account).await.map(|done| done.outcomes.len())]);
        self.check("TransferCustomers").await;
    }
}

/// An error is in the response's head.
fn sort(answer: Response<RecvStream>, answers: &mut Vec<Response<RecvStream>>, refused: &mut Vec<Status>) {
    match Status::from_header_map(answer.headers()) {
        Some(status) => refused.push(status),
        None => answers.push(answer),
    }
}

/// Shows how many calls were answered, with how many items, and why others were not.
fn report(what: &str, answers: Vec<Result<usize, Status>>) {
    let mut counts = HashMap::<String, usize>::new();
    for answer in answers {
        let outcome = answer.map_or_else(|refused| crate::world::reason(&refused), |items| format!("{items} items"));
        *counts.entry(outcome).or_default() += 1;
    }
    eprintln!("{what}: {counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_of_a_server_stays_bounded() {
    let attacked = Attacked::start().await;
    attacked.check("the start").await;
    attacked.searches().await;
    attacked.check("searches").await;
    attacked.half_messages().await;
    attacked.answers_not_taken().await;
    attacked.events().await;
    attacked.check("lists of events").await;
    attacked.watches().await;
    attacked.batches().await;
}
