// SPDX-License-Identifier: GPL-2.0

//! The file of a `struct iattr` lives as long as that does, and not as long as another one.

use crate::kapi::vfs::{
    attr::Iattr,
    types::Types, //
};
use core::{
    mem,
    pin::Pin, //
};

fn case<T: Types>(mut attr: Pin<&mut Iattr<T>>, other: &mut Iattr<T>) -> bool {
    mem::swap(&mut *attr, other); // error[E0596]
    attr.file().is_some()
}
