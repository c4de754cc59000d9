// SPDX-License-Identifier: GPL-2.0

//! Finding names in directories.
//!
//! C counterpart: `fuse_lookup()`, `fuse_lookup_name()` (dir.c).
//!
//! The VFS holds the directory's `i_rwsem`, at least shared; waits for callers that have left.
//! Takes `FuseInode::mutex` of the directory for daemons without PARALLEL_DIROPS. Sleeps for the
//! daemon's answer.

use super::{
    dentry::NamedAt,
    wire_name::wire_name, //
};
use crate::{
    abi::{
        op::{
            Lookup,
            LookupOut, //
        },
        NodeId,
        Timeout, //
    },
    fs::{
        inode::{
            attr_cache::AskedAt,
            fuse_inode::State, //
        },
        request::{
            call::{
                Holds,
                Subject, //
            },
            held::Held, //
        },
        Fuse,
        Inode, //
    },
    kapi::{
        task::sched::{
            fatal_signal_pending,
            sleep_a_moment, //
        },
        time::jiffies::Jiffies64,
        vfs::dentry::{
            Alias,
            UnhashedDentry, //
        },
    },
    transport::Outcome, //
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// What a lookup finds.
pub(super) struct Found {
    /// `None` if there is no such name.
    pub(super) inode: Option<ARef<Inode>>,
    /// How long that is good: not at all for a plain ENOENT.
    valid: Timeout,
}

/// `lookup`.
pub(in crate::fs) fn lookup<'a>(
    dir: &Inode,
    entry: UnhashedDentry<'a, Fuse>,
) -> Result<Option<Alias<'a, Fuse>>> {
    let name = entry.named().name();
    dir.await_lookup(name)?;
    dir.check_bad()?;
    let asked = NamedAt::now(dir);

    let found = {
        let _guard = dir.lock_dirops()?;
        lookup_name(dir, LookingUp { dir, name }, name)
    }?;
    // The root is no entry of any directory.
    if found
        .inode
        .as_ref()
        .is_some_and(|inode| inode.nodeid().is_root())
    {
        return Err(EIO);
    }

    let positive = found.inode.is_some();
    let alias = splice(dir, entry, found.inode, asked, found.valid)?;
    if positive {
        dir.data().state.set(State::ADVISE_RDPLUS);
    }
    Ok(alias)
}

/// Gives a dentry of `dir` its inode, or none, and says how long that is good, unless the name has
/// gone out of date meanwhile. Returns the dentry to use in place of this one, if another.
///
/// C says it after `d_splice_alias()`; but that wakes those who wait for this very lookup, and one
/// of those that was quicker would take the name for outdated and look it up once more.
pub(in crate::fs) fn splice<'a>(
    dir: &Inode,
    entry: UnhashedDentry<'a, Fuse>,
    inode: Option<ARef<Inode>>,
    asked: NamedAt,
    valid: Timeout,
) -> Result<Option<Alias<'a, Fuse>>> {
    let dentry = entry.named().dentry();
    dentry.will_be_named(asked, valid);

    let other = match inode {
        Some(inode) if inode.is_dir() && inode.conn().left.has_moved() => {
            splice_moved(entry, inode)
        }
        inode => entry.d_splice_alias(inode).map_err(|(e, _)| e),
    }?;
    match &other {
        Some(other) => other.set_named(dir, asked, valid),
        None => dentry.set_findable(dir, asked),
    }
    Ok(other)
}

/// For how long a task that tries to move a directory into another one keeps the other one's lock,
/// in milliseconds.
const PATIENCE: u64 = 100;

/// As `d_splice_alias()` of a directory. Perhaps it is one to be moved here that a caller has
/// renamed which has left; in C it would have been moved by then. That takes its old parent's lock
/// and the rename lock, which cannot be waited for with this directory's lock held: the task that
/// has one may wait for this one. So it is tried for a while.
#[cold]
fn splice_moved<'a>(
    mut entry: UnhashedDentry<'a, Fuse>,
    inode: ARef<Inode>,
) -> Result<Option<Alias<'a, Fuse>>> {
    let since = Jiffies64::now();
    loop {
        let e = match entry.d_splice_alias(Some(inode.clone())) {
            Ok(other) => return Ok(other),
            Err((e, unspliced)) => {
                entry = unspliced;
                e
            }
        };
        let late = Jiffies64::now().millis_since(since) >= PATIENCE;
        if e != ESTALE || late || fatal_signal_pending() {
            return Err(e);
        }
        sleep_a_moment();
    }
}

/// Asks the daemon for a name in the directory `on` (`fuse_lookup_name()`). `of` is any inode of
/// the superblock.
pub(super) fn lookup_name(of: &Inode, on: impl Subject, name: &[u8]) -> Result<Found> {
    let conn = of.conn();

    if name.len() > conn.name_max() as usize {
        return Err(ENAMETOOLONG);
    }
    let asked = AskedAt::now(conn);

    let lookup = Lookup {
        name: wire_name(name)?,
    };
    let then = || {
        let of = ARef::from(of);
        move |outcome: &mut Outcome<'_>| {
            // Nobody has the name: the inode takes the attributes, if somebody else has it, and is
            // given back.
            if let Ok(LookupOut::Found(entry)) = outcome.parse(LookupOut::decode) {
                let _ = of.sb().iget(&entry, asked);
            }
        }
    };
    let entry = match conn.call_then(on, &lookup, then) {
        Ok(LookupOut::Found(entry)) => entry,
        Ok(LookupOut::Negative { valid }) => return Ok(Found { inode: None, valid }),
        Ok(LookupOut::BadAttr { .. }) => return Err(EIO),
        Err(e) if e == ENOENT => {
            return Ok(Found {
                inode: None,
                valid: Timeout::ZERO,
            })
        }
        Err(e) => return Err(e),
    };
    let inode = of.sb().iget(&entry, asked)?;
    Ok(Found {
        inode: Some(inode),
        valid: entry.entry_valid,
    })
}

/// A name that is being looked up in a locked directory.
struct LookingUp<'a> {
    dir: &'a Inode,
    name: &'a [u8],
}

impl Holds for LookingUp<'_> {
    fn hold(&self, held: &mut Held) -> Result {
        held.locked(self.dir)?;
        held.turn(self.dir)?;
        held.name(self.dir, self.name);
        Ok(())
    }
}

impl Subject for LookingUp<'_> {
    fn node(&self) -> NodeId {
        self.dir.nodeid()
    }
}
