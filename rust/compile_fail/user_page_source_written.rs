// SPDX-License-Identifier: GPL-2.0

//! `iov_iter_extract_pages()` pins the memory of a source without FOLL_WRITE: its owner may not be
//! allowed to write to the page, or it is the zero page.

use crate::kapi::mm::{
    iov::{
        IovIter,
        Source, //
    },
    user_pages::UserPage, //
};
use kernel::prelude::*;

fn case(from: &mut IovIter<Source>) -> Result {
    let mut page = UserPage::extract(from)?;
    page.copy_to(&[0]); // error[E0599]
    Ok(())
}
