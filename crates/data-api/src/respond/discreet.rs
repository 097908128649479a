//! DA-16: an error names nothing that its reader did not name first.

use crate::error::ApiError;
use crate::request::HttpRequest;

/// The error as its reader may see it. Codes stay as they are.
pub(crate) fn discreet(error: ApiError, http: &HttpRequest) -> ApiError {
    match error.code.as_str() {
        // "Perhaps you meant …" would list what else there is.
        "PGRST200" | "PGRST202" | "PGRST205" => error.without_hint(),
        // A policy, function or trigger of the request's table may touch others.
        "42501" | "42P01" | "42883" | "42703" if !all_named(&error.message, http) => {
            let message = match error.code.as_str() {
                "42501" => "permission denied",
                _ => "something that the request needs does not exist",
            };
            error.with_message(message)
        }
        // The other table, whose rows still point to this one, and its constraint.
        "23503" if error.message.matches(" on table \"").count() > 1 => {
            let (what, _) = error.message.split_once(" constraint \"").unwrap_or_default();
            let message = format!("{what} constraint");
            error.with_message(message)
        }
        _ => error,
    }
}

/// Whether every name in the message stands in the request's address, or among the keys of its body.
fn all_named(message: &str, http: &HttpRequest) -> bool {
    let query = percent_encoding::percent_decode_str(&http.query).decode_utf8_lossy();
    let path = percent_encoding::percent_decode_str(&http.path).decode_utf8_lossy();
    let body = String::from_utf8_lossy(&http.body);
    names(message).all(|name| path.contains(name) || query.contains(name) || body.contains(name))
}

/// What stands in double quotes, and what comes last in `permission denied for table todos`.
fn names(message: &str) -> impl Iterator<Item = &str> {
    let bare = message.strip_prefix("permission denied for ").and_then(|what| {
        let (_, name) = what.split_once(' ')?;
        (!name.contains('"')).then_some(name)
    });
    message.split('"').skip(1).step_by(2).flat_map(|quoted| quoted.split('.')).chain(bare)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorParts;

    fn seen(code: &str, message: &str, path: &str) -> String {
        let http = HttpRequest {
            method: http::Method::GET,
            path: path.to_owned(),
            query: "select=a%20b".to_owned(),
            headers: http::HeaderMap::new(),
            body: bytes::Bytes::new(),
        };
        let error: ApiError = ErrorParts {
            status: 403,
            reason: None,
            code: code.to_owned(),
            message: message.to_owned(),
            details: None,
            hint: Some("Perhaps you meant the table 'api.secrets'".to_owned()),
            headers: Vec::new(),
        }
        .into();
        discreet(error, &http).message.clone()
    }

    #[test]
    fn only_names_of_the_request_are_repeated() {
        for (code, message, told) in [
            ("42501", "permission denied for table todos", true),
            ("42501", "permission denied for table secrets", false),
            ("42501", "new row violates row-level security policy for table \"todos\"", true),
            ("42501", "new row violates row-level security policy for table \"audit\"", false),
            ("42501", "permission denied for table a b", true),
            ("42P01", "relation \"private.vault\" does not exist", false),
            ("42703", "column todos.nothing does not exist", true),
        ] {
            assert_eq!(seen(code, message, "/todos") == message, told, "{message}");
        }
        let others = "update or delete on table \"todos\" violates foreign key constraint \"x\" on table \"secrets\"";
        assert!(!seen("23503", others, "/todos").contains("secrets"));
        let own = "insert or update on table \"todos\" violates foreign key constraint \"x\"";
        assert_eq!(seen("23503", own, "/todos"), own);
    }
}
