// SPDX-License-Identifier: GPL-2.0

//! The inodes of a superblock that `simple_fill_super()` has set up are of libfs, without private
//! data behind them.

use crate::kapi::vfs::{
    libfs::SimpleTypes,
    super_block::SuperBlock, //
};

fn case<T: SimpleTypes>(sb: &SuperBlock<T>) {
    let _ = SuperBlock::<T>::iget5_locked::<()>; // error[E0599]
}
