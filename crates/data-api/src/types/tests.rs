//! Tests of names; the whole is tested over a database.

use super::Shapes;
use crate::schema::Catalog;

#[test]
fn an_empty_schema_is_still_a_type() {
    let text = super::typescript(&Catalog::default(), &Shapes::default(), &["a-b".to_owned()]);
    assert!(
        text.contains(
            "  \"a-b\": {\n    Tables: {\n    }\n    Views: {\n    }\n    Functions: {\n    }\n"
        ),
        "{text}"
    );
    assert_eq!(
        super::rust(&Catalog::default(), &Shapes::default(), &["type".to_owned()]),
        "pub mod r#type {\n    use serde::{Deserialize, Serialize};\n}\n"
    );
}
