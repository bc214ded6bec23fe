#[aitrace::trace(type = "tool")]
fn search() {}

#[aitrace::trace(inputs = false)]
fn find() {}

fn main() {
    search();
    find();
}
