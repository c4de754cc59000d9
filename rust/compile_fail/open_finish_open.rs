// SPDX-License-Identifier: GPL-2.0

//! `finish_open()` in `open` would open the file from within its being opened.

use crate::kapi::vfs::{
    file::OpeningFile,
    open::FinishOpen,
    types::Types, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

fn open<T: Types, O: FinishOpen<T>>(
    file: &OpeningFile<T>,
    data: Arc<T::File>,
) -> Result<Arc<T::File>> {
    file.finish_open::<O>(data.clone()); // error[E0599]
    Ok(data)
}
