// SPDX-License-Identifier: GPL-2.0

//! `fill_super` succeeds with a superblock that has a root: the VFS takes it from there.

use crate::kapi::vfs::{
    new_super::{
        FilledSuper,
        RootlessSuper, //
    },
    types::Types, //
};

fn case<T: Types>(sb: RootlessSuper<'_, T>) {
    let filled: FilledSuper<'_, T> = sb; // error[E0308]
}
