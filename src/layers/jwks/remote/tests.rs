//! Tests with a paused clock and a fake issuer.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// An issuer: its response, its latency, and the number of requests.
#[derive(Clone)]
struct Issuer {
    answer: Arc<Mutex<Result<Fetched, String>>>,
    requests: Arc<AtomicUsize>,
    takes: Duration,
}

impl Issuer {
    fn answering(text: &str) -> Self {
        let issuer =
            Self { answer: Arc::new(Mutex::new(Err(String::new()))), requests: Arc::default(), takes: Duration::ZERO };
        issuer.answers(text);
        issuer
    }

    fn answers(&self, text: &str) {
        self.answers_for(text, None);
    }

    fn answers_for(&self, text: &str, max_age: Option<u64>) {
        let body = Bytes::copy_from_slice(text.as_bytes());
        *self.answer.lock().unwrap() = Ok(Fetched { body, max_age: max_age.map(Duration::from_secs) });
    }

    fn is_down(&self) {
        *self.answer.lock().unwrap() = Err("connection refused".to_owned());
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Its keys, fetched once and refreshed in the background. A number stands for a key set.
    async fn refreshed(&self) -> Remote<u32> {
        let issuer = self.clone();
        let fetch = move || -> Fetching {
            let issuer = issuer.clone();
            Box::pin(async move {
                issuer.requests.fetch_add(1, Ordering::Relaxed);
                time::sleep(issuer.takes).await;
                issuer.answer.lock().unwrap().clone()
            })
        };
        let make = |body: &[u8]| str::from_utf8(body).unwrap().parse().map_err(|_| "no number".to_owned());
        let remote = Remote::new("https://id.example/jwks".to_owned(), fetch, make);
        #[expect(clippy::disallowed_methods, reason = "a test's own task, which ends with its runtime")]
        tokio::spawn(remote.clone().refresh());
        remote.first_fetch().await;
        remote
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn keys_are_refreshed_every_five_minutes_or_as_the_issuer_says_within_bounds() {
    for (max_age, pause) in [(None, 300), (Some(120), 120), (Some(0), 60), (Some(86_400), 900)] {
        let issuer = Issuer::answering("1");
        issuer.answers_for("1", max_age);
        let remote = issuer.refreshed().await;
        issuer.answers("2");
        time::sleep(Duration::from_secs(pause) - SECOND).await;
        assert_eq!((remote.get().as_deref(), issuer.requests()), (Some(&1), 1), "{max_age:?}");
        time::sleep(2 * SECOND).await;
        assert_eq!((remote.get().as_deref(), issuer.requests()), (Some(&2), 2), "{max_age:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn keys_are_used_in_an_outage_for_a_day_and_no_longer() {
    let issuer = Issuer::answering("1");
    let remote = issuer.refreshed().await;
    for response in [Some("broken"), None] {
        response.map_or_else(|| issuer.is_down(), |broken| issuer.answers(broken));
        time::sleep(MAX_AGE / 2 - MINUTE).await;
        assert_eq!(remote.get().as_deref(), Some(&1));
    }
    time::sleep(3 * MINUTE).await;
    assert_eq!(remote.get(), None);
    issuer.answers("2");
    time::sleep(RETRY + SECOND).await;
    assert_eq!(remote.get().as_deref(), Some(&2), "the end of the outage is noticed soon");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_triggers_at_most_one_fetch_a_minute() {
    let issuer = Issuer::answering("1");
    let remote = issuer.refreshed().await;
    issuer.answers("2");
    assert_eq!(remote.get_or_fetch(|held| *held == 2).await.as_deref(), Some(&2));
    for _ in 0..100 {
        assert_eq!(remote.get_or_fetch(|held| *held == 3).await.as_deref(), Some(&2));
    }
    assert_eq!(issuer.requests(), 2);
    time::sleep(MINUTE).await;
    issuer.answers("3");
    assert_eq!(remote.get_or_fetch(|held| *held == 3).await.as_deref(), Some(&3));
    assert_eq!(issuer.requests(), 3);
}

#[tokio::test(start_paused = true)]
async fn tokens_with_an_unknown_key_share_one_fetch_and_those_with_a_known_key_do_not_wait() {
    let mut issuer = Issuer::answering("1");
    issuer.takes = SECOND;
    let remote = issuer.refreshed().await;
    issuer.answers("2");
    let began = Instant::now();
    let missing = || remote.get_or_fetch(|held| *held == 2);
    let (one, two, three, known) =
        tokio::join!(missing(), missing(), missing(), async { (remote.get_or_fetch(|_| true).await, began.elapsed()) });
    assert_eq!([one, two, three].map(|held| *held.unwrap()), [2, 2, 2]);
    assert_eq!((known.0.as_deref(), known.1), (Some(&1), Duration::ZERO));
    assert_eq!((issuer.requests(), began.elapsed()), (2, SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_token_waits_at_most_two_seconds_for_a_fetch() {
    let mut issuer = Issuer::answering("1");
    issuer.takes = 4 * SECOND;
    let remote = issuer.refreshed().await;
    let began = Instant::now();
    assert_eq!(remote.get_or_fetch(|held| *held == 2).await.as_deref(), Some(&1));
    assert_eq!(began.elapsed(), UNKNOWN_KEY_WAIT);
}

#[tokio::test(start_paused = true)]
async fn unchanged_keys_keep_their_value() {
    let issuer = Issuer::answering("1");
    let remote = issuer.refreshed().await;
    let before = remote.get().unwrap();
    time::sleep(REFRESH + SECOND).await;
    assert_eq!(issuer.requests(), 2);
    assert!(Arc::ptr_eq(&before, &remote.get().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_down_from_the_start_has_no_keys_until_it_is_up() {
    let issuer = Issuer::answering("1");
    issuer.is_down();
    let remote = issuer.refreshed().await;
    assert_eq!(remote.get(), None);
    issuer.answers("1");
    let keys = remote.get_or_fetch(|_| true).await;
    assert_eq!(keys.as_deref(), Some(&1), "a token does not wait for the next scheduled fetch");
}
