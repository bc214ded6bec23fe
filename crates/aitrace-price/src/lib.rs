//! What a model call costs.
//!
//! Stage: normalise. In: [`aitrace_model::Usage`]. Out: [`Price`], with how it was reckoned.
//!
//! The prices are a table with a date, which a file can replace ([`Table::read`]). The built-in one was made
//! from `LiteLLM`'s open table (`data/prices.json` says of when; MIT, `data/LICENSE`), of which only the prices of
//! tokens are kept. A model that is not in the table has no price: unknown, never 0.

mod find;
mod price;
mod table;

pub use price::{Line, Price, What};
pub use table::{Error, Table};
