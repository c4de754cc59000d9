// SPDX-License-Identifier: GPL-2.0

//! The first `d_splice_alias()` ends the lookup: by the second one somebody else may have given the
//! dentry an inode.

use crate::kapi::vfs::{
    dentry_lookup::InLookup,
    inode::Inode,
    types::Types, //
};
use kernel::sync::aref::ARef;

fn case<T: Types>(new: InLookup<'_, T>, inode: ARef<Inode<T>>, other: ARef<Inode<T>>) {
    let _ = new.d_splice_alias(Some(inode));
    let _ = new.d_splice_alias(Some(other)); // error[E0382]
}
