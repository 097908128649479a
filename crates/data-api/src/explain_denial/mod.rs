//! Which policy said no: for an administrator, never for the end user.
//!
//! The rows a request is about are read with rights above Row Level Security; each policy that judges them then becomes
//! a boolean over them, evaluated as the subject, read-only and under a time limit. It is evaluated on a connection of
//! the Data API's own login: whatever a policy calls finds the subject's rights and no others. Above Row Level Security
//! nothing runs that others wrote: columns are compared by PostgreSQL's own operators and leave as text.

mod judge;
mod policies;
mod privileges;
mod rows;

use serde::Serialize;
use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::config::{Config, Safety};
use crate::error::{ApiError, ErrorKind};
use crate::ident::Name;
use crate::plan;
use crate::plan::types::{CallPlan, CrudPlan, MutatePlan, Plan, Work};
use crate::request::{ApiRequest, HttpRequest};
use crate::schema::{Catalog, Table};
use crate::sql::{Statement, settings};
use crate::verify::Identity;

pub use policies::PolicyVerdict;

/// Most rows looked at.
const MOST_ROWS: i64 = 20;
const TIME_LIMIT: &str = "SET LOCAL statement_timeout = '2s'";

/// What is known about a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Explanation {
    /// Of a relation.
    Relation(Denial),
    /// Of a function.
    Function(CallDenial),
}

/// What the policies of a table say about a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Denial {
    /// The table.
    pub table: Name,
    /// SELECT, INSERT, UPDATE, DELETE, or UPSERT for an insert that may become an update.
    pub command: &'static str,
    /// The role the subject becomes.
    pub role: String,
    /// The code by which the Data API itself refuses, whatever the database says.
    pub refused: Option<String>,
    /// Whether the role has every privilege that the request needs.
    pub granted: bool,
    /// The privileges that it has not.
    pub missing: Vec<String>,
    /// Whether policies are in force.
    pub row_security: bool,
    /// Rows the request is about, at most 20: as stored, or as they would be written.
    pub rows: Vec<Value>,
    /// Of each row, whether the policies together let it pass.
    pub allowed: Vec<bool>,
    /// Stored rows that an upsert would change, at most 20.
    pub conflicting: Vec<Value>,
    /// Policies that judge the request.
    pub policies: Vec<PolicyVerdict>,
}

/// What is known about the call of a function. What happens within it is not evaluated: it could write.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallDenial {
    /// The function.
    pub function: Name,
    /// EXECUTE.
    pub command: &'static str,
    /// The role the subject becomes.
    pub role: String,
    /// The code by which the Data API itself refuses, whatever the database says.
    pub refused: Option<String>,
    /// Whether the role may call it.
    pub granted: bool,
    /// The privileges that it has not.
    pub missing: Vec<String>,
    /// Whether it runs with its owner's rights, and so past the caller's policies.
    pub security_definer: bool,
}

/// The two logins of an explanation.
pub struct Connections {
    /// Above Row Level Security: reads rows and policies, runs nothing of theirs.
    pub above: Client,
    /// The Data API's login: becomes the subject.
    pub login: Client,
}

impl Connections {
    /// Connects for one explanation.
    ///
    /// # Errors
    /// A database that cannot be reached; the log says why.
    pub async fn open(above: &str, login: &str) -> Result<Self, ApiError> {
        Ok(Self { above: connect(above).await?, login: connect(login).await? })
    }
}

/// A connection of one's own, closed when it is dropped.
pub(crate) async fn connect(url: &str) -> Result<Client, ApiError> {
    match gatepost_postgres::connect(url).await {
        Ok((client, _connection)) => Ok(client),
        Err(error) => {
            tracing::error!(%error, "cannot connect for the administration");
            Err(ApiError::new(ErrorKind::Connection, "Database connection error."))
        }
    }
}

/// Explains what the policies say about `http` made by `identity`.
///
/// # Errors
/// A request of neither a table nor a function, a database that refuses.
pub async fn explain_denial(
    connections: &Connections,
    config: &Config,
    catalog: &Catalog,
    http: &HttpRequest,
    identity: &Identity,
) -> Result<Explanation, ApiError> {
    let request = ApiRequest::parse(config, http)?;
    let (plan, refused) = planned(config, catalog, &request, &identity.role)?;
    let who = settings(config, http, &request, &plan, identity);
    let Plan::Crud(crud) = plan else {
        return Err(unexplained("Only requests of tables and functions can be explained"));
    };
    // With an empty path every name in an expression is printed with its schema.
    let above = &connections.above;
    above.batch_execute("SET search_path = ''").await.map_err(|error| failed(&error))?;
    if let Work::Call { plan, .. } = &crud.work {
        return call(above, plan, identity, refused).await.map(Explanation::Function);
    }
    let table = catalog
        .table(&crud.target)
        .ok_or_else(|| unexplained("Only requests of tables and functions can be explained"))?;
    if table.is_view {
        let read = rows::of_view(above, table).await.map_err(|error| failed(&error))?;
        return Err(unexplained("Views have no policies: ask about the tables that it reads")
            .with_details(read.join(", ")));
    }
    relation(connections, catalog, &crud, table, &who, identity, refused)
        .await
        .map(Explanation::Relation)
}

/// The plan, and the code by which the Data API itself refuses it.
fn planned(
    config: &Config,
    catalog: &Catalog,
    request: &ApiRequest,
    role: &str,
) -> Result<(Plan, Option<String>), ApiError> {
    match plan::plan(config, catalog, request, role) {
        Ok(plan) => Ok((plan, None)),
        Err(error) if error.code.starts_with("GPDA") => {
            let safety = Safety {
                row_security_required_for: Vec::new(),
                hidden_schemas: Vec::new(),
                ..config.safety.clone()
            };
            let open = Config { safety, ..config.clone() };
            Ok((plan::plan(&open, catalog, request, role)?, Some(error.code.clone())))
        }
        Err(error) => Err(error),
    }
}

async fn call(
    above: &Client,
    plan: &CallPlan,
    identity: &Identity,
    refused: Option<String>,
) -> Result<CallDenial, ApiError> {
    let missing = privileges::of_function(above, &plan.routine, &identity.role)
        .await
        .map_err(|error| failed(&error))?;
    Ok(CallDenial {
        function: plan.routine.name.clone(),
        command: "EXECUTE",
        role: identity.role.clone(),
        refused,
        granted: missing.is_empty(),
        missing,
        security_definer: plan.routine.definer,
    })
}

async fn relation(
    connections: &Connections,
    catalog: &Catalog,
    crud: &CrudPlan,
    table: &Table,
    who: &Statement,
    identity: &Identity,
    refused: Option<String>,
) -> Result<Denial, ApiError> {
    let Connections { above, login } = connections;
    let role = &identity.role;
    let missing = privileges::missing(above, catalog, crud, table, role)
        .await
        .map_err(|error| failed(&error))?;
    let found = rows::find(above, table, &crud.work, &crud.read.conditions).await?;
    let judged = judge::judged(&crud.work);
    let known = policies::find(above, table, role).await.map_err(|error| failed(&error))?;
    let verdicts = policies::evaluate(login, table, &known, &judged, &found, who).await;
    let row_security = rows::row_security(above, table).await.map_err(|error| failed(&error))?;
    let written = matches!(command(&crud.work), "INSERT" | "UPSERT");
    let given = if written { &found.written } else { &found.stored };
    let allowed = if row_security {
        judge::allowed(&judged, &verdicts, given.len(), written)
    } else {
        vec![true; given.len()]
    };
    let rows = rows::shown(login, table, given, &found, who).await;
    let conflicting = match written {
        true => rows::shown(login, table, &found.stored, &found, who).await,
        false => Vec::new(),
    };
    Ok(Denial {
        table: table.name.clone(),
        command: command(&crud.work),
        role: role.clone(),
        refused,
        granted: missing.is_empty(),
        missing,
        row_security,
        rows,
        allowed,
        conflicting,
        policies: verdicts,
    })
}

fn command(work: &Work) -> &'static str {
    match work {
        Work::Read { .. } => "SELECT",
        Work::Call { .. } => "EXECUTE",
        Work::Mutate { plan, .. } => match plan.as_ref() {
            MutatePlan::Insert { on_conflict: Some(_), .. } => "UPSERT",
            MutatePlan::Insert { .. } => "INSERT",
            MutatePlan::Update { .. } => "UPDATE",
            MutatePlan::Delete { .. } => "DELETE",
        },
    }
}

fn unexplained(message: &str) -> ApiError {
    ApiError::new(ErrorKind::NotImplemented, message).with_status(501)
}

fn failed(error: &tokio_postgres::Error) -> ApiError {
    ApiError::new(
        ErrorKind::Internal,
        format!("The request could not be explained: {}", reason(error)),
    )
}

/// The database's own words, or that there are none.
fn reason(error: &tokio_postgres::Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| "the connection broke".to_owned(), |error| error.message().to_owned())
}

/// A statement without preparing it.
async fn query(client: &Client, statement: &Statement) -> Result<Vec<Row>, tokio_postgres::Error> {
    let params: Vec<(&(dyn ToSql + Sync), Type)> = statement
        .params
        .iter()
        .map(|param| (param as &(dyn ToSql + Sync), param.kind.clone()))
        .collect();
    client.query_typed(&statement.text, &params).await
}

/// One statement as the subject: read-only, two seconds, and undone.
async fn as_subject(
    login: &Client,
    who: &Statement,
    statement: &Statement,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    let asked = async {
        login.batch_execute("BEGIN READ ONLY").await?;
        query(login, who).await?;
        login.batch_execute(TIME_LIMIT).await?;
        query(login, statement).await
    };
    let answer = asked.await;
    login.batch_execute("ROLLBACK").await?;
    answer
}
