// SPDX-License-Identifier: GPL-2.0

//! A daemon that is root only of its own user namespace says what it likes about ids, devices,
//! set-id bits, capabilities and security attributes. In its namespace they count, outside they do
//! not.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mount::path;
use mockd::user;
use mockd::wire::ROOT;
use mockd::{Caller, Init, Setup};
use suites::catalogue::summary;
use suites::daemon::until;
use suites::setting::Setting;

use crate::acl::{for_user, ACCESS};
use crate::userns_mount::{as_administrator, as_user, Users, OWNER};

pub fn cases() -> Vec<Case> {
    cases![
        ids_are_of_the_namespace,
        files_of_nobody,
        devices_are_not_opened,
        set_id_bits_count_inside,
        capabilities_count_inside,
        security_attributes_are_of_the_namespace,
        acl_ids_are_of_the_namespace,
    ]
}

/// An id that the namespace does not have.
pub(crate) const UNKNOWN: u32 = 200_000;
/// One that it has, and what it is outside.
pub(crate) const FIVE: u32 = 5;
pub(crate) const FIVE_OUTSIDE: u32 = OWNER + FIVE;

/// Adds a node with an owner to the root.
pub(crate) fn add(fs: &mut Memfs, name: &str, mode: u32, id: u32, data: &[u8]) -> u64 {
    let node = fs.add(ROOT, name, mode, data);
    let attr = &mut fs.nodes.get_mut(&node).expect("node").attr;
    (attr.uid, attr.gid) = (id, id);
    node
}

/// A program of a few bytes that sleeps until it is killed.
fn program() -> Vec<u8> {
    // mov eax, __NR_pause; syscall; jmp back
    let code = [0xb8, 0x22, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7];
    let (ehdr, phdr, base) = (64u64, 56u64, 0x40_0000u64);
    let mut b = b"\x7fELF\x02\x01\x01".to_vec();
    b.resize(16, 0);
    for half in [libc::ET_EXEC, libc::EM_X86_64] {
        b.extend(half.to_le_bytes());
    }
    b.extend(1u32.to_le_bytes());
    for word in [base + ehdr + phdr, ehdr, 0] {
        b.extend(word.to_le_bytes());
    }
    b.extend(0u32.to_le_bytes());
    for half in [ehdr as u16, phdr as u16, 1, 64, 0, 0] {
        b.extend(half.to_le_bytes());
    }
    let size = ehdr + phdr + code.len() as u64;
    for word in [libc::PT_LOAD, libc::PF_R | libc::PF_X] {
        b.extend(word.to_le_bytes());
    }
    for word in [0, base, base, size, size, 4096] {
        b.extend(word.to_le_bytes());
    }
    b.extend(code);
    b
}

/// Becomes the program `name`, which is the program above, and says what it runs as: user ids,
/// group ids, capabilities. `become_` is who starts it.
fn runs_as(dir: &Path, name: &str, become_: &dyn Fn()) -> Res<String> {
    let file = path(&dir.join(name));
    let mut c = Caller::spawn(None, |_| {
        become_();
        let arguments = [file.as_ptr(), std::ptr::null()];
        // SAFETY: C strings, the list ends with a null pointer.
        unsafe { libc::execve(file.as_ptr(), arguments.as_ptr(), arguments[1..].as_ptr()) };
        Err::<(), _>(last())
    });
    let status = until("the program", || {
        let text = std::fs::read_to_string(format!("/proc/{}/status", c.pid)).unwrap_or_default();
        if text.starts_with(&format!("Name:\t{name}\n")) {
            Some(Some(text))
        } else {
            c.exited().then_some(None)
        }
    });
    let Some(status) = status else {
        return c.join::<Res<()>>().map(|()| String::new());
    };
    // It keeps the mount busy until it is gone.
    c.kill(libc::SIGKILL);
    c.reap();
    let wanted = ["Uid:", "Gid:", "CapPrm:", "CapEff:"];
    let lines = status
        .lines()
        .filter(|l| wanted.iter().any(|w| l.starts_with(w)));
    Ok(lines.collect::<Vec<&str>>().join("; ").replace('\t', " "))
}

/// Owner and mode.
fn owner(p: &Path) -> Res<(u32, u32, u32)> {
    user::lstat(p).map(|s| (s.uid, s.gid, s.mode))
}

pub(crate) fn open(p: &Path, flags: i32) -> Res<()> {
    user::open(p, flags, 0o644).map(drop)
}

/// The daemon's 0 is the user, its 5 another one, and what it has no right to say is nobody.
fn ids_are_of_the_namespace() {
    let mut fs = Memfs::new();
    for (name, id) in [
        ("zero", 0),
        ("five", FIVE),
        ("unknown", UNKNOWN),
        ("none", u32::MAX),
    ] {
        add(&mut fs, name, libc::S_IFREG | 0o666, id, b"text");
    }
    let look = |mnt: &Path| -> Vec<Res<(u32, u32, u32)>> {
        let names = ["zero", "five", "unknown", "none"];
        names.map(|n| owner(&mnt.join(n))).to_vec()
    };
    let mut users = Users::new(&Setup::default(), &Init::plain(), fs, look);
    let outside = as_user(OWNER, || look(users.mnt()));
    let ids = |v: &[Res<(u32, u32, u32)>]| -> Vec<Res<u32>> {
        v.iter().map(|r| r.map(|s| s.0)).collect()
    };
    assert_eq!(
        ids(&outside),
        [Ok(OWNER), Ok(FIVE_OUTSIDE), Ok(65534), Ok(65534)]
    );
    let inside: Vec<Res<(u32, u32, u32)>> = users.inside();
    assert_eq!(ids(&inside), [Ok(0), Ok(FIVE), Ok(65534), Ok(65534)]);
    users.finish(&[format!("{inside:?} {outside:?}")]);
}

/// What belongs to nobody is not changed, whatever its mode is, by anybody.
fn files_of_nobody() {
    let mut fs = Memfs::new();
    fs.xattrs = true;
    add(&mut fs, "f", libc::S_IFREG | 0o777, UNKNOWN, b"text");
    let d = add(&mut fs, "d", libc::S_IFDIR | 0o777, UNKNOWN, &[]);
    fs.add(d, "in", libc::S_IFREG | 0o666, b"text");
    let work = |mnt: &Path| -> Vec<Res<()>> {
        let (f, d) = (mnt.join("f"), mnt.join("d"));
        vec![
            open(&f, libc::O_RDONLY),
            open(&f, libc::O_WRONLY),
            open(&f, libc::O_RDWR | libc::O_TRUNC),
            user::truncate(&f, 0),
            user::chmod(&f, 0o4777),
            user::utimes(&f, Some((1, 1)), Some((1, 1))),
            user::setxattr(&f, "user.x", b"x", 0),
            user::setxattr(&f, "security.x", b"x", 0),
            user::rename(&f, &mnt.join("g")),
            user::unlink(&f),
            user::mkdir(&d.join("new"), 0o755),
            open(&d.join("new"), libc::O_CREAT | libc::O_WRONLY),
            user::unlink(&d.join("in")),
            user::list(&d).map(drop),
            user::lchown(&f, 0, 0),
        ]
    };
    let mut users = Users::new(&Setup::default(), &Init::plain(), fs, work);
    let outside = as_user(OWNER, || work(users.mnt()));
    let inside: Vec<Res<()>> = users.inside();
    for v in [&inside, &outside] {
        println!("{v:?}");
        assert_eq!((v[0], v[13]), (Ok(()), Ok(())));
        assert!(v[1..13].iter().all(|r| r.is_err()));
    }
    // But it may be given to somebody, if the daemon lets.
    assert_eq!((inside[14], outside[14]), (Ok(()), Ok(())));
    users.finish(&[format!("{inside:?} {outside:?}")]);
}

/// No device that the daemon shows is one, for whoever it may be.
fn devices_are_not_opened() {
    let mut fs = Memfs::new();
    for (name, kind, major, minor) in [
        ("null", libc::S_IFCHR, 1, 3),
        ("mem", libc::S_IFCHR, 1, 1),
        ("disk", libc::S_IFBLK, 7, 0),
    ] {
        let node = add(&mut fs, name, kind | 0o666, FIVE, &[]);
        let attr = &mut fs.nodes.get_mut(&node).expect("node").attr;
        attr.rdev = (major << 8) | minor;
    }
    let work = |mnt: &Path| -> Vec<Res<()>> {
        let mut v: Vec<Res<()>> = ["null", "mem", "disk"]
            .map(|n| open(&mnt.join(n), libc::O_RDWR))
            .to_vec();
        for (name, kind, number) in [
            ("c", libc::S_IFCHR, libc::makedev(1, 3)),
            ("b", libc::S_IFBLK, libc::makedev(7, 0)),
            ("whiteout", libc::S_IFCHR, 0),
            ("pipe", libc::S_IFIFO, 0),
            ("socket", libc::S_IFSOCK, 0),
        ] {
            v.push(user::mknod(&mnt.join(name), kind | 0o666, number));
            let _ = user::unlink(&mnt.join(name));
        }
        v
    };
    // The mount itself would let devices be.
    let setup = Setup {
        flags: 0,
        ..Setup::default()
    };
    let param = Setting::parameter("allow_sys_admin_access");
    param.set("Y").expect("set");
    let mut users = Users::new(&setup, &Init::plain(), fs, work);
    let outside = as_user(OWNER, || work(users.mnt()));
    let administrator = as_administrator(FIVE_OUTSIDE, || work(users.mnt()));
    let inside: Vec<Res<()>> = users.inside();
    for v in [&inside, &outside, &administrator] {
        println!("{v:?}");
        assert_eq!(v[..3], [Err(EACCES); 3]);
    }
    assert_eq!(
        inside[3..],
        [Err(EPERM), Err(EPERM), Ok(()), Ok(()), Ok(())]
    );
    users.finish(&[format!("{inside:?} {outside:?} {administrator:?}")]);
}

/// Who executes a program of the daemon's becomes its owner only inside.
fn set_id_bits_count_inside() {
    let mut fs = Memfs::new();
    add(&mut fs, "setid", libc::S_IFREG | 0o6755, FIVE, &program());
    add(
        &mut fs,
        "unknown",
        libc::S_IFREG | 0o6755,
        UNKNOWN,
        &program(),
    );
    add(&mut fs, "rooted", libc::S_IFREG | 0o6755, 0, &program());
    let setup = Setup {
        flags: 0,
        ..Setup::default().opt("allow_other", "")
    };
    let all = |mnt: &Path, become_: &dyn Fn()| -> Vec<Res<String>> {
        let names = ["setid", "unknown", "rooted"];
        names.map(|n| runs_as(mnt, n, become_)).to_vec()
    };
    let inside_as_seven = move |mnt: &Path| all(mnt, &|| user::become_user(7, 7));
    let param = Setting::parameter("allow_sys_admin_access");
    param.set("Y").expect("set");
    let mut users = Users::new(&setup, &Init::plain(), fs, inside_as_seven);
    let administrator = all(users.mnt(), &|| {
        crate::userns_mount::become_administrator(OWNER + 7)
    });
    let outside = all(users.mnt(), &|| user::become_user(OWNER, OWNER));
    let inside: Vec<Res<String>> = users.inside();
    println!("{inside:?} {outside:?} {administrator:?}");
    let ids = |r: &Res<String>| {
        let text = r.clone().expect("it runs");
        let lines: Vec<String> = text.split("; ").map(String::from).collect();
        (lines[0].clone(), lines[1].clone())
    };
    let same = |id: u32| {
        let text = |what: &str| format!("{what}: {id} {id} {id} {id}");
        (text("Uid"), text("Gid"))
    };
    let five = ("Uid: 7 5 5 5".to_string(), "Gid: 7 5 5 5".to_string());
    assert_eq!(ids(&inside[0]), five);
    assert_eq!(ids(&inside[1]), same(7));
    for r in &administrator {
        assert_eq!(ids(r), same(OWNER + 7));
    }
    // allow_other is not for who is outside, be it the mount's owner.
    assert!(outside.iter().all(|r| *r == Err(EACCES)), "{outside:?}");
    users.finish(&[format!("{inside:?} {administrator:?}")]);
}

/// The value of `security.capability`: these permitted and effective, for the root of this id.
fn capability(permitted: u32, root: Option<u32>) -> Vec<u8> {
    let magic: u32 = if root.is_some() {
        0x0300_0001
    } else {
        0x0200_0001
    };
    let mut b = magic.to_le_bytes().to_vec();
    for word in [permitted, 0, 0, 0] {
        b.extend(word.to_le_bytes());
    }
    b.extend(root.into_iter().flat_map(u32::to_le_bytes));
    b
}

const CAPABILITY: &str = "security.capability";

/// So it is with capabilities, of each version of their attribute.
fn capabilities_count_inside() {
    let raw = 1 << 13;
    let files = || {
        let mut fs = Memfs::new();
        fs.xattrs = true;
        for (name, value) in [
            ("v2", capability(raw, None)),
            ("v3", capability(raw, Some(0))),
            ("v3five", capability(raw, Some(FIVE))),
            ("v3unknown", capability(raw, Some(UNKNOWN))),
            ("short", capability(raw, None)[..10].to_vec()),
        ] {
            let node = add(&mut fs, name, libc::S_IFREG | 0o755, FIVE, &program());
            let xattrs = &mut fs.nodes.get_mut(&node).expect("node").xattrs;
            xattrs.insert(CAPABILITY.into(), value);
        }
        fs
    };
    let all = |mnt: &Path, become_: &dyn Fn()| -> Vec<Res<String>> {
        let names = ["v2", "v3", "v3five", "v3unknown", "short"];
        names.map(|n| runs_as(mnt, n, become_)).to_vec()
    };
    let setup = Setup {
        flags: 0,
        ..Setup::default()
    };
    let with_others = setup.clone().opt("allow_other", "");
    let inside = move |mnt: &Path| all(mnt, &|| user::become_user(7, 7));
    let mut users = Users::new(&with_others, &Init::plain(), files(), inside);
    let inside: Vec<Res<String>> = users.inside();
    println!("{inside:?}");
    let with = |r: &Res<String>| {
        r.as_ref()
            .is_ok_and(|s| s.contains("CapEff: 0000000000002000"))
    };
    assert!(with(&inside[0]) && with(&inside[1]), "{inside:?}");
    users.finish(&[format!("{inside:?}")]);

    let mut users = Users::new(&setup, &Init::plain(), files(), |_: &Path| ());
    let outside = all(users.mnt(), &|| user::become_user(OWNER, OWNER));
    println!("{outside:?}");
    let none = |r: &Res<String>| {
        r.as_ref()
            .is_ok_and(|s| s.contains("CapEff: 0000000000000000"))
    };
    assert!(outside[..4].iter().all(none), "{outside:?}");
    users.inside::<()>();
    users.finish(&[format!("{outside:?}")]);
}

/// What may be read and set of attributes that are about security, by whom, and what is then sent.
fn security_attributes_are_of_the_namespace() {
    let mut fs = Memfs::new();
    fs.xattrs = true;
    let node = add(&mut fs, "f", libc::S_IFREG | 0o755, 0, b"text");
    let xattrs = &mut fs.nodes.get_mut(&node).expect("node").xattrs;
    for name in ["security.x", "trusted.x", "user.x", "system.x"] {
        xattrs.insert(name.into(), b"value".to_vec());
    }
    add(&mut fs, "g", libc::S_IFREG | 0o755, 0, b"text");
    for (name, value) in [
        ("v2", capability(1, None)),
        ("v3", capability(1, Some(0))),
        ("v3unknown", capability(1, Some(UNKNOWN))),
    ] {
        let node = add(&mut fs, name, libc::S_IFREG | 0o755, 0, b"text");
        let xattrs = &mut fs.nodes.get_mut(&node).expect("node").xattrs;
        xattrs.insert(CAPABILITY.into(), value);
    }
    let work = |mnt: &Path| -> Vec<Res<String>> {
        let done = |r: Res<()>| r.map(|()| "done".to_string());
        let mut v = Vec::new();
        for name in ["v2", "v3", "v3unknown"] {
            v.push(user::getxattr(&mnt.join(name), CAPABILITY, 100).map(|(_, b)| summary(b)));
        }
        for name in ["security.x", "trusted.x", "user.x", "system.x"] {
            v.push(user::getxattr(&mnt.join("f"), name, 100).map(|(_, b)| summary(b)));
            v.push(done(user::setxattr(&mnt.join("f"), name, b"new", 0)));
        }
        for value in [
            capability(1, None),
            capability(1, Some(0)),
            capability(1, Some(FIVE)),
        ] {
            v.push(done(user::setxattr(&mnt.join("g"), CAPABILITY, &value, 0)));
        }
        v.push(done(user::removexattr(&mnt.join("g"), CAPABILITY)));
        v.push(user::listxattr(&mnt.join("f"), 1000).map(|(_, b)| summary(b)));
        v
    };
    let mut users = Users::new(&Setup::default(), &Init::plain(), fs, work);
    let outside = as_user(OWNER, || work(users.mnt()));
    let inside: Vec<Res<String>> = users.inside();
    println!("{inside:?} {outside:?}");
    // Root inside is nobody to whom trusted attributes are shown.
    assert_eq!(inside[5..7], [Err(ENODATA), Err(EPERM)]);
    assert_eq!(outside[5..7], [Err(ENODATA), Err(EPERM)]);
    users.finish(&[format!("{inside:?} {outside:?}")]);
}

/// An ACL for the daemon's 5 is one for who that is outside.
fn acl_ids_are_of_the_namespace() {
    let acl = |id| for_user(id, 6);
    let files = || {
        let mut fs = Memfs::new();
        fs.xattrs = true;
        for (name, id) in [("five", FIVE), ("unknown", UNKNOWN)] {
            let node = add(&mut fs, name, libc::S_IFREG | 0o770, 0, b"text");
            let xattrs = &mut fs.nodes.get_mut(&node).expect("node").xattrs;
            xattrs.insert(ACCESS.into(), acl(id));
        }
        fs
    };
    let read = |mnt: &Path| -> Vec<Res<String>> {
        let names = ["five", "unknown"];
        let get = |n: &str| user::getxattr(&mnt.join(n), ACCESS, 1000);
        names.map(|n| get(n).map(|(_, b)| summary(b))).to_vec()
    };
    let set = move |p: &Path, id: u32| user::setxattr(p, ACCESS, &acl(id), 0);
    let inside = move |mnt: &Path| {
        let opens = |uid: u32| {
            let mnt = mnt.to_path_buf();
            as_user(uid, move || open(&mnt.join("five"), libc::O_RDWR))
        };
        let v = read(mnt);
        let may = vec![
            opens(FIVE),
            opens(7),
            set(&mnt.join("five"), 7),
            opens(FIVE),
            opens(7),
        ];
        (v, may, set(&mnt.join("five"), UNKNOWN))
    };
    let init = Init::plain().with("POSIX_ACL");
    let setup = Setup::default().opt("allow_other", "");
    let mut users = Users::new(&setup, &init, files(), inside);
    let (v, may, unknown): (Vec<Res<String>>, Vec<Res<()>>, Res<()>) = users.inside();
    println!("{v:?} {may:?} {unknown:?}");
    assert_eq!(v[0], Ok(summary(acl(FIVE))));
    let no = Err(EACCES);
    assert_eq!(may, [Ok(()), no, Ok(()), no, Ok(())]);
    users.finish(&[format!("{v:?} {may:?} {unknown:?}")]);

    let mut users = Users::new(&Setup::default(), &init, files(), |_: &Path| ());
    let outside = as_user(OWNER, || read(users.mnt()));
    println!("{outside:?}");
    assert_eq!(outside[0], Ok(summary(acl(FIVE_OUTSIDE))));
    users.inside::<()>();
    users.finish(&[format!("{outside:?}")]);
}
