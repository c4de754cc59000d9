// SPDX-License-Identifier: GPL-2.0

//! INIT: agrees on version, flags and limits.
//!
//! C counterpart: `fuse_new_init` and `process_init_reply` (inode.c): what the reply says is settled
//! here; what the mount makes of it (limits of unprivileged daemons, `default_permissions`, readahead)
//! is not. Takes no locks.

use super::Op;
use crate::abi::{
    codec::{
        Body,
        Reply,
        Writer, //
    },
    error::{
        BadReply,
        Overflow, //
    },
    flags::InitFlags,
    opcode::Opcode,
    version::{
        Minor,
        MAJOR, //
    },
};
use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// C: `struct fuse_init_in`.
#[derive(
    Clone, Copy, PartialEq, Eq, Default, Debug, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[allow(missing_docs, reason = "the header's names")]
pub struct FuseInitIn {
    pub major: u32,
    pub minor: u32,
    pub max_readahead: u32,
    pub flags: u32,
    pub flags2: u32,
    pub unused: [u32; 11],
}

const _: () = assert!(size_of::<FuseInitIn>() == 64);

/// C: `struct fuse_init_out`, unchecked.
#[derive(
    Clone, Copy, PartialEq, Eq, Default, Debug, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[allow(missing_docs, reason = "the header's names")]
pub struct FuseInitOut {
    pub major: u32,
    pub minor: u32,
    pub max_readahead: u32,
    pub flags: u32,
    pub max_background: u16,
    pub congestion_threshold: u16,
    pub max_write: u32,
    pub time_gran: u32,
    pub max_pages: u16,
    pub map_alignment: u16,
    pub flags2: u32,
    pub max_stack_depth: u32,
    pub request_timeout: u16,
    pub unused: [u16; 11],
}

const _: () = assert!(size_of::<FuseInitOut>() == 64);

/// Bytes per WRITE at least, and before 7.5 at most.
const MIN_MAX_WRITE: u32 = 4096;

/// The coarsest granularity of time, in nanoseconds.
const MAX_TIME_GRAN: u32 = 1_000_000_000;

/// Opens the conversation. Is about no node, has nobody's credentials.
#[derive(Clone, Copy, Debug)]
pub struct Init {
    /// Bytes.
    pub max_readahead: u32,
    /// Those that have behaviour here. None else will be found in the reply.
    pub offered: InitFlags,
}

/// What the daemon has agreed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InitOut {
    /// The version to speak: the daemon's, which may be newer than ours and then means ours.
    pub minor: Minor,
    /// Both sides', settled:
    ///
    /// - none before 7.6;
    /// - `EXPORT_SUPPORT` not before 7.9;
    /// - before 7.17 `FLOCK_LOCKS` is what `POSIX_LOCKS` is, if we offered it;
    /// - `READDIRPLUS_AUTO` only with `DO_READDIRPLUS`;
    /// - `EXPLICIT_INVAL_DATA` only without `AUTO_INVAL_DATA`.
    pub flags: InitFlags,
    /// Bytes; `None` before 7.6: as mounted (`max_read`).
    pub max_readahead: Option<u32>,
    /// Background requests at a time; `None` before 7.13 and for 0: as it was.
    pub max_background: Option<u16>,
    /// Background requests that count as congestion; `None` before 7.13 and for 0: as it was.
    pub congestion_threshold: Option<u16>,
    /// Bytes per WRITE: at least 4096, up to `u32::MAX`.
    pub max_write: u32,
    /// Nanoseconds, 1 to 10^9; `None` before 7.6 and for anything else: 1.
    pub time_gran: Option<u32>,
    /// Pages per request, at least 1; `None` without `MAX_PAGES`: 32.
    pub max_pages: Option<u16>,
    /// Log2 of bytes; `None` without `MAP_ALIGNMENT`.
    pub map_alignment: Option<u16>,
    /// How far backing files may be stacked; `None` without `PASSTHROUGH`.
    pub max_stack_depth: Option<u32>,
    /// Seconds until a request without a reply ends the connection, 0 for the default; `None` without
    /// `REQUEST_TIMEOUT`.
    pub request_timeout: Option<u16>,
}

impl InitOut {
    fn new(raw: &FuseInitOut, offered: InitFlags) -> Self {
        let minor = Minor::new(raw.minor);
        let flags = Self::flags(raw, minor, offered);
        let background = |limit: u16| (!minor.before(13) && limit != 0).then_some(limit);
        let gran = 1..=MAX_TIME_GRAN;

        Self {
            minor,
            flags,
            max_readahead: (!minor.before(6)).then_some(raw.max_readahead),
            max_background: background(raw.max_background),
            congestion_threshold: background(raw.congestion_threshold),
            max_write: if minor.before(5) {
                MIN_MAX_WRITE
            } else {
                raw.max_write.max(MIN_MAX_WRITE)
            },
            time_gran: (!minor.before(6) && gran.contains(&raw.time_gran)).then_some(raw.time_gran),
            max_pages: flags
                .contains(InitFlags::MAX_PAGES)
                .then_some(raw.max_pages.max(1)),
            map_alignment: flags
                .contains(InitFlags::MAP_ALIGNMENT)
                .then_some(raw.map_alignment),
            max_stack_depth: flags
                .contains(InitFlags::PASSTHROUGH)
                .then_some(raw.max_stack_depth),
            request_timeout: flags
                .contains(InitFlags::REQUEST_TIMEOUT)
                .then_some(raw.request_timeout),
        }
    }

    fn flags(raw: &FuseInitOut, minor: Minor, offered: InitFlags) -> InitFlags {
        if minor.before(6) {
            return InitFlags::EMPTY;
        }
        let low = InitFlags::from_bits(u64::from(raw.flags)).masked(offered);
        let mut flags = if low.contains(InitFlags::INIT_EXT) {
            low.with(InitFlags::from_bits(u64::from(raw.flags2) << 32).masked(offered))
        } else {
            low
        };
        if minor.before(9) {
            flags = flags.without(InitFlags::EXPORT_SUPPORT);
        }
        if minor.before(17) {
            flags = flags.without(InitFlags::FLOCK_LOCKS).with_if(
                flags.contains(InitFlags::POSIX_LOCKS) && offered.contains(InitFlags::FLOCK_LOCKS),
                InitFlags::FLOCK_LOCKS,
            );
        }
        if !flags.contains(InitFlags::DO_READDIRPLUS) {
            flags = flags.without(InitFlags::READDIRPLUS_AUTO);
        }
        if flags.contains(InitFlags::AUTO_INVAL_DATA) {
            flags = flags.without(InitFlags::EXPLICIT_INVAL_DATA);
        }
        flags
    }
}

impl Op for Init {
    const OPCODE: Opcode = Opcode::Init;
    type Out = InitOut;

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseInitIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        let flags = self.offered.bits();

        out.put(&FuseInitIn {
            major: MAJOR,
            minor: Minor::OURS.get(),
            max_readahead: self.max_readahead,
            flags: flags as u32,
            flags2: (flags >> 32) as u32,
            unused: [0; 11],
        })
    }

    /// Any length up to the whole: what is not there counts as zero.
    fn reply(&self, _minor: Minor) -> Reply {
        Reply::UpTo(size_of::<FuseInitOut>())
    }

    fn decode(&self, body: Body<'_>, _minor: Minor) -> Result<InitOut, BadReply> {
        let raw: FuseInitOut = body.short(body.own_len())?;

        if raw.major != MAJOR {
            return Err(BadReply::Version);
        }
        Ok(InitOut::new(&raw, self.offered))
    }
}
