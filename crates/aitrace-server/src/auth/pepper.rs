//! The text of a key, and its hash.
//!
//! A key is `aitrace_ID_SECRET`: its public id (16 hex digits) and 32 random bytes (64 hex digits). A store keeps
//! HMAC-SHA256 of the whole text under a secret that is not in the store (the pepper): whoever reads the store
//! alone can neither use nor test a key. With 256 random bits a slow hash would add nothing.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::random::to_hex;

/// What every key begins with, so that people and secret scanners recognise one.
const PREFIX: &str = "aitrace_";
/// In place of the id in the operator's token.
const OPERATOR: &str = "operator";
const ID_DIGITS: usize = 16;
const SECRET_DIGITS: usize = 64;

/// The secret that keys are hashed with. Whoever holds it is the operator.
#[derive(Clone)]
pub struct Pepper([u8; 32]);

impl Pepper {
    /// The pepper of these bytes, which must be random and kept apart from the store.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The token of the operator: it may do everything in all projects. For commands on the server's own machine
    /// that can read the pepper.
    pub fn operator_token(&self) -> String {
        format!("{PREFIX}{OPERATOR}_{}", to_hex(&self.mac("operator", "").finalize().into_bytes()))
    }

    /// Whether a token is the operator's. Takes the same time for all of one length.
    pub(crate) fn is_operator(&self, token: &str) -> bool {
        // Hashed first, so that the comparison tells nothing about how much of it is right.
        let expected = self.mac("compare", &self.operator_token()).finalize().into_bytes();
        self.mac("compare", token).verify(&expected).is_ok()
    }

    /// What a store keeps of a key or another secret.
    pub(crate) fn hash(&self, secret: &str) -> String {
        to_hex(&self.mac("key", secret).finalize().into_bytes())
    }

    /// Whether a secret has this hash. Takes the same time wherever they differ.
    pub(crate) fn verify(&self, secret: &str, hash: &str) -> bool {
        // The hashes are hashed again, so that the comparison is of secrets nobody can choose.
        let expected = self.mac("compare", hash).finalize().into_bytes();
        self.mac("compare", &self.hash(secret)).verify(&expected).is_ok()
    }

    fn mac(&self, use_as: &str, text: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(use_as.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        mac
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(…)")
    }
}

/// The text of a key.
pub(crate) fn write_key(id: &str, secret: &str) -> String {
    format!("{PREFIX}{id}_{secret}")
}

/// The id in the text of a key; `None` for what is no key.
pub(crate) fn key_id(text: &str) -> Option<&str> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    let hex = |text: &str, digits| {
        text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    (hex(id, ID_DIGITS) && hex(secret, SECRET_DIGITS)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_depend_on_the_pepper_and_on_every_byte() {
        let (one, other) = (Pepper::new([1; 32]), Pepper::new([2; 32]));
        let key = write_key(&"0".repeat(16), &"ab".repeat(32));
        let hash = one.hash(&key);
        assert_eq!(hash.len(), 64);
        assert!(!hash.contains("abab") && one.verify(&key, &hash));
        assert!(!other.verify(&key, &hash));
        for changed in [&key[..key.len() - 1], &key.to_uppercase(), ""] {
            assert!(!one.verify(changed, &hash), "{changed}");
        }
        assert!(!one.verify(&key, "") && !one.verify(&key, &hash[1..]));
    }

    #[test]
    fn only_one_token_is_the_operators() {
        let (one, other) = (Pepper::new([1; 32]), Pepper::new([2; 32]));
        let token = one.operator_token();
        assert!(one.is_operator(&token) && !other.is_operator(&token));
        assert!(!one.is_operator("") && !one.is_operator(&token[..token.len() - 1]));
        assert_eq!(key_id(&token), None, "no key can be taken for it");
    }

    #[test]
    fn what_is_no_key_is_told_apart() {
        let key = write_key("0123456789abcdef", &"0f".repeat(32));
        assert_eq!(key_id(&key), Some("0123456789abcdef"));
        for wrong in ["", "aitrace_", "aitrace__", &key[1..], &key[..key.len() - 1], &format!("{key}0")] {
            assert_eq!(key_id(wrong), None, "{wrong}");
        }
        assert_eq!(key_id(&key.replace('f', "F")), None);
    }

    #[test]
    fn it_does_not_tell_itself() {
        assert!(!format!("{:?}", Pepper::new([7; 32])).contains('7'));
    }
}
