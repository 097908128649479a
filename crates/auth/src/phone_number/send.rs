//! `POST /phone-number/send-otp`.

use serde_json::json;

use super::{Reach, TextPurpose, count_message, number, store, text_code};
use crate::{
    app::{App, connection},
    error::Result,
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    session, user,
};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::post::<Number, _>(
        "/phone-number/send-otp",
        "send_phone_number_otp",
        Access::Optional,
        send_otp,
    )
    .about("Text a code. The answer does not tell whether the number is known.")
}

pub(super) struct Number {
    pub text: String,
}

impl FromFields for Number {
    fn read(fields: &mut Fields) -> Self {
        Self { text: fields.text("phoneNumber") }
    }
}

async fn send_otp(app: App, call: Call) -> Result<Answer> {
    let body: Number = call.body()?;
    let number = number(&app, &body.text)?;
    count_message(&app, &call, &number).await?;
    let config = &app.config.phone_number;
    // Somebody who is signed in may want to have the number; for anybody else the code would be good for nothing.
    let useful =
        config.sign_up || config.send_to_unknown || session::current(&app, &call).await?.is_some();
    let mut conn = connection(&app).await?;
    let tx = conn.transaction().await?;
    let owner = store::find_user(&tx, &number).await?;
    let reach = match &owner {
        Some(owner) if user::is_banned(owner, call.now) => Reach::Nobody,
        Some(owner) => Reach::Owner(owner),
        None if useful => Reach::Somebody,
        None => Reach::Nobody,
    };
    text_code(&app, &call, &tx, TextPurpose::Verify, &number, reach).await?;
    tx.commit().await?;
    Answer::json(&json!({ "message": "code sent" }))
}
