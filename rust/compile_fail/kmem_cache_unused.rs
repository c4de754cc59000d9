// SPDX-License-Identifier: GPL-2.0

//! Nobody may allocate from a cache that `kmem_cache_destroy()` destroys: who allocates is counted.

use crate::kapi::mm::{
    gfp::Gfp,
    slab::{
        KmemCache,
        SlabArc, //
    },
};
use kernel::prelude::*;

static CACHE: KmemCache<u32> = KmemCache::new(c"unused", 0..0);

fn case(init: impl PinInit<u32>) {
    let object = SlabArc::pin_init(&CACHE, Gfp::KERNEL, init); // error[E0308]
}
