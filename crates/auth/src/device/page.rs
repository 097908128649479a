//! The page at the verification URI: enter the code, see who asks, approve or deny. Without scripts; it changes nothing
//! before a button is pressed, and says nothing of a code to whoever is not signed in.

use http::StatusCode;

use super::{
    review,
    store::{Device, Status},
    user_code,
};
use crate::{
    app::App,
    error::{Error, Result},
    http::{
        Answer, Call, Endpoint,
        endpoint::{Accepts, Access},
        fields::{Fields, FromFields},
    },
    session::{self, Current},
    system::{escape, page},
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let decide = Endpoint::post::<Decided, _>(
        "/device/page",
        "device_page_decide",
        Access::Optional,
        decide,
    )
    .about("The buttons of the page.");
    vec![
        Endpoint::get("/device/page", "device_page", Access::Optional, show)
            .about("A page on which somebody who is signed in approves or denies a device.")
            .with_query::<Asked>(),
        Endpoint { accepts: Accepts::JsonAndForm, ..decide },
    ]
}

struct Asked {
    user_code: Option<String>,
}

impl FromFields for Asked {
    fn read(fields: &mut Fields) -> Self {
        Self { user_code: fields.optional_text("user_code") }
    }
}

async fn show(app: App, call: Call) -> Result<Answer> {
    let asked: Asked = call.query()?;
    let Some(caller) = session::current(&app, &call).await? else { return Ok(strangers(&app)) };
    let typed = asked.user_code.filter(|code| !code.is_empty());
    let Some(typed) = typed else { return Ok(form(&app, "")) };
    match open(&app, &call, &caller, &typed).await? {
        Some(device) => Ok(question(&app, &caller, &device, &typed)),
        None => Ok(dead(&app)),
    }
}

/// The device behind a code, if this user may still decide about it.
async fn open(app: &App, call: &Call, caller: &Current, typed: &str) -> Result<Option<Device>> {
    let user = caller.signed_in.user.id.to_string();
    user_code::count_guess(app, call, &user).await?;
    match review::find(app, call, typed).await {
        Ok(device) => Ok(Some(device).filter(|device| {
            device.status == Some(Status::Pending)
                && device.user_id.as_ref().is_none_or(|owner| *owner == user)
        })),
        Err(Error::OAuth(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

struct Decided {
    user_code: String,
    decision: Status,
}

impl FromFields for Decided {
    fn read(fields: &mut Fields) -> Self {
        let user_code = fields.text("user_code");
        let decision = match fields.choice("decision", &["approve", "deny"]) {
            "approve" => Status::Approved,
            _ => Status::Denied,
        };
        Self { user_code, decision }
    }
}

async fn decide(app: App, call: Call) -> Result<Answer> {
    let body: Decided = call.body()?;
    let Some(caller) = session::current(&app, &call).await? else { return Ok(strangers(&app)) };
    let Some(device) = open(&app, &call, &caller, &body.user_code).await? else {
        return Ok(dead(&app));
    };
    match review::write(&app, &call, &caller, &device, body.decision).await {
        Err(Error::OAuth(_)) => return Ok(dead(&app)),
        other => other?,
    }
    Ok(match body.decision {
        Status::Approved => {
            said("Device approved", "Go back to the device: it is signed in in a moment.")
        }
        Status::Denied | Status::Pending => {
            said("Device turned away", "It was not signed in. You can close this page.")
        }
    })
}

fn said(title: &str, text: &str) -> Answer {
    Answer::html(page(title, &format!("<p>{text}</p>")))
}

fn strangers(app: &App) -> Answer {
    let text = format!(
        "Sign in to {} in this browser first. Then open this page again.",
        escape(&app.config.app_name)
    );
    Answer { status: StatusCode::UNAUTHORIZED, ..said("Sign in first", &text) }
}

/// Wrong, expired, decided, another user's: all read the same.
fn dead(app: &App) -> Answer {
    let answer = form(
        app,
        "<p role=alert>This code is not valid any more, or never was. Look at the device again.</p>",
    );
    Answer { status: StatusCode::BAD_REQUEST, ..answer }
}

fn form(app: &App, before: &str) -> Answer {
    let title = format!("Connect a device to {}", escape(&app.config.app_name));
    let form = "<form method=get><p><label>Code on the device<br><input name=user_code required autofocus \
autocomplete=off autocapitalize=characters spellcheck=false maxlength=32></label>\
<p><button>Continue</button></form>";
    Answer::html(page(&title, &format!("{before}{form}")))
}

fn question(app: &App, caller: &Current, device: &Device, typed: &str) -> Answer {
    let line = |name: &str, value: Option<&str>| match value.filter(|value| !value.is_empty()) {
        Some(value) => format!("<tr><td>{name}<td><b>{}</b>", escape(value)),
        None => String::new(),
    };
    let shown = user_code::shown(typed);
    let rows = [
        line("Code", Some(&shown)),
        line("Program", device.client_id.as_deref()),
        line("Asks for", device.scope.as_deref()),
        line("Signs in as", Some(&caller.signed_in.user.email)),
    ]
    .concat();
    let title = format!("Connect a device to {}?", escape(&app.config.app_name));
    // Whoever sends this link to others hopes that they press the button (RFC 8628 section 5.4).
    let text = format!(
        "<table>{rows}</table><p>Approve only if you started this yourself and the device in front of you shows this \
code. If somebody sent you here, deny.</p><form method=post><input type=hidden name=user_code value=\"{}\">\
<button name=decision value=approve>Approve</button> <button name=decision value=deny>Deny</button></form>",
        escape(typed)
    );
    Answer::html(page(&title, &text))
}
