//! The catalogue as types for other languages. What is printed is checked in, compiled, and compared here: as Rust below,
//! as TypeScript by the real compiler (`cargo xtask test`, `conformance/data-api/types`).

use std::path::Path;

use gatepost_data_api::types;
use gatepost_data_api::types::Shapes;

use crate::support::Server;

/// The printed Rust compiles.
#[expect(non_camel_case_types, non_snake_case, reason = "named by a database")]
mod generated {
    include!("../../../../conformance/data-api/types/database.rs");
}

const ODD: &str = include_str!("../../../../conformance/data-api/types.sql");

fn schemas(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

async fn shapes(server: &Server, schemas: &[String]) -> Shapes {
    let (client, _connection) = gatepost_postgres::connect(&server.admin_url).await.unwrap();
    types::shapes(&client, schemas).await.unwrap()
}

#[tokio::test]
async fn the_catalogue_becomes_types() {
    let server = Server::start("", |_| ()).await;
    let catalog = server.state.catalog().unwrap();
    let api = schemas(&["api", "api"]);
    let shapes = shapes(&server, &api).await;
    let text = types::typescript(&catalog, &shapes, &api);
    for part in [
        "  api: {\n    Tables: {\n",
        "          state: Database[\"api\"][\"Enums\"][\"state\"]\n",
        "          state?: Database[\"api\"][\"Enums\"][\"state\"]\n",
        "          assignee?: string | null\n",
        "          tags: string[]\n",
        "          meta: Json\n",
        "      state: \"open\" | \"active\" | \"done\"\n",
        "{ foreignKeyName: \"tasks_project_id_fkey\"; columns: [\"project_id\"]; isOneToOne: false; referencedRelation: \"projects\"; referencedColumns: [\"id\"] }",
        "      add: { Args: { a: number; b?: number }; Returns: number }\n",
        "Returns: Database[\"api\"][\"Tables\"][\"tasks\"][\"Row\"][]",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(text.matches("  api: {\n").count(), 1, "a schema named twice");
    let text = types::rust(&catalog, &shapes, &api);
    assert!(
        text.contains(
            "pub struct TaskLabels {\n        pub task_id: i32,\n        pub label_id: i32,\n    }"
        ),
        "{text}"
    );
    assert!(text.contains("pub parent_id: Option<i32>"));
}

#[tokio::test]
async fn the_types_that_compilers_are_given_are_those_that_are_printed() {
    let schemas = schemas(&["shop", "odd schema"]);
    let server = Server::start("", |_| ()).await;
    server.sql(ODD).await;
    let mut config = (*server.state.config()).clone();
    config.db_schemas.clone_from(&schemas);
    let (mut client, _connection) = gatepost_postgres::connect(&server.admin_url).await.unwrap();
    let catalog = gatepost_data_api::schema::load(&mut client, &config).await.unwrap();
    let shapes = shapes(&server, &schemas).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/data-api/types");
    let mut stale = Vec::new();
    for (file, text) in [
        ("database.ts", types::typescript(&catalog, &shapes, &schemas)),
        ("database.rs", types::rust(&catalog, &shapes, &schemas)),
    ] {
        let path = folder.join(file);
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        if old != text {
            let new = std::env::temp_dir().join(format!("gatepost-types-{file}"));
            std::fs::write(&new, &text).unwrap();
            stale.push(format!("{file} is stale; look at {} and copy it there", new.display()));
        }
    }
    assert!(stale.is_empty(), "{stale:#?}");
}

#[test]
fn rows_are_read_into_the_printed_structs() {
    let row = serde_json::json!({ "id": "00000000-0000-4000-8000-000000000001", "customer_id": 1, "type": "x", "self": null,
        "a b": "spaced", "a_b": "not", "it's \"quoted\"": null, "größe": 1.5, "日本": true, "1st": 1, "back\\slash": null,
        "fn": 2, "$": null, "constructor": null, "do": null, "gen": null });
    let order: generated::shop::Order = serde_json::from_value(row.clone()).unwrap();
    assert_eq!((order.a_b.as_deref(), order.a_b_2.as_deref()), (Some("spaced"), Some("not")));
    assert_eq!(serde_json::to_value(&order).unwrap(), row);
}

/// Every printed struct is one that serde reads and writes.
#[test]
fn every_printed_struct_is_read_and_written() {
    use generated::{odd_schema, shop};
    fn both<T: serde::Serialize + serde::de::DeserializeOwned>() -> usize {
        serde_json::from_str::<T>("{}").map_or(0, |row| serde_json::to_string(&row).unwrap().len())
    }
    let all = [
        both::<shop::Self_>(),
        both::<shop::AB>(),
        both::<shop::AB_2>(),
        both::<shop::Buyers>(),
        both::<shop::Customer>(),
        both::<shop::Kept>(),
        both::<shop::Order>(),
        both::<shop::Parted>(),
        both::<shop::Totals>(),
        both::<odd_schema::TaBle>(),
    ];
    assert!(all.iter().any(|length| *length > 0), "rows of nothing but NULL are read");
}
