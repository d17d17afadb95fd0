//! The pool's sessions when the database goes wrong: none is used again in an unknown state, and every caller gets the same
//! truth.

use clientele::{
    error::Error,
    service::pool::{End, Pool},
};
use sqlx::ConnectOptions as _;
use tonic::Code;

use crate::world::{Keys, World, assert_refused, database, unknown_id, until};

#[tokio::test]
async fn a_session_that_cannot_roll_back_is_not_used_again() {
    let database = database().await;
    let config = Keys::new().config(database.clone());
    let pool = Pool::new("main", &config.database, 1);
    let mut lease = pool.lease().await.unwrap();
    let first: Result<(), Error> = lease
        .transaction(End::Commit, async |conn| {
            let id: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut *conn).await?;
            let mut admin = database.connect().await?;
            sqlx::query("select pg_terminate_backend($1)").bind(id).execute(&mut admin).await?;
            until("the session has ended", async || {
                let there = "select exists (select from pg_stat_activity where pid = $1)";
                let mut admin = database.connect().await.unwrap();
                !sqlx::query_scalar::<_, bool>(there).bind(id).fetch_one(&mut admin).await.unwrap()
            })
            .await;
            Err(Error::TagNotFound)
        })
        .await;
    assert!(matches!(first, Err(Error::TagNotFound)), "the first error says more: {first:?}");
    drop(lease);
    assert_eq!(pool.sessions().idle, 0, "the lost session is not kept");
    let mut next = pool.lease().await.unwrap();
    let one: i32 = next.run(async |conn| Ok(sqlx::query_scalar("select 1").fetch_one(conn).await?)).await.unwrap();
    assert_eq!(one, 1);
}

#[tokio::test]
async fn every_caller_of_a_database_that_refuses_the_login_gets_the_same_error() {
    let database = database().await;
    let nobody = database.clone().username("nobody_of_that_name");
    let world = World::start_with(nobody, |_| ()).await;
    // The first connects, the others come during the pause after that failure, and the last ones after it.
    for _ in 0..3 {
        let calls = crate::world::repeat_at_once(4, || {
            let client = world.subject("max");
            async move { client.get(&unknown_id()).await }
        });
        for refused in calls.await {
            let refused = assert_refused(refused, Code::Unavailable, "DATABASE_UNAVAILABLE");
            assert!(!refused.message().contains("nobody_of_that_name"), "{refused:?}");
        }
    }
}
