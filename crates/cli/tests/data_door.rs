//! The Data API within `gatepost dev` and `gatepost serve`, by tokens of the server it stands in.

#[cfg(test)]
mod support;

use std::process::Stdio;

use serde_json::json;
use support::{
    Running, configured,
    data_door::{Caller, call, header, sql, tables, text, wait_for_table},
    dev, directory, get, migrated, request, run,
};

#[test]
fn in_development_a_new_table_is_served_by_its_policies_until_the_session_ends() {
    let dir = directory();
    let (running, ready) = dev(dir.path(), &["--port", "0"]);
    let (auth, data) = (text(&ready, "better_auth_url"), text(&ready, "data_url"));
    let mary = Caller::sign_up(auth, "mary");
    let alan = Caller::sign_in(auth, "alan@example.com", "password");
    sql(text(&ready, "database_url"), &tables());
    wait_for_table(&mary, data, "news");

    let todos = format!("{data}/todos");
    let made = mary.call("POST", &todos, Some(&json!({ "task": "shop" })));
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(
        mary.call("GET", &format!("{todos}?select=task"), None).json(),
        json!([{ "task": "shop" }])
    );
    assert_eq!(alan.call("GET", &todos, None).json(), json!([]));
    assert_eq!(mary.call("GET", &format!("{data}/hidden"), None).status, 403);
    for path in ["user", "neon_auth.user", "session"] {
        assert_eq!(mary.call("GET", &format!("{data}/{path}"), None).status, 404, "{path}");
    }

    // Its own description, under either spelling of its address.
    for root in [data.to_owned(), format!("{data}/")] {
        let described = mary.call("GET", &root, None);
        assert_eq!(described.status, 200, "{root}: {described:?}");
        assert!(described.text.contains("\"/todos\""), "{root}");
    }

    let missing = get(&todos);
    assert_eq!(missing.status, 400, "{missing:?}");
    assert!(missing.text.contains("missing authentication credentials"), "{missing:?}");
    // As curl sends it; what the HTTP library refuses has no body.
    let typed = get(&format!("{data}/notes?select=text->>\"a\""));
    assert!(typed.text.contains("missing authentication credentials"), "{typed:?}");
    let cookie = request("GET", &todos, &[("cookie", &mary.cookies)], None);
    assert_eq!(cookie.status, 400, "DA-30: a cookie is nobody: {cookie:?}");
    let nobody = get(&format!("{}/token/anonymous", text(&ready, "auth_url"))).json();
    let nobody = nobody["token"].as_str().unwrap();
    assert_eq!(call(nobody, "GET", &format!("{data}/news"), None).json(), json!([{ "id": 7 }]));
    assert_eq!(call(nobody, "GET", &todos, None).status, 401);
    let open = call(nobody, "GET", &format!("{data}/open"), None);
    assert_eq!(open.status, 403, "{open:?}");
    assert!(open.text.contains("GPDA001"), "{open:?}");

    // Nothing is cached: the token is still good, the session is not.
    assert_eq!(mary.auth("POST", "/sign-out").status, 200);
    let over = mary.call("GET", &todos, None);
    assert_eq!(over.status, 401, "{over:?}");
    let again = Caller::sign_in(auth, "mary@example.com", "correct horse 7");
    assert_eq!(again.call("GET", &todos, None).status, 200);
    sql(
        text(&ready, "database_url"),
        "update neon_auth.\"user\" set banned = true where email = 'mary@example.com'",
    );
    assert_eq!(again.call("GET", &todos, None).status, 401);
    assert_eq!(alan.call("GET", &todos, None).status, 200);
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn an_administrator_is_told_which_policy_refused_and_nobody_else_is() {
    let dir = directory();
    let (running, ready) = dev(dir.path(), &["--port", "0"]);
    let (auth, data) = (text(&ready, "better_auth_url"), text(&ready, "data_url"));
    let admin = data.replace("/rest/v1", "/rest/admin");
    let ada = Caller::sign_in(auth, "ada@example.com", "password");
    let alan = Caller::sign_in(auth, "alan@example.com", "password");
    sql(text(&ready, "database_url"), &tables());
    wait_for_table(&alan, data, "news");

    let foreign = json!({ "task": "steal", "owner": "00000000-0000-4000-8000-000000000001" });
    let refused = alan.call("POST", &format!("{data}/todos"), Some(&foreign));
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(!refused.text.contains("current_setting"), "{refused:?}");
    let id = header(&refused, "x-request-id").unwrap();

    let question = json!({ "request_id": id });
    let explain = format!("{admin}/explain-denial");
    for token in [&alan.token, ""] {
        let answer = call(token, "POST", &explain, Some(&question));
        assert!(matches!(answer.status, 400 | 403), "{answer:?}");
        assert!(!answer.text.contains("policies"), "{answer:?}");
    }
    let explained = ada.call("POST", &explain, Some(&question));
    assert_eq!(explained.status, 200, "{explained:?}");
    let explained = explained.json();
    assert_eq!(explained["command"], "INSERT");
    assert_eq!(explained["policies"][0]["name"], "own");
    assert_eq!(explained["policies"][0]["holds"], json!([false]));

    let made = alan.call("POST", &format!("{data}/todos"), Some(&json!({ "task": "mine" })));
    assert_eq!(made.status, 201, "{made:?}");
    let question = json!({
        "request": { "method": "GET", "path": "/todos?task=eq.mine" },
        "subject": { "claims": { "sub": "00000000-0000-4000-8000-000000000001" } },
    });
    let explained = ada.call("POST", &explain, Some(&question)).json();
    assert_eq!(explained["rows"][0]["task"], "mine", "{explained}");
    assert_eq!(explained["policies"][0]["holds"], json!([false]));
    let call = json!({
        "request": { "method": "POST", "path": "/rpc/nothing", "body": {} },
        "subject": { "claims": { "sub": "00000000-0000-4000-8000-000000000001" } },
    });
    assert_eq!(ada.call("POST", &explain, Some(&call)).status, 404, "no such function");
    let unknown = json!({ "request_id": "00000000-0000-4000-8000-000000000001" });
    assert_eq!(ada.call("POST", &explain, Some(&unknown)).status, 404);

    let advice = ada.call("GET", &format!("{admin}/advice"), None);
    assert!(
        advice.text.contains("no_row_security") || advice.text.contains("NoRowSecurity"),
        "{advice:?}"
    );
    assert_eq!(alan.call("GET", &format!("{admin}/advice"), None).status, 403);

    // An administrator no longer, with the same token.
    sql(
        text(&ready, "database_url"),
        "update neon_auth.\"user\" set role = 'user' where email = 'ada@example.com'",
    );
    assert_eq!(ada.call("POST", &explain, Some(&question)).status, 403);
    assert_eq!(running.terminate(), Some(0));
}

#[test]
fn serve_opens_the_door_when_told_to_and_only_for_a_login_without_rights() {
    let dir = directory();
    let database = migrated(dir.path());
    let (_, place) = database.url.split_once('@').unwrap();
    let name = |role: &str| format!("postgres://{role}@{place}");
    sql(
        &database.url,
        "do $$ begin create role authenticator login noinherit; exception when others then null; end $$;
         do $$ begin create role anonymous; exception when others then null; end $$;
         do $$ begin create role authenticated; exception when others then null; end $$;
         do $$ begin grant anonymous, authenticated to authenticator; exception when others then null; end $$;",
    );
    sql(&database.url, &tables());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let start = |login: &str| {
        let mut command = configured(dir.path(), &database);
        command
            .arg("serve")
            .env("GATEPOST_LISTEN", free.to_string())
            .env(
                "GATEPOST_PUBLIC_URL",
                format!("http://{}", free.to_string().replace("127.0.0.1", "localhost")),
            )
            .env("GATEPOST_PROJECT", "app")
            .env("GATEPOST_DATA_API__ENABLED", "true")
            .env("GATEPOST_DATA_API__DATABASE_URL", login)
            .stderr(Stdio::piped());
        command
    };
    let (code, _, err) = run(&mut start(&database.url));
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("is the server's"), "{err}");
    let superuser = format!("{}?application_name=other", database.url);
    let (code, _, err) = run(&mut start(&superuser));
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("is a superuser"), "{err}");

    let mut running = Running::start(&mut start(&name("authenticator")));
    running.log_until("listening");
    let origin = format!("http://localhost:{}", free.port());
    let mary = Caller::sign_up(&format!("{origin}/api/auth"), "mary");
    let data = format!("{origin}/app/rest/v1");
    wait_for_table(&mary, &data, "todos");
    assert_eq!(mary.call("GET", &format!("{data}/todos"), None).json(), json!([]));
    let explain = format!("{origin}/app/rest/admin/explain-denial");
    assert_eq!(mary.call("POST", &explain, Some(&json!({}))).status, 403);
    assert_eq!(running.terminate(), Some(0));
}
