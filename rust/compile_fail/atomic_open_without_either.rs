// SPDX-License-Identifier: GPL-2.0

//! `atomic_open` succeeds after `finish_open()` or `finish_no_open()`, and not without them.

use crate::kapi::vfs::{
    open::{
        AtomicFile,
        AtomicOpen, //
    },
    types::Types, //
};
use core::marker::PhantomData;
use kernel::prelude::*;

fn case<'a, T: Types>(file: AtomicFile<'a, T>) -> Result<AtomicOpen<'a, T>> {
    return Ok(AtomicOpen(PhantomData)); // error[E0423]
    file.finish_no_open(None)
}
