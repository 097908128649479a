//! The application sends the message itself: Neon's event `send.otp`, signed by the key that signs tokens.
//!
//! The signature covers `timestamp.base64url(body)` as a detached JWS (RFC 7515 appendix F), as Neon's documentation
//! has it; its key is found in the published set by `kid`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use gatepost_outbound::{Answer, Request};
use gatepost_protocol::jwk::SigningKey;
use http::{HeaderName, HeaderValue};
use serde_json::json;
use uuid::Uuid;

use super::TextCode;
use crate::mail::Failure;

const EVENT: &str = "send.otp";

/// A message and what names its event.
pub(super) struct Event<'a> {
    /// The same for every attempt.
    pub id: Uuid,
    pub created_at: DateTime<Utc>,
    /// From 1.
    pub attempt: i32,
    pub to: &'a str,
    pub message: &'a TextCode,
    /// Names this server.
    pub project: &'a str,
    pub now: DateTime<Utc>,
}

/// The call.
///
/// # Errors
/// Temporary, when it cannot be signed.
pub(super) fn request(url: &str, event: &Event<'_>, key: &SigningKey) -> Result<Request, Failure> {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let body = json!({
        "event_id": event.id,
        "event_type": EVENT,
        "timestamp": time(event.created_at),
        "context": { "endpoint_id": event.project, "project_name": event.project },
        "user": { "id": event.message.user, "phone_number": event.to },
        "event_data": {
            "otp_code": event.message.otp,
            "otp_type": event.message.purpose.otp_type(),
            "delivery_preference": "sms",
            "expires_at": time(event.message.expires_at),
            "ip_address": event.message.ip_address,
            "user_agent": event.message.user_agent,
            "text": event.message.text,
        },
    })
    .to_string();
    let timestamp = event.now.timestamp_millis().to_string();
    let signed = format!("{timestamp}.{}", URL_SAFE_NO_PAD.encode(&body));
    let signature = key
        .sign_detached(signed.as_bytes())
        .map_err(|error| Failure::Temporary(format!("the webhook cannot be signed: {error}")))?;
    let headers = [
        ("x-neon-signature", signature),
        ("x-neon-signature-kid", key.kid().to_owned()),
        ("x-neon-timestamp", timestamp),
        ("x-neon-event-type", EVENT.to_owned()),
        ("x-neon-event-id", event.id.to_string()),
        ("x-neon-delivery-attempt", event.attempt.to_string()),
    ];
    let json = HeaderValue::from_static("application/json");
    let mut request = Request::post(url).body(json, Bytes::from(body));
    for (name, value) in headers {
        let value = HeaderValue::from_str(&value)
            .map_err(|_| Failure::Temporary("the webhook's headers cannot be made".to_owned()))?;
        request = request.header(HeaderName::from_static(name), value);
    }
    Ok(request)
}

/// Whether the application took the message.
///
/// # Errors
/// Temporary where another attempt may succeed.
pub(super) fn judge(answer: &Answer) -> Result<(), Failure> {
    let status = answer.status;
    if status.is_success() {
        return Ok(());
    }
    let words = format!("the webhook answered {}", status.as_u16());
    let passes = status.is_server_error() || matches!(status.as_u16(), 408 | 429);
    Err(if passes { Failure::Temporary(words) } else { Failure::Permanent(words) })
}
