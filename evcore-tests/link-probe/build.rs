//! The probe brings no `std`, which would have named the C library: `main` is called by it, and `memcpy` lives there.

fn main() {
    println!("cargo::rustc-link-lib=c");
}
