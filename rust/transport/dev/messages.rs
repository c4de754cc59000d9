// SPDX-License-Identifier: GPL-2.0

//! Messages without reply, of which the engine has no request: FORGET, BATCH_FORGET, INTERRUPT.
//!
//! C counterpart: `fuse_read_forget()`, `fuse_read_interrupt()`. Takes no lock; sleeps where the
//! daemon's memory must be faulted in.

use crate::{
    abi::{
        op,
        Unique, //
    },
    engine::ForgetQueue,
    transport::{
        chan::forgets::Forgets,
        message::copy::CopyOut, //
    },
};
use kernel::prelude::*;
use zerocopy::IntoBytes;

/// Copies `forgets` out as one message: FORGET if `single`, else BATCH_FORGET with `count` of
/// them. Returns its length.
pub(super) fn forgets(
    to: &mut impl CopyOut,
    unique: Unique,
    mut forgets: Forgets,
    count: u32,
    single: bool,
) -> Result<usize> {
    if single {
        let link = forgets.pop_front().ok_or(EIO)?;
        let message = op::Forget::new(unique, *link.value());
        to.put_all(message.as_bytes())?;
        return Ok(size_of_val(&message));
    }

    let start = op::BatchForget::new(unique, count).map_err(|_| EIO)?;
    to.put_all(start.as_bytes())?;
    let mut part = [op::FuseForgetOne::default(); 16];
    loop {
        let mut filled = 0usize;
        for place in &mut part {
            let Some(link) = forgets.pop_front() else {
                break;
            };
            *place = *link.value();
            filled = filled.saturating_add(1);
        }
        match part.get(..filled) {
            None | Some([]) => return Ok(start.message_len()),
            Some(ones) => to.put_all(ones.as_bytes())?,
        }
    }
}

/// Sends the INTERRUPT of a request.
pub(super) fn interrupt(to: &mut impl CopyOut, request: Unique) -> Result<usize> {
    let message = op::Interrupt::new(request);
    to.put_all(message.as_bytes())?;
    Ok(size_of_val(&message))
}
