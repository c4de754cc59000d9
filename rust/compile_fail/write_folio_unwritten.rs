// SPDX-License-Identifier: GPL-2.0

//! A new folio has what was in the memory before, which is not the daemon's to see: a WRITE sends
//! what was copied to it.

use crate::kapi::page_cache::{
    folio::LockedFolio,
    folio_list::WriteFolios, //
};

fn case(folios: &mut WriteFolios, folio: LockedFolio) {
    let pushed = folios.push(folio); // error[E0308]
}
