fn spawn(_: impl Future + Send) {}

#[aitrace::trace]
async fn local() -> usize {
    let shared = std::rc::Rc::new(1);
    std::future::ready(()).await;
    *shared
}

fn main() {
    spawn(local());
}
