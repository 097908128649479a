use serde_json::{Value, json};

use super::world::{
    accept, at_once, created, invited, joined, mailed, number, prove, server, text,
};
use crate::testing::{PASSWORD, TestApp};

async fn status_of(app: &TestApp, invitation: &str) -> String {
    let sql = format!("select status from neon_auth.invitation where id = '{invitation}'");
    app.sql(&sql).await[0].get(0)
}

#[tokio::test]
async fn or_21_the_mailed_link_admits_the_invited_and_proven_address_alone() {
    let app = TestApp::new().await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    invited(&app, &mut ada, &id, "vic@example.com", "member").await;
    let (invitation, url) = mailed(&app, "vic@example.com").await;
    assert_eq!(
        url,
        format!("https://auth.test/api/auth/accept-invitation?invitationId={invitation}")
    );
    let page = app.browser().get(&app, &url).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains(&invitation) && !page.text.contains("acme"), "{}", page.text);
    assert!(page.header("content-security-policy").contains("script-src 'nonce-"));

    let mut other = app.signed_up("other").await;
    prove(&app, "other").await;
    let refused = accept(&app, &mut other, &invitation).await;
    assert_eq!(refused.code(), "YOU_ARE_NOT_THE_RECIPIENT_OF_THE_INVITATION");

    let mut vic = app.signed_up("vic").await;
    let refused = accept(&app, &mut vic, &invitation).await;
    assert_eq!(
        refused.code(),
        "EMAIL_VERIFICATION_REQUIRED_BEFORE_ACCEPTING_OR_REJECTING_INVITATION"
    );
    prove(&app, "vic").await;
    assert_eq!(accept(&app, &mut vic, &invitation).await.status, 200);
    let session = vic.get(&app, "/get-session").await;
    assert_eq!(session.body["session"]["activeOrganizationId"], id);
}

#[tokio::test]
async fn the_application_may_have_a_page_of_its_own() {
    let page = "https://app.test/join?from=mail";
    let app = TestApp::with(|config| page.clone_into(&mut config.organization.accept_page)).await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let invitation = invited(&app, &mut ada, &id, "vic@example.com", "member").await;
    let (_, url) = mailed(&app, "vic@example.com").await;
    assert_eq!(url, format!("{page}&invitationId={invitation}"));
}

#[tokio::test]
async fn or_02_somebody_elses_invitation_is_neither_read_nor_answered() {
    let app = TestApp::new().await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let invitation = invited(&app, &mut ada, &id, "vic@example.com", "member").await;
    let mut mallory = app.signed_up("mallory").await;
    prove(&app, "mallory").await;
    let got = mallory.get(&app, &format!("/organization/get-invitation?id={invitation}")).await;
    assert_eq!(got.status, 403);
    assert!(!got.text.contains("acme") && !got.text.contains("vic"), "{}", got.text);
    for path in ["/organization/accept-invitation", "/organization/reject-invitation"] {
        let reply = mallory.post(&app, path, json!({ "invitationId": invitation })).await;
        assert_eq!(reply.status, 403, "{path}: {}", reply.text);
    }
    let body = json!({ "invitationId": invitation });
    let reply = mallory.post(&app, "/organization/cancel-invitation", body).await;
    assert_eq!(reply.status, 400, "{}", reply.text);
    assert_eq!(status_of(&app, &invitation).await, "pending");
}

#[tokio::test]
async fn or_03_a_claimed_address_is_no_proof() {
    let app = TestApp::new().await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let invitation = invited(&app, &mut ada, &id, "vic@example.com", "member").await;
    let mut mallory = app.signed_up("vic").await;
    let get = format!("/organization/get-invitation?id={invitation}");
    let list = "/organization/list-user-invitations";
    for path in [get.as_str(), list] {
        let reply = mallory.get(&app, path).await;
        assert_eq!(reply.code(), "EMAIL_VERIFICATION_REQUIRED_FOR_INVITATION", "{path}");
    }
    for path in ["/organization/accept-invitation", "/organization/reject-invitation"] {
        let reply = mallory.post(&app, path, json!({ "invitationId": invitation })).await;
        assert_eq!(reply.status, 403, "{path}: {}", reply.text);
    }
    assert_eq!(status_of(&app, &invitation).await, "pending");

    prove(&app, "vic").await;
    assert_eq!(mallory.get(&app, &get).await.body["organizationName"], "acme");
    let mine = mallory.get(&app, list).await;
    assert_eq!(mine.body[0]["id"], invitation);
    assert_eq!(accept(&app, &mut mallory, &invitation).await.status, 200);
}

#[tokio::test]
async fn or_05_an_expired_invitation_is_refused_when_it_is_used() {
    let app = server(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let invitation = invited(&app, &mut ada, &id, "vic@example.com", "member").await;
    let mut vic = app.signed_up("vic").await;
    app.pass(48 * 60 * 60 + 1);
    let reply = accept(&app, &mut vic, &invitation).await;
    assert_eq!(reply.code(), "INVITATION_NOT_FOUND");
    assert_eq!(number(&app, "select count(*) from neon_auth.member").await, 1);
    let again = invited(&app, &mut ada, &id, "vic@example.com", "member").await;
    assert_ne!(again, invitation, "an expired one is in nobody's way");
}

#[tokio::test]
async fn or_04_of_many_answers_at_once_one_counts() {
    let app = server(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let vic = app.signed_up("vic").await;
    let invitation = invited(&app, &mut ada, &id, "vic@example.com", "member").await;
    let body = json!({ "invitationId": invitation });
    let path = "/organization/accept-invitation";
    let statuses = at_once(&app, vec![(&vic, path, body.clone()); 10]).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(number(&app, "select count(*) from neon_auth.member").await, 2);
    assert_eq!(status_of(&app, &invitation).await, "accepted");
}

#[tokio::test]
async fn or_04_accepting_against_cancelling_rejecting_and_deleting_leaves_one_truth() {
    let app = server(|config| config.organization.organization_limit = 0).await;
    let mut ada = app.signed_up("ada").await;
    let vic = app.signed_up("vic").await;
    let against = [
        "/organization/cancel-invitation",
        "/organization/reject-invitation",
        "/organization/delete",
    ];
    for (round, path) in against.iter().cycle().take(9).enumerate() {
        let id = created(&app, &mut ada, &format!("acme-{round}")).await;
        let invitation = invited(&app, &mut ada, &id, "vic@example.com", "member").await;
        let body = json!({ "invitationId": invitation, "organizationId": id });
        let other = if path.contains("reject") { &vic } else { &ada };
        let accept = (&vic, "/organization/accept-invitation", body.clone());
        at_once(&app, vec![accept, (other, path, body)]).await;
        let member = format!(
            r#"select count(*) from neon_auth.member m join neon_auth."user" u on u.id = m."userId"
where m."organizationId" = '{id}' and u.name = 'vic'"#
        );
        let member = number(&app, &member).await;
        let left =
            number(&app, &format!("select count(*) from neon_auth.organization where id = '{id}'"))
                .await;
        if left == 0 {
            assert_eq!(member, 0, "nobody is in an organization that is gone");
        } else if path.contains("reject") {
            let status = status_of(&app, &invitation).await;
            assert_eq!(member == 1, status == "accepted", "{status}");
        } else {
            // Cancelling after the answer is allowed, as in Better Auth.
            assert!(member <= 1);
        }
    }
}

#[tokio::test]
async fn or_12_invitation_ids_are_random_and_for_those_who_may_invite() {
    let app = server(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let (mut mary, _) = joined(&app, &mut ada, &id, "mary", "member").await;
    let (mut adam, _) = joined(&app, &mut ada, &id, "adam", "admin").await;
    let mut ids = Vec::new();
    for name in ["x", "y"] {
        let email = format!("{name}@example.com");
        ids.push(invited(&app, &mut ada, &id, &email, "member").await);
    }
    let ownership = invited(&app, &mut ada, &id, "z@example.com", "owner").await;
    for id in &ids {
        let parsed = uuid::Uuid::parse_str(id).unwrap();
        assert_eq!(parsed.get_version_num(), 4, "122 random bits");
    }
    let full = mary.get(&app, "/organization/get-full-organization").await;
    assert_eq!(full.body["invitations"], json!([]));
    let listed = mary.get(&app, "/organization/list-invitations").await;
    assert_eq!(listed.code(), "YOU_ARE_NOT_ALLOWED_TO_LIST_INVITATIONS");
    let seen = adam.get(&app, "/organization/list-invitations").await;
    assert!(seen.text.contains(&ids[0]) && !seen.text.contains(&ownership), "{}", seen.text);
    let seen = ada.get(&app, "/organization/get-full-organization").await;
    assert!(seen.text.contains(&ownership));
    let refused = mary.get(&app, "/organization/list-user-invitations").await;
    assert_eq!(refused.code(), "EMAIL_VERIFICATION_REQUIRED_FOR_INVITATION");
}

#[tokio::test]
async fn or_22_one_address_has_one_spelling() {
    let app = server(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let invitation = invited(&app, &mut ada, &id, "KIM@Example.com", "member").await;
    let body = json!({ "email": "kim@example.com", "role": "member", "organizationId": id });
    let again = ada.post(&app, "/organization/invite-member", body).await;
    assert_eq!(again.code(), "USER_IS_ALREADY_INVITED_TO_THIS_ORGANIZATION");
    // A Kelvin sign and a dotless i fold into ASCII letters elsewhere.
    for email in ["\u{212a}im@example.com", "k\u{131}m@example.com"] {
        let body = json!({ "email": email, "role": "member", "organizationId": id });
        let refused = ada.post(&app, "/organization/invite-member", body).await;
        assert_eq!(refused.code(), "INVALID_EMAIL", "{email}");
    }
    let mut kim = app.signed_up("kim").await;
    assert_eq!(accept(&app, &mut kim, &invitation).await.status, 200);
}

#[tokio::test]
async fn rl_17_invitations_count_among_the_mails_that_a_mailbox_gets() {
    let app = server(|config| {
        config.rate_limit.enabled = true;
        config.organization.organization_limit = 0;
    })
    .await;
    let mut ada = app.signed_up("ada").await;
    for round in 0..7 {
        let id = created(&app, &mut ada, &format!("acme-{round}")).await;
        invited(&app, &mut ada, &id, "vic@example.com", "member").await;
    }
    assert_eq!(app.mails("vic@example.com").await.len(), 5);

    let id = created(&app, &mut ada, "last").await;
    let (mut mary, _) = joined(&app, &mut ada, &id, "mary", "member").await;
    for _ in 0..7 {
        let body = json!({ "email": "sue@example.com", "role": "member", "organizationId": id });
        let refused = mary.post(&app, "/organization/invite-member", body).await;
        assert_eq!(refused.status, 403);
    }
    invited(&app, &mut ada, &id, "sue@example.com", "member").await;
    assert_eq!(app.mails("sue@example.com").await.len(), 1, "who may not invite uses nothing up");
}

#[tokio::test]
async fn an_invitation_is_sent_again_with_a_later_end_and_the_same_id() {
    let app = server(|_| {}).await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    let first = invited(&app, &mut ada, &id, "vic@example.com", "member").await;
    app.pass(60 * 60);
    let body = json!({ "email": "vic@example.com", "role": "admin", "resend": true });
    let again = ada.post(&app, "/organization/invite-member", body).await;
    assert_eq!((text(&again.body["id"]), &again.body["role"]), (first, &json!("member")));
    assert_eq!(app.mails("vic@example.com").await.len(), 2);
    let none: &Value = &again.body["expiresAt"];
    assert!(none.as_str().unwrap() > "2027-01-17T08:59");

    let app = server(|config| config.organization.send_invitation_email = false).await;
    let mut ada = app.signed_up("ada").await;
    let id = created(&app, &mut ada, "acme").await;
    invited(&app, &mut ada, &id, "vic@example.com", "member").await;
    assert!(app.mails("vic@example.com").await.is_empty());
    let body = json!({ "email": "ada@example.com", "password": PASSWORD });
    assert_eq!(app.browser().post(&app, "/sign-in/email", body).await.status, 200);
}
