use std::collections::HashSet;

use crate::mail::{Invitation, Look, Message, Rendered, config::MailConfig};

use super::{config, samples};

fn rendered(message: &Message) -> Rendered {
    Look::new(&config()).unwrap().render(message, "en").unwrap()
}

/// What a reader of the HTML form sees in attributes and text.
fn unescaped(html: &str) -> String {
    html.replace("&#38;", "&")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
}

#[test]
fn every_kind_has_its_words_and_its_code_or_link_in_both_forms() {
    let mut kinds = HashSet::new();
    let mut subjects = HashSet::new();
    for message in samples() {
        let kind = message.kind();
        let mail = rendered(&message);
        let html = unescaped(&mail.html);
        assert!(kinds.insert(kind));
        subjects.insert(mail.subject.clone());
        assert!(mail.subject.len() > 10 && !mail.subject.contains(['\n', '\r']), "{kind}");
        assert!(mail.text.contains("Gätepost 東京") && html.contains("Gätepost 東京"), "{kind}");
        assert!(
            !mail.text.contains("\n\n\n") && mail.text.ends_with("\n-- \nGätepost 東京"),
            "{kind}: {}",
            mail.text
        );
        let Some(key) = message.key() else { continue };
        for part in [key.otp, key.url].into_iter().flatten() {
            assert!(mail.text.lines().any(|line| line.trim() == part), "{kind}: {part}");
            assert!(html.contains(part), "{kind}: {part}");
        }
        if let Some(url) = key.url {
            assert_eq!(html.matches(&format!("href=\"{url}\"")).count(), 2, "{kind}");
        }
    }
    assert_eq!(kinds.len(), 14);
    assert!(subjects.len() >= 13, "{subjects:?}");
}

#[test]
fn the_html_form_needs_nothing_from_outside_and_has_a_dark_form() {
    for message in samples() {
        let html = rendered(&message).html;
        for absent in ["<script", "<link", "<img", "@import", "url("] {
            assert!(!html.contains(absent), "{}: {absent}", message.kind());
        }
        assert!(html.contains("prefers-color-scheme: dark"));
    }
}

#[test]
fn the_brand_shows_its_logo_and_its_colour_under_readable_ink() {
    let logo: url::Url = "https://cdn.example/logo.png?a=1&b=2".parse().unwrap();
    for (colour, ink) in [("#ffe066", "#000000"), ("#102a43", "#ffffff")] {
        let config = MailConfig {
            app_name: "Acme".to_owned(),
            logo_url: Some(logo.clone()),
            colour: colour.parse().unwrap(),
            support: Some("help@acme.example".parse().unwrap()),
            footer: "Acme Inc.\n1 Main Street <b>".to_owned(),
            ..config()
        };
        let mail = Look::new(&config).unwrap().render(&samples()[0], "en").unwrap();
        assert!(
            mail.text.ends_with("Acme\nQuestions? help@acme.example\nAcme Inc.\n1 Main Street <b>"),
            "{}",
            mail.text
        );
        let html = mail.html;
        assert!(
            html.contains("href=\"mailto:help@acme.example\"")
                && html.contains("1 Main Street &#60;b&#62;")
        );
        assert!(html.contains(&format!("bgcolor=\"{colour}\"")));
        assert!(html.contains(&format!("color:{ink}")));
        assert!(unescaped(&html).contains("src=\"https://cdn.example/logo.png?a=1&b=2\""));
        assert!(html.contains("alt=\"Acme\""));
    }
}

#[test]
fn ml_10_what_users_wrote_is_escaped_one_line_short_and_no_link() {
    let invitation = |name: &str| {
        rendered(&Message::OrganizationInvitation(Invitation {
            id: "i".to_owned(),
            role: "member".to_owned(),
            organization_name: name.to_owned(),
            inviter_name: name.to_owned(),
            inviter_email: "mallory@evil.test".to_owned(),
            url: None,
        }))
    };
    let markup = invitation("<a href=\"https://evil.test/x\">Click</a>");
    assert!(!markup.html.contains("<a ") && !markup.html.contains("evil.test"));
    assert!(!markup.text.contains("evil.test") && !markup.text.contains("://"));

    let link = invitation("Click https://evil.test www.evil.test a@evil.test");
    for form in [&link.html, &link.text, &link.subject] {
        assert!(!form.contains("evil.test") && !form.contains("https:/"), "{form}");
    }

    let lines = invitation("Acme\r\nBcc: a@evil\u{2028}b\u{202e}c\u{0}\u{1b}[31m");
    assert!(!lines.subject.chars().any(|c| c.is_control() || c == '\u{202e}' || c == '\u{2028}'));
    assert!(!lines.text.contains("\nBcc"));

    let long = invitation(&"x".repeat(10_000));
    assert!(long.text.len() < 1_000 && long.subject.len() < 200);

    let family = invitation("The 👨‍👩‍👧 family");
    assert!(family.subject.contains("👨‍👩‍👧"), "joined emoji stay joined");
}

#[test]
fn lg_07_debug_output_of_a_message_is_its_kind_alone() {
    for message in samples() {
        assert_eq!(format!("{message:?}"), format!("Message({})", message.kind()));
    }
}

#[test]
fn fields_are_those_that_the_conformance_cases_record() {
    let fields: Vec<(&str, Vec<String>)> = samples()
        .iter()
        .map(|message| (message.kind(), message.data().keys().cloned().collect()))
        .collect();
    for (kind, expected) in [
        ("verify-email", &["token", "url"][..]),
        ("reset-password", &["token", "url"]),
        ("existing-user-sign-up", &[]),
        ("change-email-confirmation", &["newEmail", "token", "url"]),
        ("delete-account", &["token", "url"]),
        ("magic-link", &["token", "url"]),
        ("email-otp:sign-in", &["otp"]),
        ("email-otp:email-verification", &["otp"]),
        ("email-otp:forget-password", &["otp"]),
        ("email-otp:change-email", &["otp"]),
        ("two-factor-otp", &["otp"]),
        ("org-invitation", &["id", "inviterEmail", "organizationName", "role"]),
    ] {
        let (_, found) = fields.iter().find(|(each, _)| *each == kind).unwrap();
        let mut found = found.clone();
        found.sort();
        assert_eq!(found, expected, "{kind}");
    }
}
