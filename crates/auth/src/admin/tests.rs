use serde_json::{Value, json};

use crate::{
    Config,
    testing::{Browser, PASSWORD, Reply, TestApp},
};

async fn root(app: &TestApp, name: &str) -> Browser {
    let browser = app.signed_up(name).await;
    let sql = format!(
        r#"update neon_auth."user" set role = 'admin' where email = '{name}@example.com' returning id"#
    );
    app.sql(&sql).await;
    browser
}

async fn id(app: &TestApp, name: &str) -> String {
    let sql =
        format!(r#"select id::text from neon_auth."user" where email = '{name}@example.com'"#);
    app.sql(&sql).await[0].get(0)
}

async fn list(browser: &mut Browser, app: &TestApp, query: &str) -> Reply {
    browser.get(app, &format!("/admin/list-users?{query}")).await
}

fn names(reply: &Reply) -> Vec<&str> {
    reply.body["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn users_are_searched_filtered_sorted_and_paged() {
    let app = TestApp::new().await;
    let mut root = root(&app, "root").await;
    for name in ["ada", "bob", "cyd", "dan"] {
        app.signed_up(name).await;
    }
    let all = list(&mut root, &app, "sortBy=name&sortDirection=desc").await;
    assert_eq!(names(&all), ["root", "dan", "cyd", "bob", "ada"]);
    assert_eq!(all.body["total"], 5);
    let page = list(&mut root, &app, "sortBy=email&limit=2&offset=1").await;
    assert_eq!((names(&page), &page.body["total"]), (vec!["bob", "cyd"], &json!(5)));
    assert_eq!((&page.body["limit"], &page.body["offset"]), (&json!(2), &json!(1)));
    let beyond = list(&mut root, &app, "offset=50").await;
    assert_eq!((names(&beyond).len(), &beyond.body["total"]), (0, &json!(5)));

    let found =
        list(&mut root, &app, "searchValue=da&searchOperator=starts_with&searchField=name").await;
    assert_eq!(names(&found), ["dan"]);
    let found = list(&mut root, &app, "filterField=role&filterValue=admin").await;
    assert_eq!(names(&found), ["root"]);
    let found = list(
        &mut root,
        &app,
        "filterField=name&filterOperator=in&filterValue=ada&filterValue=cyd&sortBy=name",
    )
    .await;
    assert_eq!(names(&found), ["ada", "cyd"]);
    let found =
        list(&mut root, &app, "filterField=emailVerified&filterValue=false&sortBy=createdAt").await;
    assert_eq!(found.body["total"], 5);
    let found =
        list(&mut root, &app, "filterField=createdAt&filterOperator=lt&filterValue=2001-01-01")
            .await;
    assert_eq!(found.body["total"], 0);
}

#[tokio::test]
async fn a_user_is_created_changed_banned_let_in_again_and_removed() {
    let app = TestApp::new().await;
    let mut root = root(&app, "root").await;
    let body = json!({ "email": "Ada@Example.com", "name": "Ada", "password": PASSWORD, "data": { "emailVerified": true, "nonsense": 1 } });
    let created = root.post(&app, "/admin/create-user", body).await;
    assert_eq!(created.body["user"]["email"], "ada@example.com", "{}", created.text);
    assert_eq!(created.body["user"]["emailVerified"], true);
    let ada = created.body["user"]["id"].clone();
    let sign_in = json!({ "email": "ada@example.com", "password": PASSWORD });
    let mut browser = app.browser();
    assert_eq!(browser.post(&app, "/sign-in/email", sign_in.clone()).await.status, 200);

    let update =
        json!({ "userId": ada, "data": { "name": "Ada L.", "email": "lovelace@example.com" } });
    let updated = root.post(&app, "/admin/update-user", update).await;
    assert_eq!(updated.body["name"], "Ada L.", "{}", updated.text);
    let sign_in = json!({ "email": "lovelace@example.com", "password": PASSWORD });

    let ban = json!({ "userId": ada, "banReason": "spam", "banExpiresIn": 60 });
    assert_eq!(root.post(&app, "/admin/ban-user", ban).await.body["user"]["banReason"], "spam");
    assert!(!browser.is_signed_in(&app).await);
    assert_eq!(browser.post(&app, "/sign-in/email", sign_in.clone()).await.code(), "BANNED_USER");
    app.pass(61);
    assert_eq!(browser.post(&app, "/sign-in/email", sign_in.clone()).await.status, 200);
    let user = root.get(&app, &format!("/admin/get-user?id={}", ada.as_str().unwrap())).await;
    assert_eq!((&user.body["banned"], &user.body["banReason"]), (&json!(false), &Value::Null));

    let removed = root.post(&app, "/admin/remove-user", json!({ "userId": ada })).await;
    assert_eq!(removed.body, json!({ "success": true }), "{}", removed.text);
    assert!(!browser.is_signed_in(&app).await);
    let deeds = app
        .sql("select event, details ->> 'by' from neon_auth.gatepost_audit where event like 'admin-%' order by id")
        .await;
    let deeds: Vec<String> = deeds.iter().map(|row| row.get(0)).collect();
    let expected =
        ["admin-user-created", "admin-user-updated", "admin-user-banned", "admin-user-removed"];
    assert_eq!(deeds, expected);
}

#[tokio::test]
async fn an_administrator_acts_as_a_user_and_goes_back() {
    let app = TestApp::new().await;
    let mut root = root(&app, "root").await;
    app.signed_up("ada").await;
    let (root_id, ada) = (id(&app, "root").await, id(&app, "ada").await);
    let began = root.post(&app, "/admin/impersonate-user", json!({ "userId": ada })).await;
    assert_eq!(began.body["session"]["impersonatedBy"], root_id.as_str(), "{}", began.text);
    let session = root.get(&app, "/get-session").await;
    assert_eq!(session.body["user"]["email"], "ada@example.com");
    let back = root.post(&app, "/admin/stop-impersonating", json!({})).await;
    assert_eq!(back.body["user"]["email"], "root@example.com", "{}", back.text);
    assert_eq!(root.get(&app, "/get-session").await.body["user"]["email"], "root@example.com");
    let again = root.post(&app, "/admin/stop-impersonating", json!({})).await;
    assert_eq!(again.status, 400);
}

#[tokio::test]
async fn roles_of_the_configuration_are_the_only_ones() {
    let app = TestApp::with(|config: &mut Config| {
        let support = [("user".to_owned(), vec!["list".to_owned(), "get".to_owned()])];
        let all = ["create", "list", "set-role", "get"].map(str::to_owned).to_vec();
        config.admin.roles.insert("support".to_owned(), support.into());
        config.admin.roles.insert("admin".to_owned(), [("user".to_owned(), all)].into());
    })
    .await;
    let mut root = root(&app, "root").await;
    let mut ada = app.signed_up("ada").await;
    let ada_id = id(&app, "ada").await;
    let unknown = json!({ "userId": ada_id, "role": "wizard" });
    let refused = root.post(&app, "/admin/set-role", unknown).await;
    assert_eq!(refused.code(), "YOU_ARE_NOT_ALLOWED_TO_SET_NON_EXISTENT_VALUE");
    let given =
        root.post(&app, "/admin/set-role", json!({ "userId": ada_id, "role": "support" })).await;
    assert_eq!(given.body["user"]["role"], "support", "{}", given.text);
    assert_eq!(list(&mut ada, &app, "limit=1").await.status, 200);
    let create = json!({ "email": "x@example.com", "name": "X" });
    let refused = ada.post(&app, "/admin/create-user", create).await;
    assert_eq!(refused.code(), "YOU_ARE_NOT_ALLOWED_TO_CREATE_USERS");
}

#[tokio::test]
async fn a_password_set_by_an_administrator_replaces_the_old_one_and_ends_the_sessions() {
    let app = TestApp::new().await;
    let mut root = root(&app, "root").await;
    let mut ada = app.signed_up("ada").await;
    let new = "correct horse battery staple";
    let body = json!({ "userId": id(&app, "ada").await, "newPassword": new });
    let set = root.post(&app, "/admin/set-user-password", body).await;
    assert_eq!(set.body, json!({ "status": true }), "{}", set.text);
    assert!(!ada.is_signed_in(&app).await);
    let sign_in = |password: &str| json!({ "email": "ada@example.com", "password": password });
    assert_eq!(ada.post(&app, "/sign-in/email", sign_in(PASSWORD)).await.status, 401);
    assert_eq!(ada.post(&app, "/sign-in/email", sign_in(new)).await.status, 200);
}
