// SPDX-License-Identifier: GPL-2.0

//! Callers of `notify_change()` leave `ia_file` as the stack had it, unless they set `ATTR_FILE`.

use crate::kapi::vfs::{
    attr::{
        Iattr,
        ATTR_FILE, //
    },
    types::Types, //
};
use core::pin::Pin;

fn case<T: Types>(mut attr: Pin<&mut Iattr<T>>) -> bool {
    attr.as_mut().set_valid(ATTR_FILE); // error[E0599]
    attr.file().is_some_and(|file| file.flags() == 0)
}
