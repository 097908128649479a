//! argon2 (RFC 9106) as PHC strings; new hashes are argon2id.

use argon2::{Algorithm, Argon2, Params, Version};
use gatepost_protocol::random;
use zeroize::Zeroizing;

use crate::{
    Refused,
    phc::{self, Phc},
    stored::equal,
};

/// OWASP's recommendation: 19 MiB, two passes, one lane.
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;
const KEY: usize = 32;

/// 256 MiB.
const MOST_MEMORY: u64 = 256 * 1024;
const MOST_LANES: u64 = 16;
/// Memory times passes: about two seconds of work.
const MOST_WORK: u64 = 2 << 20;

pub(crate) struct Argon2Hash {
    algorithm: Algorithm,
    version: Version,
    parameters: Params,
    salt: Vec<u8>,
    key: Vec<u8>,
}

impl Argon2Hash {
    pub(crate) fn parse(stored: &str) -> Result<Self, Refused> {
        let phc = Phc::parse(stored)?;
        let algorithm = match phc.id {
            "argon2id" => Algorithm::Argon2id,
            "argon2i" => Algorithm::Argon2i,
            "argon2d" => Algorithm::Argon2d,
            _ => return Err(Refused::Unknown),
        };
        let version = match phc.version {
            Some(19) => Version::V0x13,
            Some(16) | None => Version::V0x10,
            Some(_) => return Err(Refused::Malformed),
        };
        let [memory, passes, lanes] = phc.numbers(["m", "t", "p"])?;
        let work = memory.checked_mul(passes).ok_or(Refused::TooCostly)?;
        if memory > MOST_MEMORY || lanes > MOST_LANES || work > MOST_WORK {
            return Err(Refused::TooCostly);
        }
        if !(16..=128).contains(&phc.hash.len()) || phc.salt.len() < 8 {
            return Err(Refused::Malformed);
        }
        let narrow = |value| u32::try_from(value).map_err(|_| Refused::TooCostly);
        let parameters =
            Params::new(narrow(memory)?, narrow(passes)?, narrow(lanes)?, Some(phc.hash.len()))
                .map_err(|_| Refused::Malformed)?;
        Ok(Self { algorithm, version, parameters, salt: phc.salt, key: phc.hash })
    }

    pub(crate) fn create(password: &str) -> Result<String, Refused> {
        let parameters = Params::new(MEMORY, PASSES, 1, Some(KEY)).map_err(|_| Refused::Failed)?;
        let salt = random::bytes::<16>();
        let mut key = Zeroizing::new([0; KEY]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
            .hash_password_into(password.as_bytes(), &salt, key.as_mut_slice())
            .map_err(|_| Refused::Failed)?;
        let (salt, key) = (phc::encode(&salt), phc::encode(key.as_slice()));
        Ok(format!("$argon2id$v=19$m={MEMORY},t={PASSES},p=1${salt}${key}"))
    }

    pub(crate) fn matches(&self, password: &str) -> Result<bool, Refused> {
        let mut key = Zeroizing::new(vec![0; self.key.len()]);
        Argon2::new(self.algorithm, self.version, self.parameters.clone())
            .hash_password_into(password.as_bytes(), &self.salt, &mut key)
            .map_err(|_| Refused::Failed)?;
        Ok(equal(&key, &self.key))
    }

    pub(crate) fn is_outdated(&self) -> bool {
        self.algorithm != Algorithm::Argon2id
            || self.version != Version::V0x13
            || self.parameters.m_cost() < MEMORY
            || self.parameters.t_cost() < PASSES
    }
}
