//! An endpoint as data: what the router, the OpenAPI file and the coverage test know of it.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use http::Method;

use super::{
    Answer, Call, Layout,
    fields::{Fields, FromFields, Member},
};
use crate::{app::App, error::Result};

type Answering = Pin<Box<dyn Future<Output = Result<Answer>> + Send>>;

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Anybody; a session changes the answer.
    Optional,
    /// The holder of a session.
    Session,
    /// The holder of a session that began not long ago.
    Fresh,
}

/// Which bodies are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// JSON.
    Json,
    /// JSON and forms, as the sign-in endpoints of Better Auth do.
    JsonAndForm,
    /// The same, as OAuth endpoints do; Better Auth names the two in this order.
    JsonOrForm,
}

/// The code behind an endpoint.
#[derive(Clone)]
pub struct Handler(Arc<dyn Fn(App, Call) -> Answering + Send + Sync>);

impl Handler {
    /// Runs it.
    pub fn call(&self, app: App, call: Call) -> Answering {
        (self.0)(app, call)
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handler")
    }
}

/// One endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Method.
    pub method: Method,
    /// Path below the mount; `{name}` stands for one segment.
    pub path: &'static str,
    /// The Better Auth method in snake case; the operation id. Unique.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Who may call.
    pub access: Access,
    /// Which bodies are read.
    pub accepts: Accepts,
    /// Sign-in by browser: guarded against forged requests even when no cookie comes along.
    pub login: bool,
    /// Members of the body; `None`: no body is read.
    pub body: Option<Vec<Member>>,
    /// Query parameters.
    pub query: Vec<Member>,
    /// Served, but missing from the OpenAPI file: another spelling of an endpoint.
    pub alias: bool,
    /// Served by mounts of this layout only; `None`: by all.
    pub layout: Option<Layout>,
    /// The code behind it.
    pub handler: Handler,
}

impl Endpoint {
    /// A GET endpoint.
    pub fn get<F>(
        path: &'static str,
        name: &'static str,
        access: Access,
        handler: fn(App, Call) -> F,
    ) -> Self
    where
        F: Future<Output = Result<Answer>> + Send + 'static,
    {
        Self::new(Method::GET, path, name, access, handler)
    }

    /// A POST endpoint with a body of type `T`.
    pub fn post<T: FromFields, F>(
        path: &'static str,
        name: &'static str,
        access: Access,
        handler: fn(App, Call) -> F,
    ) -> Self
    where
        F: Future<Output = Result<Answer>> + Send + 'static,
    {
        let mut endpoint = Self::new(Method::POST, path, name, access, handler);
        endpoint.body = Some(Fields::describe::<T>());
        endpoint
    }

    fn new<F>(
        method: Method,
        path: &'static str,
        name: &'static str,
        access: Access,
        handler: fn(App, Call) -> F,
    ) -> Self
    where
        F: Future<Output = Result<Answer>> + Send + 'static,
    {
        Self {
            method,
            path,
            name,
            summary: "",
            access,
            accepts: Accepts::Json,
            login: false,
            body: None,
            query: Vec::new(),
            alias: false,
            layout: None,
            handler: Handler(Arc::new(move |app, call| Box::pin(handler(app, call)))),
        }
    }

    /// What it does, in one sentence.
    #[must_use]
    pub const fn about(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// Its query parameters are those of `T`.
    #[must_use]
    pub fn with_query<T: FromFields>(mut self) -> Self {
        self.query = Fields::describe::<T>();
        self
    }

    /// Served by mounts of this layout only.
    #[must_use]
    pub const fn only(mut self, layout: Layout) -> Self {
        self.layout = Some(layout);
        self
    }

    /// Whether a mount of this layout serves it.
    #[must_use]
    pub fn served_by(&self, layout: Layout) -> bool {
        self.layout.is_none_or(|only| only == layout)
    }

    /// A form that a browser may post to sign somebody in.
    #[must_use]
    pub const fn login(mut self) -> Self {
        self.login = true;
        self.accepts = Accepts::JsonAndForm;
        self
    }

    /// The same under another path, which the OpenAPI file does not list.
    #[must_use]
    pub fn also(&self, method: Method, path: &'static str) -> Self {
        Self { method, path, alias: true, ..self.clone() }
    }
}
