// SPDX-License-Identifier: GPL-2.0

//! Cached attributes: taking them from replies, and knowing when they are out of date.
//!
//! C counterpart: `fuse_change_attributes()` and what is around it (inode.c),
//! `fuse_invalidate_attr()` (dir.c).
//!
//! # Locks
//!
//! Takes `Inode::inner`; truncates the page cache after releasing it.
//!
//! # Stale replies
//!
//! A reply tells how things were some time between the request and the reply, and another reply, or
//! an operation of our own, may have told of a later time meanwhile. So each change takes a number
//! from the connection's `attr_version`, and a request for attributes notes the number first: if
//! the inode has a higher one when the reply comes, the reply is stale. An inode that was evicted
//! and made again meanwhile has lost its number; `evict_ctr` is for that.
//!
//! # Readers without the lock
//!
//! stat(2) takes no lock: it asks whether the attributes are outdated, and then reads them. So they
//! are no longer outdated only when all of them have been written. C says so first, and one who
//! looks in between sees what was outdated before.

use super::{
    fuse_inode::State,
    given::Given,
    pages, //
};
use crate::{
    abi::{
        Attr,
        InitFlags,
        Timestamp, //
    },
    fs::{
        conn::connection::Conn,
        Fuse,
        Inode, //
    },
    kapi::{
        task::uidgid::{
            make_kgid,
            make_kuid, //
        },
        time::jiffies::Jiffies64,
        vfs::{
            inode_inner::{
                Attributes,
                InodeInner, //
            },
            stat::{
                STATX_ATIME,
                STATX_BASIC_STATS,
                STATX_BLOCKS,
                STATX_BTIME,
                STATX_CTIME,
                STATX_MTIME,
                STATX_NLINK,
                STATX_SIZE,
                S_ISVTX, //
            },
        },
    },
    transport::Outcome, //
};
use core::ops::Deref;
use kernel::sync::{
    aref::ARef,
    atomic::{
        Relaxed,
        Release, //
    },
};

/// What a write may change (`FUSE_STATX_MODIFY`).
pub(super) const STATX_MODIFY: u32 = STATX_MTIME | STATX_CTIME | STATX_BLOCKS;
/// What a write or truncation may change (`FUSE_STATX_MODSIZE`).
pub(in crate::fs) const STATX_MODSIZE: u32 = STATX_MODIFY | STATX_SIZE;
/// What a change of its contents may change in a directory (`FUSE_STATX_MODDIR`).
pub(super) const STATX_MODDIR: u32 = STATX_MODSIZE | STATX_NLINK;

/// When an entry was asked for, in the connection's counters; to tell whether it is stale by now.
#[derive(Clone, Copy)]
pub(in crate::fs) struct AskedAt {
    /// [`Conn::attr_version`](crate::fs::conn::connection::Conn::attr_version); 0: nothing can be
    /// newer.
    pub(in crate::fs) attr_version: u64,
    /// [`Conn::evict_ctr`](crate::fs::conn::connection::Conn::evict_ctr); 0: no eviction can
    /// matter.
    pub(in crate::fs) evict_ctr: u64,
}

impl AskedAt {
    /// For an object that was made by the very request.
    pub(in crate::fs) const CREATED: Self = Self {
        attr_version: 0,
        evict_ctr: 0,
    };

    /// For a request that is sent after this, and may bring any inode.
    #[inline]
    pub(in crate::fs) fn now(conn: &Conn) -> Self {
        Self {
            attr_version: conn.attr_version(),
            evict_ctr: conn.evict_ctr(),
        }
    }

    /// The same of an inode that is in use, whose version tells.
    #[inline]
    pub(in crate::fs) fn now_in_use(conn: &Conn) -> Self {
        Self {
            attr_version: conn.attr_version(),
            evict_ctr: 0,
        }
    }
}

/// Takes a reply's attributes if they are not stale, and drops page cache that no longer fits
/// (`fuse_change_attributes_i()`). May sleep. Inlined, as each stat(2) comes here.
#[inline(always)]
pub(in crate::fs) fn change(inode: &Inode, attr: Attr<'_>, valid: Jiffies64, asked: AskedAt) {
    change_and(inode, attr, valid, asked, 0, |_| {});
}

/// The same with a reference to the inode's node, which came along and which the inode takes,
/// whether the attributes are stale or not.
#[inline(always)]
pub(in crate::fs) fn change_and_count(
    inode: &Inode,
    attr: Attr<'_>,
    valid: Jiffies64,
    asked: AskedAt,
    given: Given<impl Deref<Target = Conn>>,
) {
    change_and(inode, attr, valid, asked, given.counted(), |_| {});
}

/// The same with the time of birth: `None` if the daemon has been asked for it and knows none.
pub(in crate::fs) fn change_with_btime(
    inode: &Inode,
    attr: Attr<'_>,
    btime: Option<Timestamp>,
    valid: Jiffies64,
    asked: AskedAt,
) {
    change_and(inode, attr, valid, asked, 0, |inner| {
        let fi = inode.data();
        if let Some(btime) = btime {
            inner.i_btime = btime.into();
            fi.state.set(State::BTIME);
        }
        // It is known now whether there is one.
        fi.inval_mask.clear(STATX_BTIME);
    });
}

/// The same, with so many references to the node, and `more` of the inode if the reply is not
/// stale.
#[inline(always)]
fn change_and(
    inode: &Inode,
    attr: Attr<'_>,
    valid: Jiffies64,
    asked: AskedAt,
    nlookup: u64,
    more: impl FnOnce(&mut InodeInner<'_, Fuse>),
) {
    let fi = inode.data();

    let old_size = {
        let mut inner = inode.lock_inner();
        inner.nlookup = inner.nlookup.wrapping_add(nlookup);
        if (asked.attr_version != 0 && inner.attr_version > asked.attr_version)
            || fi.state.test(State::SIZE_UNSTABLE)
        {
            return;
        }
        more(&mut inner);
        change_locked(&mut inner, inode, attr, valid, asked.evict_ctr)
    };

    if inode.is_reg() && old_size != attr.size() {
        pages::resized(inode, attr.size());
    }
}

/// Takes all attributes, and returns the size that it had (`fuse_change_attributes_common()`).
/// `inner` is the inode's. Inlined, so that the guard stays in registers.
#[inline(always)]
pub(in crate::fs) fn change_locked(
    inner: &mut InodeInner<'_, Fuse>,
    inode: &Inode,
    attr: Attr<'_>,
    valid: Jiffies64,
    evict_ctr: u64,
) -> i64 {
    let fi = inode.data();
    let conn: &Conn = inode.conn();

    // Of a new inode, only if nothing was evicted since they were asked for: see above.
    let known = evict_ctr == 0 || inner.attr_version != 0 || evict_ctr == conn.evict_ctr();
    inner.attr_version = conn.bump_attr_version();

    let perm = if conn.default_permissions() {
        attr.perm()
    } else {
        // Else the VFS would refuse by it to remove names, which the daemon may allow.
        attr.perm() & !S_ISVTX
    };
    fi.orig_ino.store(attr.ino(), Relaxed);
    fi.blkbits.store(
        attr.blkbits().unwrap_or_else(|| inode.i_blkbits()).into(),
        Relaxed,
    );

    let kind = inner.set_attributes(&Attributes {
        ino: attr.squashed_ino(usize::BITS),
        perm,
        uid: make_kuid(&conn.user_ns, attr.uid()),
        gid: make_kgid(&conn.user_ns, attr.gid()),
        blocks: attr.blocks(),
        atime: attr.atime().into(),
        mtime: attr.mtime().into(),
        ctime: attr.ctime().into(),
    });
    // The type stays: the callers of this have checked that it is the same.
    fi.orig_mode.store((kind | attr.perm()).into(), Relaxed);
    inner.set_nlink(attr.nlink());
    // Someone else may have made it set-id, or given it capabilities.
    inner.clear_nosec();
    let old_size = inode.i_size_read();
    inner.i_size_write(attr.size());

    fi.i_time.store(valid.to_u64(), Release);
    if known {
        fi.inval_mask.clear(STATX_BASIC_STATS);
    }
    old_size
}

impl Inode {
    /// Asks for these attributes (`STATX_*`) again when they are needed next.
    pub(in crate::fs) fn invalidate_attr_mask(&self, mask: u32) {
        self.data().inval_mask.set(mask);
    }

    /// Asks for all attributes again when they are needed next (`fuse_invalidate_attr()`).
    pub(in crate::fs) fn invalidate_attr(&self) {
        self.invalidate_attr_mask(STATX_BASIC_STATS);
    }

    /// The attributes have changed, whatever comes of them by answers to what was asked before.
    pub(in crate::fs) fn outdate_attr(&self) {
        let mut inner = self.lock_inner();
        inner.attr_version = self.conn().bump_attr_version();
        self.invalidate_attr();
    }

    /// The daemon may have changed the ACLs: they are asked for again (`forget_all_cached_acls()`).
    #[inline]
    pub(in crate::fs) fn forget_acls(&self) {
        // Those of other daemons are not kept.
        if self.conn().agreed(InitFlags::POSIX_ACL) {
            self.forget_all_cached_acls();
        }
    }

    /// After an ACL was to be set, by which a daemon that has agreed to POSIX_ACL changes the mode.
    pub(in crate::fs) fn acl_changed(&self) {
        if self.conn().agreed(InitFlags::POSIX_ACL) {
            self.forget_all_cached_acls();
            self.invalidate_attr();
        }
    }

    /// After a read (`fuse_invalidate_atime()`).
    pub(in crate::fs) fn invalidate_atime(&self) {
        if !self.is_rdonly() {
            self.invalidate_attr_mask(STATX_ATIME);
        }
    }

    /// The same in place of a caller that has left.
    pub(in crate::fs) fn then_invalidate_atime(
        &self,
    ) -> impl FnOnce(&mut Outcome<'_>) + Send + 'static {
        let inode = ARef::from(self);
        move |_| inode.invalidate_atime()
    }

    /// After a change of the directory's contents (`fuse_dir_changed()`).
    pub(in crate::fs) fn dir_changed(&self) {
        self.invalidate_attr_mask(STATX_MODDIR);
        self.inode_maybe_inc_iversion();
    }

    /// After a change of the inode by which the daemon changes ctime (`fuse_update_ctime()`). May
    /// sleep.
    pub(in crate::fs) fn update_ctime(&self) {
        self.invalidate_attr_mask(STATX_CTIME);
        self.update_ctime_in_cache();
    }

    /// The same where the kernel keeps ctime: for no inode until there is a write-back cache
    /// (`fuse_update_ctime_in_cache()`).
    pub(in crate::fs) fn update_ctime_in_cache(&self) {
        if self.is_nocmtime() {
            return;
        }
        self.inode_set_ctime_current();
        self.mark_inode_dirty_sync();
        // There is nobody to report a failure to.
        let _ = self.sync_inode_metadata();
    }
}

/// OPEN has truncated the file (`fuse_truncate_update_attr()`).
pub(in crate::fs) fn truncated_by_open(inode: &Inode) {
    {
        let mut inner = inode.lock_inner();
        inner.attr_version = inode.conn().bump_attr_version();
        inner.i_size_write(0);
    }
    inode.invalidate_attr_mask(STATX_MODSIZE);
}

/// The file has been written to, up to `end` if anything was written: attributes that were asked
/// for before are stale (`fuse_write_update_attr()`).
pub(in crate::fs) fn written(inode: &Inode, end: i64, written: bool) {
    {
        let mut inner = inode.lock_inner();
        inner.attr_version = inode.conn().bump_attr_version();
        if written && end > inode.i_size_read() {
            inner.i_size_write(end);
        }
    }
    inode.invalidate_attr_mask(STATX_MODSIZE);
}
