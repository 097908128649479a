use gatepost_postgres::connect;

use super::{SIGN_IN, after, empty_table, on_every_store, pool_of, race, seconds, start};
use crate::limits::{CAPACITY, Key, Limit, Limits, RequestRules, RetryAfter, memory::Memory};

#[tokio::test]
async fn rl_01_the_fourth_sign_in_in_ten_seconds_is_refused_and_the_window_restarts() {
    on_every_store(|one, other| async move {
        let rules = RequestRules::default();
        let sign_in = |limits: Limits, path: &'static str, client: &'static str, at| {
            let rules = rules.clone();
            async move { limits.check_request(&rules, path, client, after(at)).await }
        };
        for limits in [&one, &other, &one] {
            sign_in(limits.clone(), "/sign-in/email", "198.51.100.7", 0).await.unwrap();
        }
        let refused = sign_in(other.clone(), "/sign-in/email", "198.51.100.7", 0).await;
        assert_eq!(refused, Err(RetryAfter(10)));
        assert_eq!(refused.unwrap_err().to_string(), "Too many requests. Please try again later.");
        assert_eq!(seconds(sign_in(one.clone(), "/sign-in/email", "198.51.100.7", 7).await), 3);
        sign_in(one.clone(), "/sign-in/email", "198.51.100.8", 7).await.unwrap();
        sign_in(one.clone(), "/sign-in/username", "198.51.100.7", 7).await.unwrap();
        sign_in(one.clone(), "/get-session", "198.51.100.7", 7).await.unwrap();
        for _ in 0..3 {
            sign_in(one.clone(), "/sign-in/email", "198.51.100.7", 10).await.unwrap();
        }
        assert_eq!(seconds(sign_in(other, "/sign-in/email", "198.51.100.7", 10).await), 10);
    })
    .await;
}

#[tokio::test]
async fn rl_01_parallel_requests_over_two_replicas_are_counted_exactly() {
    on_every_store(|one, other| async move {
        for round in 0..10 {
            let results = race(60, &one, &other, move |limits| async move {
                let first =
                    limits.hit(SIGN_IN, &["/sign-in/email", "a"], after(20 * round)).await.is_ok();
                let second =
                    limits.hit(SIGN_IN, &["/sign-in/email", "b"], after(20 * round)).await.is_ok();
                (first, second)
            })
            .await;
            assert_eq!(results.iter().filter(|(first, _)| *first).count(), 3);
            assert_eq!(results.iter().filter(|(_, second)| *second).count(), 3);
        }
    })
    .await;
}

#[tokio::test]
async fn many_keys_from_two_replicas_at_once_do_not_deadlock() {
    on_every_store(|one, other| async move {
        let limit = Limit { max: 5, ..SIGN_IN };
        let tasks: Vec<_> = (0..2_000)
            .map(|i| {
                let limits = if i % 2 == 0 { one.clone() } else { other.clone() };
                tokio::spawn(async move {
                    limits.hit(limit, &[&format!("{}", i * 7919 % 200)], start()).await.is_ok()
                })
            })
            .collect();
        let mut allowed = 0;
        for task in tasks {
            allowed += u32::from(task.await.unwrap());
        }
        assert_eq!(allowed, 200 * 5);
    })
    .await;
}

#[tokio::test]
async fn rl_04_clients_without_an_address_share_a_closed_bucket() {
    let (limits, rules) = (Limits::memory(), RequestRules::default());
    let unknown = crate::http::address::SHARED_BUCKET;
    for _ in 0..3 {
        limits.check_request(&rules, "/sign-in/email", unknown, start()).await.unwrap();
    }
    assert_eq!(seconds(limits.check_request(&rules, "/sign-in/email", unknown, start()).await), 10);
    limits.check_request(&rules, "/sign-in/email", "198.51.100.7", start()).await.unwrap();
}

#[tokio::test]
async fn nothing_is_limited_when_limits_are_off() {
    for _ in 0..200 {
        Limits::Off.hit(SIGN_IN, &["x"], start()).await.unwrap();
        assert!(Limits::Off.may_mail("vic@x.test", start()).await);
    }
}

#[test]
fn subjects_are_kept_apart() {
    let keys = [
        Key::new("a", &["b", "c"]),
        Key::new("a", &["bc"]),
        Key::new("a", &["b\x001:c"]),
        Key::new("ab", &["c"]),
        Key::new("a", &["b", "c", ""]),
    ];
    assert_eq!(std::collections::HashSet::from(keys).len(), keys.len());
}

#[tokio::test]
async fn rl_17_one_address_gets_five_mails_an_hour_and_twenty_a_day_from_whomever() {
    on_every_store(|one, other| async move {
        let sent = race(100, &one, &other, |limits| async move {
            limits.may_mail("vic@x.test", start()).await
        })
        .await;
        assert_eq!(sent.into_iter().filter(|sent| *sent).count(), 5);
        assert!(!one.may_mail("VIC@X.test", after(3_599)).await);
        assert!(one.may_mail("other@x.test", start()).await);
        let mut sent = 5;
        for hour in 1..24 {
            for _ in 0..10 {
                sent += u32::from(other.may_mail("vic@x.test", after(3_600 * hour)).await);
            }
        }
        assert_eq!(sent, 20);
        assert!(one.may_mail("vic@x.test", after(24 * 3_600 + 1)).await);
    })
    .await;
}

#[test]
fn rl_13_memory_holds_a_bounded_number_of_counters() {
    let memory = Memory::new(CAPACITY);
    let victim = Key::new("account", &["alice"]);
    memory.count(victim, 7, 3_600_000, 0);
    for i in 0..400_000u128 {
        memory.count(Key(i), 1, 10_000, i64::try_from(i / 200_000).unwrap());
    }
    assert_eq!(memory.len(), CAPACITY);
    assert_eq!(memory.count(victim, 1, 3_600_000, 2).hits, 8, "what ends later stays longer");
    for i in 0..CAPACITY as u128 {
        memory.count(Key(u128::MAX - i), 1, 10_000, 100_000);
    }
    assert!(memory.len() <= CAPACITY);
    for i in 0..10_u128 {
        memory.count(Key(i), 1, 10_000, 1_000_000);
    }
    assert!(memory.len() < CAPACITY, "what has ended goes");
}

#[tokio::test]
async fn rl_13_ended_rows_leave_the_table() {
    let database = empty_table().await;
    let limits = Limits::postgres(pool_of(&database.url));
    for minute in 0..6 {
        let hits = (0..300).map(|i| {
            let limits = limits.clone();
            tokio::spawn(async move {
                limits.hit(SIGN_IN, &[&format!("{minute} {i}")], after(minute * 120)).await
            })
        });
        for hit in futures_util::future::join_all(hits).await {
            hit.unwrap().unwrap();
        }
    }
    // Removing follows an answer: the next one proves that it is over.
    limits.hit(SIGN_IN, &["last"], after(600)).await.unwrap();
    let (client, _task) = connect(&database.url).await.unwrap();
    let rows: i64 = client
        .query_one("select count(*) from neon_auth.gatepost_limit", &[])
        .await
        .unwrap()
        .get(0);
    assert!(rows <= 600, "{rows} rows of 1801");
}

#[tokio::test]
async fn counting_writes_no_address_and_no_account() {
    let database = empty_table().await;
    let limits = Limits::postgres(pool_of(&database.url));
    limits.hit(SIGN_IN, &["/sign-in/email", "198.51.100.7"], start()).await.unwrap();
    let (client, _task) = connect(&database.url).await.unwrap();
    let row: String = client
        .query_one("select held::text from neon_auth.gatepost_limit held", &[])
        .await
        .unwrap()
        .get(0);
    assert!(!row.contains("198.51") && !row.contains("sign-in"), "{row}");
    let unlogged: bool = client
        .query_one("select relpersistence = 'u' from pg_class where oid = 'neon_auth.gatepost_limit'::regclass", &[])
        .await
        .unwrap()
        .get(0);
    assert!(unlogged);
}
