//! Parse: an HTTP request becomes an [`ApiRequest`]. Pure.

mod filter;
pub mod media;
mod names;
mod parser;
mod payload;
pub mod prefer;
pub mod query;
pub mod range;
mod select;
#[cfg(test)]
mod tests;
pub mod types;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::{HeaderMap, Method};

use crate::config::{Config, OpenApiMode};
use crate::error::{ApiError, ErrorKind};
use crate::ident::Name;
use media::MediaType;
use prefer::Preferences;
use query::QueryParams;
use range::RowRange;
use types::{Action, CallMethod, Mutation, Payload};

/// The parts of an HTTP request the pipeline reads.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// Verb.
    pub method: Method,
    /// Raw path below the mount point.
    pub path: String,
    /// Raw query string, empty if absent.
    pub query: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

/// A request, understood but not yet checked against the catalogue.
#[derive(Clone, Debug)]
pub struct ApiRequest {
    /// What to do.
    pub action: Action,
    /// Ranges per embed, the key ending in `limit`.
    pub ranges: BTreeMap<String, RowRange>,
    /// Range of the root.
    pub top_range: RowRange,
    /// Body.
    pub payload: Option<Payload>,
    /// `Prefer`.
    pub prefer: Preferences,
    /// Query string.
    pub query: QueryParams,
    /// Columns the payload or `columns` names.
    pub columns: BTreeSet<String>,
    /// Schema the request is about.
    pub schema: String,
    /// Whether the schema was chosen by a profile header.
    pub negotiated: bool,
    /// `Accept`, best first.
    pub accept: Vec<MediaType>,
    /// `Content-Type`.
    pub content_type: MediaType,
}

enum Resource {
    Relation(String),
    Function(String),
    Root,
}

impl ApiRequest {
    /// Parses. Errors are the client's.
    pub fn parse(config: &Config, request: &HttpRequest) -> Result<Self, ApiError> {
        let prefer = Preferences::parse(&request.headers, config.db_tx_allow_override);
        let resource = resource(config, &request.path)?;
        let (schema, negotiated) = schema(config, &request.headers, &request.method)?;
        let action = action(resource, &schema, &request.method)?;
        let function_get = matches!(&action, Action::Call { method, .. } if method.is_read());
        let query = QueryParams::parse(&request.query, function_get)?;
        let (top_range, ranges) = ranges(&request.method, &query, &request.headers)?;
        let content_type = header(&request.headers, "content-type")
            .map_or(MediaType::Json, |text| MediaType::parse(&text));
        let (payload, columns) = payload::payload(&action, &content_type, &query, &request.body)?;
        Ok(Self {
            action,
            ranges,
            top_range,
            payload,
            prefer,
            query,
            columns,
            schema,
            negotiated,
            accept: media::accepted(&request.headers),
            content_type,
        })
    }
}

/// A header as text, whatever bytes it holds.
pub(crate) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn resource(config: &Config, path: &str) -> Result<Resource, ApiError> {
    let mut segments: Vec<String> = path
        .trim_start_matches('/')
        .split('/')
        .map(|part| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned())
        .collect();
    if segments.iter().all(String::is_empty) && segments.len() == 1 {
        segments.clear();
    }
    match segments.as_slice() {
        [] => match (&config.db_root_spec, config.openapi_mode) {
            (_, OpenApiMode::Disabled) => {
                Err(ApiError::new(ErrorKind::OpenApiDisabled, "Root endpoint metadata is disabled"))
            }
            (Some(function), _) => Ok(Resource::Function(function.name.clone())),
            (None, _) => Ok(Resource::Root),
        },
        [table] => Ok(Resource::Relation(table.clone())),
        [rpc, function] if rpc == "rpc" => Ok(Resource::Function(function.clone())),
        _ => Err(ApiError::new(ErrorKind::InvalidPath, "Invalid path specified in request URL")),
    }
}

fn schema(
    config: &Config,
    headers: &HeaderMap,
    method: &Method,
) -> Result<(String, bool), ApiError> {
    let name = match *method {
        Method::DELETE | Method::PATCH | Method::POST | Method::PUT => "content-profile",
        _ => "accept-profile",
    };
    match header(headers, name) {
        Some(profile) if config.db_schemas.contains(&profile) => Ok((profile, true)),
        Some(profile) => {
            Err(ApiError::new(ErrorKind::UnacceptableSchema, format!("Invalid schema: {profile}"))
                .with_hint(format!(
                    "Only the following schemas are exposed: {}",
                    config.db_schemas.join(", ")
                )))
        }
        None => Ok((
            config.db_schemas.first().cloned().unwrap_or_default(),
            config.db_schemas.len() != 1,
        )),
    }
}

fn action(resource: Resource, schema: &str, method: &Method) -> Result<Action, ApiError> {
    let unsupported = || {
        Err(ApiError::new(
            ErrorKind::UnsupportedMethod,
            format!("Unsupported HTTP method: {method}"),
        ))
    };
    match resource {
        Resource::Function(name) => {
            let function = Name::new(schema, name);
            match method.as_str() {
                "HEAD" => Ok(Action::Call { function, method: CallMethod::Head }),
                "GET" => Ok(Action::Call { function, method: CallMethod::Get }),
                "POST" => Ok(Action::Call { function, method: CallMethod::Post }),
                "OPTIONS" => Ok(Action::FunctionInfo(function)),
                other => Err(ApiError::new(
                    ErrorKind::InvalidRpcMethod,
                    format!("Cannot use the {other} method on RPC"),
                )),
            }
        }
        Resource::Relation(name) => {
            let relation = Name::new(schema, name);
            match method.as_str() {
                "HEAD" => Ok(Action::Read { relation, head: true }),
                "GET" => Ok(Action::Read { relation, head: false }),
                "POST" => Ok(Action::Mutate { relation, mutation: Mutation::Create }),
                "PUT" => Ok(Action::Mutate { relation, mutation: Mutation::SingleUpsert }),
                "PATCH" => Ok(Action::Mutate { relation, mutation: Mutation::Update }),
                "DELETE" => Ok(Action::Mutate { relation, mutation: Mutation::Delete }),
                "OPTIONS" => Ok(Action::RelationInfo(relation)),
                _ => unsupported(),
            }
        }
        Resource::Root => match method.as_str() {
            "HEAD" => Ok(Action::Schema { schema: schema.to_owned(), head: true }),
            "GET" => Ok(Action::Schema { schema: schema.to_owned(), head: false }),
            "OPTIONS" => Ok(Action::SchemaInfo),
            _ => unsupported(),
        },
    }
}

fn ranges(
    method: &Method,
    query: &QueryParams,
    headers: &HeaderMap,
) -> Result<(RowRange, BTreeMap<String, RowRange>), ApiError> {
    // RFC 9110 section 14.2: Range only means something on GET.
    let from_header = match (method, header(headers, "range")) {
        (&Method::GET, Some(text)) => RowRange::parse_header(&text),
        _ => RowRange::ALL,
    };
    let limit = query.ranges.get("limit").copied().unwrap_or_default();
    let both = from_header.intersection(limit);
    let top = if limit.is_limit_zero() { RowRange::LIMIT_ZERO } else { both };
    if top.is_empty() && !limit.is_limit_zero() {
        let details = if from_header.is_empty() {
            "The lower boundary must be lower than or equal to the upper boundary in the Range header."
        } else {
            "Limit should be greater than or equal to zero."
        };
        return Err(ApiError::new(ErrorKind::InvalidRange, "Requested range not satisfiable")
            .with_details(details));
    }
    if *method == Method::PUT && top != RowRange::ALL {
        return Err(ApiError::new(
            ErrorKind::PutLimit,
            "limit/offset querystring parameters are not allowed for PUT",
        ));
    }
    let mut ranges = query.ranges.clone();
    ranges.insert("limit".to_owned(), top);
    Ok((top, ranges))
}
