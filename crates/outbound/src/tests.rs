use std::net::SocketAddr;

use axum::{
    Router,
    response::Redirect,
    routing::{get, post},
};
use http::StatusCode;

use crate::{Failure, Outbound, Reach, Request, is_public};

async fn peer() -> SocketAddr {
    let router = Router::new()
        .route("/moved", get(async || Redirect::temporary("/secret")))
        .route("/secret", get(async || "secret"))
        .route("/long", get(async || "x".repeat(1024 * 1024 + 1)))
        .route("/form", post(async |body: String| body));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[test]
fn addresses_of_private_networks_and_the_machine_itself_are_not_public() {
    for address in [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.31.255.255",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "64:ff9b::a9fe:a9fe",
        "2002:a00:1::1",
        "2001:db8::1",
        "ff02::1",
    ] {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
    for address in
        ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "64:ff9b::101:101"]
    {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
}

#[tokio::test]
async fn a_name_that_leads_to_the_machine_itself_is_not_called() {
    let outbound = Outbound::new(Reach::Public).unwrap();
    let port = peer().await.port();
    for url in [
        format!("https://127.0.0.1:{port}/secret"),
        format!("https://[::1]:{port}/secret"),
        format!("https://2130706433:{port}/secret"),
        format!("http://example.com:{port}/secret"),
        "https://user:pass@example.com/".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let failure = outbound.send(Request::get(&url)).await.unwrap_err();
        assert!(matches!(failure, Failure::Forbidden(_)), "{url}: {failure:?}");
    }
    let failure =
        outbound.send(Request::get(&format!("https://localhost:{port}/"))).await.unwrap_err();
    assert!(format!("{failure:?}").contains("Forbidden"), "{failure:?}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let outbound = Outbound::new(Reach::Anywhere).unwrap();
    let answer =
        outbound.send(Request::get(&format!("http://{}/moved", peer().await))).await.unwrap();
    assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT);
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_not_read_to_its_end() {
    let outbound = Outbound::new(Reach::Anywhere).unwrap();
    let failure =
        outbound.send(Request::get(&format!("http://{}/long", peer().await))).await.unwrap_err();
    assert!(matches!(failure, Failure::TooLong));
}

#[tokio::test]
async fn form_fields_arrive_escaped() {
    let outbound = Outbound::new(Reach::Anywhere).unwrap();
    let request = Request::post(&format!("http://{}/form", peer().await)).form(&[("a b", "ü&=")]);
    assert_eq!(outbound.send(request).await.unwrap().body, "a+b=%C3%BC%26%3D");
}
