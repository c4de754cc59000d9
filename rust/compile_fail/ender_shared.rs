// SPDX-License-Identifier: GPL-2.0

//! Two threads share only what may be shared: who ends a request has its `&T`.

use crate::kapi::fuse::lend::Ender;
use core::cell::Cell;

fn share<T: Sync>(_: &T) {}

fn case(ender: Ender<'_, Cell<u32>, ()>) {
    share(&ender); // error[E0277]
}
