//! `GET` and `POST /next-step`, and `POST /organization/set-default`.

use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{
    Config,
    store::{self, Choice, Situation},
};
use crate::{
    app::{App, connection},
    error::Result,
    http::{
        Answer, Call, Endpoint,
        endpoint::Access,
        fields::{Fields, FromFields},
    },
    organization::{
        self,
        store::organizations::{self as organizations, Which},
    },
    session::{self, ActiveOrganization, routes::Nothing},
    wire,
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/next-step", "next_step", Access::Optional, next_step)
            .about("What comes after sign-in: found an organization, enter one, or choose."),
        Endpoint::post::<Nothing, _>("/next-step", "take_next_step", Access::Session, take_next_step)
            .about("The same, and enters: the organization becomes the session's active one."),
        Endpoint::post::<Default, _>(
            "/organization/set-default",
            "set_default_organization",
            Access::Session,
            set_default,
        )
        .about("The organization to enter after sign-in when there are several; `null`: always choose."),
    ]
}

/// What comes next.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Step {
    /// Nobody is signed in.
    SignIn,
    /// The user is in no organization.
    RegisterOrganization,
    /// There are several, and none is the default.
    ChooseOrganization,
    /// `organization` says which.
    EnterOrganization,
}

#[derive(Serialize)]
struct Body<'a> {
    step: Step,
    /// The application's page for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    organization: Option<&'a Choice>,
    organizations: &'a [Choice],
    invitations: i64,
}

/// The one that is active, if its user is still in it; the only one; the default.
fn decide(situation: &Situation, active: Option<Uuid>) -> (Step, Option<&Choice>) {
    let choices = &situation.choices;
    let entered = choices
        .iter()
        .find(|choice| Some(choice.id) == active)
        .or_else(|| choices.first().filter(|_| choices.len() == 1))
        .or_else(|| choices.iter().find(|choice| choice.is_default));
    match entered {
        Some(choice) => (Step::EnterOrganization, Some(choice)),
        None if choices.is_empty() => (Step::RegisterOrganization, None),
        None => (Step::ChooseOrganization, None),
    }
}

fn url(config: &Config, step: Step, entered: Option<&Choice>) -> Option<String> {
    let page = match step {
        Step::SignIn => &config.sign_in_page,
        Step::RegisterOrganization => &config.register_page,
        Step::ChooseOrganization => &config.choose_page,
        Step::EnterOrganization => &config.home_page,
    };
    let page = match entered {
        // A slug is its members' own text: it must not lead anywhere else.
        Some(choice) => page
            .replace("{slug}", &wire::component(&choice.slug))
            .replace("{id}", &choice.id.to_string()),
        None => page.clone(),
    };
    Some(page).filter(|page| !page.is_empty())
}

fn answer(
    app: &App,
    situation: &Situation,
    step: Step,
    entered: Option<&Choice>,
) -> Result<Answer> {
    Answer::json(&Body {
        step,
        url: url(&app.config.next_step, step, entered),
        organization: entered,
        organizations: &situation.choices,
        invitations: situation.invitations,
    })
}

async fn next_step(app: App, call: Call) -> Result<Answer> {
    let Some(caller) = session::current(&app, &call).await? else {
        return answer(&app, &Situation::default(), Step::SignIn, None);
    };
    let user = caller.signed_in.user.id;
    let situation = store::situation(&connection(&app).await?, user, call.now).await?;
    let active = caller.signed_in.organization.as_ref().map(|active| active.id);
    let (step, entered) = decide(&situation, active);
    answer(&app, &situation, step, entered)
}

async fn take_next_step(app: App, call: Call) -> Result<Answer> {
    let _: Nothing = call.body()?;
    let caller = session::required_now(&app, &call).await?;
    let (session, user) = (caller.signed_in.session.id, caller.signed_in.user.id);
    let conn = connection(&app).await?;
    let situation = store::situation(&conn, user, call.now).await?;
    let active = caller.signed_in.organization.as_ref().map(|active| active.id);
    let (step, entered) = decide(&situation, active);
    let reply = answer(&app, &situation, step, entered)?;
    let Some(choice) = entered.filter(|choice| Some(choice.id) != active) else { return Ok(reply) };
    let which = Which::Id(choice.id);
    match organizations::activate(&conn, session, user, which, call.now).await? {
        Some((_, Some(role))) => {
            let active = ActiveOrganization { id: choice.id, slug: choice.slug.clone(), role };
            let pointed = organization::pointed_at(&caller, Some(active));
            Ok(reply.with_session(&app, &call, &pointed))
        }
        // The membership ended between the two statements.
        _ => answer(&app, &situation, Step::ChooseOrganization, None),
    }
}

struct Default {
    organization: Option<Option<String>>,
}

impl FromFields for Default {
    fn read(fields: &mut Fields) -> Self {
        Self { organization: fields.nullable_text("organizationId") }
    }
}

async fn set_default(app: App, call: Call) -> Result<Answer> {
    let body: Default = call.body()?;
    let caller = session::required_now(&app, &call).await?;
    let user = caller.signed_in.user.id;
    let conn = connection(&app).await?;
    match body.organization.ok_or(organization::ORGANIZATION_ID_REQUIRED)? {
        None => store::clear_default(&conn, user).await?,
        Some(id) => {
            let known = match Uuid::try_parse(&id) {
                Ok(id) => store::set_default(&conn, user, id).await?,
                Err(_) => false,
            };
            if !known {
                return Err(organization::STRANGER.into());
            }
        }
    }
    Answer::json(&json!({ "status": true }))
}
