use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use super::{after, on_every_store, race, seconds, start};
use crate::limits::account::Backoff;

const RULE: Backoff =
    Backoff { budget: 5, first_delay: 30, longest_delay: 900, forget_after: 86_400 };

#[tokio::test]
async fn rl_10_fifty_parallel_guesses_verify_at_most_five_passwords() {
    on_every_store(|one, other| async move {
        for account in ["alice", "bob", "carol"] {
            let verifications = Arc::new(AtomicU32::new(0));
            let results = race(50, &one, &other, |limits| {
                let verifications = Arc::clone(&verifications);
                async move {
                    let _permit = limits
                        .begin_attempt(&RULE, account, false, start())
                        .await
                        .map_err(|error| error.0)?;
                    verifications.fetch_add(1, Ordering::Relaxed);
                    Ok::<_, u32>(())
                }
            })
            .await;
            assert_eq!(verifications.load(Ordering::Relaxed), 5);
            assert!(
                results.iter().filter_map(|result| result.as_ref().err()).all(|retry| *retry == 30)
            );
            assert_eq!(results.iter().filter(|result| result.is_err()).count(), 45);
        }
    })
    .await;
}

#[tokio::test]
async fn rl_08_guessing_slows_down_and_nobody_is_locked_out_for_good() {
    on_every_store(|one, other| async move {
        let mut now = 0;
        let mut delays = Vec::new();
        for _ in 0..200 {
            match other.begin_attempt(&RULE, "alice", false, after(now)).await {
                Ok(_wrong) => {}
                Err(retry) => {
                    delays.push(retry.0);
                    now += i64::from(retry.0);
                }
            }
        }
        assert_eq!(&delays[..7], [30, 60, 120, 240, 480, 900, 900]);
        assert!(delays.iter().all(|delay| *delay <= 900));
        let wait = loop {
            match one.begin_attempt(&RULE, "alice", false, after(now)).await {
                Ok(_wrong) => {}
                Err(retry) => break i64::from(retry.0),
            }
        };
        let known = one.begin_attempt(&RULE, "alice", true, after(now)).await.unwrap();
        one.succeeded(known).await;
        let new_device = one.begin_attempt(&RULE, "alice", false, after(now + wait)).await.unwrap();
        one.succeeded(new_device).await;
        let _others = one.begin_attempt(&RULE, "bob", false, after(now)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn rl_08_a_known_device_has_a_budget_of_its_own() {
    on_every_store(|one, other| async move {
        for _ in 0..5 {
            let _wrong = one.begin_attempt(&RULE, "alice", false, start()).await.unwrap();
        }
        assert_eq!(seconds(other.begin_attempt(&RULE, "alice", false, start()).await), 30);
        for _ in 0..5 {
            let _wrong = other.begin_attempt(&RULE, "alice", true, start()).await.unwrap();
        }
        assert_eq!(seconds(one.begin_attempt(&RULE, "alice", true, start()).await), 30);
    })
    .await;
}

#[tokio::test]
async fn rl_08_the_owner_is_notified_once_when_the_budget_is_used_up() {
    on_every_store(|one, _| async move {
        let mut told = Vec::new();
        for attempt in 0..8 {
            let permit =
                one.begin_attempt(&RULE, "alice", false, after(attempt * 1_000)).await.unwrap();
            told.push(permit.uses_up_budget());
        }
        assert_eq!(told, [false, false, false, false, true, false, false, false]);
    })
    .await;
}

#[tokio::test]
async fn rl_11_success_in_another_account_does_not_help_the_guesser() {
    on_every_store(|one, other| async move {
        let mut verified = 0;
        for _ in 0..50 {
            for _ in 0..2 {
                verified +=
                    u32::from(one.begin_attempt(&RULE, "alice", false, start()).await.is_ok());
            }
            let own = other.begin_attempt(&RULE, "mallory", false, start()).await.unwrap();
            other.succeeded(own).await;
        }
        assert_eq!(verified, 5);
    })
    .await;
}

#[tokio::test]
async fn success_forgets_failures_within_the_budget_and_keeps_those_beyond() {
    on_every_store(|one, other| async move {
        for _ in 0..4 {
            let _typo = one.begin_attempt(&RULE, "alice", false, start()).await.unwrap();
        }
        let right = one.begin_attempt(&RULE, "alice", false, start()).await.unwrap();
        other.succeeded(right).await;
        for _ in 0..5 {
            let _wrong = other.begin_attempt(&RULE, "alice", false, start()).await.unwrap();
        }
        let _wrong = one.begin_attempt(&RULE, "alice", false, after(30)).await.unwrap();
        let right = one.begin_attempt(&RULE, "alice", false, after(90)).await.unwrap();
        one.succeeded(right).await;
        assert_eq!(seconds(one.begin_attempt(&RULE, "alice", false, after(90)).await), 120);
    })
    .await;
}

#[tokio::test]
async fn failures_are_forgotten_after_a_day_without_any() {
    on_every_store(|one, other| async move {
        for _ in 0..5 {
            let _wrong = one.begin_attempt(&RULE, "alice", false, start()).await.unwrap();
        }
        for _ in 0..5 {
            let _wrong = other.begin_attempt(&RULE, "alice", false, after(86_400)).await.unwrap();
        }
        assert_eq!(seconds(one.begin_attempt(&RULE, "alice", false, after(86_400)).await), 30);
    })
    .await;
}

#[tokio::test]
async fn a_budget_of_one_delays_the_second_attempt() {
    let rule = Backoff { budget: 1, ..RULE };
    on_every_store(|one, other| async move {
        let _wrong = one.begin_attempt(&rule, "alice", false, start()).await.unwrap();
        assert_eq!(seconds(other.begin_attempt(&rule, "alice", false, after(1)).await), 29);
        let _wrong = one.begin_attempt(&rule, "alice", false, after(30)).await.unwrap();
        assert_eq!(seconds(other.begin_attempt(&rule, "alice", false, after(30)).await), 60);
    })
    .await;
}
