// SPDX-License-Identifier: GPL-2.0

//! `iomap_finish_folio_read()` without an error shows readers the folio, and a new one has what was
//! in the memory before: how far it was filled is not a matter of saying so.

use crate::kapi::page_cache::{
    folio_list::ReadFolios,
    segs::{
        DestSegs,
        SegCursor, //
    },
};

fn case(folios: &mut ReadFolios, elsewhere: &mut SegCursor) {
    core::mem::swap(folios.to_fill().1, elsewhere); // error[E0133]
}
