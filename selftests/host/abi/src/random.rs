// SPDX-License-Identifier: GPL-2.0

//! Random replies, to every operation.

use crate::abi::{
    op::{
        tests::{cases, lookup, makers},
        LookupOut,
    },
    testing::*,
    Attr, AttrFlags, Minor,
};
use zerocopy::IntoBytes;

/// Whatever the bytes: no panic, and what comes out keeps its promises.
#[test]
fn garbage_is_refused_or_checked() {
    fn check(attr: Attr<'_>) {
        assert!(attr.size() >= 0 && attr.perm() <= 0o7777);
        assert!(attr.blkbits().is_none_or(|bits| bits <= 31));
        for time in [attr.atime(), attr.mtime(), attr.ctime()] {
            assert!(time.nsecs() < 1_000_000_000);
        }
        assert_eq!(attr.flags().without(AttrFlags::KNOWN), AttrFlags::EMPTY);
    }
    let mut taken = 0u64;
    for seed in seeds() {
        let mut random = Random::new(seed);
        for _ in 0..rounds() {
            let mut raw = raw_entry(random.edgy(), random.edgy() as u32);
            let wire = raw.as_mut_bytes();
            for _ in 0..random.below(4) {
                let at = 8 * random.below(16);
                wire[at..at + 8].copy_from_slice(&random.edgy().to_ne_bytes());
            }
            if let Ok(LookupOut::Found(entry)) = lookup(&raw, 46) {
                check(entry.attr());
                assert_eq!(entry.node.get(), raw.nodeid);
                assert_eq!(entry.attr().mode(), raw.attr.mode & 0xffff);
                assert!(entry.entry_valid.nsecs() < 1_000_000_000);
                taken += 1;
            }
            for (kind, made) in makers() {
                if let Ok(made) = made(&raw) {
                    assert!(made.get() == raw.nodeid && made.get() > 1);
                    assert_eq!(raw.attr.mode & 0o170000, kind.bits());
                    taken += 1;
                }
            }
        }
    }
    assert!(taken > 1000, "nothing but refusals: {taken}");
}

/// Every operation, random bytes of any length, any version: no panic, and the same answer twice.
#[test]
fn no_reply_makes_an_operation_panic() {
    let cases = cases();
    for seed in seeds() {
        let mut random = Random::new(seed);
        for _ in 0..rounds() {
            let case = &cases[random.below(cases.len())];
            let minor = Minor::new(MINORS[random.below(MINORS.len())]);
            let space = case.op.reply(minor).space();
            let len = match random.below(4) {
                0 => random.below(300),
                _ => space,
            };
            let own = random.bytes(len);
            let payload = match random.below(4) {
                0 => random.edgy() as usize,
                _ => 0,
            };
            let decoded = case.op.decode(&own, payload, minor);
            assert_eq!(decoded, case.op.decode(&own, payload, minor));
        }
    }
}
