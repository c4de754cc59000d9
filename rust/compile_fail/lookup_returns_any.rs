// SPDX-License-Identifier: GPL-2.0

//! What `lookup` returns is in the directory: the VFS goes on with it as if it had found it there.

use crate::kapi::vfs::{
    dentry::{
        Alias,
        Dentry,
        UnhashedDentry, //
    },
    types::Types, //
};
use core::marker::PhantomData;
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

fn lookup<'a, T: Types>(
    dentry: UnhashedDentry<'a, T>,
    other: ARef<Dentry<T>>,
) -> Result<Option<Alias<'a, T>>> {
    return Ok(Some(Alias(other, PhantomData))); // error[E0423]
    dentry.d_splice_alias(None).map_err(|(e, _)| e)
}
