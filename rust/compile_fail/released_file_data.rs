// SPDX-License-Identifier: GPL-2.0

//! `private_data` of a file is gone once `release` has dropped it.

use crate::kapi::vfs::{
    file::ReleasedFile,
    types::Types, //
};
use kernel::sync::Arc;

fn case<T: Types>(file: &ReleasedFile<T>, data: Arc<T::File>) -> u32 {
    drop(data);
    file.data(); // error[E0599]
    file.flags()
}
