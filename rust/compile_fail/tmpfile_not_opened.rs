// SPDX-License-Identifier: GPL-2.0

//! The VFS takes the inode of what `tmpfile` has opened: there is none without `finish_open()`.

use crate::kapi::vfs::{
    open::{
        AtomicFile,
        FinishOpen,
        OpenedFile, //
    },
    types::Types, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

fn case<'a, T: Types, O: FinishOpen<T>>(
    file: AtomicFile<'a, T>,
    data: Option<Arc<T::File>>,
) -> Result<OpenedFile<'a, T>> {
    let Some(data) = data else {
        return file.finish_no_open(None); // error[E0308]
        return Err(EIO);
    };
    file.finish_open::<O>(data).map_err(|(e, _)| e)
}
