// SPDX-License-Identifier: GPL-2.0

//! Whoever gives out pieces of folios must keep the folios: a folio without a reference or a pin is
//! freed and becomes another's.

use crate::kapi::page_cache::segs::{
    Seg,
    Segs, //
};

struct Kept<'a>(&'a [Seg]);

// In one line, to be left out.
#[rustfmt::skip]
mod implemented {
    use super::*;

    impl Segs for Kept<'_> { fn segs(&self) -> &[Seg] { self.0 } } // error[E0200]
}
