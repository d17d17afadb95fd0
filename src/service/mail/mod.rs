//! The mails of invitations: one is taken from the queue, delivered, and what came of it is noted, each in a transaction of
//! its own. A replica that stops in between leaves a lease, after which another one takes the mail.
//!
//! What is promised, and how:
//!
//! - **No mail is lost.** Its row is committed with the invitation, and stays PENDING until a mail server has taken it, or
//!   two days of attempts have passed.
//! - **Two replicas never deliver one mail within a lease**: taking skips locked rows and moves the row's time beyond the
//!   lease, which is longer than a delivery may take. Before the mail's text is sent, the lease is made longer than the mail server
//!   may take to answer to it (ten minutes), or nothing is sent.
//! - **No mail is knowingly sent twice**: once the server has taken it, that is noted however long the database is away. If a
//!   server is lost between its last byte and its answer, it is not known whether it has the mail; the next attempt has the
//!   same `Message-ID` and the same link.
//! - **A process that stops** gives a mail back whose text it has not begun to send, and waits for the answer to one that it has,
//!   as long as for calls.

mod link;
mod measure;
mod message;
mod smtp;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::TimeDelta;
use tokio::time::Instant;
use tracing::{info, warn};
use uuid::Uuid;

pub use self::link::Link;
use self::{message::Letter, smtp::Refused};
use crate::{
    config::{
        self,
        mail::{Delivery, Pace},
    },
    domain::{
        requests::{
            contract,
            options::Options,
            principal::{Author, Principal},
        },
        values::timestamp::Timestamp,
    },
    error::{Error, Result},
    service::{
        access::{invitation_token::FIRST_GENERATION, inviting::Inviting},
        clock,
        mutation::write_by,
        pool::Pool,
    },
    store::{self, access::outbox::QueuedMail},
    telemetry::{self, MailResult, OutboxStatus},
};

/// Pause between two tries to note that a mail was sent.
const NOTE_PAUSE: Duration = Duration::from_millis(500);
/// How often the queue is measured.
const MEASURE: Duration = Duration::from_secs(15);
/// The RPC that events of the sender name.
const RPC: &str = "/clientele.v1.AccessService/InviteMember";

/// Sends the mails of invitations.
#[derive(Clone)]
pub struct Mailer {
    pool: Pool,
    inviting: Inviting,
    mail: Arc<config::Mail>,
    measured: Arc<Mutex<(Option<Instant>, OutboxStatus)>>,
}

impl Mailer {
    pub(super) fn new(pool: Pool, inviting: Inviting, mail: config::Mail) -> Self {
        Self { pool, inviting, mail: Arc::new(mail), measured: Arc::default() }
    }

    /// Whether it delivers mails at all.
    #[must_use]
    pub fn delivers(&self) -> bool {
        !matches!(self.mail.delivery, Delivery::None)
    }

    /// Delivers the mail that is due first, if there is one. Returns whether there was. A delivery whose mail server has no text yet
    /// ends when `stop` does.
    ///
    /// # Errors
    /// The queue cannot be read.
    pub async fn deliver_next(&self, stop: impl Future<Output = ()>) -> Result<bool> {
        let (pace, now) = (&self.mail.pace, clock::now());
        let until = now + self.inviting.lease;
        let begun = Instant::now();
        let mut lease = self.pool.lease().await?;
        let taken = lease.run(async |conn| store::access::outbox::take(conn, now, until, 1).await).await?;
        drop(lease);
        let Some(mail) = taken.into_iter().next() else { return Ok(false) };
        let delivered = self.deliver(&mail, now, stop).await;
        // A failure of ours is one more reason to try later, and ends as all attempts do.
        match delivered.unwrap_or_else(|cause| Delivered::NotYet(cause.to_string())) {
            Delivered::Sent => self.note_sent(&mail, begun + pace.give_up).await?,
            Delivered::NoLongerOurs => {}
            Delivered::Stopped => self.put_back(&mail, clock::now()).await?,
            Delivered::NotYet(why) if !self.is_too_late(&mail, clock::now()) => {
                self.try_later(&mail, now, &why).await?;
            }
            Delivered::NotYet(why) | Delivered::GivenUp(why) => self.give_up(&mail, &why).await?,
        }
        Ok(true)
    }

    /// Waits until there may be a mail to deliver: one is queued by this process, or some time has passed.
    pub async fn wait(&self) {
        let poll = if self.delivers() { self.mail.pace.poll } else { MEASURE };
        tokio::select! {
            () = tokio::time::sleep(with_jitter(poll)) => {}
            () = self.inviting.queued(), if self.delivers() => {}
        }
    }

    async fn deliver(&self, mail: &QueuedMail, now: Timestamp, stop: impl Future<Output = ()>) -> Result<Delivered> {
        if mail.expires_at.is_some_and(|end| end <= now) {
            return Ok(Delivered::GivenUp("the invitation has expired".to_owned()));
        }
        let Some(ticket) = self.ticket(mail, now).await? else { return Ok(Delivered::NoLongerOurs) };
        let link = self.mail.link(&ticket.token.text());
        let smtp = match &self.mail.delivery {
            Delivery::None => return Ok(Delivered::NotYet("no mail server is configured".to_owned())),
            Delivery::Print(print) => {
                print(&format!("invitation {}: {link}", mail.invitation));
                return Ok(Delivered::Sent);
            }
            Delivery::Smtp(smtp) => smtp,
        };
        let letter = Letter {
            from: &smtp.from,
            to: &mail.email,
            account: &mail.account_name,
            link: &link,
            expires_at: ticket.expires_at,
            language: mail.language.as_ref(),
            id: &message_id(mail, ticket.generation),
        };
        let Some(message) = letter.message()? else {
            return Ok(Delivered::GivenUp("its address cannot be written into a mail".to_owned()));
        };
        let begun = tokio::select! {
            () = stop => return Ok(Delivered::Stopped),
            begun = smtp::begin(smtp, &message, self.mail.pace.delivery) => begun,
        };
        let waiting = match begun {
            Ok(waiting) => waiting,
            Err(refused) => return Ok(refused.into()),
        };
        // From here on it may be that the server has the mail: nobody else may take it before that is known.
        if !self.hold(mail).await? {
            return Ok(Delivered::NoLongerOurs);
        }
        Ok(match waiting.finish(&message, self.mail.pace.answer).await {
            Ok(()) => Delivered::Sent,
            Err(refused) => refused.into(),
        })
    }

    async fn hold(&self, mail: &QueuedMail) -> Result<bool> {
        let until = clock::now() + TimeDelta::from_std(self.mail.pace.in_doubt).unwrap_or(TimeDelta::hours(1));
        let mut lease = self.pool.lease().await?;
        lease.run(async |conn| store::access::outbox::hold(conn, mail, until).await).await
    }

    fn is_too_late(&self, mail: &QueuedMail, now: Timestamp) -> bool {
        (now - mail.first_attempt_at).to_std().is_ok_and(|tried| tried >= self.mail.pace.give_up)
    }

    /// Notes that the mail was sent, however long the database is away, up to the end of all attempts. If it is away until the lease
    /// has ended, another replica may be faster when it is back, and sends the mail again.
    async fn note_sent(&self, mail: &QueuedMail, until: Instant) -> Result<()> {
        telemetry::measure(|metrics| metrics.mail(MailResult::Sent));
        let author = sender_for(mail)?;
        let write = write_by(&author, Some(mail.account), clock::now(), &Options::default());
        loop {
            let noted = async {
                let mut lease = self.pool.lease().await?;
                lease.run(async |conn| store::access::outbox::mark_sent(conn, mail, write).await).await
            };
            match noted.await {
                Ok(()) => break info!(invitation = %mail.invitation, attempts = mail.attempts, "invitation sent"),
                Err(cause) if Instant::now() >= until => {
                    break warn!(invitation = %mail.invitation, %cause, "a sent invitation could not be noted as sent; it may be sent again");
                }
                Err(_) => tokio::time::sleep(NOTE_PAUSE).await,
            }
        }
        Ok(())
    }

    /// Puts the mail back until the next attempt.
    async fn try_later(&self, mail: &QueuedMail, now: Timestamp, why: &str) -> Result<()> {
        telemetry::measure(|metrics| metrics.mail(MailResult::Deferred));
        let pause = pause(&self.mail.pace, now - mail.first_attempt_at);
        warn!(invitation = %mail.invitation, attempts = mail.attempts, cause = why, "invitation not sent; it is tried again");
        self.put_back(mail, clock::now() + TimeDelta::from_std(pause).unwrap_or(TimeDelta::hours(1))).await
    }

    async fn put_back(&self, mail: &QueuedMail, until: Timestamp) -> Result<()> {
        let soon = clock::now() + TimeDelta::from_std(self.mail.pace.first_pause).unwrap_or(TimeDelta::minutes(1));
        let mut lease = self.pool.lease().await?;
        lease.run(async |conn| store::access::outbox::put_back(conn, mail, until, soon.min(until)).await).await
    }

    /// Gives the mail up. If it was asked for again during this attempt, the attempts begin anew.
    async fn give_up(&self, mail: &QueuedMail, why: &str) -> Result<()> {
        let author = sender_for(mail)?;
        let now = clock::now();
        let write = write_by(&author, Some(mail.account), now, &Options::default());
        let given_up = {
            let mut lease = self.pool.lease().await?;
            lease.run(async |conn| store::access::outbox::give_up(conn, mail, write).await).await?
        };
        if !given_up {
            return self.try_later(mail, now, why).await;
        }
        telemetry::measure(|metrics| metrics.mail(MailResult::Failed));
        warn!(invitation = %mail.invitation, attempts = mail.attempts, cause = why, "invitation given up");
        Ok(())
    }
}

/// What came of a mail.
enum Delivered {
    Sent,
    NotYet(String),
    GivenUp(String),
    NoLongerOurs,
    /// The process stops, and the mail server has no text yet.
    Stopped,
}

impl From<Refused> for Delivered {
    fn from(refused: Refused) -> Self {
        if refused.no_such_address { Self::GivenUp(refused.to_string()) } else { Self::NotYet(refused.to_string()) }
    }
}

/// The left part of the mail's `Message-ID`: another one for each mail that was asked for, and for each link.
fn message_id(mail: &QueuedMail, generation: i32) -> String {
    let QueuedMail { invitation, mails, .. } = mail;
    match generation {
        FIRST_GENERATION => format!("{invitation}.{mails}"),
        _ => format!("{invitation}.{mails}.{generation}"),
    }
}

/// The author of the sender's events: on behalf of the principal that invited.
fn sender_for(mail: &QueuedMail) -> Result<Author> {
    Ok(Author {
        principal: mail.created_by.clone(),
        actors: vec![Principal::new("clientele", "mail sender")],
        workload: None,
        rpc: contract::rpc(RPC).ok_or_else(|| Error::internal("the contract has no InviteMember"))?,
        trace_id: String::new(),
        deadline: None,
    })
}

/// The pause after an attempt: half of the time since the first one, within limits.
fn pause(pace: &Pace, since_first: TimeDelta) -> Duration {
    let half = since_first.to_std().unwrap_or_default() / 2;
    with_jitter(half.clamp(pace.first_pause, pace.longest_pause.max(pace.first_pause)))
}

/// The duration, up to a fifth shorter or longer: replicas and mails spread out.
fn with_jitter(duration: Duration) -> Duration {
    let thousandths = u32::try_from(Uuid::new_v4().as_u128() % 401).unwrap_or_default();
    duration * (800 + thousandths) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_the_first_to_the_longest() {
        let pace = Pace::default();
        let after = |seconds| pause(&pace, TimeDelta::seconds(seconds)).as_secs_f64();
        for (since, middle) in [(0, 30.0), (60, 30.0), (600, 300.0), (7_200, 3_600.0), (172_000, 3_600.0)] {
            let found = after(since);
            assert!((0.8 * middle..=1.2 * middle).contains(&found), "{since}: {found}");
        }
    }
}
