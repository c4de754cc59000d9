// SPDX-License-Identifier: GPL-2.0

//! Reading into the page cache with iomap, for a filesystem that fetches the data itself.
//!
//! C header: [`include/linux/iomap.h`](srctree/include/linux/iomap.h).
//!
//! There are no blocks: every range is mapped, so that iomap asks for all that is not up to date
//! yet and lies before the end of the file, and zeroes the rest.

use crate::{
    bindings,
    kapi::{
        page_cache::folio_list::FolioRead,
        vfs::{
            address_space::{
                LockedForRead,
                ReadaheadControl, //
            },
            types::Types, //
        },
    },
};
use core::{
    marker::PhantomData,
    ptr::{
        null_mut,
        NonNull, //
    },
};
use kernel::{
    ffi::c_int,
    prelude::*, //
};

/// How a filesystem reads ranges of folios (`struct iomap_read_ops`).
pub(crate) trait ReadFolioRange {
    /// The next range is `len` bytes at `pos`, to be taken by [`add`](Self::add). An error ends the
    /// reading early, without a word to those who wait for the folio: readahead is not an
    /// obligation.
    ///
    /// `left` is the pages of readahead left, this one included, of which the caller of `read(2)`
    /// waits for all but `async_size`; `None` when a folio is read because it is needed.
    fn prepare(&mut self, _pos: i64, _len: usize, _left: Option<Left>) -> Result {
        Ok(())
    }

    /// Takes the range: it is to be read now or later, and the token says when that is done.
    fn add(&mut self, read: FolioRead);
}

/// What is left of a readahead.
#[derive(Clone, Copy)]
pub(crate) struct Left {
    /// Pages not taken yet (`readahead_count()`).
    pub(crate) pages: u32,
    /// Pages that nobody waits for (`file_ra_state::async_size`).
    pub(crate) async_size: u32,
}

struct ReadOps<R>(PhantomData<R>);

impl<R: ReadFolioRange> ReadOps<R> {
    const TABLE: bindings::iomap_read_ops = bindings::iomap_read_ops {
        read_folio_range: Some(read_folio_range::<R>),
        submit_read: None,
        bio_set: null_mut(),
    };
}

static IOMAP_OPS: bindings::iomap_ops = bindings::iomap_ops {
    iomap_begin: None,
    iomap_end: None,
    iomap_next: Some(iomap_next),
};

/// `iomap_read_folio()`: reads what is missing of a folio. The folio is unlocked when that is done.
pub(crate) fn iomap_read_folio<T: Types, R: ReadFolioRange>(
    folio: LockedForRead<'_, T>,
    reader: &mut R,
) {
    let mut ctx = bindings::iomap_read_folio_ctx {
        ops: &ReadOps::<R>::TABLE,
        cur_folio: folio.into_raw(),
        rac: null_mut(),
        read_ctx: core::ptr::from_mut(reader).cast(),
        read_ctx_file_offset: 0,
        vi: null_mut(),
    };
    // SAFETY: The folio is locked and in the page cache, and passes to iomap; the tables have the
    // types of `reader`, which outlives the call.
    unsafe { bindings::iomap_read_folio(&IOMAP_OPS, &mut ctx, null_mut()) };
}

/// `iomap_readahead()`: reads what is missing of the folios of a readahead. Each is unlocked when
/// its part is done.
pub(crate) fn iomap_readahead<T: Types, R: ReadFolioRange>(
    rac: &mut ReadaheadControl<'_, T>,
    reader: &mut R,
) {
    let mut ctx = bindings::iomap_read_folio_ctx {
        ops: &ReadOps::<R>::TABLE,
        rac: rac.as_ptr(),
        read_ctx: core::ptr::from_mut(reader).cast(),
        cur_folio: null_mut(),
        read_ctx_file_offset: 0,
        vi: null_mut(),
    };
    // SAFETY: `rac` is valid and ours; the tables have the types of `reader`, which outlives the
    // call.
    unsafe { bindings::iomap_readahead(&IOMAP_OPS, &mut ctx, null_mut()) };
}

/// `iomap_next`: all that is left is one mapping.
///
/// # Safety
///
/// Called by iomap alone, through the table it is in.
unsafe extern "C" fn iomap_next(
    iter: *const bindings::iomap_iter,
    iomap: *mut bindings::iomap,
    srcmap: *mut bindings::iomap,
) -> c_int {
    // SAFETY: iomap calls with valid pointers. As `iomap_iter_next()` in C: a mapping with a length
    // is one that has been used, and has to be finished first.
    unsafe {
        if (*iomap).length != 0 {
            let ret = bindings::iomap_iter_continue(iter, iomap, srcmap, 0);
            if ret <= 0 {
                return ret;
            }
        }
        (*iomap).type_ = bindings::IOMAP_MAPPED as u16;
        (*iomap).offset = (*iter).pos;
        (*iomap).length = (*iter).len;
    }
    1
}

/// # Safety
///
/// Called by iomap alone, through the table it is in.
unsafe extern "C" fn read_folio_range<R: ReadFolioRange>(
    iter: *const bindings::iomap_iter,
    ctx: *mut bindings::iomap_read_folio_ctx,
    len: usize,
) -> c_int {
    // SAFETY: `read_ctx` is the reader that was passed to iomap, which calls back from within.
    let reader = unsafe { &mut *(*ctx).read_ctx.cast::<R>() };
    // SAFETY: iomap calls with valid pointers, and a folio that it holds locked.
    let (pos, rac, folio) = unsafe { ((*iter).pos, (*ctx).rac, (*ctx).cur_folio) };
    // SAFETY: If there is a `rac` it is valid.
    let left = unsafe { rac.as_ref() }.map(|rac| Left {
        pages: rac._nr_pages,
        // SAFETY: `ra` is valid as long as `rac` is.
        async_size: unsafe { (*rac.ra).async_size },
    });
    if let Err(e) = reader.prepare(pos, len, left) {
        return e.to_errno();
    }
    // SAFETY: The folio is valid. Folios are smaller than 4 GiB.
    let offset = unsafe { bindings::offset_in_folio(folio, pos) } as u32;
    let Some(folio) = NonNull::new(folio) else {
        return EIO.to_errno();
    };
    // SAFETY: As we return 0, iomap counts on one `iomap_finish_folio_read()` for the range. The
    // token gets a reference of its own.
    let read = unsafe {
        bindings::folio_get(folio.as_ptr());
        FolioRead::new(folio, offset, len as u32)
    };
    reader.add(read);
    0
}
