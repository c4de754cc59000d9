// SPDX-License-Identifier: GPL-2.0

//! IOCTL of directories, and of callers of 32 bits.

use std::os::fd::OwnedFd;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mem::{Pages, PAGE};
use mockd::user::{command, ioctl, ioctl32, ioctl_arg};
use mockd::wire::*;
use mockd::{Init, Mock, Request, Setup};
use suites::catalogue::summary;

use crate::ioctl::{asked, asked_on, good, BOTH, SIZE};

pub fn cases() -> Vec<Case> {
    cases![
        ioctl_of_32_bits,
        ioctl_dir,
        ioctl_dir_of_the_vfs,
        ioctl_dir_minor,
        ioctl_dir_not_opened,
        ioctl_dir_32_bits,
    ]
}

const DIR: i32 = libc::O_RDONLY | libc::O_DIRECTORY;

/// Sends a command for a directory with `init` agreed on.
fn on_dir<T: mockd::msg::Msg>(init: &Init, call: impl FnOnce(&OwnedFd) -> T) -> (T, Vec<Request>) {
    let mut m = Mock::with(&Setup::default(), init);
    let (r, requests, _) = asked_on(&mut m, ("d", DIR), call, good);
    m.finish();
    (r, requests)
}

/// The daemon is told of a caller of 32 bits, whose argument is an address as it is.
fn ioctl_of_32_bits() {
    ktap::needs("CONFIG_IA32_EMULATION");
    let call = |f: &OwnedFd| {
        let mut low = Pages::low();
        low.bytes(0, PAGE).fill(b'x');
        let addr = low.addr() as u32;
        let end = addr + PAGE as u32;
        let r = vec![
            ioctl32(f, BOTH, addr),
            ioctl32(f, BOTH, 0),
            ioctl32(f, BOTH, end - 39),
            ioctl32(f, command(false, false, 0), u32::MAX),
            // FS_IOC_MEASURE_VERITY.
            ioctl32(f, 0xc004_6686, end - 3),
            // And once as any other.
            ioctl_arg(f, BOTH, addr as usize),
        ];
        (r, summary(low.bytes(0, 100)))
    };
    let ((r, data), requests, _) = asked(call, good);
    let fault = Err(EFAULT);
    assert_eq!(r, [Ok(0), fault, fault, Ok(0), fault, Ok(0)]);
    assert_eq!(data, summary([vec![0; 40], vec![b'x'; 60]].concat()));
    let flags: Vec<u64> = requests.iter().map(|r| r.get("flags")).collect();
    let narrow = u64::from(IOCTL_COMPAT | IOCTL_32BIT);
    assert_eq!(flags, [narrow, narrow, 0]);
    assert_eq!(requests[1].get("arg"), u32::MAX.into());
    assert_eq!(requests[0].get("arg"), requests[2].get("arg"));
}

/// The daemon is told that it is about a directory, whether it has agreed to HAS_IOCTL_DIR or not.
fn ioctl_dir() {
    for init in [Init::plain(), Init::plain().with("HAS_IOCTL_DIR")] {
        let call = |f: &OwnedFd| {
            let mut data = [b'x'; 50];
            let r = ioctl(f, BOTH, &mut data);
            (r, summary(data))
        };
        let (r, requests) = on_dir(&init, call);
        let written = [[0; 40].as_slice(), &[b'x'; 10]].concat();
        assert_eq!(r, (Ok(0), summary(written)));
        let [q] = &requests[..] else {
            panic!("{requests:?}")
        };
        assert_eq!((q.node, q.get("flags")), (3, IOCTL_DIR.into()));
        assert_eq!(
            ((q.get("in_size"), q.get("out_size")), q.tail()),
            ((40, 40), &[b'x'; 40][..])
        );
        assert_ne!(q.get("fh"), 0);
    }
}

/// What the VFS knows for regular files alone is the daemon's here.
fn ioctl_dir_of_the_vfs() {
    const FIONREAD: u32 = 0x541b;
    const FIGETBSZ: u32 = 2;
    const FIBMAP: u32 = 1;
    let call = |f: &OwnedFd| {
        [FIGETBSZ, FIONREAD, FIBMAP]
            .map(|c| ioctl(f, c, &mut [0; 8]))
            .to_vec()
    };
    let (r, requests) = on_dir(&Init::plain(), call);
    let sent: Vec<u64> = requests.iter().map(|r| r.get("cmd")).collect();
    assert_eq!(
        (r, sent),
        (vec![Ok(0); 3], vec![FIONREAD.into(), FIBMAP.into()])
    );
}

/// A daemon of an older protocol does not know of them.
fn ioctl_dir_minor() {
    for (minor, result) in [(17, Err(ENOTTY)), (18, Ok(0)), (45, Ok(0))] {
        let init = Init {
            minor,
            ..Init::plain()
        };
        let call = |f: &OwnedFd| ioctl(f, BOTH, &mut [0; SIZE]);
        let (r, requests) = on_dir(&init, call);
        assert_eq!(
            (r, requests.len()),
            (result, usize::from(minor > 17)),
            "{minor}"
        );
    }
}

/// A daemon that need not open directories has no handle to be told.
fn ioctl_dir_not_opened() {
    let (mut m, mut fs) = (Mock::new(), mockd::memfs::Memfs::new());
    fs.ioctls = true;
    fs.on(Op::OPENDIR, mockd::mock::Answer::Err(ENOSYS));
    fs.dir("d");
    let r: Res<i64> = m.run(&mut fs, |mnt| {
        let f = mockd::user::open(&mnt.join("d"), DIR, 0)?;
        ioctl(&f, BOTH, &mut [0; SIZE])
    });
    assert_eq!(r, Ok(0));
    let all = m.rec.all();
    let q = all.iter().find(|r| r.op == Op::IOCTL).expect("IOCTL");
    assert_eq!((q.get("fh"), q.get("flags")), (0, IOCTL_DIR.into()));
    m.finish();
}

fn ioctl_dir_32_bits() {
    ktap::needs("CONFIG_IA32_EMULATION");
    let call = |f: &OwnedFd| {
        let low = Pages::low();
        ioctl32(f, BOTH, low.addr() as u32)
    };
    let (r, requests) = on_dir(&Init::plain(), call);
    let flags = IOCTL_COMPAT | IOCTL_32BIT | IOCTL_DIR;
    assert_eq!((r, requests[0].get("flags")), (Ok(0), flags.into()));
}
