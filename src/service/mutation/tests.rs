use std::cell::{Cell, RefCell};

use uuid::Uuid;

use super::{
    samples::{broken_key, fingerprint, sqlstate},
    *,
};
use crate::{
    domain::{
        refusal::Refusal,
        requests::{contract::RPCS, principal::Principal},
        tags::tag::{Tag, TagName},
        values::{
            enums::Role,
            ids::{RequestId, TagId},
            violation::{Rule, Violations},
        },
    },
    layers::samples::config,
    service::access::cache::samples as cached,
    telemetry::names,
};

type Failure = fn() -> Error;

fn lost_session() -> Error {
    Error::Unavailable { cause: "broken pipe".to_owned() }
}

fn overloaded() -> Error {
    Error::Overloaded { retry_after: Duration::from_millis(500) }
}

fn author(deadline: Option<Duration>) -> Author {
    Author {
        principal: Principal::new("issuer", "ada"),
        actors: Vec::new(),
        workload: None,
        rpc: RPCS[0],
        trace_id: String::new(),
        deadline: deadline.map(|after| (Instant::now() + after).into_std()),
    }
}

fn repeatable() -> Options {
    let id = RequestId::parse(&Uuid::from_u128(7).to_string()).unwrap();
    Options { request: Some(Repeatable { id, key: id, fingerprint: fingerprint(7) }), ..Options::default() }
}

fn tag() -> Answer {
    Answer::Tag { tag: Tag { id: TagId::from_uuid(Uuid::from_u128(1)), name: TagName::parse("vip").unwrap() } }
}

/// The stored answer of [`repeatable`]'s request.
fn stored() -> Stored {
    Stored::from_columns(Some(fingerprint(7).to_bytes()), Some(tag().to_stored().unwrap())).unwrap()
}

/// A runner whose database does not exist.
async fn mutations() -> Mutations {
    let pool = Pool::new(names::MAIN, &config("/".as_ref()).database, 1);
    Mutations::new(pool, cached::cache().await)
}

/// Runs an attempt that always fails. The result, and how often it looked for a stored answer, which is this one.
async fn failing(
    author: &Author,
    options: &Options,
    fail: impl Fn() -> Error,
    found: Option<Stored>,
) -> (Result<Outcome<Answer>>, u32) {
    let looks = Cell::new(0);
    let look_up = |_| {
        looks.set(looks.get() + 1);
        async { Ok(found) }
    };
    let call = Call::by(author, cached::tenant(1), options);
    let lease = || async { Ok(()) };
    let attempt = |()| async { Err(fail()) };
    (mutations().await.run_in(call, lease, attempt, look_up, replay_as_stored).await, looks.get())
}

#[tokio::test(start_paused = true)]
async fn a_deadlock_is_tried_again_until_the_deadline_and_never_after_it() {
    for (code, limit) in [("40P01", 1000), ("40001", 90), ("40P01", 7)] {
        let (author, start) = (author(Some(Duration::from_millis(limit))), Instant::now());
        let begun = RefCell::new(Vec::new());
        let fail = || {
            begun.borrow_mut().push(start.elapsed());
            sqlstate(code)
        };
        let (done, looks) = failing(&author, &Options::default(), fail, None).await;
        assert!(matches!(done, Err(Error::Contended)), "{done:?}");
        assert_eq!(looks, 0, "a call without a request_id has no stored answer");
        let (begun, limit) = (begun.into_inner(), Duration::from_millis(limit));
        assert!(begun.iter().all(|at| *at < limit), "{begun:?}");
        assert!(begun.last().unwrap() >= &limit.saturating_sub(LONGEST_PAUSE), "it gave up early: {begun:?}");
        assert!(start.elapsed() < limit, "it waited for nothing: {:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_comes_after_the_deadline_begins_no_retry() {
    let author = author(Some(Duration::from_secs(1)));
    let attempts = Cell::new(0);
    let lease = || async {
        tokio::time::sleep(Duration::from_millis(600)).await;
        Ok(())
    };
    let attempt = |()| {
        attempts.set(attempts.get() + 1);
        async { Err::<Outcome<()>, _>(sqlstate("40P01")) }
    };
    let done = retried(&author, lease, attempt).await.unwrap();
    assert!(done.unwrap_err().is_retriable());
    assert_eq!(attempts.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn background_work_is_tried_again_for_a_bounded_time() {
    let (author, start) = (author(None), Instant::now());
    let (done, _) = failing(&author, &Options::default(), || Error::LostRace, None).await;
    assert!(matches!(done, Err(Error::Contended)), "{done:?}");
    assert!(start.elapsed() + LONGEST_PAUSE >= WITHOUT_DEADLINE && start.elapsed() < WITHOUT_DEADLINE);
}

#[tokio::test(start_paused = true)]
async fn what_another_try_may_mend_is_tried_again_and_nothing_else() {
    let author = author(Some(Duration::from_secs(1)));
    for (failure, attempts_made) in [
        (sqlstate("40P01"), 3),
        (sqlstate("40001"), 3),
        (Error::LostRace, 3),
        (sqlstate("55P03"), 1),
        (broken_key("requests_pkey"), 1),
        (Error::Contended, 1),
        (lost_session(), 1),
        (Error::StatementTimeout, 1),
        (Error::TagNotFound, 1),
    ] {
        let name = format!("{failure:?}");
        let (attempts, failures) = (Cell::new(0), RefCell::new(vec![failure]));
        let attempt = |()| {
            attempts.set(attempts.get() + 1);
            // Twice, the second time a deadlock that is like the first failure.
            let failure = match attempts.get() {
                1 => failures.borrow_mut().pop(),
                2 => Some(sqlstate("40P01")),
                _ => None,
            };
            async { failure.map_or(Ok(Outcome::changed(())), Err) }
        };
        let done = retried(&author, || async { Ok(()) }, attempt).await.unwrap();
        assert_eq!((attempts.get(), done.is_ok()), (attempts_made, attempts_made == 3), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_an_earlier_call_may_explain_looks_for_its_answer_once() {
    let author = author(Some(Duration::from_secs(1)));
    let failures: [Failure; 6] = [
        || broken_key("customers_name_key"),
        || broken_key("requests_pkey"),
        || sqlstate("40P01"),
        || sqlstate("40001"),
        || sqlstate("55P03"),
        lost_session,
    ];
    for fail in failures {
        let (done, looks) = failing(&author, &repeatable(), fail, Some(stored())).await;
        assert_eq!((done.unwrap(), looks), (Outcome::replayed(tag()), 1), "{:?}", fail());

        let other = Stored::from_columns(Some(fingerprint(8).to_bytes()), Some(tag().to_stored().unwrap()));
        let (done, _) = failing(&author, &repeatable(), fail, other).await;
        assert!(matches!(done, Err(Error::RequestIdReused { .. })), "{:?}", fail());

        let newer =
            Stored::from_columns(Some(fingerprint(7).to_bytes()), Some(serde_json::json!({"v": 2, "of": "tag"})));
        let (done, _) = failing(&author, &repeatable(), fail, newer).await;
        assert!(matches!(done, Err(Error::AnswerOfNewerRelease)), "{:?}", fail());

        let (done, looks) = failing(&author, &Options::default(), fail, Some(stored())).await;
        assert!(done.is_err() && looks == 0, "{:?}: a call without a request_id", fail());
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_never_looks_for_a_stored_answer() {
    let author = author(Some(Duration::from_secs(1)));
    let refusals: [Failure; 24] = [
        // Existence.
        || Error::CustomerNotFound { at: None },
        || Error::CustomerNotFound { at: Some("customer_ids[3]".to_owned()) },
        || Error::AccountNotFound,
        || Error::TagNotFound,
        || Error::BranchNotFound,
        // Rights.
        || Error::RoleTooLow(Role::Admin),
        || Refusal::RoleTooLow(Role::Admin).into(),
        || Refusal::Narrowed.into(),
        || Refusal::RoleOfNewerRelease("a role in the account's policies").into(),
        || Error::refused_at(Refusal::FleetOwnedElsewhere, "customer_ids[3]".to_owned()),
        // State, after the attempt has looked itself.
        || Refusal::Archived.into(),
        || Refusal::ValueOfNewerRelease("the customer's status").into(),
        || Refusal::LimitReached("an account has at most 2,000 tags").into(),
        || Refusal::RequiredToCreate(Vec::new()).into(),
        || Error::Invalid(Violations::of("customer.branch_id", Rule::new("must exist"))),
        || Error::EtagMismatch { etag: String::new(), changed: None },
        || Error::CustomIdTaken { field: None, by: None },
        || Error::RequestIdReused { differs: Vec::new() },
        || Error::AnswerOfNewerRelease,
        // No refusals of the call, but nothing that an earlier call explains either.
        || Error::Contended,
        || Error::StatementTimeout,
        overloaded,
        || Error::internal("a fault"),
        || sqlstate("23514"),
    ];
    for fail in refusals {
        let (done, looks) = failing(&author, &repeatable(), fail, Some(stored())).await;
        assert_eq!((done.unwrap_err().to_string(), looks), (fail().to_string(), 0));
    }
}

#[tokio::test]
async fn without_a_session_no_stored_answer_is_looked_for() {
    let (author, options) = (author(None), repeatable());
    let failures: [Failure; 2] = [overloaded, lost_session];
    for fail in failures {
        let call = Call::by(&author, cached::tenant(1), &options);
        let attempt = |()| async { panic!("an attempt without a session") };
        let look_up = |_| async { panic!("a look-up without a session") };
        let lease = || async { Err(fail()) };
        let done = mutations().await.run_in(call, lease, attempt, look_up, replay_as_stored).await;
        assert_eq!(done.unwrap_err().to_string(), fail().to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_stored_answer_the_failure_says_what_to_do() {
    let author = author(Some(Duration::from_secs(1)));
    let (repeatable, once) = (&repeatable(), &Options::default());
    let expected: [(Failure, &Options, Error); 7] = [
        (|| Error::LockTimeout { on_stored_answer: true }, repeatable, Error::RequestInFlight),
        (|| sqlstate("55P03"), repeatable, Error::Contended),
        (|| broken_key("requests_pkey"), repeatable, Error::Contended),
        (|| sqlstate("55P03"), once, Error::Contended),
        (|| sqlstate("40P01"), repeatable, Error::Contended),
        (lost_session, repeatable, lost_session()),
        (|| broken_key("customers_name_key"), repeatable, broken_key("customers_name_key")),
    ];
    for (fail, options, expected) in expected {
        let (done, _) = failing(&author, options, fail, None).await;
        assert_eq!(done.unwrap_err().to_string(), expected.to_string());
    }
}

/// Runs a mutation whose commit makes the first tenant's entries stale; whether the cache has those of the first and of
/// the second tenant during the attempt, and after it.
async fn entries_around(options: &Options, done: impl Fn() -> Result<Outcome<Answer>>) -> [(bool, bool); 2] {
    let (author, mutations) = (author(Some(Duration::ZERO)), mutations().await);
    let during = Cell::new((false, false));
    let attempt = |()| async {
        during.set(cached::has(&mutations.cache));
        done()
    };
    let call = Call::by(&author, cached::tenant(1), options).making_stale(Some(Stale::Tenant(cached::tenant(1))));
    let look_up = |_| async { Ok(None) };
    let _any = mutations.run_in(call, || async { Ok(()) }, attempt, look_up, replay_as_stored).await;
    [during.get(), cached::has(&mutations.cache)]
}

#[tokio::test]
async fn entries_are_dropped_after_the_commit_and_only_those_of_the_tenant() {
    let committed = entries_around(&Options::default(), || Ok(Outcome::changed(tag()))).await;
    assert_eq!(committed, [(true, true), (false, true)]);
    // The COMMIT may have been done.
    let lost = entries_around(&Options::default(), || Err(lost_session())).await;
    assert_eq!(lost, [(true, true), (false, true)]);
}

#[tokio::test]
async fn entries_stay_where_nothing_was_committed() {
    let validated = Options { validate_only: true, ..Options::default() };
    assert_eq!(entries_around(&validated, || Ok(Outcome::changed(tag()))).await[1], (true, true));
    assert_eq!(entries_around(&validated, || Err(lost_session())).await[1], (true, true));
    let failures: [fn() -> Result<Outcome<Answer>>; 6] = [
        || Ok(Outcome::unchanged(tag())),
        || Ok(Outcome::replayed(tag())),
        || Err(Error::BranchNotFound),
        || Err(broken_key("branches_account_id_name_key_key")),
        || Err(sqlstate("55P03")),
        || Err(sqlstate("40P01")),
    ];
    for fail in failures {
        assert_eq!(entries_around(&Options::default(), fail).await[1], (true, true), "{:?}", fail());
    }
}
