struct Agent;

#[aitrace::trace]
impl Agent {
    fn run(&self) {}
}

fn main() {
    Agent.run();
}
