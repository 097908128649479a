use chrono::{DateTime, TimeZone, Utc};
use serde_json::json;
use uuid::Uuid;

use super::{ErrorBody, Features, Session, SessionBody, Timestamp, User};

fn at(milliseconds: i64) -> DateTime<Utc> {
    Utc.timestamp_millis_opt(milliseconds).unwrap()
}

pub(crate) fn user() -> User {
    User {
        id: Uuid::from_u128(1),
        name: "Alice \"A\"".to_owned(),
        email: "alice@example.com".to_owned(),
        email_verified: false,
        image: None,
        created_at: at(1_795_204_663_368),
        updated_at: at(1_795_204_663_000),
        role: Some("user".to_owned()),
        banned: Some(false),
        ban_reason: None,
        ban_expires: Some(at(0)),
        phone_number: None,
        phone_number_verified: None,
        username: None,
        display_username: None,
        is_anonymous: Some(false),
        two_factor_enabled: Some(false),
        last_login_method: None,
    }
}

pub(crate) fn session() -> Session {
    Session {
        id: Uuid::from_u128(2),
        token: "abcdefghijklmnopqrstuvwxyzABCDEF".to_owned(),
        user_id: Uuid::from_u128(1),
        expires_at: at(1_795_809_463_376),
        created_at: at(1_795_204_663_376),
        updated_at: at(1_795_204_663_376),
        ip_address: Some(String::new()),
        user_agent: Some("node".to_owned()),
        impersonated_by: None,
        active_organization_id: None,
        active_team_id: None,
    }
}

const ALL: Features = Features {
    admin: true,
    organization: true,
    teams: true,
    phone_number: true,
    username: true,
    anonymous: true,
    two_factor: true,
    last_login_method: true,
};

#[test]
fn times_have_exactly_three_digits_of_milliseconds_and_z() {
    let text = |time| serde_json::to_value(Timestamp(time)).unwrap();
    assert_eq!(text(at(0)), "1970-01-01T00:00:00.000Z");
    assert_eq!(text(at(1_795_204_663_007)), "2026-11-20T19:57:43.007Z");
    assert_eq!(text(at(-1)), "1969-12-31T23:59:59.999Z");
    assert_eq!(
        text(Utc.timestamp_opt(951_782_400, 999_999_999).unwrap()),
        "2000-02-29T00:00:00.999Z"
    );
    assert_eq!(
        text(Utc.with_ymd_and_hms(9999, 12, 31, 23, 59, 59).unwrap()),
        "9999-12-31T23:59:59.000Z"
    );
    // Far away, but no panic.
    assert_eq!(
        text(Utc.with_ymd_and_hms(12345, 1, 2, 3, 4, 5).unwrap()),
        "+12345-01-02T03:04:05.000Z"
    );
}

#[test]
fn without_features_bodies_have_the_core_members_in_order() {
    assert_eq!(
        serde_json::to_string(&user().shown(Features::default())).unwrap(),
        r#"{"name":"Alice \"A\"","email":"alice@example.com","emailVerified":false,"image":null,"createdAt":"2026-11-20T19:57:43.368Z","updatedAt":"2026-11-20T19:57:43.000Z","id":"00000000-0000-0000-0000-000000000001"}"#
    );
    assert_eq!(
        serde_json::to_string(&session().shown(Features::default())).unwrap(),
        r#"{"expiresAt":"2026-11-27T19:57:43.376Z","token":"abcdefghijklmnopqrstuvwxyzABCDEF","createdAt":"2026-11-20T19:57:43.376Z","updatedAt":"2026-11-20T19:57:43.376Z","ipAddress":"","userAgent":"node","userId":"00000000-0000-0000-0000-000000000001","id":"00000000-0000-0000-0000-000000000002"}"#
    );
}

#[test]
fn with_all_features_every_member_is_there_and_null_is_written() {
    let (user, session) = (user(), session());
    let body = SessionBody { session: session.shown(ALL), user: user.shown(ALL) };
    assert_eq!(
        serde_json::to_value(&body).unwrap(),
        json!({
            "session": {
                "expiresAt": "2026-11-27T19:57:43.376Z", "token": "abcdefghijklmnopqrstuvwxyzABCDEF",
                "createdAt": "2026-11-20T19:57:43.376Z", "updatedAt": "2026-11-20T19:57:43.376Z",
                "ipAddress": "", "userAgent": "node", "userId": Uuid::from_u128(1),
                "impersonatedBy": null, "activeOrganizationId": null, "activeTeamId": null,
                "id": Uuid::from_u128(2)
            },
            "user": {
                "name": "Alice \"A\"", "email": "alice@example.com", "emailVerified": false, "image": null,
                "createdAt": "2026-11-20T19:57:43.368Z", "updatedAt": "2026-11-20T19:57:43.000Z",
                "role": "user", "banned": false, "banReason": null, "banExpires": "1970-01-01T00:00:00.000Z",
                "phoneNumber": null, "phoneNumberVerified": null, "username": null, "displayUsername": null,
                "isAnonymous": false, "twoFactorEnabled": false, "lastLoginMethod": null,
                "id": Uuid::from_u128(1)
            }
        })
    );
}

#[test]
fn the_team_is_shown_only_with_teams() {
    let features = Features { teams: false, ..ALL };
    let body = serde_json::to_value(session().shown(features)).unwrap();
    assert!(body.get("activeOrganizationId").is_some() && body.get("activeTeamId").is_none());
}

#[test]
fn what_is_written_can_be_read_back() {
    let text = serde_json::to_string(&user().shown(ALL)).unwrap();
    assert_eq!(serde_json::from_str::<User>(&text).unwrap(), user());
    let text = serde_json::to_string(&session().shown(Features::default())).unwrap();
    assert_eq!(serde_json::from_str::<Session>(&text).unwrap(), session());
}

#[test]
fn an_error_has_a_message_and_perhaps_a_code() {
    let with = ErrorBody { message: "Invalid origin", code: Some("INVALID_ORIGIN") };
    let without = ErrorBody { message: "Invalid", code: None };
    assert_eq!(
        serde_json::to_string(&with).unwrap(),
        r#"{"message":"Invalid origin","code":"INVALID_ORIGIN"}"#
    );
    assert_eq!(serde_json::to_string(&without).unwrap(), r#"{"message":"Invalid"}"#);
}

#[test]
fn lg_07_debug_of_a_session_hides_its_token() {
    assert!(!format!("{:?}", session()).contains("abcdefghij"));
    assert!(!format!("{:?}", session().shown(ALL)).contains("abcdefghij"));
}
