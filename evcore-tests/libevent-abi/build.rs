//! Compiles the functions with variable arguments, which stable Rust cannot define, and a check that our structures
//! have the layout of libevent's headers.

fn main() {
    println!("cargo:rerun-if-changed=c");
    println!("cargo:rerun-if-env-changed=EVCORE_SONAME");
    cc::Build::new()
        .files(["c/variadic.c", "c/layout.c"])
        .warnings(true)
        .flag_if_supported("-Wextra")
        .compile("event_variadic");
    if let Ok(soname) = std::env::var("EVCORE_SONAME") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,{soname}");
    }
}
