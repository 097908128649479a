//! The two ceremonies of WebAuthn, as `webauthn-rs` judges them.
//!
//! The library knows no Ed25519, which Better Auth offers first. The signature of such a key is checked here; the library
//! then judges everything else of the ceremony (type, challenge, origin, domain, presence, counter, copies) over the same
//! bytes, signed by a key of P-256 made for the occasion.

use std::time::Duration;

use anyhow::anyhow;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
    },
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use gatepost_protocol::digest;
use serde_json::{Map, Value};
use tracing::subscriber::{NoSubscriber, with_default};
use url::Url;
use uuid::Uuid;
use webauthn_rs_core::{
    WebauthnCore,
    error::WebauthnError,
    proto::{
        AuthenticationResult, AuthenticationState, COSEAlgorithm, COSEKey, Credential,
        CredentialV3, PublicKeyCredential, RegisterPublicKeyCredential, RegistrationState,
        UserVerificationPolicy,
    },
};

use super::{
    cose::{self, Attested},
    store::{Passkey, device_type},
};
use crate::{
    app::App,
    error::{Error, Result},
};

/// What a device may be asked for, in Better Auth's order.
pub(super) const ALGORITHMS: [COSEAlgorithm; 3] =
    [COSEAlgorithm::EDDSA, COSEAlgorithm::ES256, COSEAlgorithm::RS256];
/// Milliseconds that a browser waits for its user.
pub(super) const TIMEOUT: u32 = 60_000;

/// A new key, proven to be there.
pub(super) struct Registered {
    pub(super) credential_id: String,
    pub(super) public_key: String,
    pub(super) counter: i32,
    pub(super) device_type: &'static str,
    pub(super) backed_up: bool,
    pub(super) aaguid: Uuid,
    pub(super) transports: String,
}

/// A use of a key.
pub(super) struct Used {
    pub(super) counter: i32,
    pub(super) device_type: &'static str,
    pub(super) backed_up: bool,
    /// The device verified its user, by a PIN or a finger, and not just that somebody was there.
    pub(super) user_verified: bool,
}

/// Why an answer is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Everything else.
    Ceremony,
    /// Somebody else's key.
    Signature,
}

/// The domain that keys are bound to.
pub(super) fn rp_id(app: &App) -> String {
    let configured = &app.config.passkey.rp_id;
    if !configured.is_empty() {
        return configured.clone();
    }
    let url = Url::parse(&app.config.public_url).ok();
    url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// The name that devices show.
pub(super) fn rp_name(app: &App) -> &str {
    let configured = &app.config.passkey.rp_name;
    if configured.is_empty() { &app.config.app_name } else { configured }
}

fn core(app: &App, origin: Option<Url>) -> WebauthnCore {
    WebauthnCore::new_unsafe_experts_only(
        rp_name(app),
        &rp_id(app),
        origin.into_iter().collect(),
        Duration::from_millis(TIMEOUT.into()),
        None,
        None,
    )
}

/// The library tells every mistake of a client as an error of ours.
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    with_default(NoSubscriber::default(), work)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn internal(error: WebauthnError) -> Error {
    Error::Internal(anyhow!("a WebAuthn challenge cannot be made: {error:?}"))
}

/// Opaque and always the same for a user, so that a device replaces the key of a user instead of keeping a dead one.
pub(super) fn user_handle(app: &App, user: Uuid) -> [u8; 32] {
    digest::sha256(&[app.config.secret.as_bytes(), b"\0passkey user\0", user.as_bytes()].concat())
}

/// Begins a registration: the challenge, base64url, and what the answer will be judged by.
///
/// # Errors
/// Internal.
pub(super) fn start_registration(
    app: &App,
    user: Uuid,
    name: &str,
    existing: &[Passkey],
) -> Result<(String, RegistrationState)> {
    let core = core(app, None);
    let exclude = existing.iter().filter_map(|key| decode(&key.credential_id)).collect();
    let builder = core
        .new_challenge_register_builder(&user_handle(app, user), name, name)
        .map_err(internal)?
        .user_verification_policy(UserVerificationPolicy::Preferred)
        .credential_algorithms(ALGORITHMS.to_vec())
        .exclude_credentials(Some(exclude));
    let (request, state) = core.generate_challenge_register(builder).map_err(internal)?;
    Ok((URL_SAFE_NO_PAD.encode(&request.public_key.challenge), state))
}

/// Begins an authentication: the challenge, base64url, and what the answer will be judged by.
///
/// # Errors
/// Internal.
pub(super) fn start_authentication(app: &App) -> Result<(String, AuthenticationState)> {
    let core = core(app, None);
    let policy = Some(UserVerificationPolicy::Preferred);
    let builder = core
        .new_challenge_authenticate_builder(Vec::new(), policy)
        .map_err(internal)?
        // Better Auth keeps keys whose device began to copy them.
        .allow_backup_eligible_upgrade(true);
    let (request, state) = core.generate_challenge_authenticate(builder).map_err(internal)?;
    Ok((URL_SAFE_NO_PAD.encode(&request.public_key.challenge), state))
}

/// The origin that the browser names, if pages there are trusted.
fn trusted_origin(app: &App, client_data: &[u8]) -> Option<Url> {
    let client_data: Value = serde_json::from_slice(client_data).ok()?;
    let origin = client_data.get("origin")?.as_str()?;
    app.origins.allows_origin(origin).then(|| Url::parse(origin).ok()).flatten()
}

/// Judges a new key.
pub(super) fn finish_registration(
    app: &App,
    state: &RegistrationState,
    mut response: Map<String, Value>,
) -> Result<Registered, Refused> {
    let transports = take_transports(&mut response);
    let mut answer: RegisterPublicKeyCredential =
        serde_json::from_value(Value::Object(response)).map_err(|_| Refused::Ceremony)?;
    let attested = Attested::parse(&answer.response.attestation_object).ok_or(Refused::Ceremony)?;
    let origin = trusted_origin(app, &answer.response.client_data_json);
    let core = core(app, Some(origin.ok_or(Refused::Ceremony)?));
    if cose::ed25519(&attested.key).is_some() {
        let stand_in = stand_in().ok_or(Refused::Ceremony)?;
        let key = cose::es256(stand_in.public_key().as_ref()).ok_or(Refused::Ceremony)?;
        answer.response.attestation_object = attested.with_key(&key).ok_or(Refused::Ceremony)?;
    }
    let known = quietly(|| core.register_credential(&answer, state, None));
    let known = known.map_err(|_| Refused::Ceremony)?;
    Ok(Registered {
        credential_id: URL_SAFE_NO_PAD.encode(&known.cred_id),
        public_key: STANDARD.encode(&attested.public_key),
        counter: i32::try_from(known.counter).unwrap_or(i32::MAX),
        device_type: device_type(known.backup_eligible),
        backed_up: known.backup_state,
        aaguid: Uuid::from_bytes(attested.aaguid),
        transports,
    })
}

/// How the device can be reached: hints for the browser, letters and dashes, kept as they are.
fn take_transports(response: &mut Map<String, Value>) -> String {
    response.remove("clientExtensionResults");
    let inner = response.get_mut("response").and_then(Value::as_object_mut);
    let Some(Value::Array(all)) = inner.and_then(|inner| inner.remove("transports")) else {
        return String::new();
    };
    let plain = |text: &&str| {
        text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    };
    all.iter().filter_map(Value::as_str).filter(plain).take(10).collect::<Vec<_>>().join(",")
}

/// Judges the use of a key.
pub(super) fn finish_authentication(
    app: &App,
    state: &AuthenticationState,
    passkey: &Passkey,
    mut response: Map<String, Value>,
) -> Result<Used, Refused> {
    response.remove("clientExtensionResults");
    let mut answer: PublicKeyCredential =
        serde_json::from_value(Value::Object(response)).map_err(|_| Refused::Ceremony)?;
    let origin = trusted_origin(app, &answer.response.client_data_json);
    let core = core(app, Some(origin.ok_or(Refused::Ceremony)?));
    let key = decode(&passkey.public_key).and_then(|key| cose::parse(&key));
    let mut key = key.ok_or(Refused::Ceremony)?;
    if let Some(public) = cose::ed25519(&key) {
        let signed = signed_bytes(&answer);
        UnparsedPublicKey::new(&ED25519, public)
            .verify(&signed, &answer.response.signature)
            .map_err(|_| Refused::Signature)?;
        let stand_in = stand_in().ok_or(Refused::Ceremony)?;
        let signature = stand_in.sign(&SystemRandom::new(), &signed);
        answer.response.signature = signature.map_err(|_| Refused::Ceremony)?.as_ref().to_vec();
        key = cose::es256(stand_in.public_key().as_ref()).ok_or(Refused::Ceremony)?;
    }
    let judged = quietly(|| {
        let credential = credential(passkey, &key)?;
        core.authenticate_single_credential(&answer, state, &credential)
    });
    let judged: AuthenticationResult = judged.map_err(|error| match error {
        WebauthnError::AuthenticationFailure => Refused::Signature,
        _ => Refused::Ceremony,
    })?;
    Ok(Used {
        counter: i32::try_from(judged.counter()).unwrap_or(i32::MAX),
        device_type: device_type(judged.backup_eligible()),
        backed_up: judged.backup_state(),
        user_verified: judged.user_verified(),
    })
}

/// The key as the library knows it. Whether its user was verified at registration is not in Better Auth's row.
fn credential(
    passkey: &Passkey,
    key: &serde_cbor_2::Value,
) -> std::result::Result<Credential, WebauthnError> {
    let mut credential = Credential::from(CredentialV3 {
        cred_id: decode(&passkey.credential_id).ok_or(WebauthnError::CredentialNotFound)?,
        cred: COSEKey::try_from(key)?,
        counter: u32::try_from(passkey.counter).unwrap_or_default(),
        verified: false,
        registration_policy: UserVerificationPolicy::Preferred,
    });
    credential.backup_eligible = passkey.device_type == device_type(true);
    credential.backup_state = passkey.backed_up;
    Ok(credential)
}

fn stand_in() -> Option<EcdsaKeyPair> {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).ok()
}

/// Authenticator data and the hash of the client data: what the device signed.
fn signed_bytes(answer: &PublicKeyCredential) -> Vec<u8> {
    let client_data = digest::sha256(&answer.response.client_data_json);
    [answer.response.authenticator_data.as_slice(), &client_data].concat()
}

/// Base 64 in either alphabet, with or without padding: Better Auth writes both.
fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    URL_SAFE_NO_PAD.decode(text).ok()
}
