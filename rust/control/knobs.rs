// SPDX-License-Identifier: GPL-2.0

//! The four files of a connection in the control filesystem: `waiting`, `abort`, `max_background`
//! and `congestion_threshold`.
//!
//! C counterpart: `fuse_ctl_waiting_ops` and its like (control.c). Of a connection that has been
//! unmounted, an open file reads as empty, and what is written is checked and has no effect. Takes
//! "control::Connection::chan" and, when it has released that, the engine's lock; may sleep.

use super::FuseCtl;
use crate::{
    kapi::{
        fuse::moduleparam,
        lib::kstrtox::UserText,
        task::cred::{
            capable,
            CAP_SYS_ADMIN, //
        },
        vfs::libfs::{
            SimpleFile,
            SimpleFileOperations,
            SimpleFileOperationsTable, //
        },
    },
    transport::Chan, //
};
use kernel::{
    prelude::*,
    str::Formatter,
    sync::atomic::Relaxed,
    uaccess::UserSliceWriter, //
};

type File = SimpleFile<FuseCtl>;
type Table = SimpleFileOperationsTable<FuseCtl>;

pub(super) static WAITING: Table = Table::new::<Waiting>();
pub(super) static ABORT: Table = Table::new::<Abort>();
pub(super) static MAX_BACKGROUND: Table = Table::new::<Limit<MaxBackground>>();
pub(super) static CONGESTION_THRESHOLD: Table = Table::new::<Limit<CongestionThreshold>>();

/// Reads a number and the end of its line, from `pos` on. C: `simple_read_from_buffer()`.
fn read_number(number: u32, mut to: UserSliceWriter, pos: &mut i64) -> Result<usize> {
    let mut text = [0; 16];
    let mut formatter = Formatter::new(&mut text);
    kernel::fmt::Write::write_fmt(&mut formatter, fmt!("{number}\n")).map_err(|_| EINVAL)?;
    let len = formatter.bytes_written();
    to.write_slice_file(text.get(..len).unwrap_or(&[]), pos)
}

/// How many requests have not ended.
struct Waiting;

#[vtable]
impl SimpleFileOperations<FuseCtl> for Waiting {
    fn read(file: &File, to: UserSliceWriter, pos: &mut i64) -> Result<usize> {
        // What is read piece by piece is one number.
        if *pos == 0 {
            let Some(chan) = file.node().chan() else {
                return Ok(0);
            };
            file.private().store(chan.num_waiting() as usize, Relaxed);
        }
        read_number(file.private().load(Relaxed) as u32, to, pos)
    }
}

/// Anything written aborts the connection.
struct Abort;

#[vtable]
impl SimpleFileOperations<FuseCtl> for Abort {
    fn write(file: &File, from: UserText, _pos: &mut i64) -> Result<usize> {
        if let Some(chan) = file.node().chan() {
            chan.abort_by_administrator();
        }
        Ok(from.len())
    }
}

/// A limit that INIT sets too.
trait Setting: 'static {
    /// The most that a writer without CAP_SYS_ADMIN may set.
    fn unprivileged() -> u32;
    fn get(chan: &Chan) -> u32;
    fn set(chan: &Chan, value: u32);
}

struct MaxBackground;

impl Setting for MaxBackground {
    fn unprivileged() -> u32 {
        moduleparam::max_user_bgreq()
    }

    fn get(chan: &Chan) -> u32 {
        chan.max_background()
    }

    fn set(chan: &Chan, value: u32) {
        chan.set_max_background(value);
    }
}

struct CongestionThreshold;

impl Setting for CongestionThreshold {
    fn unprivileged() -> u32 {
        moduleparam::max_user_congthresh()
    }

    fn get(chan: &Chan) -> u32 {
        chan.congestion_threshold()
    }

    fn set(chan: &Chan, value: u32) {
        chan.set_congestion_threshold(value);
    }
}

struct Limit<S>(core::marker::PhantomData<S>);

#[vtable]
impl<S: Setting> SimpleFileOperations<FuseCtl> for Limit<S> {
    fn read(file: &File, to: UserSliceWriter, pos: &mut i64) -> Result<usize> {
        match file.node().chan() {
            Some(chan) => read_number(S::get(&chan), to, pos),
            None => Ok(0),
        }
    }

    fn write(file: &File, from: UserText, pos: &mut i64) -> Result<usize> {
        if *pos != 0 {
            return Err(EINVAL);
        }
        let value = u16::try_from(from.kstrtoul()?).map_err(|_| EINVAL)?.into();
        if !capable(CAP_SYS_ADMIN) && value > S::unprivileged() {
            return Err(EINVAL);
        }
        if let Some(chan) = file.node().chan() {
            S::set(&chan, value);
        }
        Ok(from.len())
    }
}
