//! Requests made at random over the fixture and `odd.sql`: a template, and the values and the name that fill it.
//!
//! Shared by two tests: `shape` asks a server to prepare what comes of them, `fuzz/shape` gives it to PostgreSQL's parser.

mod call;
mod filter;
mod read;
mod values;
mod write;

use bytes::Bytes;
use gatepost_data_api::Config;
use gatepost_data_api::error::ApiError;
use gatepost_data_api::plan::{self, types::Plan};
use gatepost_data_api::request::{ApiRequest, HttpRequest};
use gatepost_data_api::schema::Catalog;
use gatepost_data_api::sql::{self, Statement, Statements};
use gatepost_data_api::verify::Identity;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use values::{Filler, escaped};
pub use values::{Values, values};

/// What the fixture lacks.
pub const ODD: &str = include_str!("odd.sql");
/// The schemas that are served.
pub const SCHEMAS: [&str; 2] = ["api", "oth\"er"];
/// What stands in the place of a client's name when nothing is asked about names.
pub const PLAIN_NAME: &str = "ªplainª";

/// What the main statement has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Read,
    Call,
    Insert,
    Update,
    Delete,
}

/// A body: `row` once, or as often as the values say.
#[derive(Clone, Debug)]
pub struct Body {
    content_type: &'static str,
    first: &'static str,
    row: String,
    between: &'static str,
    last: &'static str,
    many: bool,
}

/// A request but for its values. Characters of [`values`] mark where they go.
#[derive(Clone, Debug)]
pub struct Template {
    pub kind: Kind,
    method: &'static str,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(&'static str, String)>,
    body: Option<Body>,
    /// Whether the server caps rows.
    capped: bool,
}

/// What is sent to the database for a request.
#[derive(Debug)]
pub struct Rendered {
    pub settings: Statement,
    pub statements: Statements,
}

/// Every kind of request.
pub fn template() -> impl Strategy<Value = Template> {
    let request = prop_oneof![4 => read::request(), 3 => write::request(), 2 => call::request()];
    (request, headers(), any::<bool>()).prop_map(|(template, headers, capped)| Template {
        headers: template.headers.iter().cloned().chain(headers).collect(),
        capped,
        ..template
    })
}

/// Headers that any request may have.
fn headers() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let header = prop_oneof![
        Just(("prefer", format!("timezone={}", values::WORD))),
        Just(("prefer", "tx=rollback, handling=lenient".to_owned())),
        Just(("prefer", format!("handling=strict, max-affected={}", values::NUMBER))),
        Just(("cookie", format!("a={}; b=\"{}\"", values::WORD, values::WORD))),
        Just(("x-forwarded-for", values::WORD.to_string())),
    ];
    prop::collection::vec(header, 0..3)
}

/// A configuration with everything switched on that adds to what is sent.
pub fn adjust(config: &mut Config) {
    config.db_schemas = SCHEMAS.map(str::to_owned).to_vec();
    config.db_aggregates_enabled = true;
    config.db_plan_enabled = true;
    config.db_tx_allow_override = true;
    config.app_settings = vec![("app.settings.a'b".to_owned(), "x'; --".to_owned())];
    config.safety.statement_timeout = vec![("authenticated".to_owned(), 1000)];
}

impl Template {
    /// The request with these values, and `name` where the client may name something as it likes.
    pub fn request(&self, values: &Values, name: &str) -> HttpRequest {
        let mut filler = Filler::new(values, name);
        let query: Vec<String> = self
            .query
            .iter()
            .map(|(key, value)| {
                let key = filler.fill(key);
                format!("{}={}", escaped(&key), escaped(&filler.fill(value)))
            })
            .collect();
        let mut headers: HeaderMap = self
            .headers
            .iter()
            .map(|(name, value)| {
                let value = filler.fill(value);
                (HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap())
            })
            .collect();
        let body = self.body.as_ref().map(|body| {
            headers.insert("content-type", HeaderValue::from_static(body.content_type));
            let rows = if body.many { values.rows } else { 1 };
            let rows: Vec<String> = (0..rows).map(|_| filler.fill(&body.row)).collect();
            format!("{}{}{}", body.first, rows.join(body.between), body.last)
        });
        HttpRequest {
            method: self.method.parse().unwrap(),
            path: self.path.clone(),
            query: query.join("&"),
            headers,
            body: Bytes::from(body.unwrap_or_default()),
        }
    }

    /// What is sent to the database for the request with these values, or why it is refused.
    pub fn render(
        &self,
        config: &Config,
        catalog: &Catalog,
        values: &Values,
        name: &str,
    ) -> Result<Rendered, ApiError> {
        let config = Config { db_max_rows: self.capped.then_some(1000), ..config.clone() };
        render(&config, catalog, &self.request(values, name), &values.identity())
    }
}

/// What is sent to the database for a request, or why it is refused.
pub fn render(
    config: &Config,
    catalog: &Catalog,
    http: &HttpRequest,
    identity: &Identity,
) -> Result<Rendered, ApiError> {
    let request = ApiRequest::parse(config, http)?;
    let plan = plan::plan(config, catalog, &request, &identity.role)?;
    let settings = sql::settings(config, http, &request, &plan, identity);
    let Plan::Crud(crud) = &plan else { panic!("{http:?} is about no rows") };
    Ok(Rendered { settings, statements: sql::render(config, &request, crud) })
}
