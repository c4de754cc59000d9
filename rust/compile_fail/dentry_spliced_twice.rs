// SPDX-License-Identifier: GPL-2.0

//! After `d_splice_alias()` the dentry has an inode: a second one puts it on a list twice.

use crate::kapi::vfs::{
    dentry::UnhashedDentry,
    inode::Inode,
    types::Types, //
};
use kernel::sync::aref::ARef;

fn case<T: Types>(dentry: UnhashedDentry<'_, T>, inode: ARef<Inode<T>>, other: ARef<Inode<T>>) {
    let _ = dentry.d_splice_alias(Some(inode));
    let _ = dentry.d_splice_alias(Some(other)); // error[E0382]
}
