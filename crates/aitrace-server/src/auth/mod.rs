//! Keys: what they are, who may make them, and whose one is.

mod browser;
mod keys;
mod pepper;
mod random;
mod ring;
mod scope;
mod tries;

pub(crate) use browser::{Browsers, Who};
pub use keys::{Keys, ListedKey, NewKey, WantedKey};
pub use pepper::Pepper;
pub(crate) use pepper::key_id;
pub(crate) use random::hex;
pub use random::{Random, SystemRandom};
pub(crate) use ring::{Holder, Ring};
pub use scope::Scope;
pub(crate) use scope::Scopes;
pub(crate) use tries::Tries;
