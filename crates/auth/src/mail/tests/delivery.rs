use std::{
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use chrono::TimeDelta;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use crate::{
    app::Clock,
    mail::{
        EnqueueError, Message, Outbox,
        deliver::{self, Outcome, deliver_due},
        enqueue, enqueue_decoy, listen, store,
    },
};

use super::{database::database, later, noon, outbox, smtp_server::SmtpServer, verify};

#[tokio::test]
async fn a_mail_exists_if_and_only_if_its_transaction_commits() {
    let database = database().await;
    let outbox = outbox(None);
    let mut conn = database.pool.get().await.unwrap();
    let transaction = conn.transaction().await.unwrap();
    enqueue(&transaction, &outbox, "ada@x.test", &verify("t"), noon()).await.unwrap();
    transaction.rollback().await.unwrap();
    assert!(deliver_due(&database.pool, &outbox, noon()).await.unwrap().is_empty());

    let transaction = conn.transaction().await.unwrap();
    enqueue(&transaction, &outbox, "ada@x.test", &verify("t"), noon()).await.unwrap();
    assert!(deliver_due(&database.pool, &outbox, noon()).await.unwrap().is_empty());
    transaction.commit().await.unwrap();
    let reports = deliver_due(&database.pool, &outbox, noon()).await.unwrap();
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].outcome, Outcome::Delivered);
    assert_eq!(reports[0].recipient, "ada@x.test");
    assert_eq!(reports[0].message, Some(verify("t")));
    assert!(deliver_due(&database.pool, &outbox, noon()).await.unwrap().is_empty());
}

#[tokio::test]
async fn ml_06_nothing_is_written_for_what_is_not_one_address() {
    let database = database().await;
    let conn = database.pool.get().await.unwrap();
    let written =
        enqueue(&conn, &outbox(None), "vic@x.test\r\nBcc: a@evil.test", &verify("t"), noon()).await;
    assert!(matches!(written, Err(EnqueueError::Recipient(_))));
    assert_eq!(count(&conn).await, 0);
}

#[tokio::test]
async fn ml_04_codes_and_links_are_unreadable_in_the_database() {
    let database = database().await;
    let conn = database.pool.get().await.unwrap();
    enqueue(&conn, &outbox(None), "ada@x.test", &verify("plain-token-9"), noon()).await.unwrap();
    let row = conn.query_one("select m::text from neon_auth.gatepost_mail m", &[]).await.unwrap();
    assert!(!row.get::<_, String>(0).contains("plain-token-9"));
}

#[tokio::test]
async fn a_payload_moved_into_another_row_cannot_be_opened() {
    let database = database().await;
    let outbox = outbox(None);
    let conn = database.pool.get().await.unwrap();
    enqueue(&conn, &outbox, "ada@x.test", &verify("t"), noon()).await.unwrap();
    enqueue(&conn, &outbox, "mallory@x.test", &verify("u"), noon()).await.unwrap();
    conn.batch_execute(
        "update neon_auth.gatepost_mail set payload = (select payload from neon_auth.gatepost_mail where recipient like 'ada%')
         where recipient like 'mallory%'",
    )
    .await
    .unwrap();
    let reports = deliver_due(&database.pool, &outbox, noon()).await.unwrap();
    let mallory = reports.iter().find(|report| report.recipient == "mallory@x.test").unwrap();
    assert!(matches!(mallory.outcome, Outcome::GaveUp { .. }));
    assert!(mallory.message.is_none());
}

#[tokio::test]
async fn en_06_a_decoy_is_written_like_a_mail_and_never_sent() {
    let database = database().await;
    let mut server = SmtpServer::start(&json!({})).await;
    let outbox = outbox(Some(server.config()));
    let conn = database.pool.get().await.unwrap();
    enqueue_decoy(&conn, &outbox, "nobody@x.test", &verify("t"), noon()).await.unwrap();
    enqueue(&conn, &outbox, "ada@x.test", &verify("t"), noon()).await.unwrap();
    let sizes = conn
        .query("select octet_length(payload), kind from neon_auth.gatepost_mail", &[])
        .await
        .unwrap();
    assert_eq!(sizes[0].get::<_, i32>(0), sizes[1].get::<_, i32>(0));
    assert_eq!(sizes[0].get::<_, String>(1), sizes[1].get::<_, String>(1));

    let reports = deliver_due(&database.pool, &outbox, noon()).await.unwrap();
    assert_eq!(reports.len(), 1);
    assert_eq!(server.next("mail").await["envelope_to"], json!(["ada@x.test"]));
    assert!(server.stop().await.iter().all(|event| event["event"] != "mail"));
    assert_eq!(count(&conn).await, 1, "the decoy is gone");
}

#[tokio::test]
async fn the_content_is_erased_after_delivery() {
    let database = database().await;
    let server = SmtpServer::start(&json!({})).await;
    let outbox = outbox(Some(server.config()));
    let conn = database.pool.get().await.unwrap();
    enqueue(&conn, &outbox, "ada@x.test", &verify("t"), noon()).await.unwrap();
    deliver_due(&database.pool, &outbox, noon()).await.unwrap();
    let row = conn
        .query_one(
            "select payload, delivered, finished_at = $1 from neon_auth.gatepost_mail",
            &[&noon()],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, Option<String>>(0), None);
    assert!(row.get::<_, bool>(1) && row.get::<_, bool>(2));
}

#[tokio::test]
async fn db_08_a_server_that_was_away_gets_the_mail_when_it_is_back() {
    let database = database().await;
    let server = SmtpServer::start(&json!({})).await;
    let outbox = outbox(Some(server.config()));
    let port = server.port;
    server.stop().await;
    let conn = database.pool.get().await.unwrap();
    enqueue(&conn, &outbox, "ada@x.test", &verify("same-token"), noon()).await.unwrap();

    let reports = deliver_due(&database.pool, &outbox, noon()).await.unwrap();
    let Outcome::Postponed { due_at, .. } = reports[0].outcome.clone() else {
        panic!("{reports:?}")
    };
    assert!(due_at >= later(4) && due_at <= later(6), "{due_at}");
    assert!(
        deliver_due(&database.pool, &outbox, later(3)).await.unwrap().is_empty(),
        "not due yet"
    );

    let mut server = SmtpServer::start(&json!({ "port": port })).await;
    let reports = deliver_due(&database.pool, &outbox, due_at).await.unwrap();
    assert_eq!(reports[0].outcome, Outcome::Delivered);
    assert!(server.next("mail").await["text"].as_str().unwrap().contains("same-token"));
    assert!(deliver_due(&database.pool, &outbox, later(100_000)).await.unwrap().is_empty());
}

#[tokio::test]
async fn db_08_a_busy_server_is_tried_again_and_a_refusal_is_final() {
    let database = database().await;
    let server = SmtpServer::start(
        &json!({ "refusals": ["451 4.7.1 come back later", "550 5.1.1 no such user"] }),
    )
    .await;
    let outbox = outbox(Some(server.config()));
    let conn = database.pool.get().await.unwrap();
    enqueue(&conn, &outbox, "ada@x.test", &verify("t"), noon()).await.unwrap();

    let reports = deliver_due(&database.pool, &outbox, noon()).await.unwrap();
    let Outcome::Postponed { due_at, error } = &reports[0].outcome else { panic!("{reports:?}") };
    assert!(error.contains("451") && error.contains("come back later"), "{error}");

    let reports = deliver_due(&database.pool, &outbox, *due_at).await.unwrap();
    let Outcome::GaveUp { error } = &reports[0].outcome else { panic!("{reports:?}") };
    assert!(error.contains("no such user"), "{error}");
    let row = conn
        .query_one(
            "select payload, delivered, last_error, attempts from neon_auth.gatepost_mail",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, Option<String>>(0), None);
    assert!(!row.get::<_, bool>(1));
    assert!(row.get::<_, String>(2).contains("no such user"));
    assert_eq!(row.get::<_, i32>(3), 2);
    assert!(deliver_due(&database.pool, &outbox, later(100_000)).await.unwrap().is_empty());
}

#[tokio::test]
async fn pauses_grow_up_to_a_limit_and_end_after_an_hour_or_so() {
    let database = database().await;
    let server = SmtpServer::start(&json!({})).await;
    let outbox = outbox(Some(server.config()));
    server.stop().await;
    let conn = database.pool.get().await.unwrap();
    enqueue(&conn, &outbox, "ada@x.test", &verify("t"), noon()).await.unwrap();

    let mut now = noon();
    let mut pauses = Vec::new();
    let end = loop {
        let report = deliver_due(&database.pool, &outbox, now).await.unwrap().remove(0);
        let Outcome::Postponed { due_at, .. } = report.outcome else { break report.outcome };
        pauses.push((due_at - now).num_seconds());
        now = due_at;
    };
    assert!(matches!(end, Outcome::GaveUp { .. }));
    assert_eq!(pauses.len(), 11);
    for (pause, middle) in pauses.iter().zip([5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900]) {
        assert!(pause * 10 >= middle * 7 && pause * 10 <= middle * 12, "{pauses:?}");
    }
    assert!(now - noon() > TimeDelta::minutes(50) && now - noon() < TimeDelta::minutes(90));
}

#[tokio::test]
async fn two_processes_deliver_each_mail_once() {
    let database = database().await;
    let server = SmtpServer::start(&json!({})).await;
    let (one, two) = (outbox(Some(server.config())), outbox(Some(server.config())));
    let conn = database.pool.get().await.unwrap();
    for number in 0..40 {
        enqueue(&conn, &one, &format!("user{number}@x.test"), &verify("t"), noon()).await.unwrap();
    }
    let drain = async |outbox: &Outbox| {
        let mut delivered = 0;
        loop {
            match deliver_due(&database.pool, outbox, noon()).await.unwrap().len() {
                0 => return delivered,
                more => delivered += more,
            }
        }
    };
    let (first, second) = tokio::join!(drain(&one), drain(&two));
    assert_eq!(first + second, 40);
    let told = server.stop().await;
    let mut recipients: Vec<String> = told
        .iter()
        .filter(|event| event["event"] == "mail")
        .map(|event| event["envelope_to"][0].as_str().unwrap().to_owned())
        .collect();
    recipients.sort();
    recipients.dedup();
    assert_eq!(
        (recipients.len(), told.iter().filter(|event| event["event"] == "mail").count()),
        (40, 40)
    );
}

#[tokio::test]
async fn a_mail_whose_process_died_is_sent_again_under_the_same_message_id() {
    let database = database().await;
    let mut server = SmtpServer::start(&json!({})).await;
    let outbox = outbox(Some(server.config()));
    let conn = database.pool.get().await.unwrap();
    enqueue(&conn, &outbox, "ada@x.test", &verify("t"), noon()).await.unwrap();
    let dead = store::claim_mails(&conn, noon(), TimeDelta::minutes(5), 8).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert!(deliver_due(&database.pool, &outbox, later(299)).await.unwrap().is_empty(), "leased");

    let reports = deliver_due(&database.pool, &outbox, later(300)).await.unwrap();
    assert_eq!(reports[0].outcome, Outcome::Delivered);
    let headers = server.next("mail").await["headers"].clone();
    let id = headers.as_array().unwrap().iter().find(|header| header[0] == "Message-ID").unwrap();
    assert_eq!(id[1], format!("<{}@gatepost.example>", dead[0].message_id));

    // The dead process comes back and has no say any more.
    let end = store::End::Postponed { due_at: later(301), error: "late" };
    store::end_attempt(&conn, &dead[0], &end, later(301)).await.unwrap();
    assert!(deliver_due(&database.pool, &outbox, later(400)).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_worker_wakes_by_notification_and_ends_when_told() {
    let database = database().await;
    let outbox = outbox(None);
    let (stop, stopped) = oneshot::channel::<()>();
    let wakes = listen(database.url.clone(), std::future::pending());
    let mut ready = wakes.clone();
    let (reports, mut reported) = mpsc::unbounded_channel();
    let clock = Clock::Adjustable(Arc::new(AtomicI64::new(noon().timestamp_millis())));
    let worker = tokio::spawn(deliver::run(
        database.pool.clone(),
        Arc::clone(&outbox),
        clock,
        wakes,
        async { drop(stopped.await) },
        move |report| reports.send((report.recipient.clone(), report.outcome.clone())).unwrap(),
    ));
    ready.wait().await;
    let conn = database.pool.get().await.unwrap();
    for name in ["ada@x.test", "bob@x.test"] {
        enqueue(&conn, &outbox, name, &verify("t"), noon()).await.unwrap();
        assert_eq!(reported.recv().await.unwrap(), (name.to_owned(), Outcome::Delivered));
    }
    stop.send(()).unwrap();
    worker.await.unwrap();
    assert!(reported.recv().await.is_none());
}

#[tokio::test]
async fn the_worker_sleeps_until_the_next_mail_is_due_but_not_for_long() {
    let database = database().await;
    let server = SmtpServer::start(&json!({})).await;
    let outbox = outbox(Some(server.config()));
    server.stop().await;
    let mut swept_at = noon();
    let mut pause_at = async |now| {
        deliver::round(&database.pool, &outbox, now, &mut swept_at, &mut |_| ()).await.unwrap()
    };
    assert_eq!(pause_at(noon()).await, Duration::from_secs(10), "notifications can be lost");

    let conn = database.pool.get().await.unwrap();
    enqueue(&conn, &outbox, "ada@x.test", &verify("t"), noon()).await.unwrap();
    assert_eq!(pause_at(noon()).await, Duration::ZERO, "there may be more");
    let pause = pause_at(noon()).await;
    assert!(pause >= Duration::from_secs(4) && pause <= Duration::from_secs(6), "{pause:?}");
}

#[tokio::test]
async fn what_was_finished_a_week_ago_is_deleted() {
    let database = database().await;
    let outbox = outbox(None);
    let conn = database.pool.get().await.unwrap();
    enqueue(&conn, &outbox, "ada@x.test", &Message::PasswordChanged, noon()).await.unwrap();
    deliver_due(&database.pool, &outbox, noon()).await.unwrap();
    assert_eq!(store::delete_old_mails(&conn, noon()).await.unwrap(), 0);
    assert_eq!(store::delete_old_mails(&conn, later(1)).await.unwrap(), 1);
}

async fn count(conn: &deadpool_postgres::Client) -> i64 {
    conn.query_one("select count(*) from neon_auth.gatepost_mail", &[]).await.unwrap().get(0)
}
