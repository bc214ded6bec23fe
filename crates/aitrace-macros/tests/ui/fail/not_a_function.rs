#[aitrace::trace]
struct Agent;

fn main() {}
