//! Which operations the server under test has, by its own OpenAPI document.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::http::{Http, get};

/// What every server has: a scenario that needs one of these and does not find it has failed.
const FOUNDATION: &[(&str, &str)] = &[
    ("POST", "/sign-up/email"),
    ("POST", "/sign-in/email"),
    ("POST", "/sign-out"),
    ("GET", "/get-session"),
    ("POST", "/get-session"),
    ("GET", "/list-sessions"),
    ("POST", "/revoke-session"),
    ("POST", "/revoke-sessions"),
    ("POST", "/revoke-other-sessions"),
    ("POST", "/update-user"),
    ("POST", "/update-session"),
    ("POST", "/change-password"),
    ("POST", "/verify-password"),
    ("POST", "/change-email"),
    ("POST", "/delete-user"),
    ("GET", "/delete-user/callback"),
    ("POST", "/request-password-reset"),
    ("POST", "/reset-password"),
    ("GET", "/reset-password/{token}"),
    ("POST", "/send-verification-email"),
    ("GET", "/verify-email"),
    ("GET", "/list-accounts"),
    ("GET", "/ok"),
    ("GET", "/error"),
    ("GET", "/token"),
    ("GET", "/jwks"),
    ("GET", "/open-api/generate-schema"),
    ("GET", "/reference"),
];

/// The operations of a server.
pub(crate) struct Built(Vec<(String, String)>);

impl Built {
    /// Asks `{base}/open-api/generate-schema`.
    pub(crate) async fn ask(http: &Http, base: &str) -> Result<Self> {
        let url = format!("{base}/open-api/generate-schema");
        let answer = get(http, &url).await?;
        ensure!(answer.status() == 200, "{url}: {}", answer.status());
        let document: Value = serde_json::from_slice(answer.body())?;
        Self::read(&document).with_context(|| url)
    }

    fn read(document: &Value) -> Result<Self> {
        let mut operations = Vec::new();
        for (path, item) in document.get("paths").and_then(Value::as_object).context("no paths")? {
            for method in item.as_object().into_iter().flatten().map(|(method, _)| method) {
                operations.push((method.to_uppercase(), path.clone()));
            }
        }
        Ok(Self(operations))
    }

    /// Everything there is; for a reference server.
    #[cfg(test)]
    fn of(operations: &[(&str, &str)]) -> Self {
        let owned = |(method, path): &(&str, &str)| ((*method).to_owned(), (*path).to_owned());
        Self(operations.iter().map(owned).collect())
    }

    /// Whether `method path` is an operation; a parameter on either side matches any segment.
    pub(crate) fn has(&self, method: &str, path: &str) -> bool {
        let path = path.split('?').next().unwrap_or_default();
        self.0.iter().any(|(m, p)| m == method && same_path(p, path))
    }

    /// The first operation that a scenario needs and the server lacks.
    pub(crate) fn lacks(&self, scenario: &Value) -> Option<String> {
        let steps = scenario.get("steps").and_then(Value::as_array)?;
        steps.iter().find_map(|step| {
            let request = step.get("request")?;
            let method = request.get("method")?.as_str()?;
            let path = request.get("path")?.as_str()?;
            let expected = step.pointer("/expect/status").and_then(Value::as_u64);
            let unknown = expected == Some(404)
                && step.pointer("/expect/bodyEmpty").and_then(Value::as_bool) == Some(true);
            let elsewhere = !path.starts_with('/') || request.get("absolute").is_some();
            if elsewhere || unknown || self.has(method, path) || foundation(method, path) {
                return None;
            }
            Some(format!("{method} {}", path.split('?').next().unwrap_or(path)))
        })
    }
}

/// Whether the operation must be there.
fn foundation(method: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    FOUNDATION.iter().any(|(m, p)| *m == method && same_path(p, path))
}

fn same_path(operation: &str, path: &str) -> bool {
    let (a, b) = (operation.split('/'), path.split('/'));
    a.clone().count() == b.clone().count()
        && a.zip(b).all(|(a, b)| a == b || a.starts_with([':', '{']) || b.contains("{{"))
}

#[cfg(test)]
mod tests;
