// SPDX-License-Identifier: GPL-2.0

//! IOCTL where the command's number does not say all: fs-verity's.

use std::os::fd::OwnedFd;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::{Pages, PAGE};
use mockd::user::{ioctl, ioctl_arg};
use mockd::{Init, Mock, Request, Setup};
use suites::catalogue::summary;

use crate::ioctl::{asked, asked_on, good};

pub fn cases() -> Vec<Case> {
    cases![
        measure_verity_sizes,
        measure_verity_faults,
        enable_verity_without_more,
        enable_verity_salt_and_signature,
        enable_verity_limits,
        enable_verity_max_pages,
        enable_verity_faults,
        verity_like_numbers,
    ]
}

/// `FS_IOC_MEASURE_VERITY`: on `struct fsverity_digest` of 4 bytes, and as much behind it as the
/// second half of those says.
const MEASURE: u32 = 0xc004_6686;
/// `FS_IOC_ENABLE_VERITY`: of `struct fsverity_enable_arg`, of 128 bytes.
const ENABLE: u32 = 0x4080_6685;

fn sizes(r: &Request) -> (u64, u64) {
    (r.get("in_size"), r.get("out_size"))
}

/// As many bytes as the caller has said there is room for, both ways.
fn measure_verity_sizes() {
    for digest in [0u16, 1, 32, 64, 4092, 4093, u16::MAX] {
        let len = 4 + usize::from(digest);
        let call = |f: &OwnedFd| {
            let mut data = vec![b'x'; len];
            data[2..4].copy_from_slice(&digest.to_ne_bytes());
            let r = ioctl(f, MEASURE, &mut data);
            (r, summary(data))
        };
        let (r, requests, _) = asked(call, good);
        assert_eq!(r, (Ok(0), summary(vec![0; len])), "{digest}");
        let [q] = &requests[..] else {
            panic!("{requests:?}")
        };
        assert_eq!(sizes(q), (len as u64, len as u64));
        assert_eq!(q.tail()[2..4], digest.to_ne_bytes());
        assert!(q.tail()[4..].iter().all(|b| *b == b'x'));
    }
}

/// What is not there to be read is EFAULT before anything is sent; behind it all is read, too.
fn measure_verity_faults() {
    let call = |f: &OwnedFd| {
        let mut p = Pages::new(3);
        p.bytes(0, 2 * PAGE).fill(9);
        p.unmap(2);
        let end = p.addr() + 2 * PAGE;
        let measure = |addr| ioctl_arg(f, MEASURE, addr);
        let mut r = vec![measure(0), measure(end), measure(end - 3), measure(end - 4)];
        // A digest of 9 * 257 bytes.
        r.extend([measure(end - 2316), measure(end - 2317)]);
        p.protect(0, libc::PROT_READ);
        r.push(measure(p.addr()));
        r
    };
    let (r, requests, _) = asked(call, good);
    let fault = Err(EFAULT);
    assert_eq!(r, [fault, fault, fault, fault, fault, Ok(0), fault]);
    // The last was done, and could not be told.
    assert_eq!(requests.len(), 2);
}

/// `struct fsverity_enable_arg` with this salt and signature: length, address.
fn enable(salt: (u32, usize), sig: (u32, usize)) -> Vec<u8> {
    let mut arg = vec![b'e'; 128];
    arg[12..16].copy_from_slice(&salt.0.to_ne_bytes());
    arg[16..24].copy_from_slice(&salt.1.to_ne_bytes());
    arg[24..28].copy_from_slice(&sig.0.to_ne_bytes());
    arg[32..40].copy_from_slice(&sig.1.to_ne_bytes());
    arg
}

/// Where nothing is, nothing is read.
fn enable_verity_without_more() {
    let mut arg = enable((0, 1), (0, usize::MAX));
    let sent = arg.clone();
    let (r, requests, _) = asked(move |f| ioctl(f, ENABLE, &mut arg), good);
    assert_eq!(r, Ok(0));
    assert_eq!(
        (sizes(&requests[0]), requests[0].tail()),
        ((128, 0), &sent[..])
    );
}

/// The structure goes first, then the salt, then the signature.
fn enable_verity_salt_and_signature() {
    for (salt, sig) in [(1, 0), (0, 1), (32, 0), (32, 700), (5000, 9000)] {
        // The record has their addresses.
        let (mut p, mut q) = (Pages::alone(0, 3), Pages::alone(1, 3));
        p.bytes(0, salt).fill(b's');
        q.bytes(0, sig).fill(b'g');
        let mut arg = enable((salt as u32, p.addr()), (sig as u32, q.addr()));
        let sent = [&arg[..], &vec![b's'; salt], &vec![b'g'; sig]].concat();
        let (r, requests, _) = asked(|f| ioctl(f, ENABLE, &mut arg), good);
        assert_eq!(r, Ok(0));
        assert_eq!(sizes(&requests[0]), (sent.len() as u64, 0));
        assert!(requests[0].tail() == sent, "{salt} {sig}");
    }
}

/// Neither may be longer than a megabyte, whatever the caller says, and wherever it is.
fn enable_verity_limits() {
    const MOST: u32 = 1 << 20;
    let call = |f: &OwnedFd| {
        [
            ((MOST + 1, 0), (0, 0)),
            ((0, 0), (MOST + 1, 0)),
            ((u32::MAX, 0), (u32::MAX, 0)),
            // More than a request has.
            ((MOST, 0), (0, 0)),
            ((0, 0), (MOST, 0)),
            ((MOST, 0), (MOST, 0)),
        ]
        .map(|(salt, sig)| ioctl(f, ENABLE, &mut enable(salt, sig)))
        .to_vec()
    };
    let (r, requests, _) = asked(call, good);
    assert_eq!((r, requests.len()), (vec![Err(ENOMEM); 6], 0));
}

/// All in all it is as much as a request has.
fn enable_verity_max_pages() {
    let init = Init {
        max_pages: 16,
        ..Init::plain()
    };
    let mut m = Mock::with(&Setup::default(), &init);
    let call = |f: &OwnedFd| {
        let p = Pages::alone(0, 17);
        let most = 16 * PAGE as u32 - 128;
        let with = |salt: u32, sig: u32| {
            let mut arg = enable((salt, p.addr()), (sig, p.addr()));
            ioctl(f, ENABLE, &mut arg)
        };
        vec![
            with(most, 0),
            with(0, most),
            with(most / 2, most / 2),
            with(most, 1),
            with(1, most),
            with(most + 1, 0),
        ]
    };
    let (r, requests, _) = asked_on(&mut m, ("f", libc::O_RDONLY), call, good);
    let no = Err(ENOMEM);
    assert_eq!(r, [Ok(0), Ok(0), Ok(0), no, no, no]);
    assert_eq!(requests.len(), 3);
    m.finish();
}

fn enable_verity_faults() {
    let call = |f: &OwnedFd| {
        let p = Pages::alone(0, 3);
        p.unmap(2);
        let end = p.addr() + 2 * PAGE;
        let with = |salt, sig| ioctl(f, ENABLE, &mut enable(salt, sig));
        vec![
            ioctl_arg(f, ENABLE, 0),
            ioctl_arg(f, ENABLE, end - 127),
            with((1, 0), (0, 0)),
            with((10, end - 9), (0, 0)),
            with((10, end - 10), (1, end)),
            with((10, 1 << 63), (0, 0)),
            with((10, end - 10), (5000, end - 5000)),
        ]
    };
    let (r, requests, _) = asked(call, good);
    assert_eq!(r[..6], [Err(EFAULT); 6]);
    assert_eq!((r[6], requests.len()), (Ok(0), 1));
}

/// Other commands of fs-verity, and numbers that are nearly those, are like any other.
fn verity_like_numbers() {
    for cmd in [
        0xc028_6687u32,
        MEASURE + (1 << 16),
        ENABLE + (1 << 16),
        ENABLE ^ (3 << 30),
    ] {
        let size = u64::from((cmd >> 16) & 0x3fff);
        let call = |f: &OwnedFd| ioctl(f, cmd, &mut [0xff; 200]);
        let (r, requests, _) = asked(call, good);
        let of = |bit: u32| if cmd & bit != 0 { size } else { 0 };
        assert_eq!((r, requests.len()), (Ok(0), 1), "{cmd:#x}");
        assert_eq!(sizes(&requests[0]), (of(1 << 30), of(1 << 31)));
    }
}
