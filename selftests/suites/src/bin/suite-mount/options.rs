// SPDX-License-Identifier: GPL-2.0

//! Mount options by both interfaces: what is accepted, what is shown, which errors.

use std::os::fd::{AsFd, AsRawFd};

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::mount::{self, mount, mounts_of, open_dev, umount, Context};
use mockd::user;
use mockd::wire::Op;
use mockd::{Api, Init, Mock, Setup};

pub fn cases() -> Vec<Case> {
    cases![
        mount_plain,
        fsopen_plain,
        mount_errors,
        fsopen_errors,
        fsopen_messages,
        missing_options,
        fd_as_number,
        fd_as_file,
        fd_not_fuse,
        fd_opened_read_only,
        shown_options,
        shown_with_fsopen,
        subtype_shown,
        source_shown,
        rootmode_types,
        max_read_least,
        read_only,
        remount_ignores_options,
        remount_read_only,
        reconfigure_refused,
        unknown_type_of_fs,
        fuseblk_option_refused,
        owner_of_root,
        unprivileged_refused,
        in_user_namespace,
    ]
}

/// Tries a mount and gives its error, or unmounts again.
fn attempt(setup: &Setup) -> Res<()> {
    let dev = open_dev(false)?;
    let dir = ktap::dir().join("try");
    let _ = std::fs::create_dir(&dir);
    setup.mount(dev.as_fd(), &dir)?;
    umount(&dir, 0)
}

fn mount_plain() {
    let m = Mock::new();
    assert!(mount::is_mounted(&m.mnt));
    m.finish();
}

fn fsopen_plain() {
    let m = Mock::with(&Setup::default().api(Api::Fsopen), &Init::plain());
    assert!(mount::is_mounted(&m.mnt));
    m.finish();
}

/// Option, value, what C says.
const ERRORS: &[(&str, &str, Res<()>)] = &[
    ("nonsense", "", Err(EINVAL)),
    ("nonsense", "1", Err(EINVAL)),
    ("rootmode", "8", Err(EINVAL)),
    ("rootmode", "xyz", Err(EINVAL)),
    ("rootmode", "0", Err(EINVAL)),
    ("rootmode", "755", Err(EINVAL)),
    ("rootmode", "170000", Err(EINVAL)),
    ("rootmode", "777777777777", Err(EINVAL)),
    ("rootmode", "", Err(EINVAL)),
    ("user_id", "4294967295", Err(EINVAL)),
    ("user_id", "4294967296", Err(EINVAL)),
    ("user_id", "-1", Err(EINVAL)),
    ("user_id", "root", Err(EINVAL)),
    ("user_id", "", Err(EINVAL)),
    ("user_id", "1000", Ok(())),
    ("group_id", "4294967295", Err(EINVAL)),
    ("group_id", "x", Err(EINVAL)),
    ("group_id", "", Err(EINVAL)),
    ("group_id", "1000", Ok(())),
    ("default_permissions", "", Ok(())),
    ("default_permissions", "1", Err(EINVAL)),
    ("allow_other", "", Ok(())),
    ("allow_other", "yes", Err(EINVAL)),
    ("max_read", "0", Ok(())),
    ("max_read", "1", Ok(())),
    ("max_read", "65536", Ok(())),
    ("max_read", "4294967295", Ok(())),
    ("max_read", "4294967296", Err(EINVAL)),
    ("max_read", "-1", Err(EINVAL)),
    ("max_read", "", Err(EINVAL)),
    ("subtype", "x", Ok(())),
    ("blksize", "512", Err(EINVAL)),
];

fn check_errors(api: Api) {
    let mut bad = Vec::new();
    for (k, v, want) in ERRORS {
        let got = attempt(&Setup::default().api(api).opt(k, v));
        println!("{k}={v:?}: {got:?}");
        if got != *want {
            bad.push(format!("{k}={v:?}: {got:?}, expected {want:?}"));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

fn mount_errors() {
    check_errors(Api::Mount);
}

fn fsopen_errors() {
    check_errors(Api::Fsopen);
}

/// The messages of the context, which are part of the interface too.
fn fsopen_messages() {
    let cases: &[(&str, &str, &str)] = &[
        ("rootmode", "0", "e fuse: Invalid rootmode"),
        (
            "blksize",
            "512",
            "e fuse: blksize only supported for fuseblk",
        ),
        ("nonsense", "1", "e fuse: Unknown parameter 'nonsense'"),
        ("max_read", "x", "e fuse: Bad value for 'max_read'"),
    ];
    for (k, v, want) in cases {
        let c = Context::open("fuse").expect("fsopen");
        assert_eq!(c.set(k, v), Err(EINVAL));
        assert_eq!(c.log(), vec![want.to_string()], "{k}={v}");
    }
    let c = Context::open("fuse").expect("fsopen");
    c.set("source", "a").expect("source");
    assert_eq!(c.set("source", "b"), Err(EINVAL));
    assert_eq!(
        c.log(),
        vec!["e fuse: Multiple sources specified".to_string()]
    );
    let c = Context::open("fuse").expect("fsopen");
    c.set("subtype", "a").expect("subtype");
    assert_eq!(c.set("subtype", "b"), Err(EINVAL));
    assert_eq!(
        c.log(),
        vec!["e fuse: Multiple subtypes specified".to_string()]
    );
    let c = Context::open("fuse").expect("fsopen");
    let null = std::fs::File::open("/dev/null").expect("null");
    assert_eq!(c.set("fd", &null.as_raw_fd().to_string()), Err(EINVAL));
    println!("{:?}", c.log());
}

fn missing_options() {
    for api in [Api::Mount, Api::Fsopen] {
        for k in ["rootmode", "user_id", "group_id"] {
            assert_eq!(
                attempt(&Setup::default().api(api).without(k)),
                Err(EINVAL),
                "{api:?} {k}"
            );
        }
        let dir = ktap::dir().join("nofd");
        let _ = std::fs::create_dir(&dir);
        assert_eq!(
            Setup::default().api(api).mount_fd(None, &dir),
            Err(EINVAL),
            "{api:?} fd"
        );
    }
}

fn fd_as_number() {
    let dir = ktap::dir().join("m");
    std::fs::create_dir(&dir).expect("dir");
    let s = Setup::default();
    assert_eq!(s.mount_fd(Some("x"), &dir), Err(EINVAL));
    assert_eq!(s.mount_fd(Some("-1"), &dir), Err(EINVAL));
    assert_eq!(s.mount_fd(Some("9999"), &dir), Err(EBADF));
    assert_eq!(
        s.clone().api(Api::Fsopen).mount_fd(Some("9999"), &dir),
        Err(EBADF)
    );
    assert_eq!(s.api(Api::Fsopen).mount_fd(Some("x"), &dir), Err(EINVAL));
}

/// FSCONFIG_SET_FD in place of a number.
fn fd_as_file() {
    let dev = open_dev(false).expect("dev");
    let dir = ktap::dir().join("m");
    std::fs::create_dir(&dir).expect("dir");
    let c = Context::open("fuse").expect("fsopen");
    for (k, v) in [
        ("source", "mockd"),
        ("rootmode", "40000"),
        ("user_id", "0"),
        ("group_id", "0"),
    ] {
        c.set(k, v).expect(k);
    }
    let null = std::fs::File::open("/dev/null").expect("null");
    assert_eq!(c.fd("fd", null.as_fd()), Err(EINVAL));
    c.fd("fd", dev.as_fd()).expect("fd");
    c.create().expect("create");
    c.attach(&dir).expect("attach");
    assert!(mount::is_mounted(&dir));
    umount(&dir, 0).expect("umount");
}

fn fd_not_fuse() {
    let dir = ktap::dir().join("m");
    std::fs::create_dir(&dir).expect("dir");
    let null = std::fs::File::open("/dev/null").expect("null");
    let (a, _b) = std::os::unix::net::UnixStream::pair().expect("pair");
    for fd in [null.as_raw_fd(), a.as_raw_fd()] {
        for api in [Api::Mount, Api::Fsopen] {
            let r = Setup::default()
                .api(api)
                .mount_fd(Some(&fd.to_string()), &dir);
            assert_eq!(r, Err(EINVAL), "{api:?}");
        }
    }
}

/// The mode of the descriptor does not matter to mount, only to read and write.
fn fd_opened_read_only() {
    let dev = user::open(std::path::Path::new("/dev/fuse"), libc::O_RDONLY, 0).expect("open");
    let dir = ktap::dir().join("m");
    std::fs::create_dir(&dir).expect("dir");
    let r = Setup::default().mount(dev.as_fd(), &dir);
    assert_eq!(r, Ok(()));
    umount(&dir, 0).expect("umount");
}

fn line(setup: &Setup) -> String {
    let m = Mock::with(setup, &Init::plain());
    let l = mounts_of(&m.mnt).remove(0);
    let l = l.replace(m.mnt.to_str().expect("utf-8"), "MNT");
    m.finish();
    l
}

fn shown_options() {
    let s = Setup::default;
    let pre = "mockd MNT fuse rw,nosuid,nodev,relatime";
    assert_eq!(line(&s()), format!("{pre},user_id=0,group_id=0 0 0"));
    assert_eq!(
        line(&s().opt("user_id", "7").opt("group_id", "8")),
        format!("{pre},user_id=7,group_id=8 0 0")
    );
    let all = s()
        .opt("max_read", "65536")
        .opt("allow_other", "")
        .opt("default_permissions", "");
    assert_eq!(
        line(&all),
        format!("{pre},user_id=0,group_id=0,default_permissions,allow_other,max_read=65536 0 0")
    );
    assert_eq!(
        line(&s().opt("max_read", "1")),
        format!("{pre},user_id=0,group_id=0,max_read=4096 0 0")
    );
    assert_eq!(
        line(&s().opt("max_read", "4294967295")),
        format!("{pre},user_id=0,group_id=0 0 0")
    );
}

fn shown_with_fsopen() {
    let s = Setup::default().api(Api::Fsopen).opt("allow_other", "");
    assert_eq!(
        line(&s),
        "mockd MNT fuse rw,nosuid,nodev,relatime,user_id=0,group_id=0,allow_other 0 0"
    );
}

fn subtype_shown() {
    let s = Setup::default().opt("subtype", "mine");
    assert!(line(&s).starts_with("mockd MNT fuse.mine rw,"));
    // mount(2) also takes it from the name of the type.
    let s = Setup {
        fstype: "fuse.yours",
        ..Setup::default()
    };
    assert!(line(&s).starts_with("mockd MNT fuse.yours rw,"));
    let s = Setup {
        fstype: "fuse.yours",
        ..Setup::default()
    }
    .opt("subtype", "mine");
    assert_eq!(attempt(&s), Err(EINVAL));
}

fn source_shown() {
    let s = Setup {
        source: "host:/dir name",
        ..Setup::default()
    };
    assert!(line(&s).starts_with("host:/dir\\040name MNT fuse "));
}

/// The root may be anything that has a type; what is not a directory mounts on a file.
fn rootmode_types() {
    let file = ktap::dir().join("f");
    std::fs::write(&file, "x").expect("file");
    let dir = ktap::dir().join("d");
    std::fs::create_dir(&dir).expect("dir");
    for (mode, on_file) in [
        ("100000", true),
        ("20000", true),
        ("60000", true),
        ("10000", true),
        ("140000", true),
    ] {
        let dev = open_dev(false).expect("dev");
        let s = Setup::default().opt("rootmode", mode);
        assert_eq!(s.mount(dev.as_fd(), &dir), Err(ENOTDIR), "{mode}");
        if on_file {
            let dev = open_dev(false).expect("dev");
            assert_eq!(s.mount(dev.as_fd(), &file), Ok(()), "{mode}");
            umount(&file, 0).expect("umount");
        }
    }
    let dev = open_dev(false).expect("dev");
    assert_eq!(Setup::default().mount(dev.as_fd(), &file), Err(ENOTDIR));
}

fn max_read_least() {
    let mut m = Mock::with(&Setup::default().opt("max_read", "1"), &Init::plain());
    m.rec.exact_reads();
    let mut fs = mockd::memfs::Memfs::new();
    fs.open_flags = mockd::wire::FOPEN_DIRECT_IO;
    fs.file("f", &[7; 10000]);
    let c = m.call("f", |p| {
        user::pread(&user::open(p, libc::O_RDONLY, 0)?, 10000, 0).map(|b| b.len())
    });
    let n: Res<usize> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(n, Ok(10000));
    for r in m.rec.all().iter().filter(|r| r.op == Op::READ) {
        assert!(r.get("size") <= 4096, "{r:?}");
    }
    m.finish();
}

fn read_only() {
    let s = Setup {
        flags: libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NODEV,
        ..Setup::default()
    };
    let mut m = Mock::with(&s, &Init::plain());
    let mut fs = mockd::memfs::Memfs::new();
    fs.file("f", b"x");
    let c = m.caller(|mnt, _| {
        (
            user::open(&mnt.join("f"), libc::O_WRONLY, 0).map(drop),
            user::mkdir(&mnt.join("d"), 0o755),
            user::unlink(&mnt.join("f")),
            user::truncate(&mnt.join("f"), 0),
        )
    });
    let r: (Res<()>, Res<()>, Res<()>, Res<()>) = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, (Err(EROFS), Err(EROFS), Err(EROFS), Err(EROFS)));
    assert!(mounts_of(&m.mnt)[0].contains(" ro,"));
    m.finish();
}

/// mount(2) with MS_REMOUNT ignores options, whatever they are.
fn remount_ignores_options() {
    let m = Mock::new();
    let before = mounts_of(&m.mnt);
    let flags = libc::MS_REMOUNT | libc::MS_NOSUID | libc::MS_NODEV;
    for data in [
        "",
        "allow_other",
        "nonsense",
        "fd=9999",
        "max_read=x",
        "user_id=5",
    ] {
        assert_eq!(
            mount("mockd", &m.mnt, "fuse", flags, data),
            Ok(()),
            "{data}"
        );
    }
    assert_eq!(mounts_of(&m.mnt), before);
    m.finish();
}

fn remount_read_only() {
    let mut m = Mock::new();
    let flags = libc::MS_REMOUNT | libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NODEV;
    assert_eq!(mount("mockd", &m.mnt, "fuse", flags, ""), Ok(()));
    assert!(mounts_of(&m.mnt)[0].contains(" ro,"));
    let mut fs = mockd::memfs::Memfs::new();
    let c = m.call("d", |p| user::mkdir(p, 0o755));
    let r: Res<()> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, Err(EROFS));
    m.finish();
}

fn reconfigure_refused() {
    let m = Mock::new();
    let c = mount::fspick(&m.mnt).expect("fspick");
    assert_eq!(c.flag("allow_other"), Err(EINVAL));
    assert_eq!(
        c.log(),
        vec!["e fuse: No changes allowed in reconfigure".to_string()]
    );
    drop(c);
    let c = mount::fspick(&m.mnt).expect("fspick");
    assert_eq!(c.flag("ro"), Ok(()));
    assert_eq!(c.reconfigure(), Ok(()));
    // A context holds the superblock.
    drop(c);
    let text = std::fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let l = text
        .lines()
        .find(|l| l.contains(m.mnt.to_str().expect("utf-8")))
        .expect("line");
    assert!(l.ends_with(" - fuse mockd ro,user_id=0,group_id=0"), "{l}");
    m.finish();
}

fn unknown_type_of_fs() {
    let s = Setup {
        fstype: "fuse9",
        ..Setup::default()
    };
    assert_eq!(attempt(&s), Err(ENODEV));
}

/// blksize belongs to fuseblk, also when it comes by mount(2).
fn fuseblk_option_refused() {
    assert_eq!(
        attempt(&Setup::default().opt("blksize", "4096")),
        Err(EINVAL)
    );
}

/// The root has the mode of rootmode and, until asked for, no owner but 0.
fn owner_of_root() {
    let mut m = Mock::with(&Setup::default().opt("rootmode", "40751"), &Init::plain());
    let c = m.call("", user::lstat);
    let r = m.expect(Op::GETATTR);
    assert_eq!(r.node, 1);
    let attr = mockd::Attr::dir(1).perm(0o711).owner(3, 4);
    m.reply(&r, &mockd::reply::attr_out((100, 0), &attr));
    let st: Res<user::Stat> = c.join();
    let st = st.expect("stat");
    assert_eq!(
        (st.mode, st.uid, st.gid, st.ino),
        (libc::S_IFDIR | 0o711, 3, 4, 1)
    );
    m.finish();
}

/// mount(2) needs CAP_SYS_ADMIN; fuse adds nothing to that.
fn unprivileged_refused() {
    let c = mockd::Caller::spawn(None, |_| {
        user::become_user(65534, 65534);
        attempt_in(&Setup::default(), "/mnt")
    });
    let r: Res<()> = c.join();
    assert!(matches!(r, Err(EPERM) | Err(EACCES)), "{r:?}");
}

fn attempt_in(setup: &Setup, dir: &str) -> Res<()> {
    let dev = open_dev(false)?;
    setup.mount(dev.as_fd(), std::path::Path::new(dir))
}

/// A user namespace may mount for itself; the ids of the options must exist in it.
fn in_user_namespace() {
    ktap::needs("CONFIG_USER_NS");
    let dir = ktap::dir().join("m");
    std::fs::create_dir(&dir).expect("dir");
    let mut c = mockd::Caller::spawn(None, |io| {
        let outside = open_dev(false);
        // SAFETY: flags only.
        let r = check(unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) });
        io.put(r.map(|_| ()));
        io.wait();
        let Ok(outside) = outside else {
            return vec![Err(EIO)];
        };
        let Ok(dev) = open_dev(false) else {
            return vec![Err(EIO)];
        };
        let s = Setup::default;
        vec![
            // The device was opened in another namespace than that of the mount.
            s().mount(outside.as_fd(), &dir),
            s().opt("user_id", "1").mount(dev.as_fd(), &dir),
            s().opt("group_id", "1").mount(dev.as_fd(), &dir),
            s().mount(dev.as_fd(), &dir),
            umount(&dir, 0),
        ]
    });
    let r: Res<()> = c.get();
    assert_eq!(r, Ok(()), "unshare");
    std::fs::write(format!("/proc/{}/uid_map", c.pid), "0 1000 1").expect("uid_map");
    std::fs::write(format!("/proc/{}/gid_map", c.pid), "0 1000 1").expect("gid_map");
    // Whoever is mapped may open the device.
    c.go();
    let r: Vec<Res<()>> = c.join();
    println!("{r:?}");
    assert_eq!(
        r,
        vec![Err(EINVAL), Err(EINVAL), Err(EINVAL), Ok(()), Ok(())]
    );
}
