// SPDX-License-Identifier: GPL-2.0

//! A pipe may outlive the request, and with it the pin of a caller's pages: only folios of the page
//! cache are referenced from there.

use crate::kapi::{
    io::{
        direct_io::UserPages,
        splice::PipeSink, //
    },
    mm::iov::Source,
    page_cache::segs::SegCursor, //
};

fn case(sink: &mut PipeSink<'_>, pages: &UserPages<Source>) {
    let mut cursor = SegCursor::default();
    sink.put_refs(pages, &mut cursor, 1); // error[E0308]
}
