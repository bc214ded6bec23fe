#[aitrace::trace(name = "a", name = "b")]
fn search() {}

#[aitrace::trace(skip_all, capture(number))]
fn find(number: u8) -> u8 {
    number
}

#[aitrace::trace(name = "")]
fn nameless() {}

fn main() {
    search();
    find(1);
    nameless();
}
