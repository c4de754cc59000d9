// SPDX-License-Identifier: GPL-2.0

//! `d_alloc_parallel()` without the directory's lock races with whoever removes the directory.

use crate::kapi::vfs::{
    dentry::Dentry,
    dentry_lookup::LockedDir,
    types::Types, //
};
use kernel::types::NotThreadSafe;

fn case<T: Types>(dir: &Dentry<T>) {
    let _ = NotThreadSafe;
    let _ = LockedDir(dir, NotThreadSafe).name(b"name").d_lookup(); // error[E0423]
}
