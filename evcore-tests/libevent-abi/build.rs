//! Compiles the functions that stable Rust cannot define, those with variable arguments, and the proof that our structures are
//! laid out as libevent's headers say.

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
