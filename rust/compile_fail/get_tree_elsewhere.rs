// SPDX-License-Identifier: GPL-2.0

//! `get_tree_nodev()` and the like are for `get_tree`, once, and their error is its error: it says
//! which it is to be (`Tree`), and cannot call them.

use crate::kapi::vfs::{
    file_system::{
        FileSystem,
        Making, //
    },
    fs_context::FsContext,
};

fn case<F: FileSystem>(fc: &FsContext) {
    let _ = F::Making::GET_TREE(fc.as_ptr(), None); // error[E0624]
}
