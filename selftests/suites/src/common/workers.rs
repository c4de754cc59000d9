// SPDX-License-Identifier: GPL-2.0

//! Callers who work on a daemon's mount until the daemon is gone.

use std::path::Path;

use mockd::errno::*;
use mockd::{user, Caller};

use crate::daemon::Daemon;

/// Removes a directory. A daemon that writes behind its callers' backs, as rclone does, may put a
/// file there once more that has been removed already.
fn remove(dir: &Path) -> Res<()> {
    for _ in 0..100 {
        match user::rmdir(dir) {
            Err(ENOTEMPTY) => {}
            end => return end,
        }
        for name in user::list(dir)? {
            match user::unlink(&dir.join(name)) {
                Ok(()) | Err(ENOENT) => {}
                Err(e) => return Err(e),
            }
        }
    }
    user::rmdir(dir)
}

/// Works on a directory of its own until something fails, and says what.
fn worker(mnt: &Path, i: usize) -> Caller {
    let dir = mnt.join(format!("w{i}"));
    Caller::spawn(None, move |io| {
        let mut told = false;
        for k in 0u64.. {
            let r = (|| {
                user::mkdir(&dir, 0o755)?;
                let (f, g) = (dir.join("f"), dir.join("g"));
                let fd = user::open(&f, libc::O_CREAT | libc::O_RDWR, 0o644)?;
                user::pwrite(&fd, &vec![k as u8; 20_000], 0)?;
                user::pread(&fd, 20_000, 0)?;
                user::close(fd)?;
                user::list(&dir)?;
                user::rename(&f, &g)?;
                user::unlink(&g)?;
                remove(&dir)
            })();
            if !told && (k == 3 || r.is_err()) {
                told = true;
                io.put(());
            }
            if let Err(e) = r {
                return e;
            }
        }
        EIO
    })
}

/// With four workers at it, `end` ends the daemon; all of them must come back, and soon.
pub fn under_work(d: &mut Daemon, end: impl FnOnce(&mut Daemon)) {
    let mut workers: Vec<Caller> = (0..4).map(|i| worker(&d.mnt, i)).collect();
    workers.iter_mut().for_each(|w| w.get::<()>());
    end(d);
    for w in workers {
        let e: Errno = w.join();
        println!("{e}");
        assert!(matches!(e, ECONNABORTED | ENOTCONN | EIO), "{e}");
    }
    assert_eq!(user::lstat(&d.at("x")).err(), Some(ENOTCONN));
}
