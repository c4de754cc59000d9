// SPDX-License-Identifier: GPL-2.0

//! Two writers of `i_size` at once leave a sequence count on which readers spin for ever (32 bits).

use crate::kapi::vfs::{
    inode::Inode,
    types::Types, //
};

fn case<T: Types>(inode: &Inode<T>) -> i64 {
    inode.i_size_write(0); // error[E0599]
    inode.i_size_read()
}
