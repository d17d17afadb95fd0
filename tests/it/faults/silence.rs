//! Sessions that go silent: no answer and no error, as behind a firewall that dropped their state, or after a machine
//! failure.

use std::time::Duration;

use clientele::grpc::pb;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tonic::{Code, Status};

use crate::world::{
    Client, World, assert_refused, at_once, customer, mask, production_database, request_id, retry_delay, until,
};

/// Pauses the service's sessions; when dropped, they continue.
struct Silenced(Vec<Pid>);

impl Silenced {
    fn these(sessions: &[i32]) -> Self {
        let silenced = Self(sessions.iter().copied().map(Pid::from_raw).collect());
        for session in &silenced.0 {
            kill(*session, Signal::SIGSTOP).unwrap();
        }
        silenced
    }
}

impl Drop for Silenced {
    fn drop(&mut self) {
        for session in &self.0 {
            let _ = kill(*session, Signal::SIGCONT); // it may have ended already
        }
    }
}

/// The processes of the service's sessions.
async fn sessions(world: &World) -> Vec<i32> {
    sqlx::query_scalar(
        "select pid from pg_stat_activity where datname = current_database() and application_name = 'clientele'",
    )
    .fetch_all(&mut world.sql().await)
    .await
    .unwrap()
}

async fn rename(client: &Client, id: &str, request_id: &str) -> Result<pb::Customer, Status> {
    let request = pb::UpdateCustomerRequest {
        customer: Some(pb::Customer { id: id.to_owned(), name: "Bob".to_owned(), ..Default::default() }),
        update_mask: Some(mask(&["name"])),
        request_id: request_id.to_owned(),
        ..Default::default()
    };
    Ok(client.customers().update_customer(request).await?.into_inner().customer.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_sessions_are_closed_and_replaced() {
    let world = World::start_with(production_database().await, |config| {
        config.database.pool_size = 4;
        config.database.statement_timeout = Duration::from_secs(1);
        config.database.lock_timeout = Duration::from_millis(500);
        config.limits.deadline = Duration::from_secs(20);
    })
    .await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let calls = |request_id: String| {
        let (client, id) = (acme.admin.clone(), ada.id.clone());
        async move { rename(&client, &id, &request_id).await }
    };
    // Sessions that were used just now are not tested before use.
    until("all sessions are open", async || {
        let reads = at_once((0..16).map(|_| {
            let (client, ids) = (acme.admin.clone(), [ada.id.clone()]);
            // Each takes a session: unlike reads of one customer they are not gathered.
            async move { client.batch_get(&ids).await }
        }));
        reads.await.into_iter().all(|read| read.is_some()) && sessions(&world).await.len() == 4
    })
    .await;

    let silenced = Silenced::these(&sessions(&world).await);
    let repeated = request_id();
    let answers = at_once(["", "", "", &repeated].map(|id| Box::pin(calls(id.to_owned())))).await;

    for (place, answer) in answers.into_iter().enumerate() {
        let refused = assert_refused(answer, Code::Unavailable, "DATABASE_UNAVAILABLE");
        assert_eq!(retry_delay(&refused).is_some(), place == 3, "only with a request_id");
    }
    let renamed = calls(repeated).await.unwrap();
    assert_eq!(renamed.name, "Bob");
    drop(silenced);
    assert_eq!(acme.admin.get(&ada.id).await.unwrap(), renamed, "the closed sessions have written nothing");
}
