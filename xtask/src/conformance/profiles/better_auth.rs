//! The profiles of the recordings: Better Auth's own choices, and what each profile changes of them.

use toml::{Table, toml};

use super::{Place, common, merge, put, social::social};

/// The public URL of the profile `secure`.
const SECURE_ORIGIN: &str = "https://auth.example.test";

/// The configuration of a recorded profile; `None` for a name that is not known.
pub(crate) fn better_auth(name: &str, place: &Place<'_>) -> Option<Table> {
    let differs = match name {
        "main" => all_features(),
        "strict" => strict(),
        "cache" => cache("compact"),
        "cache-jwt" => cache("jwt"),
        "cache-jwe" => cache("jwe"),
        "short" => short(),
        "ratelimit" => ratelimit(),
        "secure" => secure(),
        "defer" => defer(),
        "bare" => bare(),
        "lifetimes" => lifetimes(),
        _ => return None,
    };
    let mut config = common(place);
    merge(&mut config, recorded());
    if let Some(provider) = place.provider
        && ["main", "strict", "short", "ratelimit"].contains(&name)
    {
        merge(&mut config, social(provider));
    }
    merge(&mut config, differs);
    Some(config)
}

/// Common to the recorded profiles: Better Auth's own choices, where Gatepost's defaults are safer or add something.
fn recorded() -> Table {
    toml! {
        base_path = "/api/auth"
        app_name = "Golden App"
        trusted_origins = ["http://localhost:3000", "https://*.trusted.example", "myapp://"]
        recorded_headers_only = true
        older_routes = false
        ambiguous_redirects = "rewritten"

        [client_address]
        mode = "single-hop"

        [cors]
        enabled = false

        [session]
        bearer_overrides_cookie = true
        keep_replaced = true
        recorded_stale_cookie = true
        accounts_per_browser = 3

        [email_password]
        refuse_common = false
        revoke_sessions_on_reset = false
        revoke_sessions_on_change = false
        keep_other_reset_links = true
        existing_user_mail = false
        recorded_placeholder = true

        [email_verification]
        enabled = true
        send_on_sign_up = true
        confirm = false

        [magic_link]
        enabled = false
        confirm = false

        [email_otp]
        enabled = false

        [two_factor]
        first_factors = "password"
        allow_passwordless = false
        allow_reuse = true
        recorded_challenge = true

        [change_email]
        enabled = true
        confirm_by_mail = false

        [admin]
        any_password = true
        fresh_session = false
        last_admin_may_go = true

        [organization]
        organization_limit = 0
        require_email_verification = false
        grant_only_held = false
        any_slug = true
        maximum_roles = 0

        [jwt]
        role = "user"
        publish_use = false

        [delete_user]
        enabled = true

        [features]
        jwt = true
        bearer = true
        admin = true
        organization = true
        two_factor = true
    }
}

fn all_features() -> Table {
    toml! {
        [magic_link]
        enabled = true
        store_token = "plain"

        [api_key]
        enabled = true
        sessions = true
        organization_keys = false
        metadata = true
        expires_in = 0
        rate_limit_window = 86400
        rate_limit_max = 10

        [email_otp]
        enabled = true
        storage = "plain"
        change_email = { verify_current = false }

        [organization]
        dynamic_roles = true

        [device]
        enabled = true
        store_codes = "plain"
        verification_uri = "/device"
        blocked_clients = ["bad-client"]

        [phone_number]
        sign_up = true
        temporary_email = "{digits}@phone.example"
        require_verification = false
        send_to_unknown = true

        [one_time_token]
        enabled = true

        [two_factor]
        issuer = "Golden App"
        otp = { storage = "plain" }

        [passkey]
        enabled = true
        rp_id = "localhost"
        rp_name = "Golden App"
        fresh_to_delete = false

        [features]
        teams = true
        phone_number = true
        username = true
        anonymous = true
        two_factor = true
        multi_session = true
    }
}

fn strict() -> Table {
    let mut config = all_features();
    merge(
        &mut config,
        toml! {
            [features]
            multi_session = false

            [email_password]
            require_verification = true
            revoke_sessions_on_reset = true
            existing_user_mail = true

            [email_verification]
            send_on_sign_in = true
            auto_sign_in = true

            [magic_link]
            sign_up = false
            store_token = "hashed"

            [email_otp]
            sign_up = false
            storage = "hashed"
            change_email = { verify_current = true }

            [organization]
            require_email_verification = true
            organization_limit = 2
            membership_limit = 3
            invitation_limit = 2
            cancel_pending_on_reinvite = true
            allow_deletion = false
            maximum_roles = 1
            maximum_teams = 3
            maximum_team_members = 2
            [device]
            interval = 1
            [phone_number]
            sign_up = false
            require_verification = true

            [username]
            immutable = true

            [two_factor]
            skip_verification = true
            lockout_attempts = 3
            lockout_duration = 60

            [change_email]
            confirm_by_mail = true

            [delete_user]
            confirm_by_mail = true

            [social]
            allow_different_emails = true
            allow_unlinking_all = true
            unproven_users = "linked"
        },
    );
    config
}

fn cache(strategy: &str) -> Table {
    let mut config = toml! {
        [session.cookie_cache]
        enabled = true
        max_age = 300
        everywhere = true
    };
    if let Some(cache) = config.get_mut("session").and_then(|it| it.get_mut("cookie_cache"))
        && let Some(cache) = cache.as_table_mut()
    {
        put(cache, "strategy", strategy);
    }
    if strategy == "compact" {
        merge(&mut config, toml! { change_email = { update_without_verification = true } });
    }
    config
}

fn short() -> Table {
    let mut config = all_features();
    merge(
        &mut config,
        toml! {
            [session]
            fresh_age = 2

            [magic_link]
            expires_in = 1

            [device]
            expires_in = 1
            interval = 1
            blocked_clients = []

            [email_otp]
            expires_in = 1

            [organization]
            invitation_expires_in = 1
            [phone_number]
            expires_in = 1

            [one_time_token]
            expires_in = 1

            [two_factor]
            challenge_expires_in = 1
            otp = { expires_in = 1 }

            [email_password]
            reset_expires_in = 1

            [email_verification]
            expires_in = 1
        },
    );
    config
}

fn ratelimit() -> Table {
    let mut config = all_features();
    merge(
        &mut config,
        toml! { rate_limit = { enabled = true, known_devices = false, account_failures = 1000 } },
    );
    config
}

fn secure() -> Table {
    let mut config = toml! {
        [cookies]
        secure = true
        domain = "example.test"
    };
    put(&mut config, "public_url", SECURE_ORIGIN);
    config
}

fn defer() -> Table {
    toml! {
        [session]
        defer_refresh = true
        update_age = 0
    }
}

fn bare() -> Table {
    toml! {
        [email_verification]
        enabled = false
        send_on_sign_up = false

        [change_email]
        enabled = false

        [delete_user]
        enabled = false

        [two_factor]
        enabled = false

        [features]
        jwt = false
        bearer = false
        admin = false
        organization = false
        two_factor = false
    }
}

fn lifetimes() -> Table {
    toml! {
        [session]
        expires_in = 10
        update_age = 4
    }
}
