trait Search {
    #[aitrace::trace]
    fn search(&self, query: &str) -> u32;
}

fn main() {}
