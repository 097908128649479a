//! Tests of the request parser.

use super::query::QueryParams;
use super::range::RowRange;

#[test]
fn the_largest_numbers_of_a_range_are_left_to_the_database() {
    let (most, least) = (i128::MAX, i128::MIN);
    let both = QueryParams::parse(&format!("limit={most}&offset={most}"), false).unwrap();
    assert_eq!(both.ranges["limit"], RowRange { lower: most, upper: Some(most) });
    assert_eq!(RowRange::parse_header(&format!("0-{most}")).limit(), Some(most));
    let none = QueryParams::parse(&format!("limit={least}"), false).unwrap();
    assert!(none.ranges["limit"].is_empty());
    assert!(QueryParams::parse(&format!("limit={least}&offset={least}"), false).is_ok());
}

#[test]
fn a_name_has_a_character() {
    for query in [
        "select=%22%22",
        "select=a:%22%00b%22",
        "columns=%20",
        "on_conflict=%22%22",
        "order=%22%22",
        "%22%22=eq.1",
    ] {
        assert!(QueryParams::parse(query, false).is_err(), "{query}");
    }
}

#[test]
fn a_cast_is_made_of_words() {
    for cast in ["$$", "$1", "int $$", "1a", "int%201"] {
        assert!(QueryParams::parse(&format!("select=a::{cast}"), false).is_err(), "{cast}");
    }
    for cast in ["int", "double%20precision", "my_$type", "_t%C3%BFpe"] {
        assert!(QueryParams::parse(&format!("select=a::{cast}"), false).is_ok(), "{cast}");
    }
}
