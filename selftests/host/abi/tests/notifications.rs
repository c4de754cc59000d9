// SPDX-License-Identifier: GPL-2.0

//! Notifications: which lengths each may have, and what its fixed part says of the rest.

mod common;

use common::Random;
use fuse_abi::abi::{notify::*, Errno};
use zerocopy::IntoBytes;

const ENAMETOOLONG: Result<(), Errno> = Err(Errno::ENAMETOOLONG);
const EINVAL: Result<(), Errno> = Err(Errno::EINVAL);

fn code(number: i32) -> NotifyCode {
    NotifyCode::from_raw(number).expect("a notification")
}

#[test]
fn which_lengths() {
    // Its number, bytes of its fixed part, and whether more may follow.
    for (number, fixed, more) in [
        (1, 8, false),
        (2, 24, false),
        (3, 16, true),
        (4, 24, true),
        (5, 32, false),
        (6, 24, true),
        (7, 0, true),
        (8, 0, true),
        (9, 16, true),
    ] {
        for len in (0..100).chain([1 << 20, usize::MAX]) {
            let fits = len == fixed || (more && len > fixed);
            let expected = if fits { Ok(fixed) } else { Err(Errno::EINVAL) };
            assert_eq!(code(number).fixed_len(len), expected, "{number}: {len}");
        }
        assert!(fixed <= NotifyCode::MAX_FIXED);
    }
}

/// The whole of the body, as it is checked.
fn check(number: i32, fixed: &[u8], rest: usize) -> Result<(), Errno> {
    let body_len = fixed.len().saturating_add(rest);
    assert_eq!(code(number).fixed_len(body_len), Ok(fixed.len()));
    code(number).check(fixed, body_len, 1024)
}

#[test]
fn names_are_as_long_as_they_are_said_to_be() {
    for namelen in [0, 1, 255, 1023, 1024] {
        let entry = FuseNotifyInvalEntryOut {
            namelen,
            ..Default::default()
        };
        let delete = FuseNotifyDeleteOut {
            namelen,
            ..Default::default()
        };
        for (number, fixed) in [(3, entry.as_bytes()), (6, delete.as_bytes())] {
            for rest in 0..1100 {
                // The NUL.
                let fits = rest == namelen as usize + 1;
                let expected = if fits { Ok(()) } else { EINVAL };
                assert_eq!(check(number, fixed, rest), expected, "{number}: {rest}");
            }
        }
    }
}

/// Too long a name is one whether it is there or not.
#[test]
fn names_are_not_longer_than_was_agreed_on() {
    for namelen in [1025, 4095, u32::MAX - 1, u32::MAX] {
        let entry = FuseNotifyInvalEntryOut {
            namelen,
            ..Default::default()
        };
        let delete = FuseNotifyDeleteOut {
            namelen,
            ..Default::default()
        };
        for rest in [0, namelen as usize, namelen as usize + 1] {
            assert_eq!(check(3, entry.as_bytes(), rest), ENAMETOOLONG);
            assert_eq!(check(6, delete.as_bytes(), rest), ENAMETOOLONG);
        }
    }
    let entry = FuseNotifyInvalEntryOut {
        namelen: 4095,
        ..Default::default()
    };
    let body_len = 16 + 4096;
    assert_eq!(code(3).check(entry.as_bytes(), body_len, 4095), Ok(()));
    assert_eq!(
        code(3).check(entry.as_bytes(), body_len, 4094),
        ENAMETOOLONG
    );
}

#[test]
fn data_is_within_a_file_and_all_there() {
    let end = i64::MAX as u64;
    for (offset, within) in [(0, true), (end - 1, true), (end, false), (u64::MAX, false)] {
        let expected = if within { Ok(()) } else { EINVAL };
        for size in [0, 1, 4096, u32::MAX] {
            let store = FuseNotifyStoreOut {
                offset,
                size,
                ..Default::default()
            };
            let size_len = size as usize;
            assert_eq!(check(4, store.as_bytes(), size_len), expected);
            assert_eq!(check(4, store.as_bytes(), size_len + 1), EINVAL);
            if let Some(short) = size_len.checked_sub(1) {
                assert_eq!(check(4, store.as_bytes(), short), EINVAL);
            }
            let retrieve = FuseNotifyRetrieveOut {
                offset,
                size,
                ..Default::default()
            };
            assert_eq!(check(5, retrieve.as_bytes(), 0), expected);
        }
    }
}

#[test]
fn nodes_to_forget_are_all_there() {
    for count in [0, 1, 2, 600, u32::MAX] {
        let prune = FuseNotifyPruneOut {
            count,
            ..Default::default()
        };
        let ids = count as usize * 8;
        assert_eq!(check(9, prune.as_bytes(), ids), Ok(()));
        for rest in [ids + 1, ids + 7, ids + 8] {
            assert_eq!(check(9, prune.as_bytes(), rest), EINVAL);
        }
    }
}

#[test]
fn the_others_have_nothing_to_check() {
    let poll = FuseNotifyPollWakeupOut { kh: u64::MAX };
    assert_eq!(check(1, poll.as_bytes(), 0), Ok(()));
    let inode = FuseNotifyInvalInodeOut {
        ino: u64::MAX,
        off: i64::MIN,
        len: i64::MIN,
    };
    assert_eq!(check(2, inode.as_bytes(), 0), Ok(()));
    for number in [7, 8] {
        for rest in [0, 1, 100_000] {
            assert_eq!(check(number, &[], rest), Ok(()));
        }
    }
}

/// Whatever the bytes: no panic, and no error that C does not have.
#[test]
fn garbage_is_refused() {
    let mut taken = 0;
    for seed in common::seeds() {
        let mut random = Random::new(seed);
        for _ in 0..common::rounds() {
            let code = code(1 + random.below(9) as i32);
            let mut fixed = random.bytes(32);
            for at in [0, 8, 16, 24] {
                if random.below(2) == 0 {
                    fixed[at..at + 8].copy_from_slice(&random.edgy().to_ne_bytes());
                }
            }
            let body_len = match random.below(2) {
                0 => random.below(5000),
                _ => random.edgy() as usize,
            };
            let Ok(len) = code.fixed_len(body_len) else {
                continue;
            };
            match code.check(&fixed[..len], body_len, 1024) {
                Ok(()) => taken += 1,
                Err(errno) => assert!([22, 36].contains(&errno.get())),
            }
            // What transport never asks.
            let other = &fixed[..random.below(33)];
            let _ = code.check(other, body_len, random.next() as u32);
        }
    }
    assert!(taken > 1000, "nothing but refusals: {taken}");
}
