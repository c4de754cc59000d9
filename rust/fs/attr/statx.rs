// SPDX-License-Identifier: GPL-2.0

//! Reporting attributes with the time of birth: STATX.
//!
//! C counterpart: `fuse_do_statx()` (dir.c). Takes `Inode::inner` when attributes change, and
//! folio locks after it when the size does. May sleep, as the daemon is asked.

use super::fillattr::fill;
use crate::{
    abi::{
        op::{
            Statx,
            StatxMask,
            StatxReply, //
        },
        BadAttr, //
    },
    fs::{
        inode::{
            attr_cache::{
                self,
                AskedAt, //
            },
            times::valid_until, //
        },
        Inode, //
    },
    kapi::vfs::{
        kstat::Kstat,
        mnt_idmapping::MntIdmap, //
    },
    transport::Outcome, //
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// Asks the daemon. May sleep.
///
/// # Errors
///
/// The daemon's; EIO if what it says is impossible, for this inode or at all, which makes the inode
/// bad.
#[inline(never)] // Most callers do not come here, and need a smaller stack frame without it.
pub(super) fn do_statx(idmap: &MntIdmap, inode: &Inode, stat: Option<&mut Kstat>) -> Result {
    let asked = AskedAt::now_in_use(inode.conn());

    let then = || {
        let inode = ARef::from(inode);
        move |outcome: &mut Outcome<'_>| {
            // What is wrong with it is known by the inode then.
            let _ = outcome
                .decode(&Statx)
                .map(|reply| take(&inode, reply, asked).map(drop));
        }
    };
    let reply = inode.conn().call_then(inode, &Statx, then)?;
    let reply = take(inode, reply, asked)?;

    if let Some(stat) = stat {
        fill(idmap, inode, reply.attr(), stat);
        stat.set_btime(reply.btime.into());
        stat.set_result_mask(reply.mask.with(StatxMask::TYPE).bits());
    }
    Ok(())
}

/// Takes a reply. Only if all of it is true does the inode take the attributes.
///
/// # Errors
///
/// As [`do_statx`].
fn take(inode: &Inode, reply: Result<StatxReply, BadAttr>, asked: AskedAt) -> Result<StatxReply> {
    match reply {
        Ok(reply) if !is_of_other_type(inode, &reply) => {
            if reply.mask.has(StatxMask::BASIC_STATS) {
                let btime = reply.mask.has(StatxMask::BTIME).then_some(reply.btime);
                let valid = valid_until(reply.valid);
                attr_cache::change_with_btime(inode, reply.attr(), btime, valid, asked);
            }
            Ok(reply)
        }
        _ => {
            inode.data().make_bad();
            Err(EIO)
        }
    }
}

fn is_of_other_type(inode: &Inode, reply: &StatxReply) -> bool {
    reply.mask.has(StatxMask::TYPE) && inode.inode_wrong_type(reply.attr().mode() as u16)
}
