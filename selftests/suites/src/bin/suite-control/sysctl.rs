// SPDX-License-Identifier: GPL-2.0

//! fs.fuse.*: names, ranges, errors, and what the limit of pages does.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::wire::Op;
use mockd::{Init, Mock, Setup};
use suites::setting::{get, set, Setting};

pub fn cases() -> Vec<Case> {
    cases![
        sysctl_names,
        sysctl_ranges,
        sysctl_roots,
        max_pages_limit_bounds_init,
        max_pages_limit_raised,
        max_pages_limit_of_the_mount,
        max_pages_limit_and_names,
    ]
}

const ALL: [(&str, &str, u32); 3] = [
    ("max_pages_limit", "256\n", 1),
    ("default_request_timeout", "0\n", 0),
    ("max_request_timeout", "0\n", 0),
];

fn limit() -> Setting {
    Setting::sysctl("fs/fuse/max_pages_limit")
}

fn sysctl_names() {
    ktap::needs("CONFIG_SYSCTL");
    let dir = std::path::Path::new("/proc/sys/fs/fuse");
    let mut names = user::list(dir).expect("list");
    names.sort();
    assert_eq!(
        names,
        [
            "default_request_timeout",
            "max_pages_limit",
            "max_request_timeout"
        ]
    );
    for (name, value, _) in ALL {
        let p = dir.join(name);
        let s = user::stat(&p).expect("stat");
        assert_eq!((s.mode, s.uid, s.gid), (0o100_644, 0, 0), "{name}");
        assert_eq!(get(&p).as_deref(), Ok(value), "{name}");
    }
}

fn sysctl_ranges() {
    for (name, _, least) in ALL {
        let s = Setting::sysctl(&format!("fs/fuse/{name}"));
        for v in [least, 1, 77, 65_535] {
            assert_eq!(s.set(&format!("{v}\n")), Ok(()), "{name} {v}");
            assert_eq!(s.get(), format!("{v}\n"), "{name}");
        }
        let below = if least == 0 { "-1" } else { "0" };
        for v in [below, "-5", "65536", "4294967295", "4294967296", "x", "3x"] {
            assert_eq!(s.set(v), Err(EINVAL), "{name} {v}");
            assert_eq!(s.get(), "65535\n", "{name} after {v}");
        }
    }
}

fn sysctl_roots() {
    for (name, ..) in ALL {
        let s = Setting::sysctl(&format!("fs/fuse/{name}"));
        let p = s.path().to_path_buf();
        let c = mockd::Caller::spawn(None, |_| {
            user::become_user(1000, 1000);
            (get(&p).is_ok(), set(&p, "5"))
        });
        assert_eq!(c.join::<(bool, Res<()>)>(), (true, Err(EACCES)), "{name}");
    }
}

/// The sizes of the WRITEs that one write of `len` bytes becomes.
fn write_sizes(m: &mut Mock, len: usize) -> Vec<u64> {
    let mut fs = Memfs::new();
    let r: Res<usize> = m.run(&mut fs, |mnt| {
        let f = user::open(&mnt.join("f"), libc::O_CREAT | libc::O_RDWR, 0o644)?;
        user::pwrite(&f, &vec![7; len], 0)
    });
    assert_eq!(r, Ok(len));
    let all = m.rec.all();
    let writes = all.iter().filter(|r| r.op == Op::WRITE);
    writes.map(|r| r.get("size")).collect()
}

fn asking_for(max_pages: u16) -> Init {
    Init {
        max_pages,
        max_write: 1 << 20,
        ..Init::plain()
    }
}

fn max_pages_limit_bounds_init() {
    let limit = limit();
    for (is, asked, becomes) in [
        (3, 32, 3),
        (3, 2, 2),
        (1, 32, 1),
        (40, 32, 32),
        (8, 65_535, 8),
    ] {
        limit.set(&is.to_string()).expect("set");
        let mut m = Mock::with(&Setup::default(), &asking_for(asked));
        let sizes = write_sizes(&mut m, 48 * 4096);
        assert_eq!(sizes.iter().sum::<u64>(), 48 * 4096);
        assert_eq!(
            sizes.iter().max(),
            Some(&(becomes * 4096)),
            "limit {is}, asked for {asked}"
        );
        m.finish();
    }
}

fn max_pages_limit_raised() {
    let limit = limit();
    // The device's default is 256.
    for (is, becomes) in [("256", 256), ("600", 512)] {
        limit.set(is).expect("set");
        let mut m = Mock::uninit(&Setup::default());
        m.buf = (1 << 22) + 4096;
        let r = m.expect(Op::INIT);
        let init = Init {
            max_write: 1 << 22,
            ..asking_for(512)
        };
        m.reply(&r, &init.bytes());
        let sizes = write_sizes(&mut m, 1024 * 4096);
        assert_eq!(sizes.iter().max(), Some(&(becomes * 4096)), "limit {is}");
        m.finish();
    }
}

/// What holds is the limit at the time of the mount, not at that of the reply to INIT.
fn max_pages_limit_of_the_mount() {
    let limit = limit();
    limit.set("4").expect("set");
    let mut m = Mock::uninit(&Setup::default());
    limit.set("16").expect("set");
    let r = m.expect(Op::INIT);
    m.reply(&r, &asking_for(32).bytes());
    limit.set("2").expect("set");
    assert_eq!(write_sizes(&mut m, 16 * 4096), [4 * 4096; 4]);
    m.finish();
}

/// A daemon that is held to one page gets names of 1024 bytes at most.
fn max_pages_limit_and_names() {
    let limit = limit();
    for (is, e) in [("1", ENAMETOOLONG), ("2", ENOENT)] {
        limit.set(is).expect("set");
        let (mut m, mut fs) = (Mock::with(&Setup::default(), &asking_for(32)), Memfs::new());
        let name = "n".repeat(1025);
        let r: Res<()> = m.run(&mut fs, |mnt| user::lstat(&mnt.join(&name)).map(drop));
        assert_eq!(r, Err(e), "limit {is}");
        m.finish();
    }
}
