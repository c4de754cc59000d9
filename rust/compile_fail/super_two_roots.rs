// SPDX-License-Identifier: GPL-2.0

//! A superblock's root is made once: a directory has one dentry.

use crate::kapi::vfs::{
    inode::Inode,
    new_super::RootlessSuper,
    types::Types, //
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

fn case<T: Types>(sb: RootlessSuper<'_, T>, inode: ARef<Inode<T>>) {
    let root = sb.d_make_root(inode.clone());
    let other = sb.d_make_root(inode); // error[E0382]
    drop(root);
}
