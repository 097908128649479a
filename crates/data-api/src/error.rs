//! Refusals and failures as clients of PostgREST know them: `{code, details, hint, message}`.

use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

/// Whose rule refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No connection to the database.
    Connection,
    /// The connection broke during the request.
    ConnectionLost,
    /// The catalogue is not loaded.
    NoCatalog,
    /// No connection was free in time.
    PoolTimeout,
    /// The query string does not parse.
    Query,
    /// Verb not allowed on a function.
    InvalidRpcMethod,
    /// Bad request body.
    InvalidBody,
    /// Range not satisfiable.
    InvalidRange,
    /// PUT without exactly the key filters.
    InvalidFilters,
    /// Schema not exposed.
    UnacceptableSchema,
    /// No acceptable media type.
    MediaType,
    /// Filter on something not embedded.
    NotEmbedded,
    /// `response.headers` malformed.
    GucHeaders,
    /// `response.status` malformed.
    GucStatus,
    /// limit or offset with PUT.
    PutLimit,
    /// PUT payload does not match its key filters.
    PutMismatch,
    /// Not exactly one row.
    Singularity,
    /// Unknown HTTP method.
    UnsupportedMethod,
    /// Order by a to-many embed.
    RelatedOrder,
    /// RAISE 'PGRST' payload malformed.
    RaiseParse,
    /// Unknown preference under strict handling.
    InvalidPreferences,
    /// Aggregates are off.
    AggregatesDisabled,
    /// More rows than `max-affected`.
    MaxAffected,
    /// Path is neither relation nor function.
    InvalidPath,
    /// Root is off.
    OpenApiDisabled,
    /// Not implemented.
    NotImplemented,
    /// `max-affected` on a function returning one row.
    MaxAffectedRpc,
    /// No relationship.
    NoRelationship,
    /// Several relationships.
    AmbiguousRelationship,
    /// No such function.
    NoFunction,
    /// Several functions.
    AmbiguousFunction,
    /// No such column.
    NoColumn,
    /// No such relation.
    NoTable,
    /// No JWT key configured.
    NoJwtSecret,
    /// Token cannot be decoded.
    JwtDecode,
    /// Anonymous access is off.
    JwtRequired,
    /// Claims rejected.
    JwtClaims,
    /// A table without Row Level Security.
    NoRowSecurity,
    /// Request too large or too deep.
    LimitExceeded,
    /// For administrators only.
    NotAdministrator,
    /// A function with its owner's rights that nobody granted to the caller by name.
    OpenDefiner,
    /// A view over the schema of the auth server.
    ShowsAuth,
    /// Something else went wrong here.
    Internal,
}

impl ErrorKind {
    /// Those that PostgREST does not have.
    pub const OWN: [Self; 5] = [
        Self::NoRowSecurity,
        Self::LimitExceeded,
        Self::NotAdministrator,
        Self::OpenDefiner,
        Self::ShowsAuth,
    ];

    /// Stable code and HTTP status.
    pub fn code(self) -> (&'static str, u16) {
        match self {
            Self::Connection => ("PGRST000", 503),
            Self::ConnectionLost => ("PGRST001", 503),
            Self::NoCatalog => ("PGRST002", 503),
            Self::PoolTimeout => ("PGRST003", 504),
            Self::Query => ("PGRST100", 400),
            Self::InvalidRpcMethod => ("PGRST101", 405),
            Self::InvalidBody => ("PGRST102", 400),
            Self::InvalidRange => ("PGRST103", 416),
            Self::InvalidFilters => ("PGRST105", 405),
            Self::UnacceptableSchema => ("PGRST106", 406),
            Self::MediaType => ("PGRST107", 406),
            Self::NotEmbedded => ("PGRST108", 400),
            Self::GucHeaders => ("PGRST111", 500),
            Self::GucStatus => ("PGRST112", 500),
            Self::PutLimit => ("PGRST114", 400),
            Self::PutMismatch => ("PGRST115", 400),
            Self::Singularity => ("PGRST116", 406),
            Self::UnsupportedMethod => ("PGRST117", 405),
            Self::RelatedOrder => ("PGRST118", 400),
            Self::RaiseParse => ("PGRST121", 500),
            Self::InvalidPreferences => ("PGRST122", 400),
            Self::AggregatesDisabled => ("PGRST123", 400),
            Self::MaxAffected => ("PGRST124", 400),
            Self::InvalidPath => ("PGRST125", 404),
            Self::OpenApiDisabled => ("PGRST126", 404),
            Self::NotImplemented => ("PGRST127", 400),
            Self::MaxAffectedRpc => ("PGRST128", 400),
            Self::NoRelationship => ("PGRST200", 400),
            Self::AmbiguousRelationship => ("PGRST201", 300),
            Self::NoFunction => ("PGRST202", 404),
            Self::AmbiguousFunction => ("PGRST203", 300),
            Self::NoColumn => ("PGRST204", 400),
            Self::NoTable => ("PGRST205", 404),
            Self::NoJwtSecret => ("PGRST300", 500),
            Self::JwtDecode => ("PGRST301", 401),
            Self::JwtRequired => ("PGRST302", 401),
            Self::JwtClaims => ("PGRST303", 401),
            Self::NoRowSecurity => ("GPDA001", 403),
            Self::LimitExceeded => ("GPDA002", 400),
            Self::NotAdministrator => ("GPDA003", 403),
            Self::OpenDefiner => ("GPDA004", 403),
            Self::ShowsAuth => ("GPDA005", 403),
            Self::Internal => ("PGRSTX00", 500),
        }
    }
}

/// Body of an error, keys in alphabetical order as PostgREST sends them.
#[derive(Debug, Serialize)]
struct Body<'a> {
    code: &'a str,
    details: &'a Option<Value>,
    hint: &'a Option<String>,
    message: &'a str,
}

#[derive(Debug, Serialize)]
struct MinimalBody<'a> {
    code: &'a str,
    message: &'a str,
}

/// What a client is told.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorParts {
    /// HTTP status.
    pub status: u16,
    /// Reason phrase other than the status' own.
    pub reason: Option<String>,
    /// Stable code: `PGRST…` or an SQLSTATE.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// More about it.
    pub details: Option<Value>,
    /// What to do.
    pub hint: Option<String>,
    /// Extra headers.
    pub headers: Vec<(String, String)>,
}

/// An error on its way to the client.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError(Box<ErrorParts>);

impl std::ops::Deref for ApiError {
    type Target = ErrorParts;

    fn deref(&self) -> &ErrorParts {
        &self.0
    }
}

impl From<ErrorParts> for ApiError {
    fn from(parts: ErrorParts) -> Self {
        Self(Box::new(parts))
    }
}

impl ApiError {
    /// An error with its kind's code and status.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let (code, status) = kind.code();
        let message = message.into();
        let headers = match kind {
            ErrorKind::JwtDecode | ErrorKind::JwtClaims => vec![(
                "WWW-Authenticate".to_owned(),
                format!("Bearer error=\"invalid_token\", error_description={message:?}"),
            )],
            ErrorKind::JwtRequired => vec![("WWW-Authenticate".to_owned(), "Bearer".to_owned())],
            _ => Vec::new(),
        };
        let code = code.to_owned();
        ErrorParts { status, reason: None, code, message, details: None, hint: None, headers }
            .into()
    }

    /// Adds details.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<Value>) -> Self {
        self.0.details = Some(details.into());
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        self.with_optional_hint(Some(hint.into()))
    }

    /// Adds a hint if there is one.
    #[must_use]
    pub fn with_optional_hint(mut self, hint: Option<String>) -> Self {
        self.0.hint = hint;
        self
    }

    /// The same without a hint.
    #[must_use]
    pub fn without_hint(self) -> Self {
        self.with_optional_hint(None)
    }

    /// The same with other words.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    /// The same with another HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.status = status;
        self
    }

    /// The body; `minimal` hides details and hint.
    pub fn body(&self, minimal: bool) -> String {
        if self.code.is_empty() {
            return serde_json::json!({ "message": self.message }).to_string();
        }
        let result = if minimal {
            serde_json::to_string(&MinimalBody { code: &self.code, message: &self.message })
        } else {
            serde_json::to_string(&Body {
                code: &self.code,
                details: &self.details,
                hint: &self.hint,
                message: &self.message,
            })
        };
        result.unwrap_or_default()
    }

    /// HTTP status.
    pub fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}
