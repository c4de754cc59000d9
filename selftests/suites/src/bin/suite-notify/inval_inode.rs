// SPDX-License-Identifier: GPL-2.0

//! INVAL_INODE, on nodes of each kind and in each state. Which pages it drops is in `ranges`.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::reply::Attr;
use mockd::user;
use mockd::wire::{Op, ROOT};
use mockd::{Init, Setup};

use crate::kit::{inval_inode, Scene, NOBODY, NO_DATA};

pub fn cases() -> Vec<Case> {
    cases![
        inode_file,
        inode_root,
        inode_directory,
        inode_symlink,
        inode_special,
        inode_unknown,
        inode_forgotten,
        inode_of_another_mount,
        inode_open,
        inode_unlinked_open,
        inode_working_directory,
        inode_bad,
        inode_with_new_size,
        inode_of_two_names,
        inode_every_range_of_no_file,
        inode_acl,
        inode_attributes_alone_while_read,
        inode_other_pages_while_read,
        inode_again_and_again,
    ]
}

/// The attributes are asked for again, once.
fn asked_again(path: &str, node: impl Fn(&Scene) -> u64) {
    let mut s = Scene::new();
    s.know(&[path]);
    assert_eq!(s.getattrs(path), 0);
    for (offset, len) in [(NO_DATA, 0), (0, 0)] {
        let node = node(&s);
        assert_eq!(s.tell(&inval_inode(node, offset, len)), Ok(()));
        assert_eq!((s.getattrs(path), s.getattrs(path)), (1, 0), "{offset}");
    }
    let lookups = s.m.rec.count(Op::LOOKUP);
    assert_eq!(lookups, usize::from(!path.is_empty()));
    s.finish();
}

fn inode_file() {
    asked_again("f", |s| s.f);
}

fn inode_root() {
    asked_again("", |_| ROOT);
}

fn inode_directory() {
    asked_again("d", |s| s.d);
}

fn inode_symlink() {
    asked_again("l", |s| s.l);
}

/// A pipe and a socket.
fn inode_special() {
    for kind in [libc::S_IFIFO, libc::S_IFSOCK, libc::S_IFCHR] {
        let mut s = Scene::new();
        let node = s.fs.add(ROOT, "special", kind | 0o644, b"");
        s.know(&["special"]);
        assert_eq!(s.tell(&inval_inode(node, 0, 0)), Ok(()));
        assert_eq!(s.getattrs("special"), 1);
        s.finish();
    }
}

/// No such node, or none that the kernel knows.
fn inode_unknown() {
    let mut s = Scene::new();
    s.know(&["d"]);
    for node in [0, s.f, s.df, NOBODY, 1 << 63, u64::MAX] {
        for offset in [NO_DATA, 0] {
            assert_eq!(s.tell(&inval_inode(node, offset, 0)), Err(ENOENT), "{node}");
        }
    }
    s.finish();
}

/// A node that the kernel has given back.
fn inode_forgotten() {
    let mut s = Scene::new();
    s.know(&["f"]);
    assert_eq!(s.run(|mnt| user::unlink(&mnt.join("f"))), Ok(()));
    let f = s.f;
    s.await_forgotten(f);
    assert_eq!(s.tell(&inval_inode(f, 0, 0)), Err(ENOENT));
    s.finish();
}

/// A node that only another connection's mount has.
fn inode_of_another_mount() {
    let (mut s, mut other) = (Scene::new(), Scene::new());
    other.know(&["f"]);
    s.know(&["d"]);
    assert_eq!(s.tell(&inval_inode(s.f, 0, 0)), Err(ENOENT));
    assert_eq!(other.tell(&inval_inode(s.d, 0, 0)), Err(ENOENT));
    assert_eq!(other.getattrs("f"), 0);
    assert_eq!(other.tell(&inval_inode(other.f, 0, 0)), Ok(()));
    assert_eq!((s.getattrs("d"), other.getattrs("f")), (0, 1));
    s.finish();
    other.finish();
}

fn inode_open() {
    let mut s = Scene::new();
    let c = s.hold(|mnt, io| -> Res<(u64, Vec<u8>)> {
        let f = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
        user::fstat(&f)?;
        user::pread(&f, 100, 0)?;
        io.put(());
        io.wait();
        let size = user::fstat(&f)?.size;
        Ok((size, user::pread(&f, 100, 0)?))
    });
    let before = (s.m.rec.count(Op::GETATTR), s.m.rec.count(Op::READ));
    s.fs.nodes.get_mut(&s.f).expect("f").data = b"another text".to_vec();
    s.fs.nodes.get_mut(&s.f).expect("f").attr.size = 12;
    assert_eq!(s.tell(&inval_inode(s.f, 0, 0)), Ok(()));
    let r: Res<(u64, Vec<u8>)> = s.release(c);
    assert_eq!(r, Ok((12, b"another text".to_vec())));
    assert_eq!(s.m.rec.count(Op::GETATTR) - before.0, 1);
    assert!(s.m.rec.count(Op::READ) > before.1);
    s.finish();
}

/// A file without a name is one as long as it is open.
fn inode_unlinked_open() {
    let mut s = Scene::new();
    let c = s.hold(|mnt, io| -> Res<()> {
        let f = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
        user::unlink(&mnt.join("f"))?;
        io.put(());
        io.wait();
        user::fstat(&f).map(drop)
    });
    assert_eq!(s.tell(&inval_inode(s.f, 0, 0)), Ok(()));
    assert_eq!(s.release::<Res<()>>(c), Ok(()));
    let f = s.f;
    s.await_forgotten(f);
    assert_eq!(s.tell(&inval_inode(f, 0, 0)), Err(ENOENT));
    s.finish();
}

fn inode_working_directory() {
    let mut s = Scene::new();
    let c = s.hold(|mnt, io| -> Res<()> {
        user::chdir(&mnt.join("d"))?;
        io.put(());
        io.wait();
        user::lstat(".".as_ref()).map(drop)
    });
    let before = s.m.rec.count(Op::GETATTR);
    assert_eq!(s.tell(&inval_inode(s.d, 0, 0)), Ok(()));
    assert_eq!(s.release::<Res<()>>(c), Ok(()));
    assert_eq!(s.m.rec.count(Op::GETATTR) - before, 1);
    s.finish();
}

/// One of which the daemon has said what cannot be, while somebody has it open.
fn inode_bad() {
    let mut s = Scene::new();
    s.fs.attr_valid = (0, 0);
    let mut c = s.hold(|mnt, io| -> (Res<()>, Res<()>) {
        let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0).expect("open");
        io.put(());
        io.wait();
        let first = user::fstat(&f).map(drop);
        io.put(());
        io.wait();
        (first, user::fstat(&f).map(drop))
    });
    let mode = s.fs.nodes[&s.f].attr.mode;
    s.fs.nodes.get_mut(&s.f).expect("f").attr.mode = libc::S_IFDIR | 0o755;
    c.go();
    s.serve_put(&mut c);
    s.fs.nodes.get_mut(&s.f).expect("f").attr.mode = mode;
    assert_eq!(s.tell(&inval_inode(s.f, 0, 0)), Ok(()));
    let r: (Res<()>, Res<()>) = s.release(c);
    assert_eq!(r, (Err(EIO), Err(EIO)));
    s.finish();
}

/// The daemon has made the file longer, and shorter.
fn inode_with_new_size() {
    let mut s = Scene::new();
    let read = |s: &mut Scene| -> Res<Vec<u8>> {
        s.run(|mnt| {
            let f = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
            user::pread(&f, 20_000, 0)
        })
    };
    s.fs.open_flags = mockd::wire::FOPEN_KEEP_CACHE;
    assert_eq!(read(&mut s), Ok(b"text of f".to_vec()));
    for size in [10_000, 5000, 3, 0, 4096] {
        let data = vec![b'0' + (size % 7) as u8; size];
        let node = s.fs.nodes.get_mut(&s.f).expect("f");
        (node.data, node.attr.size) = (data.clone(), size as u64);
        assert_eq!(s.tell(&inval_inode(s.f, 0, 0)), Ok(()));
        assert_eq!(read(&mut s), Ok(data), "{size}");
    }
    s.finish();
}

fn inode_of_two_names() {
    let mut s = Scene::new();
    s.know(&["f"]);
    let r: Res<()> = s.run(|mnt| user::link(&mnt.join("f"), &mnt.join("d/g")));
    assert_eq!(r, Ok(()));
    s.know(&["f", "d/g"]);
    assert_eq!(s.tell(&inval_inode(s.f, NO_DATA, 0)), Ok(()));
    assert_eq!((s.getattrs("d/g"), s.getattrs("f")), (1, 0));
    s.finish();
}

/// Directories and links have no data that is kept.
fn inode_every_range_of_no_file() {
    let mut s = Scene::new();
    let r: Res<String> = s.run(|mnt| {
        user::list(&mnt.join("d"))?;
        user::readlink(&mnt.join("l"))
    });
    assert_eq!(r, Ok("f".into()));
    for node in [ROOT, s.d, s.l] {
        for offset in [i64::MIN, -1, 0, 1, 4096, i64::MAX] {
            for len in [i64::MIN, -1, 0, 1, 4096, i64::MAX] {
                assert_eq!(s.tell(&inval_inode(node, offset, len)), Ok(()));
            }
        }
    }
    let r: Res<String> = s.run(|mnt| {
        user::list(&mnt.join("d"))?;
        user::readlink(&mnt.join("l"))
    });
    assert_eq!(r, Ok("f".into()));
    s.finish();
}

/// What the kernel knows of ACLs is asked for again.
fn inode_acl() {
    const ACCESS: &str = "system.posix_acl_access";
    const USER: u32 = 1000;
    // For everybody, for user 1000, for the owning group; a mask; for others.
    let acl = |perm: u16| {
        let entry = |tag: u16, perm: u16, id: u32| {
            let (tag, perm) = (tag.to_ne_bytes(), perm.to_ne_bytes());
            [&tag[..], &perm[..], &id.to_ne_bytes()[..]].concat()
        };
        [
            2u32.to_ne_bytes().to_vec(),
            entry(0x01, 7, u32::MAX),
            entry(0x02, perm, USER),
            entry(0x04, 7, u32::MAX),
            entry(0x10, 7, u32::MAX),
            entry(0x20, 0, u32::MAX),
        ]
        .concat()
    };
    let init = Init::plain().with("POSIX_ACL");
    let mut s = Scene::with(&Setup::default().opt("allow_other", ""), &init);
    s.fs.xattrs = true;
    s.fs.nodes.get_mut(&ROOT).expect("root").attr.mode = libc::S_IFDIR | 0o701;
    let node = s.fs.nodes.get_mut(&s.f).expect("f");
    node.attr.mode = libc::S_IFREG | 0o770;
    node.xattrs.insert(ACCESS.into(), acl(4));
    let reads = |s: &mut Scene| -> Res<()> {
        s.run(|mnt| {
            user::become_user(USER, USER);
            user::access(&mnt.join("f"), libc::R_OK)
        })
    };
    assert_eq!((reads(&mut s), reads(&mut s)), (Ok(()), Ok(())));
    let asked = s.m.rec.count(Op::GETXATTR);
    let node = s.fs.nodes.get_mut(&s.f).expect("f");
    node.xattrs.insert(ACCESS.into(), acl(0));
    assert_eq!(reads(&mut s), Ok(()));
    assert_eq!(s.m.rec.count(Op::GETXATTR), asked);
    assert_eq!(s.tell(&inval_inode(s.f, NO_DATA, 0)), Ok(()));
    assert_eq!(reads(&mut s), Err(EACCES));
    assert!(s.m.rec.count(Op::GETXATTR) > asked);
    s.finish();
}

/// What has no data does not wait for a READ.
fn inode_attributes_alone_while_read() {
    let mut s = Scene::new();
    let c = s.m.call("f", |f| -> Res<Vec<u8>> {
        let f = user::open(f, libc::O_RDONLY, 0)?;
        user::pread(&f, 100, 0)
    });
    let r = s.m.serve_until(Op::READ, &mut s.fs);
    for offset in [i64::MIN, NO_DATA] {
        assert_eq!(s.tell(&inval_inode(s.f, offset, 0)), Ok(()));
    }
    let a = s.fs.handle(&r);
    assert_eq!(s.m.answer(&r, &a), Ok(()));
    let fs = &mut s.fs;
    let got: Res<Vec<u8>> = s.m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(got, Ok(b"text of f".to_vec()));
    s.finish();
}

/// Nor does what is about other pages.
fn inode_other_pages_while_read() {
    let init = Init::plain().without("ASYNC_READ");
    let mut s = Scene::with(&Setup::default(), &init);
    let text = [7; 8 * 4096];
    let f = s.fs.add(ROOT, "pages", libc::S_IFREG | 0o644, &text);
    let c = s.m.call("pages", |f| -> Res<Vec<u8>> {
        let f = user::open(f, libc::O_RDONLY, 0)?;
        // SAFETY: integers only.
        unsafe {
            use std::os::fd::AsRawFd;
            libc::posix_fadvise(f.as_raw_fd(), 0, 0, libc::POSIX_FADV_RANDOM);
        }
        user::pread(&f, 4096, 0)
    });
    let r = s.m.serve_until(Op::READ, &mut s.fs);
    for (offset, len) in [(4096, 4096), (4096, 0), (3 * 4096, 2), (1 << 40, 0)] {
        assert_eq!(s.tell(&inval_inode(f, offset, len)), Ok(()));
    }
    let a = s.fs.handle(&r);
    assert_eq!(s.m.answer(&r, &a), Ok(()));
    let fs = &mut s.fs;
    let got: Res<Vec<u8>> = s.m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(got, Ok(vec![7; 4096]));
    s.finish();
}

/// Without anybody who looks in between.
fn inode_again_and_again() {
    let mut s = Scene::new();
    s.know(&["f"]);
    for _ in 0..100 {
        assert_eq!(s.tell(&inval_inode(s.f, 0, 0)), Ok(()));
    }
    assert_eq!((s.getattrs("f"), s.getattrs("f")), (1, 0));
    s.fs.nodes.get_mut(&s.f).expect("f").attr = Attr::file(s.f, 77);
    assert_eq!(s.tell(&inval_inode(s.f, NO_DATA, 0)), Ok(()));
    let size: Res<u64> = s.run(|mnt| Ok(user::lstat(&mnt.join("f"))?.size));
    assert_eq!(size, Ok(77));
    s.finish();
}
