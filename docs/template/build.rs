//! Puts the part's memory.x where the linker looks. With one part, a memory.x in this folder and no build.rs will do.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let target = env::var("TARGET").map_err(io::Error::other)?;
    let part = match target.split('-').next() {
        Some("thumbv6m") => "cortex_m0",
        Some("thumbv7m") => "cortex_m3",
        Some("riscv32imc") => "riscv",
        _ => return Err(io::Error::other(format!("there is no memory/*.x for {target}"))),
    };
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::copy(format!("memory/{part}.x"), Path::new(&out).join("memory.x"))?;
    println!("cargo::rustc-link-search={out}");
    println!("cargo::rerun-if-changed=memory");
    Ok(())
}
