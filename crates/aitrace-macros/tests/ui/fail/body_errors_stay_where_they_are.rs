#[aitrace::trace]
fn count(text: &str) -> u32 {
    text
}

#[aitrace::trace]
async fn count_later(text: &str) -> u32 {
    text
}

fn main() {
    count("a");
    drop(count_later("a"));
}
