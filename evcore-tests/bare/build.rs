//! The target determines the board, and the board the memory layout.

use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let target = env::var("TARGET").unwrap_or_default();
    let board = match target.split('-').next() {
        Some("thumbv7m") => "lm3s",
        Some("thumbv6m") => "microbit",
        Some("riscv32imc" | "riscv32imac") => "virt",
        _ => return Err(io::Error::other(format!("there is no board for {target}"))),
    };
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::copy(format!("../firmware/memory/{board}.x"), Path::new(&out).join("memory.x"))?;
    println!("cargo::rustc-link-search={out}");
    if board == "virt" {
        println!("cargo::rustc-link-arg=-Tmemory.x");
    }
    println!("cargo::rustc-link-arg=-Tlink.x");
    println!("cargo::rustc-cfg=board=\"{board}\"");
    println!("cargo::rustc-check-cfg=cfg(board, values(\"lm3s\", \"microbit\", \"virt\"))");
    println!("cargo::rerun-if-changed=../firmware/memory");
    Ok(())
}
