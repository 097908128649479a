//! Tests of advice about expressions.

use super::expression::{call_once, compares, trusts_editable_claim};

#[test]
fn a_call_is_moved_into_a_sub_select() {
    for (text, mended) in [
        ("(owner = auth.user_id())", "(owner = (SELECT auth.user_id()))"),
        ("(org = auth.org_id())", "(org = (SELECT auth.org_id()))"),
        (
            "(owner = current_setting('a.b'::text, true))",
            "(owner = (SELECT current_setting('a.b'::text, true)))",
        ),
        ("((auth.jwt() ->> 'a)b'::text) = x)", "(((SELECT auth.jwt()) ->> 'a)b'::text) = x)"),
        // Asked for every row that the sub-select reads.
        (
            "(EXISTS ( SELECT 1\n   FROM api.m\n  WHERE (m.u = auth.uid())))",
            "(EXISTS ( SELECT 1\n   FROM api.m\n  WHERE (m.u = (SELECT auth.uid()))))",
        ),
    ] {
        assert_eq!(call_once(text).as_deref(), Some(mended));
        assert_eq!(call_once(mended), None);
    }
}

#[test]
fn what_is_asked_once_and_what_is_no_call_stays() {
    for text in [
        "(owner = ( SELECT auth.user_id() AS user_id))",
        "(owner = ( SELECT ((auth.jwt() ->> 'sub'::text))::uuid AS uuid))",
        "(made < now())",
        "(note = 'auth.uid()'::text)",
        "private.may_see(id)",
    ] {
        assert_eq!(call_once(text), None, "{text}");
    }
}

#[test]
fn compared_columns_are_found() {
    for (text, column, found) in [
        ("(owner = ( SELECT auth.user_id() AS user_id))", "owner", true),
        ("(co_owner = 1)", "owner", false),
        ("(1 = owner_id)", "owner", false),
        ("(1 = owner)", "owner", true),
        ("(team IN ( SELECT m.team FROM api.m))", "team", true),
        ("(\"a b\" = 1)", "a b", true),
        ("(api.m.owner = 1)", "owner", false),
        ("(x = 'owner = 1'::text)", "owner", false),
    ] {
        assert_eq!(compares(text, column), found, "{column} in {text}");
    }
}

#[test]
fn claims_of_the_profile_are_told_from_names_that_mean_something_else() {
    for (text, found) in [
        ("((auth.jwt() ->> 'name'::text) = name)", true),
        ("(((auth.jwt() -> 'user_metadata'::text) ->> 'plan'::text) = 'pro'::text)", true),
        ("((auth.jwt() #>> '{picture}'::text[]) = x)", true),
        ("(kind = 'name'::text)", false),
        ("((auth.jwt() ->> 'sub'::text) = owner)", false),
    ] {
        assert_eq!(trusts_editable_claim(text), found, "{text}");
    }
}
