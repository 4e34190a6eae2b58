//! The probe does not link `std`, which would have linked the C library; that calls `main`, and has `memcpy`.

fn main() {
    println!("cargo::rustc-link-lib=c");
}
