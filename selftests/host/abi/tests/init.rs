// SPDX-License-Identifier: GPL-2.0

//! INIT: short replies, old daemons, and flags that were not offered.

mod common;

use common::{Random, MINORS};
use fuse_abi::abi::{
    op::{FuseInitOut, Init, InitOut},
    BadReply, Body, InitFlags, Minor, Op,
};
use zerocopy::{FromBytes, IntoBytes};

fn init(offered: InitFlags) -> Init {
    Init {
        max_readahead: 131072,
        offered,
    }
}

fn decode(offered: InitFlags, own: &[u8]) -> Result<InitOut, BadReply> {
    init(offered).decode(Body::new(own, 0), Minor::OURS)
}

fn settle(offered: InitFlags, raw: &FuseInitOut) -> InitOut {
    decode(offered, raw.as_bytes()).expect("version 7")
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
fn everything_at_once() {
    let offered = InitFlags::KNOWN.without(InitFlags::INIT_RESERVED);
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
            map_alignment: Some(12),
            max_stack_depth: Some(1),
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
    assert_eq!((out.max_pages, out.map_alignment), (None, None));
    assert_eq!((out.max_stack_depth, out.request_timeout), (None, None));
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
        let short = decode(InitFlags::KNOWN, &full.as_bytes()[..len]);
        assert_eq!(short, decode(InitFlags::KNOWN, &zeroed), "{len} bytes");
        // Not even a version.
        assert_eq!(short.is_err(), len == 0, "{len} bytes");
    }
    for (len, minor) in [(8, 4), (24, 22)] {
        let out = decode(InitFlags::KNOWN, &raw(minor, 1).as_bytes()[..len]).expect("version 7");
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
            decode(InitFlags::KNOWN, raw.as_bytes()),
            Err(BadReply::Version)
        );
        assert_eq!(
            decode(InitFlags::KNOWN, &raw.as_bytes()[..4]),
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
    for seed in common::seeds() {
        let mut random = Random::new(seed);
        for _ in 0..common::rounds() {
            let offered = InitFlags::from_bits(random.edgy() | random.next());
            let len = random.below(65);
            let mut own = random.bytes(len);
            if len >= 8 && random.below(8) > 0 {
                own[..4].copy_from_slice(&7u32.to_ne_bytes());
                own[4..8].copy_from_slice(&(random.below(60) as u32).to_ne_bytes());
            }
            let Ok(out) = decode(offered, &own) else {
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
