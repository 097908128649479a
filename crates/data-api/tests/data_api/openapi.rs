//! The OpenAPI file says what is answered, and the documentation every code.

use std::collections::BTreeSet;
use std::path::PathBuf;

use gatepost_data_api::advise::{AdviceKind, advise};
use gatepost_data_api::error::{ApiError, ErrorKind};
use gatepost_data_api::explain_denial::{Connections, explain_denial};
use gatepost_data_api::openapi;
use gatepost_data_api::request::HttpRequest;
use gatepost_data_api::verify::Identity;
use serde_json::Value;

use crate::support::Server;

fn at_root(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

#[test]
fn the_checked_in_openapi_file_is_that_of_the_code() {
    let old = std::fs::read_to_string(at_root("openapi/data.json")).unwrap_or_default();
    let fresh = format!("{:#}\n", openapi::document());
    if old != fresh {
        let new = std::env::temp_dir().join("gatepost-openapi-data.json");
        std::fs::write(&new, fresh).unwrap();
        panic!("openapi/data.json is stale; look at {} and copy it there", new.display());
    }
}

/// Every member is described, and every described member is there.
fn fits(value: &Value, schema: &str) {
    let document = openapi::document();
    let members = |object: &Value| -> BTreeSet<String> {
        object.as_object().unwrap().keys().cloned().collect()
    };
    let described = members(&document["components"]["schemas"][schema]["properties"]);
    assert_eq!(members(value), described, "{schema}");
}

#[tokio::test]
async fn answers_have_the_members_that_the_file_describes() {
    let server = Server::start("", |_| ()).await;
    let (client, _connection) = gatepost_postgres::connect(&server.admin_url).await.unwrap();
    let found = advise(&client, &["api".to_owned()]).await.unwrap();
    fits(&serde_json::to_value(found.first().unwrap()).unwrap(), "Advice");
    let (config, catalog) = (server.state.config(), server.state.catalog().unwrap());
    let connections = Connections::open(&server.admin_url, &config.db_uri).await.unwrap();
    for (path, schema) in [("/notes", "Denial"), ("/rpc/whoami", "CallDenial")] {
        let http = HttpRequest {
            method: http::Method::GET,
            path: path.to_owned(),
            query: String::new(),
            headers: http::HeaderMap::new(),
            body: bytes::Bytes::new(),
        };
        let identity =
            Identity { role: "authenticated".to_owned(), claims: serde_json::Map::new() };
        let answer =
            explain_denial(&connections, &config, &catalog, &http, &identity).await.unwrap();
        let answer = serde_json::to_value(answer).unwrap();
        fits(&answer, schema);
        if let Some(policy) = answer["policies"].get(0) {
            fits(policy, "Policy");
        }
    }
    let error: Value =
        serde_json::from_str(&ApiError::new(ErrorKind::NotAdministrator, "x").body(false)).unwrap();
    fits(&error, "Error");
}

#[test]
fn every_code_and_every_kind_of_advice_is_documented() {
    let text = std::fs::read_to_string(at_root("docs/data-api.md")).unwrap();
    for kind in ErrorKind::OWN {
        let (code, status) = kind.code();
        assert!(text.contains(&format!("| `{code}` | {status}")), "{code} {status}");
    }
    for kind in AdviceKind::ALL {
        assert!(text.contains(&format!("`{}`", kind.name())), "{}", kind.name());
    }
}
