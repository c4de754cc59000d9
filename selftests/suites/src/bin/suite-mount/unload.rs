// SPDX-License-Identifier: GPL-2.0

//! What is still to be done when the last superblock is gone, and the module's end. That nothing is
//! missed shows in the kernel's log: memory of a cache that is not empty, a function that is gone.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mount::{mount, umount};
use mockd::reply::Answer;
use mockd::user;
use mockd::wire::Op;
use mockd::Mock;
use suites::fusectl::CONNECTIONS;

pub fn cases() -> Vec<Case> {
    cases![umount_before_release, unload_after_umount]
}

/// Files without a name are kept by their RELEASEs alone. If it is unmounted before these are
/// answered, all of them go while the mount does.
fn umount_before_release() {
    const FILES: u32 = 300;
    let mut m = Mock::new();
    let mut fs = Memfs::new();
    // How many of them come depends on how many may be in the background.
    m.rec.leave_out(Op::RELEASE);
    let c = m.caller(|mnt, _| -> Res<()> {
        for i in 0..FILES {
            let path = mnt.join(i.to_string());
            let file = user::open(&path, libc::O_CREAT | libc::O_RDWR, 0o644)?;
            user::unlink(&path)?;
            drop(file);
        }
        Ok(())
    });
    let r: Res<()> = m.serve(c, &mut |r| match r.op {
        Op::RELEASE => Answer::None,
        _ => fs.handle(r),
    });
    assert_eq!(r, Ok(()));
    m.umount();
    assert_eq!(m.read().err(), Some(ENODEV));
}

/// The module is unloaded while what the last mount has left waits to be freed.
fn unload_after_umount() {
    // There the memory of a module that has gone keeps KASAN's marks around what were its globals,
    // and the next module that gets it, at another offset, runs into them.
    if ktap::has("CONFIG_UML") && ktap::has("CONFIG_KASAN") {
        ktap::needs("CONFIG_KASAN_VMALLOC");
    }
    const ROUNDS: u32 = 5;
    let bin = std::env::var("RF_BIN").expect("RF_BIN");
    let module = Path::new(&bin).with_file_name("fuse.ko");
    let module = std::fs::File::open(module).expect("the module");
    let control = Path::new(CONNECTIONS);

    for _ in 0..ROUNDS {
        let mut m = Mock::new();
        m.without_record();
        let mut fs = Memfs::new();
        for i in 0..200 {
            fs.file(&i.to_string(), b"");
        }
        m.run(&mut fs, |mnt| {
            for i in 0..200 {
                user::lstat(&mnt.join(i.to_string())).expect("file");
            }
        });
        umount(control, 0).expect("unmounting the control filesystem");
        let mnt = m.mnt.clone();
        umount(&mnt, 0).expect("umount");
        drop(m);
        let unloaded = rustix::system::delete_module(c"fuse", libc::O_NONBLOCK);
        if unloaded.is_ok() {
            rustix::system::finit_module(&module, c"", 0).expect("loading the module");
        }
        mount("fusectl", control, "fusectl", 0, "").expect("mounting the control filesystem");
        unloaded.expect("unloading the module");
    }
}
