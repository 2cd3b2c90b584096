//! The program's own `getrandom` must be found where that of the C library is looked up.

fn main() {
    println!("cargo:rustc-link-arg-bins=-rdynamic");
}
