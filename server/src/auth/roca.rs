//! Finds RSA keys that were made by a faulty library in smart cards (ROCA, CVE-2017-15361).
//!
//! Their primes have the form `k * M + 65537^a mod M`, where `M` is a product of small primes. So the modulus, taken by
//! any of these primes, is a power of 65537: for a healthy key this is true of all of them with a chance of about 2^-28.

/// The odd primes that divide `M` for the shortest of these keys.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

const GENERATOR: u32 = 65_537;

/// Whether a modulus (big endian) has the fingerprint of such a key.
pub(super) fn is_weak(modulus: &[u8]) -> bool {
    PRIMES.into_iter().all(|prime| is_power(remainder(modulus, prime), prime))
}

fn remainder(modulus: &[u8], prime: u32) -> u32 {
    modulus.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime)
}

/// Whether a number is a power of the generator modulo a prime.
fn is_power(number: u32, prime: u32) -> bool {
    let mut power = 1;
    for _ in 0..prime {
        if power == number {
            return true;
        }
        power = power * (GENERATOR % prime) % prime;
    }
    false
}
