// SPDX-License-Identifier: GPL-2.0

//! /sys/module/fuse/parameters: names, modes, what they take, and what they do.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::{Caller, Init, Mock, Setup};
use suites::setting::{get, set, Setting};

pub fn cases() -> Vec<Case> {
    cases![
        parameter_modes,
        global_limits_by_default,
        global_limits_written,
        admin_access_written,
        admin_access_opens_mounts,
        admin_access_needs_the_capability,
    ]
}

const LIMITS: [&str; 2] = ["max_user_bgreq", "max_user_congthresh"];

fn parameter_modes() {
    for name in ["allow_sys_admin_access"].iter().chain(&LIMITS) {
        let s = Setting::parameter(name);
        let st = user::stat(s.path()).expect("stat");
        assert_eq!((st.mode, st.uid, st.gid), (0o100_644, 0, 0), "{name}");
        let p = s.path().to_path_buf();
        let c = Caller::spawn(None, |_| {
            user::become_user(1000, 1000);
            (get(&p).is_ok(), set(&p, "1"))
        });
        assert_eq!(c.join::<(bool, Res<()>)>(), (true, Err(EACCES)), "{name}");
    }
}

/// As many requests of 392 bytes as take up 1/8192 of the memory.
fn by_default() -> String {
    let text = std::fs::read_to_string("/proc/meminfo").expect("meminfo");
    let kib: u64 = text
        .lines()
        .find_map(|l| l.strip_prefix("MemTotal:"))
        .and_then(|l| l.trim().strip_suffix(" kB"))
        .and_then(|n| n.parse().ok())
        .expect("MemTotal");
    format!("{}\n", (((kib << 10) >> 13) / 392).min(65_535))
}

fn global_limits_by_default() {
    for name in LIMITS {
        assert_eq!(Setting::parameter(name).get(), by_default(), "{name}");
    }
}

fn global_limits_written() {
    for name in LIMITS {
        let s = Setting::parameter(name);
        for (text, becomes) in [
            ("1", "1\n".to_string()),
            ("0x20\n", "32\n".into()),
            ("65535", "65535\n".into()),
            ("65536", "65535\n".into()),
            ("4294967295", "65535\n".into()),
            ("0", by_default()),
        ] {
            assert_eq!(s.set(text), Ok(()), "{name} {text:?}");
            assert_eq!(s.get(), becomes, "{name} {text:?}");
        }
        for (text, e) in [
            ("-1", EINVAL),
            ("x", EINVAL),
            ("\n", EINVAL),
            ("4294967296", ERANGE),
        ] {
            assert_eq!(s.set(text), Err(e), "{name} {text:?}");
        }
        assert_eq!(s.get(), by_default(), "{name}");
    }
}

fn admin_access_written() {
    let s = Setting::parameter("allow_sys_admin_access");
    assert_eq!(s.get(), "N\n");
    for (text, becomes) in [("1", "Y\n"), ("n", "N\n"), ("Y\n", "Y\n"), ("0", "N\n")] {
        assert_eq!(s.set(text), Ok(()));
        assert_eq!(s.get(), becomes);
    }
    assert_eq!(s.set("2"), Err(EINVAL));
}

/// Somebody else's mount without allow_other.
fn private() -> (Mock, Memfs) {
    let setup = Setup::default()
        .opt("user_id", "1000")
        .opt("group_id", "1000");
    let mut fs = Memfs::new();
    // Attributes that are always asked for.
    fs.attr_valid = mockd::reply::ZERO;
    (Mock::with(&setup, &Init::plain()), fs)
}

fn admin_access_opens_mounts() {
    let s = Setting::parameter("allow_sys_admin_access");
    let (mut m, mut fs) = private();
    let mut stat = || m.run::<Res<()>>(&mut fs, |mnt| user::lstat(mnt).map(drop));
    assert_eq!(stat(), Err(EACCES));
    s.set("Y").expect("set");
    assert_eq!(stat(), Ok(()));
    s.set("N").expect("set");
    assert_eq!(stat(), Err(EACCES));
    m.finish();
}

fn admin_access_needs_the_capability() {
    ktap::needs("CONFIG_USER_NS");
    let s = Setting::parameter("allow_sys_admin_access");
    s.set("Y").expect("set");
    let (mut m, mut fs) = private();
    let mut stat_as = |uid: u32| {
        m.run::<Res<()>>(&mut fs, |mnt| {
            user::become_user(uid, uid);
            user::lstat(mnt).map(drop)
        })
    };
    assert_eq!(stat_as(1001), Err(EACCES));
    assert_eq!(stat_as(1000), Ok(()));
    // In a user namespace of its own a task has all capabilities, but not those that count.
    let in_ns: Res<()> = m.run(&mut fs, |mnt| {
        user::become_user(1001, 1001);
        // SAFETY: integers.
        check(unsafe { libc::unshare(libc::CLONE_NEWUSER) })?;
        user::lstat(mnt).map(drop)
    });
    assert_eq!(in_ns, Err(EACCES));
    m.finish();
}
