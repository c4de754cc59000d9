// SPDX-License-Identifier: GPL-2.0

//! `s_remove_count` follows `i_nlink`: it is wrong for good after two changes at once.

use crate::kapi::vfs::{
    inode::Inode,
    types::Types, //
};

fn case<T: Types>(inode: &Inode<T>) -> u32 {
    inode.drop_nlink(); // error[E0599]
    inode.i_nlink()
}
