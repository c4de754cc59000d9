// SPDX-License-Identifier: GPL-2.0

//! A READ is answered into pages that were pinned with FOLL_WRITE, which those of a source are not.

use crate::{
    kapi::{
        io::direct_io::DirectIter,
        mm::iov::{
            IovIter,
            Source, //
        },
    },
    transport::Payload, //
};
use kernel::prelude::*;

fn case(from: &mut IovIter<Source>) -> Result {
    let (pages, _) = DirectIter::new(from).pin_pages(1, 1)?;
    let payload = Payload::UserOut(pages); // error[E0308]
    Ok(())
}
