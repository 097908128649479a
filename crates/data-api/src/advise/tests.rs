//! Tests of advice about expressions.

use super::{call_once, compares};

#[test]
fn a_call_is_moved_into_a_sub_select() {
    assert_eq!(
        call_once("(owner = auth.user_id())").as_deref(),
        Some("(owner = (SELECT auth.user_id()))")
    );
    assert_eq!(
        call_once("(owner = current_setting('a.b'::text, true))").as_deref(),
        Some("(owner = (SELECT current_setting('a.b'::text, true)))")
    );
}

#[test]
fn a_call_in_a_sub_select_stays() {
    assert_eq!(call_once("(owner = ( SELECT auth.user_id() AS user_id))"), None);
    assert_eq!(call_once("(id IN ( SELECT m.t FROM m WHERE (m.u = auth.uid())))"), None);
}

#[test]
fn compared_columns_are_found() {
    assert!(compares("(owner = ( SELECT auth.user_id() AS user_id))", "owner"));
    assert!(!compares("(co_owner = 1)", "owner"));
}
