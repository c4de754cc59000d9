// SPDX-License-Identifier: GPL-2.0

//! A parameter whose string was taken is not to be parsed any more.

use crate::kapi::vfs::fs_parameter::FsParameter;

fn case(param: FsParameter<'_>) {
    let _ = param.into_string(); // error[E0624]
}
