// SPDX-License-Identifier: GPL-2.0

//! C declarations, generated at build time by bindgen; only `kapi` may use them.
//!
//! `kernel::bindings` and, beside it, what that lacks (`rust/bindings/allowlist`) and our own C
//! helpers (`rust/helpers`). A name of ours shadows the same name in `kernel::bindings`, which
//! matters where the latter knows a type as opaque only (`fs_context`): a pointer to one is then
//! not a pointer to the other and needs a `cast()`.

#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    improper_ctypes,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unknown_lints,
    unnecessary_transmutes,
    unreachable_pub,
    unsafe_code,
    unsafe_op_in_unsafe_fn,
    unused_imports
)]

use kernel::ffi;

pub(crate) use helpers::*;
pub(crate) use kernel::bindings::*;

// `kernel::bindings` keeps these to itself.
type __kernel_size_t = usize;
type __kernel_ssize_t = isize;
type __kernel_ptrdiff_t = isize;

include!(env!("RUST_FUSE_BINDINGS"));

mod helpers {
    use super::*;

    include!(env!("RUST_FUSE_HELPERS"));
}
