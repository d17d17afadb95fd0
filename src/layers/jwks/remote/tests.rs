//! With a clock that stands still until all wait for it, and an issuer that answers what the test says.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// An issuer: what it answers, and how often it was asked.
#[derive(Clone)]
struct Issuer {
    answer: Arc<Mutex<Result<Fetched, String>>>,
    asked: Arc<AtomicUsize>,
    takes: Duration,
}

impl Issuer {
    fn answering(text: &str) -> Self {
        let issuer =
            Self { answer: Arc::new(Mutex::new(Err(String::new()))), asked: Arc::default(), takes: Duration::ZERO };
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

    fn is_away(&self) {
        *self.answer.lock().unwrap() = Err("nobody is there".to_owned());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Its keys, followed in the background and fetched once. A text that is a number is a key set.
    async fn followed(&self) -> Remote<u32> {
        let issuer = self.clone();
        let fetch = move || -> Fetching {
            let issuer = issuer.clone();
            Box::pin(async move {
                issuer.asked.fetch_add(1, Ordering::Relaxed);
                time::sleep(issuer.takes).await;
                issuer.answer.lock().unwrap().clone()
            })
        };
        let make = |body: &[u8]| str::from_utf8(body).unwrap().parse().map_err(|_| "no number".to_owned());
        let remote = Remote::new("https://id.example/jwks".to_owned(), fetch, make);
        #[expect(clippy::disallowed_methods, reason = "a test's own task, which ends with its runtime")]
        tokio::spawn(remote.clone().follow());
        remote.tried().await;
        remote
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_every_five_minutes_or_as_the_issuer_says_within_bounds() {
    for (max_age, pause) in [(None, 300), (Some(120), 120), (Some(0), 60), (Some(86_400), 900)] {
        let issuer = Issuer::answering("1");
        issuer.answers_for("1", max_age);
        let remote = issuer.followed().await;
        issuer.answers("2");
        time::sleep(Duration::from_secs(pause) - SECOND).await;
        assert_eq!((remote.get().as_deref(), issuer.asked()), (Some(&1), 1), "{max_age:?}");
        time::sleep(2 * SECOND).await;
        assert_eq!((remote.get().as_deref(), issuer.asked()), (Some(&2), 2), "{max_age:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn keys_are_served_through_an_outage_of_a_day_and_no_longer() {
    let issuer = Issuer::answering("1");
    let remote = issuer.followed().await;
    for away in [Some("broken"), None] {
        away.map_or_else(|| issuer.is_away(), |broken| issuer.answers(broken));
        time::sleep(STALE / 2 - MINUTE).await;
        assert_eq!(remote.get().as_deref(), Some(&1));
    }
    time::sleep(3 * MINUTE).await;
    assert_eq!(remote.get(), None);
    issuer.answers("2");
    time::sleep(RETRY + SECOND).await;
    assert_eq!(remote.get().as_deref(), Some(&2), "an outage that is over is noticed soon");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_known_fetches_at_most_once_a_minute() {
    let issuer = Issuer::answering("1");
    let remote = issuer.followed().await;
    issuer.answers("2");
    assert_eq!(remote.having(|held| *held == 2).await.as_deref(), Some(&2));
    for _ in 0..100 {
        assert_eq!(remote.having(|held| *held == 3).await.as_deref(), Some(&2));
    }
    assert_eq!(issuer.asked(), 2);
    time::sleep(MINUTE).await;
    issuer.answers("3");
    assert_eq!(remote.having(|held| *held == 3).await.as_deref(), Some(&3));
    assert_eq!(issuer.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn many_who_miss_a_key_share_one_fetch_and_who_has_one_waits_for_none() {
    let mut issuer = Issuer::answering("1");
    issuer.takes = SECOND;
    let remote = issuer.followed().await;
    issuer.answers("2");
    let began = Instant::now();
    let missing = || remote.having(|held| *held == 2);
    let (one, two, three, known) =
        tokio::join!(missing(), missing(), missing(), async { (remote.having(|_| true).await, began.elapsed()) });
    assert_eq!([one, two, three].map(|held| *held.unwrap()), [2, 2, 2]);
    assert_eq!((known.0.as_deref(), known.1), (Some(&1), Duration::ZERO));
    assert_eq!((issuer.asked(), began.elapsed()), (2, SECOND));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_two_seconds() {
    let mut issuer = Issuer::answering("1");
    issuer.takes = 4 * SECOND;
    let remote = issuer.followed().await;
    let began = Instant::now();
    assert_eq!(remote.having(|held| *held == 2).await.as_deref(), Some(&1));
    assert_eq!(began.elapsed(), UNKNOWN_WAIT);
}

#[tokio::test(start_paused = true)]
async fn the_same_keys_again_are_the_same_value() {
    let issuer = Issuer::answering("1");
    let remote = issuer.followed().await;
    let before = remote.get().unwrap();
    time::sleep(REFRESH + SECOND).await;
    assert_eq!(issuer.asked(), 2);
    assert!(Arc::ptr_eq(&before, &remote.get().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_away_from_the_beginning_has_no_keys_until_it_is_there() {
    let issuer = Issuer::answering("1");
    issuer.is_away();
    let remote = issuer.followed().await;
    assert_eq!(remote.get(), None);
    issuer.answers("1");
    assert_eq!(remote.having(|_| true).await.as_deref(), Some(&1), "whoever asks does not wait for the next try");
}
