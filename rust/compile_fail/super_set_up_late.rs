// SPDX-License-Identifier: GPL-2.0

//! Once a superblock makes inodes, others get to it through them, who read its fields without a
//! lock.

use crate::kapi::vfs::{
    dentry_operations::DentryOperationsTable,
    new_super::NewSuperBlock,
    super_operations::SuperOperationsTable,
    types::Types, //
};

fn case<T: Types>(
    mut new: NewSuperBlock<'_, T>,
    ops: &'static SuperOperationsTable<T>,
    dentry_ops: &'static DentryOperationsTable<T>,
) {
    let sb = new.set_operations(ops, dentry_ops);
    new.set_s_magic(1); // error[E0382]
    drop(sb);
}
