// SPDX-License-Identifier: GPL-2.0

//! The memory of a source is only read: it may be constant. With one buffer of a user's,
//! `copy_to_iter()` without page faults does not look at `data_source`.

use crate::kapi::mm::iov::{
    IovIter,
    Source, //
};

fn case(from: &mut IovIter<Source>) {
    from.copy_to_iter_atomic(&[0]); // error[E0599]
}
