//! bcrypt, of other systems only: it looks at 72 bytes of a password, so longer ones are refused.

use base64::{
    Engine as _,
    alphabet::BCRYPT,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use zeroize::Zeroizing;

use crate::{Refused, stored::equal};

/// Old writers left random bits behind the last character of the salt.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &BCRYPT,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);
const LONGEST: usize = 72;
/// 2^15 rounds are about two seconds.
const COSTS: std::ops::RangeInclusive<u32> = 4..=15;

pub(crate) struct BcryptHash {
    cost: u32,
    salt: [u8; 16],
    key: [u8; 23],
}

impl BcryptHash {
    pub(crate) fn parse(stored: &str) -> Result<Self, Refused> {
        let (cost, rest) = stored
            .get(4..)
            .and_then(|rest| rest.split_once('$'))
            .filter(|(cost, rest)| cost.len() == 2 && rest.len() == 53 && rest.is_ascii())
            .ok_or(Refused::Malformed)?;
        let digits = cost.bytes().all(|byte| byte.is_ascii_digit());
        let cost: u32 = cost.parse().ok().filter(|_| digits).ok_or(Refused::Malformed)?;
        if !COSTS.contains(&cost) {
            return Err(if cost < 4 { Refused::Malformed } else { Refused::TooCostly });
        }
        let (salt_text, key_text) = rest.split_at(22);
        let (mut salt, mut key) = ([0; 16], [0; 23]);
        decode(salt_text, &mut salt)?;
        decode(key_text, &mut key)?;
        Ok(Self { cost, salt, key })
    }

    pub(crate) fn matches(&self, password: &str) -> Result<bool, Refused> {
        // The algorithm reads the password with a NUL behind it, and 72 bytes of that.
        let bytes = password.as_bytes();
        if bytes.len() > LONGEST {
            return Err(Refused::PasswordTooLong);
        }
        let mut terminated = Zeroizing::new([0; LONGEST]);
        terminated.iter_mut().zip(bytes).for_each(|(target, byte)| *target = *byte);
        let used = terminated.get(..LONGEST.min(bytes.len() + 1)).ok_or(Refused::Failed)?;
        let derived = bcrypt::bcrypt(self.cost, self.salt, used);
        Ok(derived.split_last().is_some_and(|(_, derived)| equal(derived, &self.key)))
    }
}

fn decode(text: &str, target: &mut [u8]) -> Result<(), Refused> {
    let bytes = BASE64.decode(text).map_err(|_| Refused::Malformed)?;
    if bytes.len() != target.len() {
        return Err(Refused::Malformed);
    }
    target.copy_from_slice(&bytes);
    Ok(())
}
