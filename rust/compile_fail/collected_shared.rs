// SPDX-License-Identifier: GPL-2.0

//! Two threads share only what may be shared: a result that was collected gives `&T`.

use crate::kapi::fuse::lend::Collected;
use core::cell::Cell;

fn share<T: Sync>(_: &T) {}

fn case(collected: Collected<'_, Cell<u32>, ()>) {
    share(&collected); // error[E0277]
}
