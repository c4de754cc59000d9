// SPDX-License-Identifier: GPL-2.0

//! Two threads share only what may be shared: a lease gives `&T`.

use crate::kapi::fuse::lend::Lease;
use core::cell::Cell;

fn share<T: Sync>(_: &T) {}

fn case(lease: Lease<'_, Cell<u32>, ()>) {
    share(&lease); // error[E0277]
}
