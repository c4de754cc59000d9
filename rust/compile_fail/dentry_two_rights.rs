// SPDX-License-Identifier: GPL-2.0

//! Of two that may give one dentry an inode, the second would put it on a list twice.

use crate::kapi::vfs::{
    inode::Inode,
    open::AtomicFile,
    types::Types, //
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

fn atomic_open<T: Types>(
    mut file: AtomicFile<'_, T>,
    inode: ARef<Inode<T>>,
    other: ARef<Inode<T>>,
) -> Result {
    let one = file.negative().ok_or(EEXIST)?;
    let _ = file.negative().ok_or(EEXIST)?.d_instantiate(other); // error[E0499]
    one.d_instantiate(inode)
}
