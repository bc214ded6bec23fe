#[aitrace::trace(tracer = "support")]
fn search() {}

fn main() {
    search();
}
