// SPDX-License-Identifier: GPL-2.0

//! What goes along with the fixed arguments of a request: bytes, folios, a caller's pages.
//!
//! C counterpart: the last of `fuse_args::in_args` or `out_args`, and `struct fuse_args_pages`.
//! Owned by the request while it is sent; comes back to the caller, or to the `OnEnd` of a
//! background request. Takes no lock; copying does not sleep.

use super::copy::{
    CopyIn,
    CopyOut, //
};
use crate::kapi::{
    io::direct_io::UserPages,
    mm::iov::{
        Dest,
        Source, //
    },
    page_cache::{
        folio_copy::{
            flush_dcache,
            zero_rest, //
        },
        folio_list::{
            ReadFolios,
            WriteFolios, //
        },
        segs::SegCursor,
    },
};
use kernel::prelude::*;

/// What goes along with the fixed arguments of a request, to the daemon or back.
pub(crate) enum Payload {
    /// Nothing.
    None,
    /// Bytes to the daemon.
    In(KVVec<u8>),
    /// At most so many bytes from the daemon, into a vector with that capacity; comes back as long
    /// as what was received.
    Out(KVVec<u8>, usize),
    /// The same, but it stays with the request of a caller that leaves: what comes is not for that
    /// caller alone.
    Kept(KVVec<u8>, usize),
    /// Bytes to the daemon, in place of which come at most so many from there: as with
    /// [`Out`](Payload::Out), after those to the daemon are of no use any more.
    InOut(KVVec<u8>, usize),
    /// Data from the daemon for the page cache. What a short reply leaves is zeroed.
    ReadFolios(ReadFolios),
    /// Data of the page cache to the daemon.
    WriteFolios(WriteFolios),
    /// Data of a caller to the daemon.
    UserIn(UserPages<Source>),
    /// Data from the daemon to a caller.
    UserOut(UserPages<Dest>),
    /// At most so many bytes from the daemon, for nobody: whoever wanted them has left.
    Nowhere(usize),
}

/// How far a payload has been copied.
#[derive(Default)]
pub(super) struct PayloadCursor {
    bytes: usize,
    /// Of what goes to the daemon; what comes from there knows itself how far it is filled.
    segs: SegCursor,
}

impl PayloadCursor {
    /// Bytes in all.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Payload {
    /// Whether there is none.
    #[inline]
    pub(super) fn is_none(&self) -> bool {
        matches!(self, Payload::None)
    }

    /// Bytes to the daemon.
    #[inline]
    pub(in crate::transport) fn len_out(&self) -> usize {
        match self {
            Payload::In(bytes) | Payload::InOut(bytes, _) => bytes.len(),
            Payload::WriteFolios(folios) => folios.bytes(),
            Payload::UserIn(pages) => pages.bytes(),
            Payload::None
            | Payload::Out(..)
            | Payload::Kept(..)
            | Payload::ReadFolios(_)
            | Payload::UserOut(_)
            | Payload::Nowhere(_) => 0,
        }
    }

    /// Bytes that the daemon may send.
    fn room(&self) -> usize {
        match self {
            Payload::Out(_, max)
            | Payload::Kept(_, max)
            | Payload::InOut(_, max)
            | Payload::Nowhere(max) => *max,
            Payload::ReadFolios(folios) => folios.bytes(),
            Payload::UserOut(pages) => pages.bytes(),
            Payload::None | Payload::In(_) | Payload::WriteFolios(_) | Payload::UserIn(_) => 0,
        }
    }

    /// Takes out what belongs to a caller that has left: its memory, and buffers that are of use to
    /// it alone. What stays takes the same reply. Also says whether the message cannot be sent
    /// (again) without.
    ///
    /// Folios stay, locked as they are: others wait for them, too.
    pub(super) fn take_own(&mut self) -> (Payload, bool) {
        let (rest, spent) = match self {
            Payload::In(_) | Payload::UserIn(_) => (Payload::None, true),
            Payload::Out(_, max) => (Payload::Nowhere(*max), false),
            Payload::InOut(_, max) => (Payload::Nowhere(*max), true),
            Payload::UserOut(pages) => (Payload::Nowhere(pages.bytes()), false),
            Payload::None
            | Payload::Kept(..)
            | Payload::ReadFolios(_)
            | Payload::WriteFolios(_)
            | Payload::Nowhere(_) => return (Payload::None, false),
        };
        (core::mem::replace(self, rest), spent)
    }

    /// Lets go of it. Does not wait for folios' locks.
    pub(crate) fn let_go(self) {
        if let Payload::UserOut(pages) = self {
            pages.unpin_nowait();
        }
    }

    /// Whether what is still to be sent is memory of a caller's.
    pub(super) fn sends_own(&self) -> bool {
        matches!(
            self,
            Payload::In(_) | Payload::InOut(..) | Payload::UserIn(_)
        )
    }

    /// Prepares to receive `len` bytes.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that is more than there is room for; `ENOMEM` if a vector came without its
    /// capacity.
    #[inline(never)]
    pub(super) fn start_in(&mut self, len: usize) -> Result {
        if len > self.room() {
            return Err(EINVAL);
        }
        if let Payload::Out(bytes, _) | Payload::Kept(bytes, _) | Payload::InOut(bytes, _) = self {
            bytes.clear();
            bytes.reserve(len, GFP_NOWAIT)?;
        }
        Ok(())
    }

    /// Copies to the daemon as far as that goes without a fault. True if all has been copied.
    /// Apart, for most requests have none.
    #[inline(never)]
    pub(super) fn copy_out(&self, cursor: &mut PayloadCursor, to: &mut impl CopyOut) -> bool {
        let len = self.len_out();
        let rest = len.saturating_sub(cursor.bytes);
        if rest == 0 {
            return true;
        }
        let copied = match self {
            Payload::In(bytes) | Payload::InOut(bytes, _) => {
                to.put(bytes.get(cursor.bytes..).unwrap_or_default())
            }
            Payload::WriteFolios(folios) => to.put_folios(folios, &mut cursor.segs, rest),
            Payload::UserIn(pages) => to.put_segs(pages, &mut cursor.segs, rest),
            Payload::None
            | Payload::Out(..)
            | Payload::Kept(..)
            | Payload::ReadFolios(_)
            | Payload::UserOut(_)
            | Payload::Nowhere(_) => 0,
        };
        cursor.bytes = cursor.bytes.saturating_add(copied);
        cursor.bytes >= len
    }

    /// Copies `len` bytes in all from the daemon, as far as that goes without a fault. True if all
    /// has been copied.
    #[inline(never)]
    pub(super) fn copy_in(
        &mut self,
        len: usize,
        cursor: &mut PayloadCursor,
        from: &mut impl CopyIn,
    ) -> bool {
        let rest = len.saturating_sub(cursor.bytes);
        let copied = match self {
            _ if rest == 0 => 0,
            Payload::Out(bytes, _) | Payload::Kept(bytes, _) | Payload::InOut(bytes, _) => {
                from.append_to(bytes, rest)
            }
            Payload::ReadFolios(folios) => from.get_folios(folios, rest),
            Payload::UserOut(pages) => from.get_segs(pages, rest),
            Payload::Nowhere(_) => rest,
            Payload::None | Payload::In(_) | Payload::WriteFolios(_) | Payload::UserIn(_) => 0,
        };
        cursor.bytes = cursor.bytes.saturating_add(copied);
        if cursor.bytes < len {
            return false;
        }
        match self {
            Payload::ReadFolios(folios) => {
                zero_rest(folios);
                flush_dcache(folios);
            }
            Payload::UserOut(pages) => flush_dcache(pages),
            _ => {}
        }
        true
    }
}
