// SPDX-License-Identifier: GPL-2.0

//! `iget5_locked()` takes memory by the table that the superblock has at that moment: without ours
//! there is none for private data behind the inode.

use crate::kapi::vfs::{
    iget::InodeKey,
    new_super::NewSuperBlock,
    types::Types, //
};

fn case<T: Types, K: InodeKey<T>>(sb: NewSuperBlock<'_, T>, key: &K) {
    let _ = sb.iget5_locked(1, key); // error[E0599]
}
