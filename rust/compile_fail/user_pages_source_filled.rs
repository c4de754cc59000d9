// SPDX-License-Identifier: GPL-2.0

//! `iov_iter_extract_pages()` pins the memory of a source, of a direct write, without FOLL_WRITE:
//! its owner may not be allowed to write to the page, or it is the zero page.

use crate::kapi::{
    io::direct_io::DirectIter,
    mm::iov::{
        IovIter,
        Source, //
    },
    page_cache::folio_copy::copy_from_slice, //
};
use kernel::prelude::*;

fn case(from: &mut IovIter<Source>) -> Result {
    let (mut pages, _) = DirectIter::new(from).pin_pages(1, 1)?;
    copy_from_slice(&mut pages, &[0]); // error[E0277]
    Ok(())
}
