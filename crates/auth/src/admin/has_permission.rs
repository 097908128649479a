//! `POST /admin/has-permission`.

use http::StatusCode;
use serde_json::json;

use super::{NOBODY, access::may};
use crate::{
    app::App,
    error::{Refusal, Result},
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, Form, FromFields},
    },
    permissions::Statements,
    session,
};

const NOTHING_ASKED: Refusal = Refusal::without_code(
    StatusCode::BAD_REQUEST,
    "invalid permission check. no permission(s) were passed.",
);

/// The endpoints.
pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::post::<HasPermission, _>(
            "/admin/has-permission",
            "user_has_permission",
            Access::Session,
            has_permission,
        )
        .about("Whether the caller may do all that is asked; `userId` and `role` change nothing."),
    ]
}

struct HasPermission {
    asked: Option<Statements>,
}

impl FromFields for HasPermission {
    const FORM: Form = Form::ObjectAndEither;

    fn read(fields: &mut Fields) -> Self {
        fields.optional_coerced("userId");
        fields.optional_text("role");
        let singular = fields.fitting_statements("permission", false);
        let plural = fields.fitting_statements("permissions", true);
        match (&singular, &plural) {
            (Some(_), Some(_)) => fields.refuse("Invalid input: more than one option matched"),
            (None, None) => fields.refuse("Invalid input"),
            _ => {}
        }
        Self { asked: plural }
    }
}

async fn has_permission(app: App, call: Call) -> Result<Answer> {
    let body: HasPermission = call.body()?;
    let asked = body.asked.ok_or(NOTHING_ASKED)?;
    let caller = session::current(&app, &call).await?.ok_or(NOBODY)?;
    let success = may(&app, &caller.signed_in.user, &asked);
    Answer::json(&json!({ "error": null, "success": success }))
}
