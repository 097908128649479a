//! Reads: columns, embeds with what may be asked of them, ranges and counts.

use proptest::prelude::*;
use proptest::sample::select;

use super::filter::{column, direction, field, filter, json_path, order};
use super::values::{NAME, NUMBER, WORD, escaped, written};
use super::{Kind, Template};

/// A relation as requests know it.
pub struct Relation {
    pub name: &'static str,
    pub columns: &'static [&'static str],
    embeds: &'static [Embed],
}

/// By name: they embed each other without end.
impl std::fmt::Debug for Relation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Another relation within it.
struct Embed {
    name: &'static str,
    hints: &'static [&'static str],
    to_one: bool,
    relation: &'static Relation,
}

const fn to_one(name: &'static str, relation: &'static Relation) -> Embed {
    Embed { name, hints: &[], to_one: true, relation }
}

const fn to_many(name: &'static str, relation: &'static Relation) -> Embed {
    Embed { name, hints: &[], to_one: false, relation }
}

pub static TASKS: Relation = Relation {
    name: "tasks",
    columns: &[
        "id",
        "project_id",
        "parent_id",
        "title",
        "assignee",
        "hours",
        "done",
        "due",
        "full_title",
    ],
    embeds: &[
        Embed { hints: &["project_id", "tasks_project_id_fkey"], ..to_one("projects", &PROJECTS) },
        to_one("parent_id", &TASKS),
        Embed { hints: &["parent_id"], ..to_many("tasks", &TASKS) },
        Embed { hints: &["task_labels"], ..to_many("labels", &LABELS) },
        to_many("secrets", &SECRETS),
        to_one("od\"d; --", &ODD),
    ],
};
pub static PROJECTS: Relation = Relation {
    name: "projects",
    columns: &["id", "team_id", "name", "state", "meta", "tags", "span"],
    embeds: &[
        to_many("tasks", &TASKS),
        to_many("open_tasks", &OPEN_TASKS),
        Embed { hints: &["team_id"], ..to_one("teams", &TEAMS) },
    ],
};
static TEAMS: Relation = Relation {
    name: "teams",
    columns: &["id", "name"],
    embeds: &[to_many("projects", &PROJECTS), to_one("main_project", &PROJECTS)],
};
static LABELS: Relation =
    Relation { name: "labels", columns: &["id", "name"], embeds: &[to_many("tasks", &TASKS)] };
static SECRETS: Relation = Relation {
    name: "secrets",
    columns: &["id", "task_id", "token"],
    embeds: &[to_one("tasks", &TASKS)],
};
static OPEN_TASKS: Relation = Relation {
    name: "open_tasks",
    columns: &["id", "project_id", "title", "hours"],
    embeds: &[to_one("projects", &PROJECTS)],
};
pub static ODD: Relation = Relation {
    name: "od\"d; --",
    columns: &["id", "a\"b", "$1", "x' y", "ünï ☃", "*/", "words", "task_id", "shade"],
    embeds: &[Embed { hints: &["task_id"], ..to_one("tasks", &TASKS) }],
};
/// In the second schema.
pub static OTHER: Relation = Relation { name: "select", columns: &["id", "from"], embeds: &[] };

/// `select`, and the parameters about what it embeds, keys without the embed's name in front.
#[derive(Clone, Debug)]
pub struct Tree {
    pub select: String,
    pub parameters: Vec<(String, String)>,
}

const CASTS: [&str; 6] = ["text", "double precision", "varchar", "json", "tÿpe", "my_$type"];

fn cast() -> impl Strategy<Value = String> {
    prop_oneof![3 => Just(String::new()), 1 => select(CASTS.to_vec()).prop_map(|cast| format!("::{cast}"))]
}

fn selected(relation: &'static Relation) -> impl Strategy<Value = String> {
    let alias = prop_oneof![
        Just("x1:".to_owned()),
        Just("\"y ' 2\":".to_owned()),
        Just(format!("{NAME}:")),
    ];
    // A path without an alias is named by its last key, which is then a name of the client's.
    let with_path = (alias.clone(), column(relation.columns), json_path(), cast())
        .prop_map(|(alias, column, path, cast)| format!("{alias}{column}{path}{cast}"));
    let named = (column(relation.columns), select(vec!["->", "->>"]), cast())
        .prop_map(|(column, arrow, cast)| format!("{column}->0{arrow}{NAME}{cast}"));
    let plain = (column(relation.columns), cast()).prop_map(|(column, cast)| column + &cast);
    let function = select(vec!["sum", "avg", "min", "max", "count"]);
    let aggregate = (prop::option::of(alias), column(relation.columns), cast(), function, cast())
        .prop_map(|(alias, column, cast, function, then)| {
            format!("{}{column}{cast}.{function}(){then}", alias.unwrap_or_default())
        });
    prop_oneof![
        6 => plain,
        4 => with_path,
        1 => named,
        1 => aggregate,
        1 => Just("count()".to_owned()),
        1 => Just("*".to_owned()),
    ]
}

/// What a name of a parameter begins with to be about an embed.
fn about(name: &str, parameters: Vec<(String, String)>) -> Vec<(String, String)> {
    parameters.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)).collect()
}

fn limits() -> impl Strategy<Value = Vec<(String, String)>> {
    // An offset of 0 is no offset: another statement. A limit reaches further than any range begins: else no row is in both.
    let limit = Just(vec![("limit".to_owned(), format!("9{NUMBER}"))]);
    let offset = Just(vec![("offset".to_owned(), NUMBER.to_string())]);
    let both = (limit.clone(), offset.clone()).prop_map(|(a, b)| [a, b].concat());
    prop_oneof![4 => Just(Vec::new()), 1 => limit, 1 => offset, 1 => both]
}

/// Filters, order and range of one node.
pub fn parameters(relation: &'static Relation) -> BoxedStrategy<Vec<(String, String)>> {
    let filters = prop::collection::vec(filter(relation.columns), 0..3);
    let order = prop::option::of(order(relation.columns));
    (filters, order, limits())
        .prop_map(|(filters, order, limits)| {
            let order = order.map(|order| ("order".to_owned(), order));
            filters.into_iter().chain(order).chain(limits).collect()
        })
        .boxed()
}

fn embedded(embed: &'static Embed, depth: u32) -> BoxedStrategy<Tree> {
    let hint = match embed.hints {
        [] => Just("").boxed(),
        hints => prop_oneof![Just(""), select(hints.to_vec())].boxed(),
    };
    let form = prop_oneof![
        3 => Just((String::new(), None)),
        2 => Just(("alias1:".to_owned(), Some("alias1".to_owned()))),
        1 => Just((format!("{NAME}:"), Some(NAME.to_string()))),
        2 => Just(("...".to_owned(), None)),
    ];
    let join = select(vec!["", "!inner", "!left"]);
    let within = prop_oneof![
        6 => tree(embed.relation, depth),
        1 => Just(Tree { select: String::new(), parameters: Vec::new() }),
    ];
    let own = parameters(embed.relation);
    // Of the parent: whether there is any, and an order by a column of one.
    let (exists, by) = (any::<bool>(), (field(embed.relation.columns), direction()));
    (hint, form, join, within, own, prop::option::weighted(0.2, (exists, by)))
        .prop_map(move |(hint, (before, alias), join, within, own, parent)| {
            let name = alias.unwrap_or_else(|| written(embed.name));
            let hint = if hint.is_empty() { String::new() } else { format!("!{hint}") };
            let target = written(embed.name);
            let mut parameters = about(&name, [within.parameters, own].concat());
            match parent {
                Some((true, _)) => parameters.push((name, "not.is.null".to_owned())),
                Some((false, (field, direction))) if embed.to_one => {
                    parameters.push(("order".to_owned(), format!("{name}({field}){direction}")));
                }
                _ => {}
            }
            Tree { select: format!("{before}{target}{hint}{join}({})", within.select), parameters }
        })
        .boxed()
}

/// Columns and embeds, `depth` levels deep at most.
pub fn tree(relation: &'static Relation, depth: u32) -> BoxedStrategy<Tree> {
    let columns = prop::collection::vec(selected(relation), 1..4);
    let embeds = if depth == 0 || relation.embeds.is_empty() {
        Just(Vec::new()).boxed()
    } else {
        let one = (0..relation.embeds.len())
            .prop_flat_map(move |index| embedded(&relation.embeds[index], depth - 1));
        prop::collection::vec(one, 0..3).boxed()
    };
    (columns, embeds)
        .prop_map(|(columns, embeds)| {
            let all: Vec<String> = columns
                .into_iter()
                .chain(embeds.iter().map(|embed| embed.select.clone()))
                .collect();
            Tree {
                select: all.join(","),
                parameters: embeds.into_iter().flat_map(|embed| embed.parameters).collect(),
            }
        })
        .boxed()
}

/// `Accept`, as far as it changes the statement.
pub fn accept() -> impl Strategy<Value = Option<(&'static str, String)>> {
    let plan =
        select(vec!["analyze|verbose", "settings|buffers|wal", "verbose"]).prop_map(|options| {
            format!("application/vnd.pgrst.plan+json; for=\"text/csv\"; options={options}")
        });
    let media = select(vec![
        "application/vnd.pgrst.object+json;nulls=stripped",
        "application/vnd.pgrst.array+json;nulls=stripped",
        "application/vnd.pgrst.object+json",
        "application/geo+json",
        "text/csv",
        "text/x-odd",
        "*/*",
    ])
    .prop_map(str::to_owned);
    prop::option::of(prop_oneof![1 => plan, 5 => media].prop_map(|media| ("accept", media)))
}

fn count() -> impl Strategy<Value = Option<(&'static str, String)>> {
    let count = select(vec!["exact", "planned", "estimated"]);
    prop::option::of(count.prop_map(|count| ("prefer", format!("count={count}"))))
}

/// `Range`, with its unit.
fn range() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let unit = ("range-unit", "items".to_owned());
    prop_oneof![
        4 => Just(Vec::new()),
        1 => Just(vec![unit.clone(), ("range", format!("{NUMBER}-"))]),
        1 => Just(vec![unit, ("range", format!("0-9{NUMBER}"))]),
    ]
}

/// What may be asked of rows: columns, filters, order, range.
pub fn rows(relation: &'static Relation, depth: u32) -> BoxedStrategy<Vec<(String, String)>> {
    (tree(relation, depth), parameters(relation))
        .prop_map(|(tree, own)| {
            let select = ("select".to_owned(), tree.select);
            [select].into_iter().chain(tree.parameters).chain(own).collect()
        })
        .boxed()
}

pub fn request() -> impl Strategy<Value = Template> {
    let relation = select(vec![&TASKS, &TASKS, &PROJECTS, &TEAMS, &LABELS, &ODD, &OTHER]);
    let method = select(vec!["GET", "GET", "HEAD"]);
    let rows = relation.prop_flat_map(|relation| (Just(relation), rows(relation, 2)));
    (method, rows, accept(), count(), range()).prop_map(
        |(method, (relation, query), accept, count, range)| {
            let own = [("user-agent", WORD.to_string())];
            let mut headers: Vec<(&'static str, String)> =
                own.into_iter().chain(accept).chain(count).chain(range).collect();
            headers.extend(profile(relation, "accept-profile"));
            Template {
                kind: Kind::Read,
                method,
                path: format!("/{}", escaped(relation.name)),
                query,
                headers,
                body: None,
                capped: false,
            }
        },
    )
}

/// The header that chooses a schema other than the first.
pub fn profile(relation: &Relation, header: &'static str) -> Option<(&'static str, String)> {
    (relation.name == OTHER.name).then(|| (header, super::SCHEMAS[1].to_owned()))
}
