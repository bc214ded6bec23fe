#[aitrace::trace(event_type = "tol")]
fn search() {}

#[aitrace::trace(kind = "model")]
fn ask() {}

fn main() {
    search();
    ask();
}
