// SPDX-License-Identifier: GPL-2.0

//! INIT: agrees on version, flags and limits.
//!
//! C counterpart: `fuse_new_init` and `process_init_reply` (inode.c): what the reply says is
//! settled here; what the mount makes of it (limits of unprivileged daemons, `default_permissions`,
//! readahead) is not. Takes no locks.

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

wire! {
    /// C: `struct fuse_init_in`.
    struct FuseInitIn: 64 {
        major: u32,
        minor: u32,
        max_readahead: u32,
        flags: u32,
        flags2: u32,
        unused: [u32; 11],
    }
    /// C: `struct fuse_init_out`, unchecked.
    struct FuseInitOut: 64 {
        major: u32,
        minor: u32,
        max_readahead: u32,
        flags: u32,
        max_background: u16,
        congestion_threshold: u16,
        max_write: u32,
        time_gran: u32,
        max_pages: u16,
        map_alignment: u16,
        flags2: u32,
        max_stack_depth: u32,
        request_timeout: u16,
        unused: [u16; 11],
    }
}

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
    /// Seconds until a request without a reply ends the connection, 0 for the default; `None`
    /// without `REQUEST_TIMEOUT`.
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;
    use zerocopy::{
        FromBytes,
        IntoBytes, //
    };

    pub fn case() -> Case {
        Case::new(init(InitFlags::KNOWN), |_| 64, |_| Expect::AtMost(64))
    }

    fn init(offered: InitFlags) -> Init {
        Init {
            max_readahead: 131072,
            offered,
        }
    }

    fn reply(offered: InitFlags, own: &[u8]) -> Result<InitOut, BadReply> {
        decode(init(offered), own, 46)
    }

    fn settle(offered: InitFlags, raw: &FuseInitOut) -> InitOut {
        reply(offered, raw.as_bytes()).expect("version 7")
    }

    fn raw(minor: u32, flags: u64) -> FuseInitOut {
        FuseInitOut {
            major: 7,
            minor,
            max_readahead: 65536,
            flags: flags as u32,
            max_background: 20,
            congestion_threshold: 15,
            max_write: 1 << 20,
            time_gran: 1000,
            max_pages: 256,
            map_alignment: 12,
            flags2: (flags >> 32) as u32,
            max_stack_depth: 1,
            request_timeout: 60,
            unused: [u16::MAX; 11],
        }
    }

    const EXT: u64 = InitFlags::INIT_EXT.bits();

    #[test]
    fn bytes() {
        let offered = InitFlags::ASYNC_READ | InitFlags::INIT_EXT | InitFlags::HAS_EXPIRE_ONLY;
        let mut expected = wire()
            .u32(7)
            .u32(46)
            .u32(131072)
            .u32(1 | (1 << 30))
            .u32(1 << 3);
        expected.0.resize(64, 0);
        expect(init(offered), 46, expected);
    }

    #[test]
    fn everything_at_once() {
        let offered = InitFlags::KNOWN;
        let out = settle(offered, &raw(46, u64::MAX));
        assert_eq!(
            out,
            InitOut {
                minor: Minor::OURS,
                flags: offered.without(InitFlags::EXPLICIT_INVAL_DATA),
                max_readahead: Some(65536),
                max_background: Some(20),
                congestion_threshold: Some(15),
                max_write: 1 << 20,
                time_gran: Some(1000),
                max_pages: Some(256),
                request_timeout: Some(60),
            }
        );
    }

    #[test]
    fn nothing_that_was_not_offered() {
        let every = InitFlags::KNOWN.bits();
        for bit in 0..64 {
            let offered = InitFlags::from_bits((1 << bit) | EXT);
            let out = settle(offered, &raw(46, u64::MAX));
            assert_eq!(out.flags.without(offered), InitFlags::EMPTY, "bit {bit}");
            // And what was offered is taken, unless it hangs on another flag.
            let alone = bit != 14;
            assert_eq!(
                out.flags.contains(InitFlags::from_bits(1 << bit)),
                alone,
                "bit {bit}"
            );
        }
        let out = settle(InitFlags::EMPTY, &raw(46, every));
        assert_eq!(out.flags, InitFlags::EMPTY);
        assert_eq!((out.max_pages, out.request_timeout), (None, None));
    }

    #[test]
    fn the_upper_half_needs_init_ext() {
        let high = InitFlags::HAS_EXPIRE_ONLY;
        let offered = high | InitFlags::INIT_EXT;
        assert_eq!(settle(offered, &raw(46, high.bits() | EXT)).flags, offered);
        assert_eq!(
            settle(offered, &raw(46, high.bits())).flags,
            InitFlags::EMPTY
        );
        // We did not say that we would look.
        assert_eq!(
            settle(high, &raw(46, high.bits() | EXT)).flags,
            InitFlags::EMPTY
        );
    }

    #[test]
    fn a_short_reply_is_zero_from_there_on() {
        let full = raw(
            46,
            InitFlags::MAX_PAGES.bits() | InitFlags::ASYNC_READ.bits(),
        );
        for len in 0..=64 {
            let mut zeroed = full.as_bytes().to_vec();
            zeroed[len..].fill(0);
            let short = reply(InitFlags::KNOWN, &full.as_bytes()[..len]);
            assert_eq!(short, reply(InitFlags::KNOWN, &zeroed), "{len} bytes");
            // Not even a version.
            assert_eq!(short.is_err(), len == 0, "{len} bytes");
        }
        for (len, minor) in [(8, 4), (24, 22)] {
            let out = reply(InitFlags::KNOWN, &raw(minor, 1).as_bytes()[..len]).expect("version 7");
            assert_eq!(out.minor, Minor::new(minor));
            assert_eq!(out.time_gran, None);
        }
    }

    #[test]
    fn another_major_version_is_refused() {
        for major in [0, 1, 6, 8, 7 << 8, u32::MAX] {
            let raw = FuseInitOut {
                major,
                ..raw(46, 1)
            };
            assert_eq!(
                reply(InitFlags::KNOWN, raw.as_bytes()),
                Err(BadReply::Version)
            );
            assert_eq!(
                reply(InitFlags::KNOWN, &raw.as_bytes()[..4]),
                Err(BadReply::Version)
            );
        }
    }

    #[test]
    fn what_older_daemons_cannot_mean() {
        let locks = InitFlags::POSIX_LOCKS | InitFlags::FLOCK_LOCKS;
        for &minor in MINORS {
            let out = settle(InitFlags::KNOWN, &raw(minor, u64::MAX));
            assert_eq!(out.minor.get(), minor);
            assert_eq!(out.flags == InitFlags::EMPTY, minor < 6);
            assert_eq!(out.max_readahead, (minor >= 6).then_some(65536));
            assert_eq!(out.time_gran, (minor >= 6).then_some(1000));
            assert_eq!(out.max_pages, (minor >= 6).then_some(256));
            assert_eq!(out.max_write, if minor < 5 { 4096 } else { 1 << 20 });
            assert_eq!(out.max_background, (minor >= 13).then_some(20));
            assert_eq!(out.congestion_threshold, (minor >= 13).then_some(15));
            assert_eq!(out.flags.contains(InitFlags::EXPORT_SUPPORT), minor >= 9);

            // BSD locks follow POSIX locks before 7.17.
            for (said, meant) in [
                (InitFlags::EMPTY, InitFlags::EMPTY),
                (InitFlags::POSIX_LOCKS, locks),
                (InitFlags::FLOCK_LOCKS, InitFlags::EMPTY),
                (locks, locks),
            ] {
                let flags = settle(InitFlags::KNOWN, &raw(minor, said.bits())).flags;
                let expected = match minor {
                    0..=5 => InitFlags::EMPTY,
                    6..=16 => meant,
                    _ => said,
                };
                assert_eq!(flags, expected, "7.{minor}: {said:?}");
            }
        }
        let only_posix = settle(InitFlags::POSIX_LOCKS, &raw(9, locks.bits())).flags;
        assert_eq!(only_posix, InitFlags::POSIX_LOCKS);
    }

    #[test]
    fn flags_that_hang_on_others() {
        let flags = |said: InitFlags| settle(InitFlags::KNOWN, &raw(46, said.bits())).flags;
        let (plus, auto) = (InitFlags::DO_READDIRPLUS, InitFlags::READDIRPLUS_AUTO);
        assert_eq!(flags(auto), InitFlags::EMPTY);
        assert_eq!(flags(plus), plus);
        assert_eq!(flags(plus | auto), plus | auto);
        let (auto, explicit) = (InitFlags::AUTO_INVAL_DATA, InitFlags::EXPLICIT_INVAL_DATA);
        assert_eq!(flags(auto | explicit), auto);
        assert_eq!(flags(explicit), explicit);
    }

    #[test]
    fn limits() {
        let max_write = |max_write| {
            settle(
                InitFlags::KNOWN,
                &FuseInitOut {
                    max_write,
                    ..raw(46, 0)
                },
            )
            .max_write
        };
        assert_eq!(max_write(0), 4096);
        assert_eq!(max_write(4095), 4096);
        assert_eq!(max_write(4097), 4097);
        assert_eq!(max_write(u32::MAX), u32::MAX);

        let gran = |time_gran| {
            settle(
                InitFlags::KNOWN,
                &FuseInitOut {
                    time_gran,
                    ..raw(46, 0)
                },
            )
            .time_gran
        };
        assert_eq!(gran(0), None);
        assert_eq!(gran(1), Some(1));
        assert_eq!(gran(1_000_000_000), Some(1_000_000_000));
        assert_eq!(gran(1_000_000_001), None);
        assert_eq!(gran(u32::MAX), None);

        let pages = |max_pages| {
            let raw = FuseInitOut {
                max_pages,
                ..raw(46, InitFlags::MAX_PAGES.bits())
            };
            settle(InitFlags::KNOWN, &raw).max_pages
        };
        assert_eq!(pages(0), Some(1));
        assert_eq!(pages(1), Some(1));
        assert_eq!(pages(u16::MAX), Some(u16::MAX));

        let none = FuseInitOut {
            max_background: 0,
            congestion_threshold: 0,
            ..raw(46, 0)
        };
        let out = settle(InitFlags::KNOWN, &none);
        assert_eq!((out.max_background, out.congestion_threshold), (None, None));
    }

    #[test]
    fn garbage_settles_within_what_was_offered() {
        for seed in seeds() {
            let mut random = Random::new(seed);
            for _ in 0..rounds() {
                let offered = InitFlags::from_bits(random.edgy() | random.next());
                let len = random.below(65);
                let mut own = random.bytes(len);
                if len >= 8 && random.below(8) > 0 {
                    own[..4].copy_from_slice(&7u32.to_ne_bytes());
                    own[4..8].copy_from_slice(&(random.below(60) as u32).to_ne_bytes());
                }
                let Ok(out) = reply(offered, &own) else {
                    continue;
                };
                assert_eq!(out.flags.without(offered), InitFlags::EMPTY);
                assert!(out.max_write >= 4096);
                assert_ne!(out.max_pages, Some(0));
                assert!(out
                    .time_gran
                    .is_none_or(|gran| (1..=1_000_000_000).contains(&gran)));
                let mut whole = own.clone();
                whole.resize(64, 0);
                let raw = FuseInitOut::read_from_bytes(&whole).expect("64 bytes");
                assert_eq!(out.minor.get(), raw.minor);
            }
        }
    }
}
