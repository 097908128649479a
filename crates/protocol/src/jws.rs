//! The compact serialisation of JWS (RFC 7515 section 7.1), read strictly.

use serde_json::{Map, Value};

use crate::jwk::decode;

/// A token taken apart. Nothing in it is verified yet.
pub(crate) struct Parts<'token> {
    pub(crate) header: Map<String, Value>,
    /// What the signature is over.
    pub(crate) signed: &'token str,
    pub(crate) payload: &'token str,
    pub(crate) signature: Vec<u8>,
}

/// Three parts of strict base64url (JW-14), the first a JSON object; `None` for anything else.
pub(crate) fn split(token: &str) -> Option<Parts<'_>> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    if payload.contains('.') {
        return None;
    }
    Some(Parts { header: object(header)?, signed, payload, signature: decode(signature)? })
}

/// The JSON object in a part.
pub(crate) fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&decode(part)?).ok()
}
