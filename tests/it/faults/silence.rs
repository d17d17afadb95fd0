//! Sessions that fall silent: no answer and no error, as behind a firewall that forgot them or a machine that is gone.

use std::time::Duration;

use clientele::grpc::pb;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tonic::{Code, Request, Status};

use crate::world::{Client, World, assert_refused, at_once, customer, production_database, request_id, retry_delay};

/// Stops the service's sessions where they are; dropped, it lets them go on.
struct Silenced(Vec<Pid>);

impl Silenced {
    async fn sessions_of(world: &World) -> Self {
        let sessions: Vec<i32> = sqlx::query_scalar(
            "select pid from pg_stat_activity where datname = current_database() and application_name = 'clientele'",
        )
        .fetch_all(&mut world.sql().await)
        .await
        .unwrap();
        let silenced = Self(sessions.into_iter().map(Pid::from_raw).collect());
        for session in &silenced.0 {
            kill(*session, Signal::SIGSTOP).unwrap();
        }
        silenced
    }
}

impl Drop for Silenced {
    fn drop(&mut self) {
        for session in &self.0 {
            let _ = kill(*session, Signal::SIGCONT); // gone by itself: the better
        }
    }
}

async fn rename(client: &Client, id: &str, request_id: &str) -> Result<pb::Customer, Status> {
    let mut request = Request::new(pb::UpdateCustomerRequest {
        customer: Some(pb::Customer { id: id.to_owned(), name: "Bob".to_owned(), ..Default::default() }),
        update_mask: Some(crate::world::mask(&["name"])),
        request_id: request_id.to_owned(),
        ..Default::default()
    });
    request.set_timeout(Duration::from_secs(20));
    Ok(client.customers().update_customer(request).await?.into_inner().customer.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_fall_silent_are_given_up_and_their_places_taken_by_others() {
    let world = World::start_with(production_database().await, |config| {
        config.database.connections = 4;
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
    // All four sessions are there, and were used just now.
    let reads = at_once((0..16).map(|_| {
        let (client, id) = (acme.admin.clone(), ada.id.clone());
        async move { client.get(&id).await }
    }));
    for read in reads.await {
        read.unwrap();
    }

    let silenced = Silenced::sessions_of(&world).await;
    assert_eq!(silenced.0.len(), 4);
    let repeated = request_id();
    let answers = at_once([String::new(), String::new(), String::new(), repeated.clone()].map(calls)).await;

    for (place, answer) in answers.into_iter().enumerate() {
        let refused = assert_refused(answer, Code::Unavailable, "DATABASE_UNAVAILABLE");
        assert_eq!(retry_delay(&refused).is_some(), place == 3, "with a request_id alone");
    }
    let renamed = calls(repeated).await.unwrap();
    assert_eq!(renamed.name, "Bob");
    drop(silenced);
    assert_eq!(acme.admin.get(&ada.id).await.unwrap(), renamed, "those given up have written nothing");
}
