//! The profiles of the npm clients' flows.

use toml::{Table, toml};

use super::{Place, common, merge, social::google_and_github};

/// The servers that the npm clients are driven against: Gatepost's defaults, open to pages on this machine.
pub(crate) fn neon(variant: &str, place: &Place<'_>) -> Table {
    let mut config = common(place);
    merge(
        &mut config,
        toml! {
            allow_localhost = true

            [change_email]
            enabled = true

            [delete_user]
            enabled = true

            [magic_link]
            confirm = false

            [email_verification]
            confirm = false

            [organization]
            require_email_verification = false
            any_slug = true

            [features]
            phone_number = true

        },
    );
    if let Some(provider) = place.provider {
        merge(&mut config, google_and_github(provider));
    }
    match variant {
        "verify" => merge(
            &mut config,
            toml! {
                [email_password]
                require_verification = true

                [email_verification]
                method = "code"
                auto_sign_in = true
            },
        ),
        "nosignup" => merge(&mut config, toml! { email_password = { sign_up = false } }),
        _ => {}
    }
    config
}
