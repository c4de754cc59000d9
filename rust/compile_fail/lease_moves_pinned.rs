// SPDX-License-Identifier: GPL-2.0

//! What is lent was initialised in its place, a list head for instance, and stays there.

use crate::kapi::fuse::lend::Lease;
use core::marker::PhantomPinned;

fn case(mut lease: Lease<'_, PhantomPinned, ()>, other: &mut PhantomPinned) {
    core::mem::swap(&mut *lease, other); // error[E0596]
}
