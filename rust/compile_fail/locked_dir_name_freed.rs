// SPDX-License-Identifier: GPL-2.0

//! `d_alloc_parallel()` copies the name from where the caller has it.

use crate::kapi::vfs::{
    dentry_lookup::LockedDir,
    types::Types, //
};
use kernel::prelude::*;

fn case<T: Types>(dir: &LockedDir<'_, T>, name: KVec<u8>) {
    let found = dir.name(&name);
    drop(name); // error[E0505]
    let _ = found.d_alloc_parallel();
}
