// SPDX-License-Identifier: GPL-2.0

//! Whether a name still is what it was; asking the daemon again: LOOKUP.
//!
//! C counterpart: `fuse_dentry_revalidate()` (dir.c). Takes no locks; waits for callers that have
//! left.

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
        AttrFlags,
        SeenEntry, //
    },
    fs::{
        inode::{
            attr_cache::{
                self,
                AskedAt, //
            },
            fuse_inode::State,
            given::Given,
            times::valid_until, //
        },
        Dentry,
        Fuse,
        Inode, //
    },
    kapi::{
        fuse::moduleparam::keep_on_error,
        vfs::{
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
    sync::aref::ARef, //
};

/// `d_revalidate`.
pub(in crate::fs) fn revalidate(
    dir: &Inode,
    name: &[u8],
    dentry: &Dentry,
    flags: LookupFlags,
) -> Result<bool> {
    // In C, a task that has locked the directory for a change of names has waited for a killed
    // caller that had the lock.
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
    if !dentry.data().is_outdated(dir.data()) && !flags.wants_fresh() {
        if inode.is_some_and(|inode| inode.data().state.test_and_clear(State::INIT_RDPLUS)) {
            dir.data().state.set(State::ADVISE_RDPLUS);
        }
        return Ok(true);
    }
    match inode {
        Some(inode) => look_again(dir, name, dentry, inode),
        // A negative dentry is always replaced by a fresh lookup.
        None => Ok(false),
    }
}

/// `d_revalidate` in RCU walk: the same as far as it can be told without asking.
#[inline]
pub(in crate::fs) fn revalidate_rcu(
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
    if !dentry.data().is_outdated(dir.data()) && !flags.wants_fresh() {
        // The directory is to be told.
        if inode.is_some_and(|inode| inode.data().state.test(State::INIT_RDPLUS)) {
            return Err(ECHILD);
        }
        return Ok(true);
    }
    match inode {
        Some(_) => Err(ECHILD),
        None => Ok(false),
    }
}

/// Looks the name of a positive dentry up again: whether it still is that inode's.
fn look_again(dir: &Inode, name: &[u8], dentry: &Dentry, inode: &Inode) -> Result<bool> {
    let conn = inode.conn();
    let asked = AskedAt::now_in_use(conn);

    let lookup = Lookup {
        name: wire_name(name)?,
    };
    let named = NamedAt::now(dir);
    let then = || {
        let (dir, dentry, inode) = (ARef::from(dir), ARef::from(dentry), ARef::from(inode));
        move |outcome: &mut Outcome<'_>| {
            // If it is not valid, that is for the next one to find out.
            let _ = outcome.parse(|body, minor| {
                LookupOut::look(body, minor, |out| {
                    take(&dir, &dentry, &inode, out, asked, named)
                })
            });
        }
    };
    let valid = conn.call_parse(dir, &lookup, then, |body, minor| {
        LookupOut::look(body, minor, |out| {
            take(dir, dentry, inode, out, asked, named)
        })
    });
    match valid {
        Ok(valid) => Ok(valid),
        Err(e) if is_of_the_asking(e) => Err(e),
        Err(_) => Ok(false),
    }
}

/// Whether an error says nothing of the name, but that it could not be asked for: then it is the
/// caller's, and the name stays, with what is mounted there. In C these two alone do.
#[cold]
fn is_of_the_asking(e: Error) -> bool {
    e == ENOMEM || e == EINTR || keep_on_error() && e != ENOENT && e != ESTALE
}

/// Takes the reply to a LOOKUP of a positive dentry's name: whether it still is that inode's.
/// Inlined, as moving the reply around costs.
#[inline(always)]
fn take(
    dir: &Inode,
    dentry: &Dentry,
    inode: &Inode,
    out: LookupOut<SeenEntry<'_>>,
    asked: AskedAt,
    named: NamedAt,
) -> bool {
    let (node, flags, entry) = match out {
        LookupOut::Negative { .. } => return false,
        LookupOut::BadAttr { node, flags } => (node, flags, None),
        LookupOut::Found(entry) => (entry.node, entry.attr.flags(), Some(entry)),
    };
    let given = Given::new(&**inode.conn(), node);
    // Whether another filesystem is to be mounted there.
    let is_automount = flags.contains(AttrFlags::SUBMOUNT);
    if node != inode.nodeid() || is_automount != inode.is_automount() {
        return false;
    }
    let Some(entry) = entry.filter(|e| !inode.is_stale(e.generation, e.attr)) else {
        given.taken_by(inode);
        return false;
    };
    inode.forget_acls();
    let valid = valid_until(entry.attr_valid);
    attr_cache::change_and_count(inode, entry.attr, valid, asked, given);
    dentry.set_named(dir, named, entry.entry_valid);
    true
}
