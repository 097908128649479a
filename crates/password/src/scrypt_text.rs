//! scrypt as other systems write it: PHC (passlib) and Werkzeug (Flask).

use zeroize::Zeroizing;

use crate::{
    Refused,
    phc::Phc,
    scrypt::{self, Cost},
    stored::{check_salt, equal, number},
};

/// 128 MiB (N=2^17, r=8) and the little besides.
const MOST_MEMORY: u64 = 129 << 20;
/// Block mixes: sixteen times Better Auth's.
const MOST_WORK: u64 = 1 << 23;

pub(crate) struct ScryptHash {
    cost: Cost,
    salt: Vec<u8>,
    key: Vec<u8>,
}

impl ScryptHash {
    pub(crate) fn parse_phc(stored: &str) -> Result<Self, Refused> {
        let phc = Phc::parse(stored)?;
        let [logarithm, r, p] = phc.numbers(["ln", "r", "p"])?;
        if phc.version.is_some() || !(32..=128).contains(&phc.hash.len()) {
            return Err(Refused::Malformed);
        }
        let cost = check_cost(power(logarithm)?, r, p)?;
        Ok(Self { cost, salt: phc.salt, key: phc.hash })
    }

    /// `scrypt:N:r:p$salt$hex`; the salt is the text itself.
    pub(crate) fn parse_werkzeug(stored: &str) -> Result<Self, Refused> {
        let parts: Vec<&str> = stored.split('$').collect();
        let [method, salt, key] = parts.as_slice() else { return Err(Refused::Malformed) };
        let numbers: Vec<&str> = method.split(':').collect();
        let ["scrypt", n, r, p] = numbers.as_slice() else { return Err(Refused::Malformed) };
        let cost = check_cost(number(n)?, number(r)?, number(p)?)?;
        let key = hex::decode(key).ok().filter(|key| key.len() == 64);
        let salt = check_salt(salt.as_bytes().to_vec())?;
        Ok(Self { cost, salt, key: key.ok_or(Refused::Malformed)? })
    }

    pub(crate) fn matches(&self, password: &str) -> Result<bool, Refused> {
        let mut key = Zeroizing::new(vec![0; self.key.len()]);
        derive(password, &self.salt, self.cost, &mut key)?;
        Ok(equal(&key, &self.key))
    }
}

pub(crate) fn power(logarithm: u64) -> Result<u64, Refused> {
    let shift = u32::try_from(logarithm).map_err(|_| Refused::TooCostly)?;
    1_u64.checked_shl(shift).ok_or(Refused::TooCostly)
}

/// Refuses what would take too much memory or time (PW-13).
pub(crate) fn check_cost(n: u64, r: u64, p: u64) -> Result<Cost, Refused> {
    if n < 2 || !n.is_power_of_two() || r == 0 || p == 0 {
        return Err(Refused::Malformed);
    }
    let cost = Cost { n, r, p };
    let affordable = cost.memory().is_some_and(|memory| memory <= MOST_MEMORY)
        && cost.work().is_some_and(|work| work <= MOST_WORK);
    if affordable { Ok(cost) } else { Err(Refused::TooCostly) }
}

pub(crate) fn derive(
    password: &str,
    salt: &[u8],
    cost: Cost,
    key: &mut [u8],
) -> Result<(), Refused> {
    let memory = usize::try_from(MOST_MEMORY).map_err(|_| Refused::Failed)?;
    let done = scrypt::derive(password.as_bytes(), salt, cost, memory, key);
    if done { Ok(()) } else { Err(Refused::Failed) }
}
