//! Tells cargo what the `migrate!` macro reads: without this, a new migration file would not cause a rebuild.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
