use super::*;

#[test]
fn a_flow_of_the_foundation_needs_nothing_more() {
    for flow in ["neon.sign-up", "server.jwks", "middleware.redirects-anonymous", "sdk.token"] {
        assert_eq!(needs(flow, flow), [], "{flow}");
    }
    for flow in ["supabase.identities", "supabase.sign-up", "server.core-endpoint-aliases"] {
        assert_eq!(needs(flow, flow), [], "{flow}");
    }
    let listed = "neon.password-reset-link  needs: link";
    assert_eq!(needs("neon.password-reset-link", listed), []);
}

#[test]
fn groups_of_later_features_are_recognised() {
    assert_eq!(needs("otp.verify-email", "otp.verify-email  needs: otp"), [EMAIL_OTP]);
    assert_eq!(needs("org.create", "org.create"), [ORGANIZATION]);
    assert_eq!(needs("sdk.admin", "sdk.admin  needs: admin"), [ADMIN]);
    assert_eq!(needs("next.oauth-end-to-end", "x  [neon-only]  needs: oauth"), [SOCIAL]);
    assert_eq!(needs("next.magic-link-through-proxy", "x  needs: link"), [MAGIC_LINK]);
    assert_eq!(needs("supabase.link-identity", "x"), [SOCIAL]);
    assert_eq!(needs("supabase.verify-otp", "x"), [EMAIL_OTP]);
    assert_eq!(needs("neon.anonymous-token", "x  [neon-only]"), [ANONYMOUS]);
}
