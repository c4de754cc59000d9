// SPDX-License-Identifier: GPL-2.0

//! `d_splice_alias()` of a dentry that has an inode puts it on a list twice.

use crate::kapi::vfs::{
    dentry::NamedDentry,
    inode::Inode,
    types::Types, //
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

fn unlink<T: Types>(dentry: NamedDentry<'_, T>, other: ARef<Inode<T>>) -> Result {
    dentry.d_drop().d_splice_alias(Some(other)); // error[E0599]
    Ok(())
}
