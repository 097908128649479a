//! scrypt (RFC 7914) by AWS-LC: the one place of `unsafe` in the project. `aws-lc-rs` has no safe
//! binding for it, and it is several times faster than the portable crates.

/// Cost parameters of scrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    /// CPU and memory cost, a power of two.
    pub(crate) n: u64,
    /// Block size.
    pub(crate) r: u64,
    /// Parallelisation.
    pub(crate) p: u64,
}

impl Cost {
    /// Bytes that a run takes: `128 * r * (N + p)`.
    pub(crate) fn memory(self) -> Option<u64> {
        self.n.checked_add(self.p)?.checked_add(2)?.checked_mul(128)?.checked_mul(self.r)
    }

    /// Block mixes that a run takes: `2 * N * r * p`.
    pub(crate) fn work(self) -> Option<u64> {
        self.n.checked_mul(2)?.checked_mul(self.r)?.checked_mul(self.p)
    }
}

/// Derives `key` from `password` and `salt`. `false` when the parameters are invalid (zero, N not a
/// power of two above one) or need more than `memory` bytes.
#[must_use]
pub(crate) fn derive(
    password: &[u8],
    salt: &[u8],
    cost: Cost,
    memory: usize,
    key: &mut [u8],
) -> bool {
    if cost.n < 2 || key.is_empty() {
        return false;
    }
    // SAFETY: pointers and lengths come from live slices; AWS-LC only reads `password` and `salt`,
    // writes exactly `key.len()` bytes to `key`, keeps no pointer, and checks the numbers itself.
    // An empty slice's pointer is dangling but never read, its length being zero.
    #[expect(unsafe_code, reason = "AWS-LC's scrypt has no safe binding; RFC 7914 vectors below")]
    let done = unsafe {
        aws_lc_sys::EVP_PBE_scrypt(
            password.as_ptr().cast(),
            password.len(),
            salt.as_ptr(),
            salt.len(),
            cost.n,
            cost.r,
            cost.p,
            memory,
            key.as_mut_ptr(),
            key.len(),
        )
    };
    done == 1
}

#[cfg(test)]
mod tests;
