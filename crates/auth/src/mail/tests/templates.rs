use std::{fs, path::Path};

use crate::mail::{Look, config::MailConfig, samples::samples};

use super::config;

fn with(directory: &Path) -> anyhow::Result<Look> {
    Look::new(&MailConfig { templates: Some(directory.to_owned()), ..config() })
}

fn refusal(name: &str, text: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(name), text).unwrap();
    format!("{:#}", with(directory.path()).unwrap_err())
}

#[test]
fn a_template_of_the_operator_replaces_the_layout_of_one_mail_or_of_all() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    write(
        "verify-email.html",
        "{% extends \"layout.html\" %}{% block body %}<p>{{ mail.title }}</p><a href=\"{{ mail.url }}\">{{ values.app }}</a>{% endblock %}",
    );
    write("layout.txt", "{{ mail.title }}\n{{ mail.url }}{{ mail.code }}\n");
    write("README.md", "not a template");
    let look = with(directory.path()).unwrap();
    for message in samples() {
        let mail = look.render(&message, "en").unwrap();
        assert!(!mail.text.contains("\n-- "), "{}", message.kind());
        let own = mail.html.contains("\">Gätepost 東京</a>");
        assert_eq!(own, message.kind() == "verify-email");
        assert!(mail.html.starts_with("<!doctype html>"));
    }
}

#[test]
fn a_bad_template_is_named_with_its_line_at_the_start() {
    for (name, text, expected) in [
        ("layout.html", "<p>\n{{ mail.titel }}\n{{ mail.url }}{{ mail.code }}", "layout.html:2"),
        ("verify-email.html", "<p>\n\n{% if mail.url %}\n", "verify-email.html:"),
        ("verify-email.html", "\n{{ mail.title | shout }}", "verify-email.html:2"),
        ("magic-link.txt", "{% include \"gone.txt\" %}{{ mail.url }}", "magic-link.txt:1"),
    ] {
        let error = refusal(name, text);
        assert!(error.contains("mail.templates") && error.contains(expected), "{error}");
    }
    let error = with(Path::new("/no/such/directory")).unwrap_err();
    assert!(format!("{error:#}").contains("/no/such/directory"), "{error:#}");
}

#[test]
fn a_template_that_leaves_out_the_code_or_the_link_is_refused() {
    let error = refusal("email-otp-sign-in.html", "<p>{{ mail.title }}</p>");
    assert!(error.contains("the HTML form of email-otp:sign-in leaves out"), "{error}");
    let error = refusal("reset-password.txt", "{{ mail.title }}");
    assert!(error.contains("the text form of reset-password leaves out"), "{error}");
}
