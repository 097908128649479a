//! OR-09: ids of what somebody owns, in the hands of another owner, of a stranger and of nobody, at every endpoint there is.
//!
//! Generated from the list of endpoints that also makes the OpenAPI file. A member that looks like an id and is not told of
//! in [`named`] fails the test, so that no endpoint is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use gatepost_protocol::secret::Secret;
use http::{Method, Request};
use serde_json::{Map, Value, json};

use super::{
    requests::{self, component},
    world::{credentials, posted},
};
use crate::{
    config::SocialProvider,
    http::{
        Endpoint,
        fields::{Kind, Member},
    },
    organization::tests::world::{created, invited, joined, text},
    testing::{Browser, PASSWORD, Reply, TestApp},
};

/// What a member of a request names.
enum Names {
    /// Something that somebody owns, by its name in [`Owner::values`].
    Owned(&'static str),
    /// A proof: whoever holds it is who it is about. Areas OT, ML, OA and the tests of devices look at these.
    Proof,
    /// What nobody owns: a provider, a program, a kind of keys, a word that is still free.
    Nobodys,
}

fn named(operation: &str, member: &str) -> Option<Names> {
    use Names::{Nobodys, Owned, Proof};
    Some(match (operation, member) {
        ("get_user", "id") | (_, "userId") => Owned("user"),
        ("update_passkey" | "delete_passkey", "id") => Owned("passkey"),
        ("get_api_key", "id") | (_, "keyId") => Owned("key"),
        ("get_invitation", "id") | (_, "invitationId") => Owned("invitation"),
        ("revoke_session", "token") | (_, "sessionToken") => Owned("session"),
        ("delete_user" | "delete_user_callback", "token") => Owned("deletion"),
        (_, "accountId") => Owned("account"),
        (_, "organizationId" | "organization_id") => Owned("organization"),
        (_, "organizationSlug") => Owned("slug"),
        (_, "memberId" | "memberIdOrEmail") => Owned("member"),
        (_, "teamId") => Owned("team"),
        (_, "roleId") => Owned("roleId"),
        (_, "roleName") => Owned("role"),
        ("device_verify" | "device_page" | "device_page_decide", "user_code")
        | ("device_approve" | "device_deny", "userCode") => Owned("user_code"),
        (
            "reset_password" | "reset_password_callback" | "verify_email" | "verify_email_confirm"
            | "magic_link_verify" | "magic_link_confirm" | "verify_one_time_token",
            "token",
        )
        | ("callback" | "callback_posted", "code")
        | (
            "verify_totp" | "verify_two_factor_otp" | "verify_backup_code" | "verify_phone_number"
            | "second_factor_answer",
            "code",
        )
        | ("sign_in_social" | "link_social", "idToken")
        | ("device_token", "device_code")
        | ("exchange_api_key", "client_secret") => Proof,
        ("callback" | "callback_posted", "id" | "device_id")
        | ("create_organization" | "check_organization_slug", "slug")
        // Says who alone may approve: it opens nothing of theirs.
        | ("device_code", "user_id")
        | (_, "providerId" | "configId" | "client_id") => Nobodys,
        _ => return None,
    })
}

/// Whether a name has a word that ids and secrets are called by.
fn looks_like_an_id(name: &str) -> bool {
    let mut spaced = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() || letter == '_' {
            spaced.push(' ');
        }
        spaced.push(letter.to_ascii_lowercase());
    }
    let words =
        ["id", "ids", "uuid", "token", "tokens", "code", "codes", "slug", "key", "keys", "secret"];
    let mut of_name = spaced.split([' ', '_']);
    of_name.any(|word| words.contains(&word))
}

/// Every member of a request, those of its path too.
fn members(endpoint: &Endpoint) -> Vec<Member> {
    let of_path = endpoint.path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        Some(Member { name, kind: Kind::Text, required: true })
    });
    of_path
        .chain(endpoint.query.iter().cloned())
        .chain(endpoint.body.iter().flatten().cloned())
        .collect()
}

/// Which members name what somebody owns, and what that is.
fn owned(endpoint: &Endpoint) -> Vec<(Member, &'static str)> {
    let mut owned = Vec::new();
    for member in members(endpoint) {
        match named(endpoint.name, member.name) {
            Some(Names::Owned(thing)) => owned.push((member, thing)),
            Some(Names::Proof | Names::Nobodys) => {}
            None => assert!(
                !looks_like_an_id(member.name),
                "tell in `named` what {} of {} names",
                member.name,
                endpoint.name
            ),
        }
    }
    owned
}

/// A server with everything on, and a provider that nobody asks.
async fn server() -> TestApp {
    requests::everything(|config| {
        config.organization.organization_limit = 0;
        config.organization.require_email_verification = false;
        config.delete_user.confirm_by_mail = true;
        let google = SocialProvider {
            kind: "google".to_owned(),
            client_id: "app".to_owned(),
            client_secret: Secret::new("of-the-provider"),
            ..SocialProvider::default()
        };
        config.social.providers.insert("google".to_owned(), google);
    })
    .await
}

/// Somebody with something of everything.
struct Owner {
    browser: Browser,
    values: BTreeMap<&'static str, String>,
}

async fn one(app: &TestApp, sql: &str) -> String {
    app.sql(sql).await[0].get(0)
}

/// Somebody signed in under both layouts, as some endpoints are served by one of them only.
async fn known_to_both(app: &TestApp, name: &str) -> Browser {
    let mut browser = app.signed_up(name).await;
    let better_auths = std::mem::replace(&mut browser.base, requests::BASES[1].to_owned());
    let reply = browser.post(app, "/sign-in/email", credentials(name, PASSWORD)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    browser.base = better_auths;
    browser
}

async fn owner(app: &TestApp, name: &str, slug: &str) -> Owner {
    let mut browser = known_to_both(app, name).await;
    let mut values = BTreeMap::new();
    let id = created(app, &mut browser, slug).await;
    let (mut member, member_id) =
        joined(app, &mut browser, &id, &format!("{slug}-member"), "member").await;
    let user = text(&member.get(app, "/get-session").await.body["user"]["id"]);
    let waiting = format!("{slug}-waiting@example.com");
    values.insert("invitation", invited(app, &mut browser, &id, &waiting, "member").await);
    let team = json!({ "name": format!("{slug}-team") });
    let team = text(&browser.post(app, "/organization/create-team", team).await.body["id"]);
    let own = text(&browser.get(app, "/get-session").await.body["user"]["id"]);
    for user in [&user, &own] {
        let body = json!({ "teamId": team, "userId": user });
        assert_eq!(browser.post(app, "/organization/add-team-member", body).await.status, 200);
    }
    let role = json!({ "role": format!("{slug}-role"), "permission": { "member": ["create"] } });
    let role = browser.post(app, "/organization/create-role", role).await.body["roleData"].clone();
    values.insert("roleId", text(&role["id"]));
    values.insert("role", text(&role["role"]));
    values.extend([("organization", id), ("slug", slug.to_owned()), ("member", member_id)]);
    values.extend([("user", user), ("team", team)]);

    let me = format!(r#"from neon_auth."user" where email = '{name}@example.com'"#);
    let sealed = app.app.sealer.seal(format!("{slug}-access-token").as_bytes());
    let account = format!(
        r#"insert into neon_auth.account ("accountId", "providerId", "userId", "accessToken", "accessTokenExpiresAt", "updatedAt")
select '{slug}-at-google', 'google', id, '{sealed}', '2100-01-01', now() {me} returning "accountId""#
    );
    values.insert("account", one(app, &account).await);
    let passkey = format!(
        r#"insert into neon_auth.passkey ("publicKey", "userId", "credentialID", counter, "deviceType", "backedUp", name)
select 'AA', id, '{slug}-credential', 0, 'singleDevice', false, '{slug}-passkey' {me} returning id::text"#
    );
    values.insert("passkey", one(app, &passkey).await);
    let key = browser.post(app, "/api-key/create", json!({ "name": format!("{slug}-key") })).await;
    values.insert("key", text(&key.body["id"]));
    values.insert("key itself", text(&key.body["key"]));
    let scope = json!({ "client_id": "cli", "scope": format!("{slug}-scope") });
    let device = text(&app.browser().post(app, "/device/code", scope).await.body["user_code"]);
    let seen = browser.get(app, &format!("/device?user_code={device}")).await;
    assert_eq!(seen.body["scope"], format!("{slug}-scope"), "{}", seen.text);
    values.insert("user_code", device);
    let cookie = browser.cookie("better-auth.session_token").unwrap();
    values.insert("session", cookie.split('.').next().unwrap().to_owned());
    Owner { browser, values }
}

impl Owner {
    /// A token is spent by whoever tries it.
    async fn ask_to_be_deleted(&mut self, app: &TestApp, name: &str) {
        let reply = self.browser.post(app, "/delete-user", json!({})).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let (token, _) = app.last_link(&format!("{name}@example.com")).await;
        self.values.insert("deletion", token);
    }
}

/// Every way to name something of theirs, alone or beside own things, by the names of members.
fn mixtures(
    owned: &[(Member, &'static str)],
    theirs: &Owner,
    own: &Owner,
) -> Vec<BTreeMap<String, String>> {
    let mut mixtures = vec![(BTreeMap::new(), false)];
    for (member, thing) in owned {
        let mut longer = Vec::new();
        for (mixture, names_theirs) in mixtures {
            if !member.required {
                longer.push((mixture.clone(), names_theirs));
            }
            for (of, is_theirs) in [(theirs, true), (own, false)] {
                let mut mixture = mixture.clone();
                mixture.insert(member.name.to_owned(), of.values[thing].clone());
                longer.push((mixture, names_theirs || is_theirs));
            }
        }
        mixtures = longer;
    }
    mixtures.into_iter().filter_map(|(mixture, theirs)| theirs.then_some(mixture)).collect()
}

/// Something fitting for a member that names nothing of anybody's.
fn filling(
    endpoint: &Endpoint,
    member: &Member,
    mixture: &BTreeMap<String, String>,
    (theirs, own): (&Owner, &Owner),
) -> Option<Value> {
    Some(match (member.name, member.kind) {
        ("client_secret", _) => json!(own.values["key itself"]),
        ("grant_type", _) => json!("client_credentials"),
        ("providerId", _) => json!("google"),
        ("newPassword", _) => json!("another Passw0rd!"),
        ("email", _) => json!("x@example.com"),
        ("configId", _) if mixture.contains_key("organizationId") => json!("organization"),
        ("role", Kind::Text) if endpoint.name == "create_api_key" => json!("member"),
        // What there is to change.
        ("name", _) => json!("taken"),
        ("permissions", Kind::Record) if endpoint.name.ends_with("_permission") => {
            json!({ "member": ["create"] })
        }
        ("permission", Kind::Record) if member.required => json!({ "member": ["create"] }),
        _ if !member.required => return None,
        // Into their organization, too.
        (_, Kind::Record) if endpoint.name == "update_team" => {
            json!({ "name": "taken", "organizationId": theirs.values["organization"] })
        }
        (_, Kind::Record) => json!({ "name": "taken" }),
        (_, Kind::Texts) => json!("admin"),
        (_, Kind::Choice(words)) => json!(words.first()),
        _ => json!("taken"),
    })
}

fn request(
    endpoint: &Endpoint,
    browser: &Browser,
    mixture: &BTreeMap<String, String>,
    (theirs, own): (&Owner, &Owner),
) -> Request<Body> {
    let mut path = endpoint.path.to_owned();
    let mut filled = Map::new();
    for member in members(endpoint) {
        let named_here = mixture.get(member.name).map(|value| json!(value));
        let absent = owned(endpoint).iter().any(|(owned, _)| owned.name == member.name);
        let value = match named_here {
            Some(value) => value,
            None if absent => continue,
            None => match filling(endpoint, &member, mixture, (theirs, own)) {
                Some(value) => value,
                None => continue,
            },
        };
        let part = format!("{{{}}}", member.name);
        if path.contains(&part) {
            path = path.replace(&part, &component(value.as_str().unwrap()));
        } else {
            filled.insert(member.name.to_owned(), value);
        }
    }
    if endpoint.method == Method::GET {
        let pair = |(name, value): (&String, &Value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            format!("{name}={}", component(&text))
        };
        let query: Vec<String> = filled.iter().map(pair).collect();
        let path = format!("{path}?{}", query.join("&"));
        return browser.request(Method::GET, &path).body(Body::empty()).unwrap();
    }
    posted(browser, &path, &Value::Object(filled))
}

/// What is written down whoever asks: that they asked, and that a proof in wrong hands is spent.
const NOTES: [&str; 4] = ["gatepost_audit", "gatepost_limit", "gatepost_mail", "verification"];

/// Every row of every table that holds one of these values.
async fn dump(app: &TestApp, owner: &Owner) -> BTreeMap<String, String> {
    let values: Vec<&str> = owner.values.values().map(String::as_str).collect();
    let pattern = values.join("|");
    let tables =
        app.sql("select tablename::text from pg_tables where schemaname = 'neon_auth'").await;
    let mut dump = BTreeMap::new();
    for table in tables.iter().map(|row| row.get::<_, String>(0)) {
        if NOTES.contains(&table.as_str()) {
            continue;
        }
        let rows = format!(
            r#"select coalesce(string_agg(t::text, E'\n' order by t::text), '') from neon_auth."{table}" t where t::text ~ '{pattern}'"#
        );
        dump.insert(table, one(app, &rows).await);
    }
    dump
}

/// Those that end something come last: what is gone could not be reached by the others either.
fn ends_something(endpoint: &Endpoint) -> bool {
    ["delete", "remove", "leave", "reject", "cancel", "unlink", "revoke", "deny", "decide"]
        .iter()
        .any(|word| endpoint.name.contains(word))
}

/// What the victim owns stands nowhere in an answer, neither by name nor by id, but where it was said in the question.
fn reveals(reply: &Reply, mixture: &BTreeMap<String, String>, owner: &Owner) -> bool {
    let said = mixture.values().fold(reply.text.clone(), |text, value| text.replace(value, ""));
    let names = ["victims", "vic@example.com"].into_iter();
    names.chain(owner.values.values().map(String::as_str)).any(|secret| said.contains(secret))
}

/// An answer to everybody that says nothing of anybody.
fn says_nothing(endpoint: &Endpoint, reply: &Reply) -> bool {
    // What the caller may do, whomever the body names.
    let of_the_caller =
        endpoint.name == "user_has_permission" && reply.body["success"] != Value::Bool(true);
    // That the code is alive, not whose it is.
    let alive = endpoint.name == "device_verify" && reply.body["scope"].is_null();
    // The same page for every id.
    let page = endpoint.name == "accept_invitation_page";
    of_the_caller
        || alive
        || page
        || ["[]", "null", r#"{"status":true}"#].contains(&reply.text.as_str())
}

#[tokio::test]
async fn or_09_ids_of_somebody_else_open_and_change_nothing_at_any_endpoint() {
    let app = server().await;
    let mut vic = owner(&app, "vic", "victims").await;
    let mut mallory = owner(&app, "mallory", "attackers").await;
    vic.ask_to_be_deleted(&app, "vic").await;
    mallory.ask_to_be_deleted(&app, "mallory").await;
    let mut stranger = known_to_both(&app, "stranger").await;
    let mut callers = vec![
        ("another owner", mallory.browser.clone()),
        ("a stranger", stranger.clone()),
        ("nobody", app.browser()),
    ];
    let before = dump(&app, &vic).await;
    for table in [
        "user",
        "session",
        "account",
        "passkey",
        "apikey",
        "deviceCode",
        "organization",
        "member",
        "invitation",
        "team",
        "teamMember",
        "organizationRole",
    ] {
        assert!(!before[table].is_empty(), "the victim has nothing in {table}");
    }
    let mut endpoints: Vec<Endpoint> = app.app.endpoints.clone();
    endpoints.sort_by_key(ends_something);
    let (mut calls, mut covered, mut misread) = (0, BTreeSet::new(), BTreeSet::new());
    let mut wrong = Vec::new();
    for endpoint in &endpoints {
        let owned = owned(endpoint);
        if owned.is_empty() {
            continue;
        }
        let mut understood = false;
        for mixture in mixtures(&owned, &vic, &mallory) {
            for (who, browser) in &mut callers {
                if owned.iter().any(|(_, thing)| *thing == "deletion") {
                    vic.ask_to_be_deleted(&app, "vic").await;
                }
                let mixture: BTreeMap<String, String> = mixture
                    .iter()
                    .map(|(name, value)| {
                        let deletion = named(endpoint.name, name);
                        let fresh = matches!(deletion, Some(Names::Owned("deletion")));
                        (
                            name.clone(),
                            if fresh { vic.values["deletion"].clone() } else { value.clone() },
                        )
                    })
                    .collect();
                app.sql(&format!(
                    r#"update neon_auth.session s set "activeOrganizationId" = '{}'
from neon_auth."user" u where u.id = s."userId" and u.name = 'mallory'"#,
                    mallory.values["organization"]
                ))
                .await;
                browser.base = endpoint_base(endpoint);
                let request = request(endpoint, browser, &mixture, (&vic, &mallory));
                let reply = app.send(browser.address, request).await;
                calls += 1;
                let what = format!(
                    "{} by {who} with {mixture:?}: {} {}",
                    endpoint.name, reply.status, reply.text
                );
                understood |= reply.code() != "VALIDATION_ERROR" && !reply.text.is_empty();
                let refused = reply.status.is_client_error() || says_nothing(endpoint, &reply);
                if reply.status.as_u16() >= 500
                    || reveals(&reply, &mixture, &vic)
                    || !refused && *who != "another owner"
                {
                    wrong.push(what);
                }
            }
        }
        covered.insert(endpoint.name);
        if !understood {
            misread.insert(endpoint.name);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(misread.is_empty(), "never got past the reading of the request: {misread:?}");
    assert!(covered.len() > 60 && calls > 500, "{calls} calls of {}", covered.len());
    let after = dump(&app, &vic).await;
    for (table, rows) in &before {
        assert_eq!(&after[table], rows, "{table}");
    }
    // Those who asked could have had an answer all the while.
    assert!(mallory.browser.is_signed_in(&app).await && stranger.is_signed_in(&app).await);
}

fn endpoint_base(endpoint: &Endpoint) -> String {
    let at = usize::from(!endpoint.served_by(crate::http::Layout::BetterAuth));
    requests::BASES[at].to_owned()
}

/// The same questions, asked by those whom the things belong to: the refusals above are not for how they were asked.
#[tokio::test]
async fn ids_of_ones_own_open_what_they_name() {
    let app = server().await;
    let vic = owner(&app, "vic", "victims").await;
    let reads: Vec<Endpoint> = app
        .app
        .endpoints
        .iter()
        .filter(|it| it.method == Method::GET && !it.alias)
        .cloned()
        .collect();
    let mut read = 0;
    for endpoint in reads {
        let owned = owned(&endpoint);
        let theirs = |thing: &str| vic.values.contains_key(thing) && thing != "invitation";
        if owned.is_empty() || !owned.iter().all(|(_, thing)| theirs(thing)) {
            continue;
        }
        // Administration is for others; another provider would have to be asked.
        if endpoint.path.starts_with("/admin") || endpoint.name == "account_info" {
            continue;
        }
        let named: Vec<(Member, &str)> = owned;
        let all = named
            .iter()
            .map(|(member, thing)| (member.name.to_owned(), vic.values[*thing].clone()));
        let mut browser = vic.browser.clone();
        browser.base = endpoint_base(&endpoint);
        let request = request(&endpoint, &browser, &all.collect(), (&vic, &vic));
        let reply = app.send(browser.address, request).await;
        assert_eq!(reply.status, 200, "{}: {}", endpoint.name, reply.text);
        read += 1;
    }
    assert!(read > 12, "{read}");
}
