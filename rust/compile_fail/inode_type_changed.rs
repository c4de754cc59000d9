// SPDX-License-Identifier: GPL-2.0

//! An inode in use keeps its type: the tables that it has are those of that type.

use crate::kapi::vfs::{
    inode::Inode,
    inode_inner::Attributes,
    types::Types, //
};

fn case<T: Types>(inode: &Inode<T>, other: &Attributes) {
    let attr = Attributes {
        mode: 0o010_644, // error[E0560]
        ..*other
    };
    inode.lock_inner().set_attributes(&attr);
}
