//! Links the module for a plain `cargo build` as maturin does: the interpreter that loads it has the symbols of Python.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
