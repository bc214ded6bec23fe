//! Keys: what they are, who may make them, and whose one is.

mod browser;
mod keys;
mod pepper;
mod random;
mod ring;
mod scope;

pub(crate) use browser::{Browsers, Who};
pub use keys::{Keys, ListedKey, NewKey};
pub use pepper::Pepper;
pub(crate) use random::hex;
pub use random::{Random, SystemRandom};
pub(crate) use ring::{Holder, Ring};
pub use scope::Scope;
pub(crate) use scope::Scopes;
