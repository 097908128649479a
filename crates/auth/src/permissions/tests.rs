use super::{Roles, Statements, allow, joined, one, role_list};

fn roles() -> Roles {
    Roles::predefined(&[
        ("writer", &[("page", &["create", "update"])]),
        ("remover", &[("page", &["delete"]), ("file", &["delete"])]),
        ("reader", &[("page", &[])]),
    ])
}

fn asked(list: &[(&str, &[&str])]) -> Statements {
    list.iter()
        .map(|(resource, actions)| {
            ((*resource).to_owned(), actions.iter().map(|it| (*it).to_owned()).collect())
        })
        .collect()
}

#[test]
fn one_role_must_grant_everything_that_is_asked() {
    let roles = roles();
    let may = |held: &str, list: &[(&str, &[&str])]| allow(&[&roles], held, &asked(list));
    assert!(may("writer", &[("page", &["create", "update"])]));
    assert!(!may("writer", &[("page", &["create", "delete"])]));
    assert!(!may("writer,remover", &[("page", &["create", "delete"])]), "roles do not add up");
    assert!(may("writer, remover", &[("page", &["delete"])]));
    assert!(may("remover", &[("page", &["delete"]), ("file", &["delete"])]));
    assert!(!may("remover", &[("page", &["delete"]), ("disk", &["delete"])]));
}

#[test]
fn nothing_asked_and_nothing_held_is_refused() {
    let roles = roles();
    let everybody = "writer,remover,reader";
    assert!(!allow(&[&roles], everybody, &Statements::new()));
    assert!(!allow(&[&roles], everybody, &asked(&[("page", &[])])));
    for held in ["", ",", "nobody", "WRITER", "writer remover"] {
        assert!(!allow(&[&roles], held, &one("page", "create")), "{held}");
    }
}

#[test]
fn a_role_grants_what_it_grants_in_any_set() {
    let mut further = Roles::default();
    further.define("reader", one("page", "print"));
    further.define("writer", one("page", "print"));
    let roles = roles();
    let sets = [&roles, &further];
    assert!(allow(&sets, "reader", &one("page", "print")));
    assert!(allow(&sets, "writer", &asked(&[("page", &["create", "print"])])));
    assert!(!allow(&[&roles], "reader", &one("page", "print")));
}

#[test]
fn lists_of_roles_are_stored_without_white_space() {
    assert_eq!(joined(["admin, member", " owner ,"]), "admin,member,owner");
    assert_eq!(joined([" , "]), "");
    assert_eq!(role_list(" a ,,b").collect::<Vec<_>>(), ["a", "b"]);
}
