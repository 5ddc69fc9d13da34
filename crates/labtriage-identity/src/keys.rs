//! Which pseudonym does an NHS number get? HMAC-SHA256 under a key, so that nobody without it can try all numbers.
//!
//! A key ring is a text: one key a line, `<key id> <64 hexadecimal digits>`; `#` begins a remark. The first key
//! writes, the others are old ones, which still recognise what they wrote. A pseudonym is `<key id>-` and 28
//! letters: it holds no digits of its own, so it is never taken for the number of a person.

use std::fmt;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::IdentityError;
use crate::nhs_number::NhsNumber;

/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// HMAC pads a key to a block of SHA-256.
const BLOCK_BYTES: usize = 64;
/// Letters of a pseudonym after the id; four bits each: 112 bits, where chance brings none together.
const LETTERS: usize = 28;
/// One letter for each four bits; without vowels no word comes about.
const ALPHABET: &[u8; 16] = b"bcdfghjkmnpqrstv";
/// What is hashed before the digits, so that the key can serve nothing else by mistake.
const DOMAIN: &[u8] = b"labtriage pseudonym 1\0";
/// The most characters of a key id.
const ID_CHARS_MAX: usize = 16;

/// A pseudonym that is kept. It has no `Display`, and its `Debug` says nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnedPseudonym(String);

impl OwnedPseudonym {
    /// A pseudonym of this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the files that are meant to hold pseudonyms.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OwnedPseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnedPseudonym(redacted)")
    }
}

/// A key, wiped from memory when it is dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Key {
    #[zeroize(skip)]
    id: String,
    /// Padded with noughts to a block, as HMAC would.
    padded: [u8; BLOCK_BYTES],
}

/// The keys of pseudonyms: the first writes, all recognise. Its `Debug` names their ids only.
pub struct KeyRing {
    first: Key,
    old: Vec<Key>,
}

impl KeyRing {
    /// Reads a ring; `place` is where it came from, as the user named it.
    ///
    /// # Errors
    /// [`IdentityError`]: no key, a line that is none, an id twice. Nothing of a key is repeated.
    pub fn parse(text: &str, place: &str) -> Result<Self, IdentityError> {
        let mut keys: Vec<Key> = Vec::new();
        for (n, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let bad = |what| IdentityError::BadKey { place: place.to_owned(), line: n + 1, what };
            let key = read_key(line).map_err(bad)?;
            if keys.iter().any(|other| other.id == key.id) {
                return Err(IdentityError::KeyTwice { place: place.to_owned(), id: key.id.clone() });
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let Some(first) = keys.next() else { return Err(IdentityError::NoKey { place: place.to_owned() }) };
        Ok(Self { first, old: keys.collect() })
    }

    /// Reads a ring from a file.
    ///
    /// # Errors
    /// As [`Self::parse`], and when the file cannot be read.
    pub fn from_file(path: &Path) -> Result<Self, IdentityError> {
        let read = std::fs::read_to_string(path).map(Zeroizing::new);
        let io = |source| IdentityError::Io { what: "read the pseudonym keys in", path: path.to_owned(), source };
        Self::parse(&read.map_err(io)?, &format!("`{}`", path.display()))
    }

    /// A line for a ring: a key of this id from the system's randomness.
    ///
    /// # Errors
    /// When the id is unusable or the system has no randomness to give.
    pub fn new_line(id: &str) -> Result<Zeroizing<String>, IdentityError> {
        let bad = |what| IdentityError::BadKey { place: "the command line".to_owned(), line: 1, what };
        check_id(id).map_err(bad)?;
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|_| IdentityError::Encrypt("the system gives no randomness"))?;
        let mut line = Zeroizing::new(format!("{id} "));
        for byte in bytes.iter() {
            for half in [byte >> 4, byte & 15] {
                line.extend(char::from_digit(u32::from(half), 16));
            }
        }
        line.push('\n');
        Ok(line)
    }

    /// The id of the key that writes.
    pub fn writing_id(&self) -> &str {
        &self.first.id
    }

    /// The pseudonym of a number under the key that writes.
    pub fn pseudonym(&self, number: &NhsNumber) -> OwnedPseudonym {
        self.first.pseudonym(number)
    }

    /// The pseudonyms of a number under every key, the one that writes first.
    pub fn every_pseudonym(&self, number: &NhsNumber) -> impl Iterator<Item = OwnedPseudonym> {
        std::iter::once(&self.first).chain(&self.old).map(|key| key.pseudonym(number))
    }

    /// Whether a pseudonym is this number's, under the key that made it.
    pub fn recognises(&self, pseudonym: &OwnedPseudonym, number: &NhsNumber) -> bool {
        self.every_pseudonym(number).any(|other| other == *pseudonym)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = std::iter::once(&self.first).chain(&self.old).map(|key| key.id.as_str()).collect();
        f.debug_tuple("KeyRing").field(&ids).finish()
    }
}

impl Key {
    fn pseudonym(&self, number: &NhsNumber) -> OwnedPseudonym {
        let mut mac = Hmac::<Sha256>::new(&self.padded.into());
        mac.update(DOMAIN);
        mac.update(number.expose_digits().as_bytes());
        let bytes = mac.finalize().into_bytes();
        let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(LETTERS);
        let letters = halves.map(|half| char::from(ALPHABET[usize::from(half)]));
        OwnedPseudonym(format!("{}-{}", self.id, letters.collect::<String>()))
    }
}

fn read_key(line: &str) -> Result<Key, &'static str> {
    let (id, digits) = line.split_once(char::is_whitespace).ok_or("there is no blank between id and key")?;
    check_id(id)?;
    let digits = digits.trim();
    if digits.len() != 2 * KEY_BYTES || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("the key is not 64 hexadecimal digits");
    }
    let mut key = Key { id: id.to_owned(), padded: [0; BLOCK_BYTES] };
    for (byte, pair) in key.padded.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let half = |at: usize| char::from(pair[at]).to_digit(16).and_then(|half| u8::try_from(half).ok());
        *byte = half(0).zip(half(1)).map_or(0, |(high, low)| high << 4 | low);
    }
    if key.padded.iter().all(|byte| *byte == 0) {
        return Err("the key is all noughts");
    }
    Ok(key)
}

fn check_id(id: &str) -> Result<(), &'static str> {
    let plain = id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let first = id.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if plain && first && id.len() <= ID_CHARS_MAX {
        return Ok(());
    }
    Err("the id is not 1 to 16 small letters and digits, a letter first")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const TWO: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

    fn number(text: &str) -> NhsNumber {
        NhsNumber::parse(text).unwrap()
    }

    fn ring(text: &str) -> KeyRing {
        KeyRing::parse(text, "a test").unwrap()
    }

    #[test]
    fn a_pseudonym_is_the_hmac_that_another_program_works_out() {
        // python3: hmac.new(bytes.fromhex(ONE), b"labtriage pseudonym 1\0" + b"9434765919", "sha256").hexdigest()
        let found = ring(&format!("k1 {ONE}")).pseudonym(&number("943 476 5919"));
        assert_eq!(found.expose(), "k1-kvkpbqjdtpsdgddkgsfrgrjspsdj");
    }

    #[test]
    fn a_new_key_writes_and_an_old_one_recognises() {
        let (ada, bob) = (number("9434765919"), number("9727710638"));
        let before = ring(&format!("k1 {ONE}"));
        let after = ring(&format!("# rotated\nk2 {TWO} # new\n\nk1 {ONE}\n"));
        let (old, new) = (before.pseudonym(&ada), after.pseudonym(&ada));
        assert_ne!(old, new);
        assert_eq!(after.writing_id(), "k2");
        assert!(old.expose().starts_with("k1-") && new.expose().starts_with("k2-"));
        assert!(after.recognises(&old, &ada) && after.recognises(&new, &ada));
        assert!(!after.recognises(&old, &bob) && !before.recognises(&new, &ada));
    }

    #[test]
    fn a_bad_ring_is_refused_without_repeating_it() {
        let check = |text: &str, expected: &str| {
            let error = KeyRing::parse(text, "keys.txt").unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(!error.contains("0123456789abcdef"), "{error}");
        };
        check("", "no pseudonym key in keys.txt");
        check("# nothing", "no pseudonym key");
        check(ONE, "line 1 of keys.txt");
        check(&format!("k1 {ONE}00"), "not 64 hexadecimal digits");
        check(&format!("\nK1 {ONE}"), "line 2 of keys.txt is no pseudonym key");
        check(&format!("k1 {}", "0".repeat(64)), "all noughts");
        check(&format!("k1 {ONE}\nk1 {TWO}"), "have the id `k1`");
    }

    #[test]
    fn new_keys_differ_and_can_be_read() {
        let (one, two) = (KeyRing::new_line("k1").unwrap(), KeyRing::new_line("k1").unwrap());
        assert_ne!(*one, *two);
        assert_eq!(ring(&one).writing_id(), "k1");
        assert!(KeyRing::new_line("Key 1").is_err());
    }

    #[test]
    fn debug_names_ids_only() {
        let ring = ring(&format!("k1 {ONE}\nk2 {TWO}"));
        let text = format!("{ring:?} {:?}", ring.pseudonym(&number("9434765919")));
        assert_eq!(text, "KeyRing([\"k1\", \"k2\"]) OwnedPseudonym(redacted)");
    }
}
