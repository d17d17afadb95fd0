use std::{future::poll_fn, pin::Pin, task::Poll};

use proptest::prelude::*;

use super::*;

type Acquiring = Pin<Box<dyn Future<Output = Result<Permit<u8>, Full>>>>;

fn acquire(shares: &Shares<u8>, key: u8) -> Acquiring {
    let shares = shares.clone();
    Box::pin(async move { shares.acquire(key).await })
}

/// What came of it so far; none if it waits.
async fn now(acquiring: &mut Acquiring) -> Option<Result<Permit<u8>, Full>> {
    poll_fn(|context| {
        Poll::Ready(match acquiring.as_mut().poll(context) {
            Poll::Ready(done) => Some(done),
            Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test]
async fn a_newcomer_gets_the_next_permit_of_a_principal_that_holds_more_than_its_share() {
    let shares = Shares::new(8, 8);
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(now(&mut acquire(&shares, 1)).await.unwrap().unwrap());
    }
    let mut flood = acquire(&shares, 1);
    assert!(now(&mut flood).await.is_none(), "all permits are held");
    let mut newcomer = acquire(&shares, 2);
    assert!(now(&mut newcomer).await.is_none());
    drop(held.pop());
    assert!(now(&mut flood).await.is_none(), "it holds seven of eight while another waits");
    let newcomer = now(&mut newcomer).await.unwrap().unwrap();
    drop(held.pop());
    let more = now(&mut flood).await.unwrap().unwrap();
    assert_eq!((shares.held(), shares.waiting()), (8, 0));
    drop((newcomer, more, held));
    assert_eq!((shares.held(), shares.waiting()), (0, 0));
}

#[tokio::test]
async fn a_full_queue_makes_room_for_a_principal_that_waits_less() {
    let shares = Shares::new(1, 4);
    let _held = now(&mut acquire(&shares, 1)).await.unwrap().unwrap();
    let mut flood: Vec<_> = (0..4).map(|_| acquire(&shares, 1)).collect();
    for waiting in &mut flood {
        assert!(now(waiting).await.is_none());
    }
    assert_eq!(now(&mut acquire(&shares, 1)).await.unwrap().unwrap_err(), Full, "no room for more of its own");
    let mut newcomer = acquire(&shares, 2);
    assert!(now(&mut newcomer).await.is_none());
    assert_eq!(now(&mut flood[3]).await.unwrap().unwrap_err(), Full, "the last of the flood makes room");
    assert!(now(&mut flood[2]).await.is_none());
    assert_eq!(shares.waiting(), 4);
}

#[tokio::test]
async fn a_permit_that_was_granted_and_not_taken_goes_to_the_next() {
    let shares = Shares::new(1, 4);
    let held = now(&mut acquire(&shares, 1)).await.unwrap().unwrap();
    let (mut gone, mut next) = (acquire(&shares, 2), acquire(&shares, 3));
    assert!(now(&mut gone).await.is_none() && now(&mut next).await.is_none());
    drop(held);
    drop(gone);
    assert!(now(&mut next).await.unwrap().is_ok());
    assert_eq!((shares.held(), shares.waiting()), (0, 0));
}

#[tokio::test]
async fn a_holder_leaves_room_for_newcomers_however_long_it_keeps_its_permits() {
    let shares = Shares::with_room(16, 4);
    let mut held = Vec::new();
    for _ in 0..12 {
        held.push(now(&mut acquire(&shares, 1)).await.unwrap().unwrap());
    }
    let mut flood: Vec<_> = (0..4).map(|_| acquire(&shares, 1)).collect();
    for waiting in &mut flood {
        assert!(now(waiting).await.is_none(), "three quarters are held");
    }
    let newcomers: Vec<_> = (2..5).map(|key| acquire(&shares, key)).collect();
    let mut served = Vec::new();
    for mut newcomer in newcomers {
        served.push(now(&mut newcomer).await.unwrap().unwrap());
    }
    // One that comes free is kept for newcomers, too: the flood holds far more than three times as many as are free.
    drop(served.pop());
    assert!(now(&mut flood[0]).await.is_none());
    // All that come free: the flood has three quarters again.
    drop(served);
    drop(held.drain(..2));
    for waiting in &mut flood[..2] {
        held.push(now(waiting).await.unwrap().unwrap());
    }
    assert!(now(&mut flood[2]).await.is_none());
    assert_eq!((shares.held(), shares.waiting()), (12, 2));
    drop((held, flood));
    assert_eq!((shares.held(), shares.waiting()), (0, 0));
}

#[tokio::test]
async fn a_single_permit_with_room_is_taken_and_passed_on() {
    let shares = Shares::with_room(1, 1);
    let held = now(&mut acquire(&shares, 1)).await.unwrap().unwrap();
    let mut next = acquire(&shares, 1);
    assert!(now(&mut next).await.is_none());
    drop(held);
    assert!(now(&mut next).await.unwrap().is_ok());
}

proptest! {
    #[test]
    fn no_permit_is_lost_and_none_is_free_while_somebody_waits(
        permits in 1_usize..6,
        room in any::<bool>(),
        steps in prop::collection::vec((0_u8..4, any::<prop::sample::Index>(), 0_u8..3), 0..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let shares = if room { Shares::with_room(permits, 5) } else { Shares::new(permits, 5) };
            let (mut held, mut waiting): (Vec<Permit<u8>>, Vec<Acquiring>) = (Vec::new(), Vec::new());
            for (key, index, step) in steps {
                match step {
                    0 => waiting.push(acquire(&shares, key)),
                    1 if !held.is_empty() => drop(held.swap_remove(index.index(held.len()))),
                    2 if !waiting.is_empty() => drop(waiting.swap_remove(index.index(waiting.len()))),
                    _ => {}
                }
                let mut still = Vec::new();
                for mut acquiring in waiting {
                    match now(&mut acquiring).await {
                        Some(Ok(permit)) => held.push(permit),
                        Some(Err(Full)) => {}
                        None => still.push(acquiring),
                    }
                }
                waiting = still;
                prop_assert!(held.len() <= permits);
                prop_assert_eq!(shares.held(), held.len());
                prop_assert!(room || waiting.is_empty() || held.len() == permits, "a permit is free while one waits");
                prop_assert!(waiting.is_empty() || !held.is_empty(), "one waits, and none is held");
            }
            Ok(())
        })?;
    }
}
