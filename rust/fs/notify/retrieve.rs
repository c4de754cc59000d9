// SPDX-License-Identifier: GPL-2.0

//! RETRIEVE: the daemon asks for what the page cache has, and gets it by NOTIFY_REPLY.
//!
//! C counterpart: `fuse_notify_retrieve()`, `fuse_retrieve()`. Takes killsb for reading, then the
//! engine's lock; sleeps, but waits for nobody.
//!
//! The folios are referenced until the daemon has read the message, and so cannot be reclaimed.
//! C lets a daemon that does not read ask for more without end. Here the message is charged to the
//! daemon, and a connection has a limit.

use super::reach::on_regular;
use crate::{
    abi::{
        op,
        NodeId, //
    },
    fs::{
        Fuse,
        Inode, //
    },
    kapi::{
        page_cache::folio_list::WriteFolios,
        vfs::super_block::LiveSuper, //
    },
    transport::{
        Message,
        OnEnd,
        Outcome,
        Payload, //
    },
};
use kernel::{
    page::PAGE_SIZE,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};

/// Pages that the messages of a connection may have which the daemon has not read, one each at
/// least: as many as a user's pipes may have, unless an administrator says otherwise
/// (`pipe-user-pages-soft`).
const MAX_UNREAD: usize = 16 << 10;

/// Pages in messages that the daemon of a connection has not read.
pub(super) struct Unread(Atomic<usize>);

impl Unread {
    pub(super) fn new() -> Self {
        Self(Atomic::new(0))
    }

    /// Counts the pages of a message until it is dropped.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, also if there are too many.
    fn add(self: &Arc<Self>, pages: usize) -> Result<KBox<Counted>> {
        let counted = KBox::<Counted>::new_uninit(GFP_KERNEL_ACCOUNT)?;
        let pages = pages.max(1);
        let unread = self.0.fetch_add(pages, Relaxed);
        let counted = counted.write(Counted {
            unread: self.clone(),
            pages,
        });
        if unread.saturating_add(pages) > MAX_UNREAD {
            return Err(ENOMEM);
        }
        Ok(counted)
    }
}

/// Pages of one message.
struct Counted {
    unread: Arc<Unread>,
    pages: usize,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.unread.0.fetch_sub(self.pages, Relaxed);
    }
}

impl OnEnd for Counted {
    /// The daemon has read it, or never will: lets go of the folios, and is dropped.
    fn ended(self: KBox<Self>, mut outcome: Outcome<'_>) {
        outcome.payload().let_go();
    }
}

/// Sends what the page cache of a node has from `offset` on, up to what it has not: at most `size`
/// bytes, and as much as one WRITE could have.
///
/// # Errors
///
/// `ENOENT`, `EINVAL` without such a file; `ENOTCONN`, `ENOMEM`, `EOVERFLOW`; `EINTR` if killed.
pub(super) fn retrieve(
    live: &LiveSuper<Fuse>,
    unread: &Arc<Unread>,
    notify_unique: u64,
    node: NodeId,
    offset: u64,
    size: u32,
) -> Result {
    let (conn, folios) = on_regular(live, node, |inode| {
        Ok((inode.conn().clone(), cached(inode, offset, size)?))
    })?;
    let counted = unread.add(folios.count())?;
    let op = op::NotifyReply {
        offset,
        size: folios.bytes().try_into().map_err(|_| EIO)?,
    };
    let message = Message {
        caller: conn.caller(None)?,
        node: Some(node),
        op: &op,
    };
    let payload = Payload::WriteFolios(folios);
    (conn.chan).send_notify_reply(notify_unique, &message, payload, counted)
}

/// What the page cache has of a range.
///
/// # Errors
///
/// `EINVAL` for an offset beyond all files, `ENOMEM`.
fn cached(inode: &Inode, offset: u64, size: u32) -> Result<WriteFolios> {
    let conn = inode.conn();
    let mut pos = i64::try_from(offset).map_err(|_| EINVAL)?;
    let in_file = inode.i_size_read().saturating_sub(pos).max(0);
    let len = in_file.min(size.min(conn.max_write()).into());
    let mut left = usize::try_from(len).map_err(|_| EINVAL)?;

    let in_page = usize::try_from(offset % PAGE_SIZE as u64).map_err(|_| EINVAL)?;
    let pages = left.saturating_add(in_page).div_ceil(PAGE_SIZE);
    let pages = pages.min(conn.max_pages() as usize);
    left = left.min(pages.saturating_mul(PAGE_SIZE));

    let mut folios = WriteFolios::with_capacity(pages, GFP_KERNEL_ACCOUNT)?;
    while left > 0 && folios.count() < pages {
        match folios.push_cached(inode, pos, left)? {
            0 => break,
            len => {
                pos = pos.saturating_add(len as i64);
                left = left.saturating_sub(len);
            }
        }
    }
    Ok(folios)
}
