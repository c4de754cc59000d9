// SPDX-License-Identifier: GPL-2.0

//! Folios: references and locks.
//!
//! C headers: [`include/linux/page-flags.h`](srctree/include/linux/page-flags.h),
//! [`include/linux/mm.h`](srctree/include/linux/mm.h),
//! [`include/linux/pagemap.h`](srctree/include/linux/pagemap.h).
//!
//! A [`LockedFolio`] is unlocked by its drop; once data was copied to it, it is a [`WrittenFolio`].
//! Memory is reached by copying only, as others may write to it at any time.

use crate::{
    bindings,
    kapi::{
        mm::iov::{
            IovIter,
            Source, //
        },
        sync::wait::Signals,
        vfs::{
            inode::Inode,
            types::Types, //
        },
    },
};
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};
use kernel::{
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*,
    sync::aref::{
        ARef,
        AlwaysRefCounted, //
    },
    types::Opaque, //
};

/// A `struct folio`: memory that is handled as one.
#[repr(transparent)]
pub(crate) struct Folio(Opaque<bindings::folio>);

// SAFETY: Folios are shared between threads by design; what this type offers is safe without locks.
unsafe impl Send for Folio {}
// SAFETY: As above.
unsafe impl Sync for Folio {}

// SAFETY: `folio_get()` and `folio_put()` count references; a folio with one is not freed.
unsafe impl AlwaysRefCounted for Folio {
    fn inc_ref(&self) {
        // SAFETY: The existence of `&self` means that the reference count is not zero.
        unsafe { bindings::folio_get(self.as_ptr()) };
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: The caller gives up a reference that it owns. `folio_put()` does not sleep.
        unsafe { bindings::folio_put(obj.as_ref().as_ptr()) };
    }
}

impl Folio {
    /// Borrows a folio.
    ///
    /// # Safety
    ///
    /// `ptr` is a folio that someone holds a reference to for `'a`.
    pub(super) unsafe fn from_raw<'a>(ptr: *mut bindings::folio) -> &'a Self {
        // SAFETY: The caller promises a live folio; the layout is that of `struct folio`.
        unsafe { &*ptr.cast() }
    }

    /// The C object.
    pub(in crate::kapi) fn as_ptr(&self) -> *mut bindings::folio {
        self.0.get()
    }

    /// Its size in bytes (`folio_size()`).
    pub(crate) fn size(&self) -> usize {
        // SAFETY: A folio with a reference keeps its size.
        unsafe { bindings::folio_size(self.as_ptr()) }
    }

    /// `filemap_get_folio()`: the folio of `inode`'s page cache at a page index, if there is one.
    pub(super) fn cached<T: Types>(inode: &Inode<T>, index: usize) -> Option<ARef<Self>> {
        // SAFETY: The inode is live, hence its mapping.
        let folio = from_err_ptr(unsafe {
            bindings::filemap_get_folio((*inode.as_ptr()).i_mapping, index)
        })
        .ok()?;
        let folio = NonNull::new(folio.cast())?;
        // SAFETY: The function returned a reference, which we take over.
        Some(unsafe { ARef::from_raw(folio) })
    }

    /// The offset in it of a position in the file (`offset_in_folio()`).
    pub(super) fn offset_of(&self, pos: i64) -> usize {
        // SAFETY: A folio with a reference keeps its size.
        unsafe { bindings::offset_in_folio(self.as_ptr(), pos) }
    }

    /// Whether its contents are valid (`folio_test_uptodate()`).
    pub(crate) fn is_uptodate(&self) -> bool {
        // SAFETY: The folio is live.
        unsafe { bindings::folio_test_uptodate(self.as_ptr()) }
    }

    /// Waits until nobody has its lock (`folio_wait_locked_killable()`); `EINTR` if killed, unless
    /// `signals` is [`Signals::None`]. Another may be quicker to take it.
    pub(crate) fn wait_locked(&self, signals: Signals) -> Result {
        if signals == Signals::None {
            // SAFETY: The folio is live; task context.
            unsafe { bindings::folio_wait_locked(self.as_ptr()) };
            return Ok(());
        }
        // SAFETY: As above.
        to_result(unsafe { bindings::folio_wait_locked_killable(self.as_ptr()) })
    }

    /// Waits until it is not being written back (`folio_wait_writeback_killable()`); `EINTR` if
    /// killed, unless `signals` is [`Signals::None`].
    pub(super) fn wait_writeback(&self, signals: Signals) -> Result {
        if signals == Signals::None {
            // SAFETY: The folio is live; task context.
            unsafe { bindings::folio_wait_writeback(self.as_ptr()) };
            return Ok(());
        }
        // SAFETY: As above.
        to_result(unsafe { bindings::folio_wait_writeback_killable(self.as_ptr()) })
    }
}

/// A folio of the page cache, locked and referenced. Drop unlocks.
///
/// # Invariants
///
/// We hold the folio's lock, so that it stays in its mapping.
pub(crate) struct LockedFolio(ARef<Folio>);

impl LockedFolio {
    /// `__filemap_get_folio(FGP_WRITEBEGIN)`: the folio of `inode`'s page cache at a page index,
    /// made if there is none, stable and ready to be written to. May sleep; `EINTR` if killed,
    /// unless `signals` is [`Signals::None`].
    pub(crate) fn write_begin<T: Types>(
        inode: &Inode<T>,
        index: usize,
        signals: Signals,
    ) -> Result<Self> {
        let killable = signals != Signals::None;
        // SAFETY: The inode is live, hence its mapping.
        let folio = from_err_ptr(unsafe {
            bindings::filemap_write_begin((*inode.as_ptr()).i_mapping, index, killable)
        })?;
        // SAFETY: The function returned a reference, which we take over, with the folio locked.
        Ok(Self(unsafe {
            ARef::from_raw(NonNull::new_unchecked(folio.cast()))
        }))
    }

    /// The folio.
    pub(crate) fn folio(&self) -> &Folio {
        &self.0
    }

    /// The offset in the folio of a position in the file (`offset_in_folio()`).
    pub(crate) fn offset_of(&self, pos: i64) -> usize {
        self.0.offset_of(pos)
    }

    /// Copies to the folio what is resident of `from`, at most `len` bytes, and advances `from`. A
    /// folio that was written as a whole is valid (`iomap_folio_mark_uptodate()`). Nothing could be
    /// copied: `None`, and the folio is unlocked.
    pub(crate) fn copy_from_iter_atomic(
        self,
        offset: usize,
        len: usize,
        from: &mut IovIter<Source>,
    ) -> Option<WrittenFolio> {
        let size = self.0.size();
        let len = len.min(size.saturating_sub(offset));
        // SAFETY: The range is in the folio, which is locked and in a mapping; the iterator is
        // valid, and a source.
        let copied = unsafe {
            bindings::filemap_copy_from_iter(self.0.as_ptr(), offset, len, from.as_ptr())
        };
        if copied == 0 {
            return None;
        }
        if copied == size {
            // SAFETY: The folio is locked, of a mapping that uses iomap, and written from its
            // beginning to its end.
            unsafe { bindings::iomap_folio_mark_uptodate(self.0.as_ptr()) };
        }
        // INVARIANT: Written just now, under the lock. C copies no more than it is asked to.
        Some(WrittenFolio {
            folio: self,
            offset,
            len: copied,
        })
    }

    /// Unlocks it and keeps the reference.
    pub(super) fn unlock(self) -> ARef<Folio> {
        let folio = ManuallyDrop::new(self);
        // SAFETY: We hold the lock, and it is forgotten with `folio`.
        unsafe { bindings::folio_unlock(folio.0.as_ptr()) };
        // SAFETY: Read once, as `folio` is not dropped.
        unsafe { core::ptr::read(&folio.0) }
    }
}

impl Drop for LockedFolio {
    fn drop(&mut self) {
        // SAFETY: By the type's invariant we hold the lock.
        unsafe { bindings::folio_unlock(self.0.as_ptr()) };
    }
}

/// A folio of the page cache that data was copied to, locked.
///
/// # Invariants
///
/// The `len` bytes from `offset` on lie in the folio and have been written since it was locked.
pub(crate) struct WrittenFolio {
    folio: LockedFolio,
    offset: usize,
    len: usize,
}

impl WrittenFolio {
    /// Bytes that were copied.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether they go up to the folio's end.
    pub(crate) fn is_to_end(&self) -> bool {
        // By the type's invariant there is no overflow.
        self.offset + self.len == self.folio.0.size()
    }

    /// The folio, offset and length of what was written.
    pub(super) fn into_parts(self) -> (LockedFolio, usize, usize) {
        (self.folio, self.offset, self.len)
    }
}
