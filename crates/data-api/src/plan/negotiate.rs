//! Which media type the response has and what makes it.

use crate::config::Config;
use crate::error::{ApiError, ErrorKind};
use crate::ident::Name;
use crate::request::ApiRequest;
use crate::request::media::MediaType;
use crate::request::prefer::Return;
use crate::request::types::{Action, CallMethod};
use crate::schema::{Handler, HandlerTarget, Handlers};

/// The first acceptable media type that can be produced for `target`.
///
/// A handler of one relation only applies to whole rows (`default_select`).
pub(super) fn negotiate(
    config: &Config,
    request: &ApiRequest,
    target: &Name,
    handlers: &Handlers,
    default_select: bool,
) -> Result<(Handler, MediaType), ApiError> {
    let lookup = |media: &MediaType| {
        let own = |media: &MediaType| {
            let key = (HandlerTarget::Relation(target.clone()), media.clone());
            handlers.get(&key).filter(|_| default_select)
        };
        own(&MediaType::Any)
            .or_else(|| own(media))
            .or_else(|| handlers.get(&(HandlerTarget::AnyElement, media.clone())))
            .cloned()
    };
    let resolve = |media: &MediaType| match media {
        MediaType::Object { stripped } => {
            Some((Handler::Object { stripped: *stripped }, media.clone()))
        }
        MediaType::ArrayStripped => Some((Handler::Json { stripped: true }, media.clone())),
        MediaType::Plan { .. } if !config.db_plan_enabled => None,
        MediaType::Plan { of, .. } => {
            let handler = match of.as_ref() {
                MediaType::Object { stripped } => Handler::Object { stripped: *stripped },
                MediaType::ArrayStripped => Handler::Json { stripped: true },
                other => lookup(other)?.0,
            };
            Some((handler, media.clone()))
        }
        other => lookup(other),
    };
    let Some((handler, media)) = request.accept.iter().find_map(resolve) else {
        let names: Vec<String> = request.accept.iter().map(MediaType::name).collect();
        return Err(ApiError::new(
            ErrorKind::MediaType,
            format!("None of these media types are available: {}", names.join(", ")),
        ));
    };
    let silent = match &request.action {
        Action::Mutate { .. } => request.prefer.returning != Some(Return::Representation),
        Action::Read { head, .. } => *head,
        Action::Call { method, .. } => *method == CallMethod::Head,
        _ => false,
    };
    Ok((if silent { Handler::None } else { handler }, media))
}
