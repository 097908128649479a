//! Public keys as authenticators write them (RFC 9052, CBOR), and where they stand in what a device sends.

use std::collections::BTreeMap;

use serde_cbor_2::Value;

/// Key type, algorithm, curve and coordinate of a COSE key.
const KTY: i128 = 1;
const ALG: i128 = 3;
const CRV: i128 = -1;
const X: i128 = -2;
const Y: i128 = -3;
const OKP: i128 = 1;
const EC2: i128 = 2;
const EDDSA: i128 = -8;
const ES256: i128 = -7;
const ED25519: i128 = 6;
const P256: i128 = 1;

/// Bytes before the attested credential: hash of the domain, flags, counter.
const BEFORE_CREDENTIAL: usize = 37;
const AAGUID: usize = 16;

/// Reads a key, or anything else in CBOR.
pub(super) fn parse(bytes: &[u8]) -> Option<Value> {
    serde_cbor_2::from_slice(bytes).ok()
}

fn integer(map: &BTreeMap<Value, Value>, name: i128) -> Option<i128> {
    match map.get(&Value::Integer(name)) {
        Some(Value::Integer(value)) => Some(*value),
        _ => None,
    }
}

/// The public key, if it is one of Ed25519.
pub(super) fn ed25519(key: &Value) -> Option<&[u8]> {
    let Value::Map(map) = key else { return None };
    let kind = (integer(map, KTY)?, integer(map, ALG)?, integer(map, CRV)?);
    match map.get(&Value::Integer(X)) {
        Some(Value::Bytes(x)) if kind == (OKP, EDDSA, ED25519) && x.len() == 32 => Some(x),
        _ => None,
    }
}

/// The key of a point on P-256, written `04 x y`.
pub(super) fn es256(point: &[u8]) -> Option<Value> {
    let (x, y) = point.strip_prefix(&[4])?.split_at_checked(32)?;
    let integers = [(KTY, EC2), (ALG, ES256), (CRV, P256)];
    let integers = integers.map(|(name, value)| (Value::Integer(name), Value::Integer(value)));
    let coordinates = [(X, x), (Y, y)];
    let coordinates =
        coordinates.map(|(name, value)| (Value::Integer(name), Value::Bytes(value.to_vec())));
    Some(Value::Map(integers.into_iter().chain(coordinates).collect()))
}

/// What a device says of a new key.
pub(super) struct Attested {
    /// The model of the device.
    pub(super) aaguid: [u8; AAGUID],
    /// The key, as it was written.
    pub(super) public_key: Vec<u8>,
    /// The same, read.
    pub(super) key: Value,
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Attested {
    /// Takes an attestation object apart.
    pub(super) fn parse(attestation_object: &[u8]) -> Option<Self> {
        let Value::Map(object) = parse(attestation_object)? else { return None };
        let Some(Value::Bytes(data)) = object.get(&text("authData")) else { return None };
        let aaguid = data.get(BEFORE_CREDENTIAL..)?.first_chunk::<AAGUID>()?;
        let length = data.get(BEFORE_CREDENTIAL + AAGUID..)?.first_chunk::<2>()?;
        let key_at = BEFORE_CREDENTIAL + AAGUID + 2 + usize::from(u16::from_be_bytes(*length));
        let (before, rest) = data.split_at_checked(key_at)?;
        let mut reader = serde_cbor_2::Deserializer::from_slice(rest);
        let key: Value = serde::Deserialize::deserialize(&mut reader).ok()?;
        let (public_key, after) = rest.split_at_checked(reader.byte_offset())?;
        Some(Self {
            aaguid: *aaguid,
            public_key: public_key.to_vec(),
            key,
            before: before.to_vec(),
            after: after.to_vec(),
        })
    }

    /// The attestation object of the same device with another key and without a statement about it.
    pub(super) fn with_key(&self, key: &Value) -> Option<Vec<u8>> {
        let key = serde_cbor_2::to_vec(key).ok()?;
        let data = [self.before.as_slice(), &key, &self.after].concat();
        let object = [
            (text("fmt"), text("none")),
            (text("attStmt"), Value::Map(BTreeMap::new())),
            (text("authData"), Value::Bytes(data)),
        ];
        serde_cbor_2::to_vec(&Value::Map(object.into_iter().collect())).ok()
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}
