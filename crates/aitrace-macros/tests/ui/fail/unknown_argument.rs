#[aitrace::trace(skip(secrets))]
fn login(user: &str, secret: &str) -> usize {
    user.len() + secret.len()
}

#[aitrace::trace(capture(user))]
fn nothing() {}

fn main() {
    login("u", "s");
    nothing();
}
