//! Links the crate with the archive for the target: lib/ of the npm package, in which this crate lies too.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_LINK").is_some() {
        return;
    }
    let target = env::var("TARGET").unwrap();
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    let atomics = features.split(',').any(|feature| feature == "atomics");
    let folder = match (target.as_str(), atomics) {
        // Before Rust 1.78 the first name, from 1.84 on only the second.
        ("wasm32-wasi" | "wasm32-wasip1", _) => "wasm32-wasip1",
        ("wasm32-wasi-preview1-threads" | "wasm32-wasip1-threads", _) => "wasm32-wasip1-threads",
        ("wasm32-unknown-unknown", false) => "wasm32-unknown-unknown",
        ("wasm32-unknown-unknown", true) => "wasm32-unknown-unknown-threads",
        ("wasm32-unknown-emscripten", false) => "wasm32-emscripten",
        ("wasm32-unknown-emscripten", true) => "wasm32-emscripten-threads",
        _ => panic!(
            "gomalloc has no archive for {target}: make it a dependency for wasm32 only \
             ([target.'cfg(target_arch = \"wasm32\")'.dependencies]); on other targets of wasm32, turn its feature \
             `link` on"
        ),
    };
    let name = match env::var_os("CARGO_FEATURE_DEBUG") {
        Some(_) => "gomalloc-debug",
        None => "gomalloc",
    };
    let package = Path::new(&env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../..");
    let archive = package
        .join("lib")
        .join(folder)
        .join(format!("lib{name}.a"));
    assert!(
        archive.exists(),
        "{} is missing: take the crate from the npm package gomalloc, where the archives lie beside it",
        archive.display()
    );
    println!("cargo:rerun-if-changed={}", archive.display());
    println!(
        "cargo:rustc-link-search=native={}",
        archive.parent().unwrap().display()
    );
    println!("cargo:rustc-link-lib=static={name}");
}
