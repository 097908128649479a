//! Services that send text messages, as data. Each by its public HTTP interface.

use serde::{Deserialize, Serialize};

use super::config::Encoding;

/// A service known by name.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// None: the configuration says it all.
    #[default]
    Custom,
    /// Twilio Programmable Messaging; `account` is the SID, `secret` the auth token.
    Twilio,
    /// Vonage SMS; `account` is the key.
    Vonage,
    /// MessageBird SMS.
    Messagebird,
    /// Plivo; `account` is the auth id.
    Plivo,
    /// Telnyx.
    Telnyx,
    /// Sinch, United States; `account` is the service plan.
    Sinch,
    /// Brevo.
    Brevo,
}

/// How a service is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub url: &'static str,
    /// Name and value.
    pub header: Option<(&'static str, &'static str)>,
    /// `account` and `secret` as user and password (RFC 7617).
    pub basic: bool,
    pub encoding: Encoding,
    pub body: &'static str,
    /// A successful answer holds this.
    pub expect: &'static str,
}

impl Preset {
    /// How the service is asked.
    pub(super) const fn request(self) -> Request {
        let nothing = Request {
            url: "",
            header: None,
            basic: false,
            encoding: Encoding::Json,
            body: "",
            expect: "",
        };
        match self {
            Self::Custom => nothing,
            Self::Twilio => Request {
                url: "https://api.twilio.com/2010-04-01/Accounts/{account}/Messages.json",
                basic: true,
                encoding: Encoding::Form,
                body: "To={to}&From={from}&Body={text}",
                ..nothing
            },
            Self::Vonage => Request {
                url: "https://rest.nexmo.com/sms/json",
                encoding: Encoding::Form,
                body: "api_key={account}&api_secret={secret}&to={digits}&from={from}&text={text}",
                // A refused message is answered with 200 too.
                expect: r#""status":"0""#,
                ..nothing
            },
            Self::Messagebird => Request {
                url: "https://rest.messagebird.com/messages",
                header: Some(("authorization", "AccessKey {secret}")),
                encoding: Encoding::Form,
                body: "recipients={digits}&originator={from}&body={text}",
                ..nothing
            },
            Self::Plivo => Request {
                url: "https://api.plivo.com/v1/Account/{account}/Message/",
                basic: true,
                body: r#"{"src":"{from}","dst":"{digits}","text":"{text}"}"#,
                ..nothing
            },
            Self::Telnyx => Request {
                url: "https://api.telnyx.com/v2/messages",
                header: Some(("authorization", "Bearer {secret}")),
                body: r#"{"from":"{from}","to":"{to}","text":"{text}"}"#,
                ..nothing
            },
            Self::Sinch => Request {
                url: "https://us.sms.api.sinch.com/xms/v1/{account}/batches",
                header: Some(("authorization", "Bearer {secret}")),
                body: r#"{"from":"{from}","to":["{to}"],"body":"{text}"}"#,
                ..nothing
            },
            Self::Brevo => Request {
                url: "https://api.brevo.com/v3/transactionalSMS/send",
                header: Some(("api-key", "{secret}")),
                body: r#"{"sender":"{from}","recipient":"{to}","content":"{text}","type":"transactional"}"#,
                ..nothing
            },
        }
    }
}
