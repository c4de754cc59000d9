// SPDX-License-Identifier: GPL-2.0

//! `i_rwsem` is released by the task that has taken it.

use crate::kapi::vfs::{
    inode::Inode,
    types::Types, //
};

fn send<T: Send>(_: T) {}

fn case<T: Types>(inode: &Inode<T>) {
    let guard = inode.inode_lock();
    send(guard); // error[E0277]
}
