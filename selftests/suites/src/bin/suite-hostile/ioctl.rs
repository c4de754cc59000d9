// SPDX-License-Identifier: GPL-2.0

//! Answers to IOCTL that no honest daemon gives.

use fastrand::Rng;
use mockd::reply::ioctl_out;
use mockd::wire::IOCTL_RETRY;
use mockd::Request;

use crate::pick::Pick;

/// The fields of an answer.
pub const FIELDS: &[(&str, usize, usize)] = &[
    ("result", 0, 4),
    ("result", 0, 4),
    ("ioctl_flags", 4, 4),
    ("in_iovs", 8, 4),
    ("out_iovs", 12, 4),
];

/// IOCTL: less or more than was asked for; or other memory of the caller's is wanted, in stretches
/// of any place and length.
pub fn data(rng: &mut Rng, r: &Request) -> (String, Vec<u8>) {
    let asked = r.get("out_size") as usize;
    if rng.bool() {
        let n = [0, 1, asked / 2, asked + 1, 4096, 4097, 16383, asked + 4096].pick(rng);
        let result = [0, 1, -1, -libc::ENOSYS, -512, i32::MIN].pick(rng);
        let what = format!("{result} with {n} bytes of {asked}");
        return (what, ioctl_out(result, &vec![0xbd; n]));
    }
    let mut number = || [0, 1, 2, 255, 256, 257, 1 << 31, u32::MAX].pick(rng);
    let (ins, outs, stretches) = (number(), number(), number() % 300);
    let mut b = ioctl_out(0, &[]);
    b[4..8].copy_from_slice(&IOCTL_RETRY.to_ne_bytes());
    b[8..12].copy_from_slice(&ins.to_ne_bytes());
    b[12..16].copy_from_slice(&outs.to_ne_bytes());
    for _ in 0..2 * stretches {
        b.extend(rng.u64(..).to_ne_bytes());
    }
    (
        format!("again with {ins} and {outs} of {stretches} stretches"),
        b,
    )
}
