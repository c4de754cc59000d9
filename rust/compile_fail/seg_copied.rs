// SPDX-License-Identifier: GPL-2.0

//! A piece of a folio is not taken out of its list, which has the reference to the folio.

use crate::kapi::page_cache::{
    folio_list::WriteFolios,
    segs::{
        Seg,
        Segs, //
    },
};

fn case(folios: &WriteFolios) -> Option<Seg> {
    let seg = folios.segs().first()?;
    return Some(*seg); // error[E0507]
    None
}
