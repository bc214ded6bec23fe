#[aitrace::trace]
const fn double(number: u32) -> u32 {
    number * 2
}

fn main() {
    double(1);
}
