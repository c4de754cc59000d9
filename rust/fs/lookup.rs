// SPDX-License-Identifier: GPL-2.0

//! Finding names in directories.
//!
//! C counterpart: `fuse_lookup()`, `fuse_lookup_name()` (dir.c).
//!
//! The VFS holds the directory's `i_rwsem`, at least shared. Takes `FuseInode::mutex` of the
//! directory for daemons without PARALLEL_DIROPS.

use super::{
    dentry::NamedAt,
    inode::AskedAt,
    Dentry,
    Fuse,
    Inode, //
};
use crate::{
    abi::{
        op::{
            Lookup,
            LookupOut, //
        },
        Name,
        Timeout, //
    },
    kapi::dentry::UnhashedDentry,
    transport::Undo,
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// What a lookup finds.
struct Found {
    /// `None` if there is no such name.
    inode: Option<ARef<Inode>>,
    /// How long that is good: not at all for a plain ENOENT.
    valid: Timeout,
}

/// `lookup`.
pub(super) fn lookup(dir: &Inode, entry: UnhashedDentry<'_, Fuse>) -> Result<Option<ARef<Dentry>>> {
    dir.check_bad()?;
    let asked = NamedAt::now(dir.conn());

    let found = {
        let _guard = dir.lock_dirops()?;
        lookup_name(dir, entry.named().name())
    }?;
    // The root is no entry of any directory.
    if found
        .inode
        .as_ref()
        .is_some_and(|inode| inode.nodeid().is_root())
    {
        return Err(EIO);
    }

    splice(entry, found.inode, asked, found.valid)
}

/// Gives a dentry its inode, or none, and says how long that is good. Returns the dentry to use in
/// place of this one, if another.
///
/// C says it after `d_splice_alias()`; but that wakes those who wait for this very lookup, and who
/// was quicker would take the name for outdated and look it up once more.
pub(super) fn splice(
    entry: UnhashedDentry<'_, Fuse>,
    inode: Option<ARef<Inode>>,
    asked: NamedAt,
    valid: Timeout,
) -> Result<Option<ARef<Dentry>>> {
    entry.named().dentry().set_named(asked, valid);

    let other = entry.d_splice_alias(inode)?;
    if let Some(other) = &other {
        other.set_named(asked, valid);
    }
    Ok(other)
}

/// Asks the daemon.
fn lookup_name(dir: &Inode, name: &[u8]) -> Result<Found> {
    let conn = dir.conn();

    if name.len() > conn.name_max() as usize {
        return Err(ENAMETOOLONG);
    }
    let asked = AskedAt {
        attr_version: conn.attr_version(),
        evict_ctr: conn.evict_ctr(),
    };

    let lookup = Lookup {
        name: Name::new(name).ok_or(EIO)?,
    };
    let entry = match conn.call_undo(dir, &lookup, Undo::forget) {
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
    match dir.sb().iget(&entry, asked) {
        Ok(inode) => Ok(Found {
            inode: Some(inode),
            valid: entry.entry_valid,
        }),
        Err(e) => {
            conn.chan.forget_one(entry.node);
            Err(e)
        }
    }
}
