//! Laws of the model through its public surface.

mod any;
mod convert;
mod hostile;
mod merge;
mod record;
