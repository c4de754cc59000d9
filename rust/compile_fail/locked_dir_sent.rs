// SPDX-License-Identifier: GPL-2.0

//! The VFS has locked the directory for the current task, until its call returns.

use crate::kapi::vfs::{
    dentry_lookup::LockedDir,
    types::Types, //
};

fn send<S: Send>(_: S) {}

fn case<T: Types>(dir: &LockedDir<'_, T>) {
    send(dir); // error[E0277]
}
