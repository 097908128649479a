//! The PHC string format: `$id[$v=version][$parameters]$salt$hash`.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use crate::{
    Refused,
    stored::{check_salt, number},
};

/// Standard alphabet, padding optional, no non-zero trailing bits.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(crate) struct Phc<'text> {
    pub(crate) id: &'text str,
    pub(crate) version: Option<u64>,
    /// The text between identifier and salt, without the version.
    pub(crate) parameters: &'text str,
    pub(crate) salt: Vec<u8>,
    pub(crate) hash: Vec<u8>,
}

impl<'text> Phc<'text> {
    pub(crate) fn parse(stored: &'text str) -> Result<Self, Refused> {
        let parts: Vec<&str> =
            stored.strip_prefix('$').ok_or(Refused::Malformed)?.split('$').collect();
        let (id, version, parameters, salt, hash) = match parts.as_slice() {
            [id, version, parameters, salt, hash] => {
                let version = version.strip_prefix("v=").ok_or(Refused::Malformed)?;
                (id, Some(number(version)?), parameters, salt, hash)
            }
            [id, parameters, salt, hash] => (id, None, parameters, salt, hash),
            _ => return Err(Refused::Malformed),
        };
        Ok(Self { id, version, parameters, salt: check_salt(decode(salt)?)?, hash: decode(hash)? })
    }

    /// The numbers named by `names`, in this order; exactly these must be there, in any order.
    pub(crate) fn numbers<const N: usize>(&self, names: [&str; N]) -> Result<[u64; N], Refused> {
        let pairs: Option<Vec<(&str, &str)>> =
            self.parameters.split(',').map(|pair| pair.split_once('=')).collect();
        let pairs = pairs.filter(|pairs| pairs.len() == N).ok_or(Refused::Malformed)?;
        let mut numbers = [0; N];
        for (target, name) in numbers.iter_mut().zip(names) {
            let pair = pairs.iter().find(|(other, _)| *other == name).ok_or(Refused::Malformed)?;
            *target = number(pair.1)?;
        }
        Ok(numbers)
    }
}

pub(crate) fn decode(text: &str) -> Result<Vec<u8>, Refused> {
    BASE64.decode(text).map_err(|_| Refused::Malformed)
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}
