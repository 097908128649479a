/// The integers of a DER sequence `tag 0x30`, big-endian without leading zeros.
/// Enough to read PKCS#1 `RSAPublicKey` and `RSAPrivateKey` (RFC 8017 appendix A.1).
pub(super) fn integers(der: &[u8]) -> Option<Vec<&[u8]>> {
    let (0x30, mut content, []) = element(der)? else { return None };
    let mut integers = Vec::new();
    while !content.is_empty() {
        let (0x02, integer, rest) = element(content)? else { return None };
        let leading = integer.iter().take_while(|&&byte| byte == 0).count();
        integers.push(integer.get(leading..)?);
        content = rest;
    }
    Some(integers)
}

/// The private key inside PKCS#8 `PrivateKeyInfo` (RFC 5208 section 5).
pub(super) fn pkcs8_private_key(der: &[u8]) -> Option<&[u8]> {
    let (0x30, content, _) = element(der)? else { return None };
    let (0x02, _version, content) = element(content)? else { return None };
    let (0x30, _algorithm, content) = element(content)? else { return None };
    let (0x04, key, _) = element(content)? else { return None };
    Some(key)
}

/// Tag, content and what follows of the first element.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = if short < 0x80 {
        (usize::from(short), rest)
    } else {
        let (long, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
        if long.len() > 4 {
            return None;
        }
        (long.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}
