//! Which policy said no: for an administrator, never for the end user.
//!
//! The rows a request is about are read with rights above Row Level Security; each policy of the command then becomes a
//! boolean column over them, evaluated as the subject, read-only and under a time limit. It is evaluated on a connection
//! of the Data API's own login: whatever a policy calls finds the subject's rights and no others.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use crate::config::Config;
use crate::error::{ApiError, ErrorKind};
use crate::ident::{CatalogSql, Name};
use crate::plan;
use crate::plan::types::{Condition, MutatePlan, Plan, Work};
use crate::request::{ApiRequest, HttpRequest};
use crate::schema::{Catalog, Table};
use crate::sql::{Param, Sql, Statement, conditions, settings};
use crate::verify::Identity;

/// Most rows looked at.
const MOST_ROWS: i64 = 20;
const TIME_LIMIT: &str = "SET LOCAL statement_timeout = '2s'";

/// What the policies of a table say about a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Denial {
    /// The table.
    pub table: Name,
    /// SELECT, INSERT, UPDATE or DELETE.
    pub command: &'static str,
    /// The role the subject becomes.
    pub role: String,
    /// Whether the role has the privilege at all.
    pub granted: bool,
    /// Whether policies are in force.
    pub row_security: bool,
    /// Rows the request is about, at most 20: as stored, or as they would be written.
    pub rows: Vec<Value>,
    /// Policies of the command.
    pub policies: Vec<PolicyVerdict>,
}

/// What one clause of one policy says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PolicyVerdict {
    /// Its name.
    pub name: String,
    /// All restrictive and at least one permissive policy must hold.
    pub permissive: bool,
    /// Whether it is for the subject's role.
    pub applies: bool,
    /// `USING` or `WITH CHECK`.
    pub clause: &'static str,
    /// The expression.
    pub expression: String,
    /// Its value for each row; NULL counts as false. `None` if it could not be evaluated.
    pub holds: Option<Vec<bool>>,
    /// Why it could not.
    pub error: Option<String>,
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
        let connect = async |url: &str| match gatepost_postgres::connect(url).await {
            Ok((client, _connection)) => Ok(client),
            Err(error) => {
                tracing::error!(%error, "cannot connect to explain a request");
                Err(ApiError::new(ErrorKind::Connection, "Database connection error."))
            }
        };
        Ok(Self { above: connect(above).await?, login: connect(login).await? })
    }
}

fn failed(error: &tokio_postgres::Error) -> ApiError {
    let reason = error
        .as_db_error()
        .map_or_else(|| "the connection broke".to_owned(), |error| error.message().to_owned());
    ApiError::new(ErrorKind::Internal, format!("The request could not be explained: {reason}"))
}

struct Policy {
    name: String,
    permissive: bool,
    applies: bool,
    clause: &'static str,
    expression: String,
}

/// Explains what the policies say about `http` made by `identity`.
///
/// # Errors
/// A request that is none of a relation, a database that refuses.
pub async fn explain_denial(
    connections: &Connections,
    config: &Config,
    catalog: &Catalog,
    http: &HttpRequest,
    identity: &Identity,
) -> Result<Denial, ApiError> {
    let Connections { above: admin, login } = connections;
    let request = ApiRequest::parse(config, http)?;
    let Plan::Crud(crud) = plan::plan(config, catalog, &request, &identity.role)? else {
        return Err(ApiError::new(
            ErrorKind::NotImplemented,
            "Only reads and writes of relations can be explained",
        ));
    };
    let table = catalog.table(&crud.target).ok_or_else(|| {
        ApiError::new(ErrorKind::NoTable, "Only reads and writes of relations can be explained")
    })?;
    let (command, filters): (&'static str, &[Condition]) = match &crud.work {
        Work::Read { .. } => ("SELECT", &crud.read.conditions),
        Work::Mutate { plan, .. } => match plan.as_ref() {
            MutatePlan::Insert { .. } => ("INSERT", &[]),
            MutatePlan::Update { conditions, .. } => ("UPDATE", conditions),
            MutatePlan::Delete { conditions, .. } => ("DELETE", conditions),
        },
        Work::Call { .. } => {
            return Err(ApiError::new(ErrorKind::NotImplemented, "Functions cannot be explained"));
        }
    };
    let body = request.payload.as_ref().and_then(|payload| payload.raw()).cloned();
    let who = settings(config, http, &request, &Plan::Crud(crud.clone()), identity);
    let stored = if command == "INSERT" {
        Vec::new()
    } else {
        stored_rows(admin, table, filters).await.map_err(|error| failed(&error))?
    };
    let written = match command {
        "INSERT" => inserted_rows(table, body.as_ref()),
        "UPDATE" => updated_rows(&stored, body.as_ref()),
        _ => Vec::new(),
    };
    let mut verdicts = Vec::new();
    for policy in
        policies(admin, table, command, &identity.role).await.map_err(|error| failed(&error))?
    {
        let rows = if policy.clause == "USING" { &stored } else { &written };
        verdicts.push(verdict(login, table, policy, rows, &who).await);
    }
    let row = admin
        .query_one(
            "SELECT has_table_privilege($1::text::name, c.oid, $2), c.relrowsecurity FROM pg_catalog.pg_class c
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $3 AND c.relname = $4",
            &[&identity.role, &command, &table.name.schema, &table.name.name],
        )
        .await
        .map_err(|error| failed(&error))?;
    Ok(Denial {
        table: table.name.clone(),
        command,
        role: identity.role.clone(),
        granted: row.try_get(0).unwrap_or_default(),
        row_security: row.try_get(1).unwrap_or_default(),
        rows: if command == "INSERT" { written } else { stored },
        policies: verdicts,
    })
}

async fn query(
    client: &Client,
    statement: &Statement,
) -> Result<Vec<tokio_postgres::Row>, tokio_postgres::Error> {
    let params: Vec<(&(dyn ToSql + Sync), Type)> = statement
        .params
        .iter()
        .map(|param| (param as &(dyn ToSql + Sync), param.kind.clone()))
        .collect();
    client.query_typed(&statement.text, &params).await
}

async fn stored_rows(
    admin: &Client,
    table: &Table,
    filters: &[Condition],
) -> Result<Vec<Value>, tokio_postgres::Error> {
    let sql =
        Sql::text("SELECT to_jsonb(").ident(&table.name.name).raw(".*) FROM ").name(&table.name);
    let filters = conditions(&table.name, filters);
    let sql = if filters.is_empty() { sql } else { sql.raw(" WHERE ").joined(" AND ", filters) };
    let statement = sql.raw(" LIMIT ").number(MOST_ROWS).finish();
    admin.batch_execute("BEGIN READ ONLY").await?;
    admin.batch_execute(TIME_LIMIT).await?;
    let rows = query(admin, &statement).await;
    admin.batch_execute("ROLLBACK").await?;
    rows?.iter().map(|row| row.try_get(0)).collect()
}

fn objects(body: Option<&Bytes>) -> Vec<Map<String, Value>> {
    let parsed = body.and_then(|body| serde_json::from_slice(body).ok());
    let all = match parsed {
        Some(Value::Array(all)) => all,
        Some(one) => vec![one],
        None => Vec::new(),
    };
    all.into_iter()
        .filter_map(|value| match value {
            Value::Object(object) => Some(object),
            _ => None,
        })
        .collect()
}

fn inserted_rows(table: &Table, body: Option<&Bytes>) -> Vec<Value> {
    let known = |object: Map<String, Value>| {
        object
            .into_iter()
            .filter(|(name, _)| table.column(name).is_some())
            .collect::<Map<String, Value>>()
    };
    objects(body).into_iter().map(|object| Value::Object(known(object))).collect()
}

fn updated_rows(stored: &[Value], body: Option<&Bytes>) -> Vec<Value> {
    let changes = objects(body).into_iter().next().unwrap_or_default();
    stored
        .iter()
        .map(|row| {
            let mut row = row.clone();
            if let Some(row) = row.as_object_mut() {
                row.extend(changes.clone());
            }
            row
        })
        .collect()
}

async fn policies(
    admin: &Client,
    table: &Table,
    command: &str,
    role: &str,
) -> Result<Vec<Policy>, tokio_postgres::Error> {
    // With an empty path every name in an expression is printed with its schema.
    admin.batch_execute("SET search_path = ''").await?;
    let rows = admin
        .query(
            "SELECT policyname::text, permissive = 'PERMISSIVE', qual, with_check,
               EXISTS (SELECT FROM unnest(roles) r WHERE r = 'public' OR pg_has_role($4::text::name, r, 'member'))
             FROM pg_catalog.pg_policies
             WHERE schemaname = $1 AND tablename = $2 AND cmd IN ('ALL', $3) ORDER BY 1",
            &[&table.name.schema, &table.name.name, &command, &role],
        )
        .await?;
    let mut all = Vec::new();
    for row in rows {
        let (qual, check): (Option<String>, Option<String>) = (row.try_get(2)?, row.try_get(3)?);
        // Without WITH CHECK the USING expression judges what is written, too.
        let check = check.or_else(|| qual.clone());
        let clauses = [
            ("USING", qual, command != "INSERT"),
            ("WITH CHECK", check, matches!(command, "INSERT" | "UPDATE")),
        ];
        for (clause, expression, _) in clauses.into_iter().filter(|(_, _, judged)| *judged) {
            let Some(expression) = expression else { continue };
            all.push(Policy {
                name: row.try_get(0)?,
                permissive: row.try_get(1)?,
                applies: row.try_get(4)?,
                clause,
                expression,
            });
        }
    }
    Ok(all)
}

async fn verdict(
    login: &Client,
    table: &Table,
    policy: Policy,
    rows: &[Value],
    who: &Statement,
) -> PolicyVerdict {
    let result = evaluate(login, table, &policy, rows, who).await;
    let ended = login.batch_execute("ROLLBACK").await;
    let (holds, error) = match (result, ended) {
        (Ok(holds), Ok(())) => (Some(holds), None),
        (Err(error), _) | (_, Err(error)) => (
            None,
            Some(
                error
                    .as_db_error()
                    .map_or_else(|| error.to_string(), |error| error.message().to_owned()),
            ),
        ),
    };
    PolicyVerdict {
        name: policy.name,
        permissive: policy.permissive,
        applies: policy.applies,
        clause: policy.clause,
        expression: policy.expression,
        holds,
        error,
    }
}

/// Evaluates one expression as the subject; the caller ends the transaction.
async fn evaluate(
    login: &Client,
    table: &Table,
    policy: &Policy,
    rows: &[Value],
    who: &Statement,
) -> Result<Vec<bool>, tokio_postgres::Error> {
    let defaults = table.columns.iter().filter_map(|column| {
        // A sequence cannot advance in a read-only transaction, and no policy depends on it.
        let default =
            column.default.as_ref().filter(|default| !default.as_str().contains("nextval("))?;
        Some(Sql::new().catalog_literal(&column.name).raw(", ").catalog(default))
    });
    let data = Bytes::from(Value::Array(rows.to_vec()).to_string());
    let statement = Sql::text("SELECT coalesce((")
        .catalog(&CatalogSql::from_catalog(policy.expression.clone()))
        .raw("), false) FROM jsonb_array_elements(")
        .param(Param::typed(Some(data), Type::JSONB))
        .raw(") WITH ORDINALITY AS given(data, place), LATERAL jsonb_populate_record(null::")
        .name(&table.name)
        .raw(", jsonb_build_object(")
        .joined(", ", defaults)
        .raw(") || given.data) AS ")
        .ident(&table.name.name)
        .raw(" ORDER BY given.place")
        .finish();
    login.batch_execute("BEGIN READ ONLY").await?;
    query(login, who).await?;
    login.batch_execute(TIME_LIMIT).await?;
    query(login, &statement).await?.iter().map(|row| row.try_get(0)).collect()
}
