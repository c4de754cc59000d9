// SPDX-License-Identifier: GPL-2.0

//! What has been made by `d_instantiate()` cannot be spliced.

use crate::kapi::vfs::{
    dentry::NegativeDentry,
    inode::Inode,
    types::Types, //
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

fn mknod<T: Types>(
    dentry: NegativeDentry<'_, T>,
    inode: ARef<Inode<T>>,
    other: ARef<Inode<T>>,
) -> Result {
    dentry.d_instantiate(inode)?;
    let _ = dentry.d_drop().d_splice_alias(Some(other)); // error[E0382]
    Ok(())
}
