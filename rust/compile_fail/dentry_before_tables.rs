// SPDX-License-Identifier: GPL-2.0

//! `d_make_root()` calls `d_init` of the table that the superblock has at that moment: without ours
//! the dentry has no `d_fsdata`.

use crate::kapi::vfs::{
    inode::Inode,
    new_super::NewSuperBlock,
    types::Types, //
};
use kernel::sync::aref::ARef;

fn case<T: Types>(sb: NewSuperBlock<'_, T>, inode: ARef<Inode<T>>) {
    let _ = sb.d_make_root(inode); // error[E0599]
}
