// SPDX-License-Identifier: GPL-2.0

//! Reporting attributes: GETATTR, and whether the daemon must be asked.
//!
//! C counterpart: `fuse_getattr()`, `fuse_update_get_attr()`, `fuse_do_getattr()` (dir.c). Takes
//! `Inode::inner` when attributes change, and folio locks after it when the size does. May
//! sleep, as the daemon is asked.

use super::{
    fillattr::fill,
    statx::do_statx, //
};
use crate::{
    abi::{
        op::Getattr,
        Attr,
        BadAttr,
        Opcode,
        Timeout, //
    },
    fs::{
        conn::connection::Conn,
        inode::{
            attr_cache::{
                self,
                AskedAt, //
            },
            fuse_inode::State,
            times::valid_until, //
        },
        File,
        Fuse,
        Inode, //
    },
    kapi::vfs::{
        dentry::PositiveDentry,
        kstat::Kstat,
        mnt_idmapping::MntIdmap,
        stat::{
            AT_STATX_DONT_SYNC,
            AT_STATX_FORCE_SYNC,
            STATX_BASIC_STATS,
            STATX_BTIME, //
        },
    },
    transport::Outcome, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        atomic::Relaxed, //
    },
};

/// `getattr`.
pub(in crate::fs) fn getattr(
    idmap: &MntIdmap,
    dentry: PositiveDentry<'_, Fuse>,
    stat: &mut Kstat,
    request_mask: u32,
    flags: u32,
) -> Result {
    let inode = dentry.inode();
    inode.settle();
    inode.check_bad()?;

    if !inode.conn().allow_current_process() {
        if request_mask != 0 {
            return Err(EACCES);
        }
        // A caller that asks for nothing may learn what every stat tells.
        stat.set_result_mask(0);
        stat.set_dev(inode);
        return Ok(());
    }
    update_get_attr(idmap, inode, None, Some(stat), request_mask, flags)
}

/// Makes sure that the attributes of `mask` (`STATX_*`) are up to date. May sleep.
pub(in crate::fs) fn update_attributes(inode: &Inode, file: Option<&File>, mask: u32) -> Result {
    update_get_attr(MntIdmap::nop(), inode, file, None, mask, 0)
}

/// Reports attributes, after asking the daemon if those that are asked for are outdated. Inlined,
/// as each stat(2) comes here.
#[inline(always)]
fn update_get_attr(
    idmap: &MntIdmap,
    inode: &Inode,
    file: Option<&File>,
    stat: Option<&mut Kstat>,
    request_mask: u32,
    flags: u32,
) -> Result {
    let mut stat = stat;
    let basic = request_mask & STATX_BASIC_STATS;
    let conn: &Conn = inode.conn();

    if request_mask & STATX_BTIME != 0 && !conn.lacks(Opcode::Statx) {
        let mask = basic | STATX_BTIME;
        if !must_ask(inode, mask, flags) {
            report_cached(idmap, inode, stat, mask);
            return Ok(());
        }
        inode.forget_acls();
        let ask = || do_statx(idmap, inode, stat.as_deref_mut());
        if conn.unless_lacking(Opcode::Statx, ask)?.is_some() {
            return Ok(());
        }
    }
    if must_ask(inode, basic, flags) {
        inode.forget_acls();
        return do_getattr(idmap, inode, stat, file);
    }
    report_cached(idmap, inode, stat, basic);
    Ok(())
}

/// Whether the daemon must be asked for the attributes of `mask`.
#[inline]
fn must_ask(inode: &Inode, mask: u32, flags: u32) -> bool {
    if mask == 0 {
        false
    } else if flags & AT_STATX_FORCE_SYNC != 0 {
        true
    } else if flags & AT_STATX_DONT_SYNC != 0 {
        false
    } else {
        inode.data().is_outdated(mask)
    }
}

/// Reports attributes as they are known.
#[inline]
fn report_cached(idmap: &MntIdmap, inode: &Inode, stat: Option<&mut Kstat>, request_mask: u32) {
    let Some(stat) = stat else { return };
    let fi = inode.data();

    stat.generic_fillattr(idmap, request_mask, inode);
    stat.set_mode(fi.orig_mode.load(Relaxed) as u16);
    stat.set_ino(fi.orig_ino.load(Relaxed));
    stat.set_blkbits(fi.blkbits.load(Relaxed) as u8);
    if fi.state.test(State::BTIME) {
        stat.set_btime(inode.lock_inner().i_btime);
        stat.add_result_mask(STATX_BTIME);
    }
}

/// Asks the daemon, by the open file if there is one. May sleep.
///
/// # Errors
///
/// The daemon's; EIO if what it says is impossible, for this inode or at all, which makes the inode
/// bad.
// Inlined, as each stat(2) comes here.
#[inline(always)]
pub(super) fn do_getattr(
    idmap: &MntIdmap,
    inode: &Inode,
    stat: Option<&mut Kstat>,
    file: Option<&File>,
) -> Result {
    let conn: &Conn = inode.conn();
    let asked = AskedAt::now_in_use(conn);
    let op = Getattr {
        // Directories have handles of their own kind.
        fh: file.filter(|_| inode.is_reg()).map(|file| file.data().fh),
    };

    let then = || {
        let inode = ARef::from(inode);
        move |outcome: &mut Outcome<'_>| {
            // What is wrong with it is known by the inode then.
            let _ = outcome.parse(|body, minor| {
                Getattr::look(body, minor, |attr, valid| {
                    take(&inode, attr, valid, asked).map(drop)
                })
            });
        }
    };
    conn.call_parse((inode, file), &op, then, |body, minor| {
        Getattr::look(body, minor, |attr, valid| {
            let attr = take(inode, attr, valid, asked)?;
            if let Some(stat) = stat {
                fill(idmap, inode, attr, stat);
            }
            Ok(())
        })
    })?
}

/// Takes the reply to a GETATTR.
///
/// # Errors
///
/// As [`do_getattr`].
#[inline]
fn take<'a>(
    inode: &Inode,
    attr: Result<Attr<'a>, BadAttr>,
    valid: Timeout,
    asked: AskedAt,
) -> Result<Attr<'a>> {
    match attr {
        Ok(attr) if !inode.inode_wrong_type(attr.mode() as u16) => {
            attr_cache::change(inode, attr, valid_until(valid), asked);
            Ok(attr)
        }
        _ => {
            inode.data().make_bad();
            Err(EIO)
        }
    }
}
