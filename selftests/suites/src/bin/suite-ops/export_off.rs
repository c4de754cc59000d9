// SPDX-License-Identifier: GPL-2.0

//! File handles of a daemon with NO_EXPORT_SUPPORT: they open nothing.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::wire::Op;
use mockd::{Init, Mock, Setup};

use crate::export::{dots, forget_all, mount_with};
use crate::handle::{handle_of, open_by_handle, Handle, AT_HANDLE_CONNECTABLE, AT_HANDLE_FID};

pub fn cases() -> Vec<Case> {
    cases![no_export, no_export_late, no_export_and_export,]
}

/// Which inode it is can be told (for fanotify, say), and no more.
fn no_export() {
    let (mut m, mut fs) = (mount_with("NO_EXPORT_SUPPORT"), Memfs::new());
    let d = fs.dir("d");
    fs.add(d, "f", libc::S_IFREG | 0o644, b"");
    type Results = (Vec<Res<Handle>>, Vec<Res<()>>);
    let (of, opened): Results = m.run(&mut fs, |mnt| {
        let mut of = vec![];
        for name in ["", "d", "d/f"] {
            for flags in [0, AT_HANDLE_CONNECTABLE, AT_HANDLE_FID] {
                of.push(handle_of(&mnt.join(name), flags));
            }
        }
        let fids = of.iter().flatten().cloned().collect::<Vec<Handle>>();
        let open = |h: &Handle| open_by_handle(mnt, h, libc::O_PATH).map(drop);
        (of, fids.iter().map(open).collect())
    });
    for (i, r) in of.iter().enumerate() {
        match i % 3 {
            2 => assert_eq!(r.as_ref().map(|h| h[0]), Ok(12)),
            _ => assert_eq!(*r, Err(EOPNOTSUPP)),
        }
    }
    assert_eq!(opened, [Err(ESTALE); 3]);
    m.finish();
}

/// It is so from the answer to INIT on; a handle that was made before opens nothing afterwards.
fn no_export_late() {
    ktap::needs("CONFIG_FHANDLE");
    let (mut m, mut fs) = (Mock::uninit(&Setup::default()), Memfs::new());
    let init = m.expect(Op::INIT);
    // Nothing is asked for the root's handle.
    let mut c = m.caller(|mnt, io| {
        let h = handle_of(mnt, 0);
        io.put(h.as_ref().map(Vec::len).map_err(|e| *e));
        io.wait();
        let root = mnt.to_path_buf();
        let opened = h.and_then(|h| open_by_handle(&root, &h, libc::O_PATH).map(drop));
        (opened, handle_of(&root, 0).map(drop))
    });
    assert_eq!(c.get::<Res<usize>>(), Ok(5));
    m.reply(&init, &Init::plain().with("NO_EXPORT_SUPPORT").bytes());
    c.go();
    let r: (Res<()>, Res<()>) = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!(r, (Err(ESTALE), Err(EOPNOTSUPP)));
    m.finish();
}

/// The one that forbids counts.
fn no_export_and_export() {
    ktap::needs("CONFIG_FHANDLE");
    let init = Init::plain()
        .with("EXPORT_SUPPORT")
        .with("NO_EXPORT_SUPPORT");
    let (mut m, mut fs) = (Mock::with(&Setup::default(), &init), Memfs::new());
    fs.file("f", b"");
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let f = mnt.join("f");
        let fid = handle_of(&f, AT_HANDLE_FID).expect("fid");
        let open = || open_by_handle(mnt, &fid, libc::O_PATH).map(drop);
        let cached = open();
        forget_all();
        vec![handle_of(&f, 0).map(drop), cached, open()]
    });
    assert_eq!(r, [Err(EOPNOTSUPP), Err(ESTALE), Err(ESTALE)]);
    assert_eq!(dots(&m), 0);
    m.finish();
}
