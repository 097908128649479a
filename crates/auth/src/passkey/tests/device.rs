//! A device made of code.

use std::{collections::BTreeMap, sync::Arc};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use gatepost_protocol::{digest::sha256, random};
use serde_cbor_2::Value as Cbor;
use serde_json::{Value, json};

use super::super::cose;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Es256,
    Ed25519,
}

#[derive(Clone)]
enum Key {
    Es256(Arc<EcdsaKeyPair>),
    Ed25519(Arc<Ed25519KeyPair>),
}

/// It holds one key at a time.
#[derive(Clone)]
pub(super) struct Device {
    algorithm: Algorithm,
    key: Key,
    id: Vec<u8>,
    domain: String,
    counter: u32,
    user: String,
    pub(super) counts: bool,
    pub(super) keeps_id: bool,
    pub(super) verifies_user: bool,
}

fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Key {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Es256 => Self::Es256(Arc::new(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
            )),
            Algorithm::Ed25519 => Self::Ed25519(Arc::new(Ed25519KeyPair::generate().unwrap())),
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Es256(key) => key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    fn cose(&self) -> Vec<u8> {
        let key = match self {
            Self::Es256(key) => cose::es256(key.public_key().as_ref()).unwrap(),
            Self::Ed25519(key) => {
                let integers = [(1, 1), (3, -8), (-1, 6)]
                    .map(|(name, value)| (Cbor::Integer(name), Cbor::Integer(value)));
                let x = (Cbor::Integer(-2), Cbor::Bytes(key.public_key().as_ref().to_vec()));
                Cbor::Map(integers.into_iter().chain([x]).collect())
            }
        };
        serde_cbor_2::to_vec(&key).unwrap()
    }
}

impl Device {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            key: Key::new(algorithm),
            id: Vec::new(),
            domain: String::new(),
            counter: 0,
            user: String::new(),
            counts: true,
            keeps_id: false,
            verifies_user: true,
        }
    }

    /// A new key: its id and the public key as Better Auth's row holds it.
    pub(super) fn make(&mut self, domain: &str, user: &str) -> (String, String) {
        self.key = Key::new(self.algorithm);
        if !self.keeps_id {
            self.id = random::bytes::<16>().to_vec();
        }
        (self.domain, self.user) = (domain.to_owned(), user.to_owned());
        self.counter = 0;
        (base64(&self.id), STANDARD.encode(self.key.cose()))
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let verified = if self.verifies_user { 4 } else { 0 };
        let mut data = sha256(self.domain.as_bytes()).to_vec();
        data.push(flags | verified);
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// `navigator.credentials.create`.
    pub(super) fn create(&mut self, options: &Value, origin: &str) -> Value {
        let domain = options["rp"]["id"].as_str().unwrap().to_owned();
        let user = options["user"]["id"].as_str().unwrap().to_owned();
        self.make(&domain, &user);
        let mut data = self.data(0x41);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        data.extend(self.key.cose());
        let text = |text: &str| Cbor::Text(text.to_owned());
        let object = BTreeMap::from([
            (text("fmt"), text("none")),
            (text("attStmt"), Cbor::Map(BTreeMap::new())),
            (text("authData"), Cbor::Bytes(data)),
        ]);
        let client = json!({ "type": "webauthn.create", "challenge": options["challenge"], "origin": origin, "crossOrigin": false });
        json!({
            "id": base64(&self.id), "rawId": base64(&self.id), "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": { "credProps": { "rk": true } },
            "response": {
                "clientDataJSON": base64(client.to_string().as_bytes()),
                "attestationObject": base64(&serde_cbor_2::to_vec(&Cbor::Map(object)).unwrap()),
                "transports": ["internal", "hybrid", "a new one!"],
            },
        })
    }

    /// `navigator.credentials.get`.
    pub(super) fn get(&mut self, options: &Value, origin: &str) -> Value {
        self.get_wrong(options, origin, "")
    }

    /// The same with something wrong.
    pub(super) fn get_wrong(&mut self, options: &Value, origin: &str, what: &str) -> Value {
        if self.counts {
            self.counter += 1;
        }
        let domain = self.domain.clone();
        if what == "domain" {
            self.domain = "evil.test".to_owned();
        }
        let data = if what == "absent" { self.data(0) } else { self.data(1) };
        self.domain = domain;
        let kind = if what == "type" { "webauthn.create" } else { "webauthn.get" };
        let challenge = if what == "challenge" {
            json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
        } else {
            options["challenge"].clone()
        };
        let origin = if what == "origin" { "https://evil.test" } else { origin };
        let client = json!({ "type": kind, "challenge": challenge, "origin": origin });
        let client = client.to_string();
        let signed = [data.as_slice(), &sha256(client.as_bytes())].concat();
        let signature = match what {
            "stranger" => Key::new(self.algorithm).sign(&signed),
            "signature" => self.key.sign(&[signed.as_slice(), b"x"].concat()),
            _ => self.key.sign(&signed),
        };
        let id = if what == "unknown" { base64(&[7; 16]) } else { base64(&self.id) };
        if what == "nothing" {
            return json!({});
        }
        json!({
            "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
            "authenticatorAttachment": "platform",
            "response": {
                "clientDataJSON": base64(client.as_bytes()),
                "authenticatorData": base64(&data),
                "signature": base64(&signature),
                "userHandle": self.user,
            },
        })
    }
}
