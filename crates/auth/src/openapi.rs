//! The OpenAPI file, made from the endpoints themselves.

use http::Method;
use serde_json::{Map, Value, json};

use crate::http::{
    Endpoint,
    endpoint::Access,
    fields::{Kind, Member},
};

/// The description of the API under `base`.
#[must_use]
pub fn document<'a>(endpoints: impl IntoIterator<Item = &'a Endpoint>, base: &str) -> Value {
    let mut paths = Map::new();
    for endpoint in endpoints.into_iter().filter(|endpoint| !endpoint.alias) {
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(endpoint.method.as_str().to_ascii_lowercase(), operation(endpoint));
        }
    }
    json!({
        "openapi": "3.1.1",
        // Better Auth's own words: its clients and generators look for them.
        "info": {
            "title": "Better Auth",
            "description": "API Reference for your Better Auth Instance",
            "version": "1.1.0",
        },
        "servers": [{ "url": base }],
        "security": [{ "apiKeyCookie": [], "bearerAuth": [] }],
        "tags": [{
            "name": "Default",
            "description": "Default endpoints that are included with Better Auth by default. These endpoints are not part of any plugin.",
        }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "apiKeyCookie": { "type": "apiKey", "in": "cookie", "name": "better-auth.session_token" },
                "bearerAuth": { "type": "http", "scheme": "bearer" },
            },
            "schemas": {
                "Error": {
                    "type": "object",
                    "properties": { "message": { "type": "string" }, "code": { "type": "string" } },
                    "required": ["message"],
                },
            },
        },
    })
}

fn operation(endpoint: &Endpoint) -> Value {
    let mut operation = json!({
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "tags": ["Default"],
        "responses": responses(endpoint),
    });
    let Some(members) = operation.as_object_mut() else { return operation };
    if matches!(endpoint.access, Access::Public | Access::Optional) {
        members.insert("security".to_owned(), json!([]));
    }
    let parameters = parameters(endpoint);
    if !parameters.is_empty() {
        members.insert("parameters".to_owned(), Value::Array(parameters));
    }
    if let Some(body) = &endpoint.body
        && endpoint.method != Method::GET
    {
        members.insert(
            "requestBody".to_owned(),
            json!({ "content": { "application/json": { "schema": schema(body) } } }),
        );
    }
    operation
}

fn parameters(endpoint: &Endpoint) -> Vec<Value> {
    let in_path =
        endpoint.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let in_path = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let in_query = endpoint.query.iter().map(|member| {
        json!({ "name": member.name, "in": "query", "required": member.required, "schema": kind(member.kind) })
    });
    in_path.chain(in_query).collect()
}

fn responses(endpoint: &Endpoint) -> Value {
    let error =
        json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } });
    let mut responses = json!({
        "200": { "description": "Done" },
        "400": { "description": "Something in the request is wrong", "content": error },
        "429": { "description": "Too many requests", "content": error },
    });
    if let (Access::Session | Access::Fresh, Some(responses)) =
        (endpoint.access, responses.as_object_mut())
    {
        responses.insert(
            "401".to_owned(),
            json!({ "description": "Nobody is signed in", "content": error }),
        );
    }
    responses
}

fn schema(members: &[Member]) -> Value {
    let properties: Map<String, Value> =
        members.iter().map(|member| (member.name.to_owned(), kind(member.kind))).collect();
    let required: Vec<&str> =
        members.iter().filter(|member| member.required).map(|member| member.name).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn kind(kind: Kind) -> Value {
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Email => json!({ "type": "string", "format": "email" }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Choice(words) => json!({ "type": "string", "enum": words }),
        Kind::Record => json!({ "type": "object" }),
        Kind::Number => json!({ "type": "number" }),
        Kind::Any => json!({}),
        Kind::List => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Texts => json!({
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
        }),
    }
}
