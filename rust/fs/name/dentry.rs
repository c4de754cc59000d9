// SPDX-License-Identifier: GPL-2.0

//! Names: until when they are valid, and asking the daemon again.
//!
//! C counterpart: `struct fuse_dentry`, `fuse_dentry_revalidate()` (dir.c). Takes no locks.

use crate::{
    abi::{
        op::{
            Lookup,
            LookupOut, //
        },
        AttrFlags,
        Name,
        Timeout, //
    },
    fs::{
        conn::connection::Conn,
        inode::{
            attr_cache,
            fuse_inode::AskedAt, //
        },
        Dentry,
        Fuse,
        Inode, //
    },
    kapi::{
        fuse::inval_wq,
        time::jiffies::Jiffies64,
        vfs::{
            dentry_operations::{
                DentryOperations,
                DentryOperationsTable, //
            },
            namei::LookupFlags,
            rcu_walk::{
                RcuDentry,
                RcuInode, //
            },
        },
    },
    transport::Outcome, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
    },
};

/// A dentry's data. Read in RCU walk: atomics only.
pub(crate) struct FuseDentry {
    /// In jiffies (64 bits): until when the daemon vouches for the name.
    time: Atomic<u64>,
    /// [`NamedAt::epoch`].
    epoch: Atomic<u32>,
}

/// When a name was asked for, in the connection's counter; to tell whether what it stands for is still what the
/// daemon said.
#[derive(Clone, Copy)]
pub(in crate::fs) struct NamedAt {
    /// [`Conn::epoch`].
    epoch: u32,
}

impl NamedAt {
    /// For a request that is sent after this.
    pub(in crate::fs) fn now(conn: &Conn) -> Self {
        Self {
            epoch: conn.epoch(),
        }
    }
}

impl FuseDentry {
    /// Until when the daemon vouches for the name.
    pub(in crate::fs) fn time(&self) -> Jiffies64 {
        Jiffies64::from_u64(self.time.load(Relaxed))
    }

    /// Whether the name must be looked up again whatever its time: the connection has moved on.
    fn is_from_before(&self, epoch: u32) -> bool {
        self.epoch.load(Relaxed) < epoch
    }

    /// Whether the daemon does not vouch for the name any more.
    fn is_outdated(&self) -> bool {
        self.time().has_passed()
    }
}

impl Dentry {
    /// Sets how long the name is good from now on (`fuse_change_entry_timeout()`), and when it was asked for.
    pub(in crate::fs) fn set_named(&self, asked: NamedAt, valid: Timeout) {
        self.data().epoch.store(asked.epoch, Relaxed);
        self.set_time(attr_cache::valid_until(valid));
    }

    /// Makes the name be looked up the next time (`fuse_invalidate_entry_cache()`).
    pub(in crate::fs) fn invalidate_entry_cache(&self) {
        self.set_time(Jiffies64::ZERO);
    }

    /// The same, and tries to drop the dentry at once (`fuse_invalidate_entry()`). May sleep.
    pub(in crate::fs) fn invalidate_entry(&self) {
        self.d_invalidate();
        self.invalidate_entry_cache();
    }

    /// `fuse_dentry_settime()`.
    fn set_time(&self, time: Jiffies64) {
        // The last dput() is faster if it need not ask; races do no harm.
        if self.has_op_delete() {
            self.set_op_delete(false);
        }
        self.data().time.store(time.to_u64(), Relaxed);
        if inval_wq::seconds() != 0 {
            self.drop_after(time);
        }
    }
}

/// Our dentry operations.
pub(crate) static OPS: DentryOperationsTable<Fuse> = DentryOperationsTable::new::<Operations>();

/// The implementation.
enum Operations {}

#[vtable]
impl DentryOperations<Fuse> for Operations {
    fn d_revalidate(dir: &Inode, name: &[u8], dentry: &Dentry, flags: LookupFlags) -> Result<bool> {
        // In C, who has locked the directory for a change of names has waited for a killed caller with the lock.
        if dir.await_if_locked_or_settle()? && (dentry.is_unhashed() || dir.is_deaddir()) {
            return Ok(false);
        }
        if dentry.data().is_from_before(dir.conn().epoch()) {
            return Ok(false);
        }
        let inode = dentry.inode();
        if inode.is_some_and(|inode| inode.data().is_bad()) {
            return Ok(false);
        }
        if !dentry.data().is_outdated() && !flags.wants_fresh() {
            return Ok(true);
        }
        match inode {
            Some(inode) => look_again(dir, name, dentry, inode),
            // A negative dentry is always replaced by a fresh lookup.
            None => Ok(false),
        }
    }

    fn d_revalidate_rcu(
        dir: &RcuInode<'_, Fuse>,
        dentry: &RcuDentry<'_, Fuse>,
        flags: LookupFlags,
    ) -> Result<bool> {
        if !dir.data().occupied.is_settled() {
            return Err(ECHILD);
        }
        if dentry.data().is_from_before(dir.sb_data().conn.epoch()) {
            return Ok(false);
        }
        let inode = dentry.inode();
        if inode.as_ref().is_some_and(|inode| inode.data().is_bad()) {
            return Ok(false);
        }
        if !dentry.data().is_outdated() && !flags.wants_fresh() {
            return Ok(true);
        }
        match inode {
            Some(_) => Err(ECHILD),
            None => Ok(false),
        }
    }

    fn d_delete(data: &FuseDentry) -> bool {
        data.time().has_passed()
    }

    fn d_init() -> FuseDentry {
        FuseDentry {
            time: Atomic::new(0),
            // Older than any epoch, of which the first is 1: not valid until looked up.
            epoch: Atomic::new(0),
        }
    }
}

/// Looks the name of a positive dentry up again: whether it still is that inode's.
fn look_again(dir: &Inode, name: &[u8], dentry: &Dentry, inode: &Inode) -> Result<bool> {
    let conn = inode.conn();
    let asked = AskedAt {
        attr_version: conn.attr_version(),
        evict_ctr: 0,
    };

    let lookup = Lookup {
        name: Name::new(name).ok_or(EIO)?,
    };
    let named = NamedAt::now(conn);
    let then = || {
        let (dentry, inode) = (ARef::from(dentry), ARef::from(inode));
        move |done: &mut Outcome<'_>| {
            // If it is not valid, that is for the next one to find out.
            let _ = done.parse(|body, minor| {
                LookupOut::decode(body, minor).map(|out| take(&dentry, &inode, out, asked, named))
            });
        }
    };
    let valid = conn.call_parse(dir, &lookup, then, |body, minor| {
        LookupOut::decode(body, minor).map(|out| take(dentry, inode, out, asked, named))
    });
    match valid {
        Err(e) if e == ENOMEM || e == EINTR => Err(e),
        valid => Ok(valid.unwrap_or(false)),
    }
}

/// Takes the reply to a LOOKUP of a positive dentry's name: whether it still is that inode's. Inlined, as moving
/// the reply around costs.
#[inline(always)]
fn take(dentry: &Dentry, inode: &Inode, out: LookupOut, asked: AskedAt, named: NamedAt) -> bool {
    let (node, flags, entry) = match out {
        LookupOut::Negative { .. } => return false,
        LookupOut::BadAttr { node, flags } => (node, flags, None),
        LookupOut::Found(entry) => (entry.node, entry.attr().flags(), Some(entry)),
    };
    // Whether another filesystem is to be mounted there.
    let is_automount = flags.contains(AttrFlags::SUBMOUNT);
    if node != inode.nodeid() || is_automount != inode.is_automount() {
        inode.conn().chan.forget_one(node);
        return false;
    }
    inode.data().inc_nlookup();

    let Some(entry) = entry.filter(|e| !inode.is_stale(e.generation, e.attr())) else {
        return false;
    };
    attr_cache::change(
        inode,
        entry.attr(),
        attr_cache::valid_until(entry.attr_valid),
        asked,
    );
    dentry.set_named(named, entry.entry_valid);
    true
}
