//! The codec against the reference implementation, against hostile input, against recorded requests.

mod bytes;
mod differential;
mod generate;
mod golden;
mod hostile;
mod json;
mod limits;
mod logs;
mod reference;
mod salvage;
mod speed;
