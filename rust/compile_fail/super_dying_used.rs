// SPDX-License-Identifier: GPL-2.0

//! A superblock that is shut down may be one that was never set up, which has no tables to make
//! inodes by.

use crate::kapi::vfs::{
    new_super::DyingSuper,
    super_block::SuperBlock,
    types::Types, //
};

fn case<T: Types>(dying: &DyingSuper<'_, T>) {
    let sb: &SuperBlock<T> = dying; // error[E0308]
}
