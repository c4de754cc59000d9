// SPDX-License-Identifier: GPL-2.0

//! The VFS opens what `finish_no_open()` was called for: a file that is open would be opened again.

use crate::kapi::vfs::{
    open::{
        AtomicFile,
        AtomicOpen,
        FinishOpen, //
    },
    types::Types, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

fn case<'a, T: Types, O: FinishOpen<T>>(
    file: AtomicFile<'a, T>,
    data: Arc<T::File>,
) -> Result<AtomicOpen<'a, T>> {
    let done = file.finish_open::<O>(data).map_err(|(e, _)| e)?;
    return file.finish_no_open(None); // error[E0382]
    Ok(done.into())
}
