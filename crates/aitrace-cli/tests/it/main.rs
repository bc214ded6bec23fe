//! The command `aitrace` as its users run it: the real binary, in a folder of its own.

mod cli_config;
mod cli_help;
mod cli_html;
mod cli_import;
mod cli_keys;
mod cli_live;
mod cli_query;
mod cli_read;
mod cli_serve;
mod cli_spool;
mod ledger;
mod overload;
mod packaging;
mod reading;
mod support;
