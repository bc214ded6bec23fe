//! Rebuilds this crate when the viewer was built anew.

fn main() {
    // Cargo runs this in the folder of the crate.
    let dist = "../../web/dist";
    // Cargo takes a missing path for one that always changes, and would rebuild this crate and all above it each
    // time. An empty folder is the same to us as none; where it cannot be made, a slower build is the only harm.
    drop(std::fs::create_dir_all(dist));
    println!("cargo:rerun-if-changed={dist}");
    println!("cargo:rerun-if-changed=build.rs");
}
