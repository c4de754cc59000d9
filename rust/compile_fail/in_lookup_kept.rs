// SPDX-License-Identifier: GPL-2.0

//! After the operation the directory is not locked, and somebody may look up the same name anew.

use crate::kapi::vfs::{
    dentry_lookup::InLookup,
    types::Types, //
};

fn keep<K: 'static>(_: K) {}

fn case<T: Types>(new: InLookup<'_, T>) {
    keep(new); // error[E0521]
}
