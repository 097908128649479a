//! The OpenAPI file of what the Data API adds to PostgREST's protocol: its administration and its own errors.

use serde_json::{Value, json};

use crate::advise::AdviceKind;
use crate::error::ErrorKind;

/// `openapi/data.json`. The relations of a database are described by `GET /{project}/rest/v1/` itself.
#[must_use]
pub fn document() -> Value {
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Gatepost Data API: administration",
            "description": "For users whose role has `admin`, looked up at every request. Tables and functions are described by the Data API's own root.",
            "version": env!("CARGO_PKG_VERSION"),
        },
        "servers": [{ "url": "/{project}/rest/admin", "variables": { "project": { "default": "app" } } }],
        "security": [{ "bearerAuth": [] }],
        "paths": {
            "/explain-denial": { "post": {
                "operationId": "explainDenial",
                "summary": "Which policy or privilege refused a request, or hides its rows",
                "requestBody": { "required": true, "content": { "application/json": { "schema": reference("Question") } } },
                "responses": responses("Explanation", &[
                    ("404", "No refused request of this id is remembered"),
                    ("429", "Others are being explained: GPDA002"),
                    ("501", "No login above Row Level Security is set, or the request is about neither a table nor a function"),
                    ("504", "It took too long: GPDA002"),
                ]),
            } },
            "/advice": { "get": {
                "operationId": "advice",
                "summary": "What is wrong with the schemas that are served, with the SQL that mends it",
                "responses": responses("Advices", &[]),
            } },
        },
        "components": {
            "securitySchemes": { "bearerAuth": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } },
            "schemas": schemas(),
        },
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn responses(schema: &str, further: &[(&str, &str)]) -> Value {
    let error = |description: &str| json!({ "description": description, "content": { "application/json": { "schema": reference("Error") } } });
    let mut all = json!({
        "200": { "description": "OK", "content": { "application/json": { "schema": reference(schema) } } },
        "400": error("No token, or a question that cannot be read"),
        "401": error("A token that is not valid"),
        "403": error("No administrator: GPDA003"),
        "503": error("The caller or the database cannot be asked at the moment"),
    });
    if let Some(all) = all.as_object_mut() {
        all.extend(further.iter().map(|(status, what)| ((*status).to_owned(), error(what))));
        all.sort_keys();
    }
    all
}

/// An object with all of its members.
fn object(properties: &Value) -> Value {
    let required: Vec<&String> =
        properties.as_object().into_iter().flat_map(serde_json::Map::keys).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn schemas() -> Value {
    let (text, flag) = (json!({ "type": "string" }), json!({ "type": "boolean" }));
    let maybe = json!({ "type": ["string", "null"] });
    let name = object(&json!({ "schema": text, "name": text }));
    let code = json!({ "type": ["string", "null"], "description": "The code by which the Data API itself refuses" });
    let missing = json!({ "type": "array", "items": text, "description": "Privileges that the role has not" });
    json!({
        "Question": {
            "description": "A `request_id`, or a `request` and whose it is",
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "request_id": { "type": "string", "format": "uuid", "description": "`x-request-id` of a refusal" },
                "request": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["method", "path"],
                    "properties": {
                        "method": text,
                        "path": { "type": "string", "examples": ["/todos?id=eq.5"] },
                        "headers": { "type": "object", "additionalProperties": text },
                        "body": { "description": "JSON" },
                    },
                },
                "subject": {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": { "role": text, "claims": { "type": "object" } },
                },
            },
        },
        "Explanation": { "anyOf": [reference("Denial"), reference("CallDenial")] },
        "Denial": object(&json!({
            "table": name,
            "command": { "enum": ["SELECT", "INSERT", "UPSERT", "UPDATE", "DELETE"] },
            "role": text,
            "refused": code,
            "granted": flag,
            "missing": missing,
            "row_security": flag,
            "rows": list(&json!({ "type": "object" })),
            "allowed": list(&flag),
            "conflicting": list(&json!({ "type": "object" })),
            "policies": list(&reference("Policy")),
        })),
        "CallDenial": object(&json!({
            "function": name,
            "command": { "const": "EXECUTE" },
            "role": text,
            "refused": code,
            "granted": flag,
            "missing": missing,
            "security_definer": flag,
        })),
        "Policy": object(&json!({
            "name": text,
            "command": { "enum": ["ALL", "SELECT", "INSERT", "UPDATE", "DELETE"] },
            "permissive": flag,
            "applies": flag,
            "clause": { "enum": ["USING", "WITH CHECK"] },
            "of": { "enum": ["stored", "written"] },
            "expression": text,
            "holds": { "type": ["array", "null"], "items": flag },
            "error": maybe,
        })),
        "Advices": list(&reference("Advice")),
        "Advice": object(&json!({
            "kind": { "enum": AdviceKind::ALL.map(AdviceKind::name) },
            "object": text,
            "problem": text,
            "fix": text,
        })),
        "Error": object(&json!({
            "code": { "type": "string", "description": "`PGRSTxxx`, an SQLSTATE, or the Data API's own", "examples": ErrorKind::OWN.map(|kind| kind.code().0) },
            "details": { "description": "More, where there is more" },
            "hint": maybe,
            "message": text,
        })),
    })
}
