// SPDX-License-Identifier: GPL-2.0

//! An inode's tables do not change once others can see it.

use crate::kapi::vfs::{
    iget::{
        InodeKind,
        NewInode, //
    },
    inode::Inode,
    types::Types, //
};
use kernel::sync::aref::ARef;

fn case<T: Types>(new: NewInode<T>, kind: InodeKind<T>, other: InodeKind<T>) -> ARef<Inode<T>> {
    let ready = new.set_up(kind);
    let inode = ready.unlock_new_inode();
    let _ = new.set_up(other); // error[E0382]
    inode
}
