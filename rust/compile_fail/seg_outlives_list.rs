// SPDX-License-Identifier: GPL-2.0

//! The list has the reference to the folio of a piece, `folio_put()` is its drop.

use crate::kapi::page_cache::{
    folio_list::WriteFolios,
    segs::{
        Seg,
        Segs, //
    },
};

fn see(_: Option<&Seg>) {}

fn case(folios: WriteFolios) {
    let seg = folios.segs().first();
    drop(folios); // error[E0505]
    see(seg);
}
