// SPDX-License-Identifier: GPL-2.0

//! The same ordinary work over every daemon that can write: a tree goes in, is worked on, and is
//! read back, before and after a new mount. What a daemon cannot do, its tools say; all that they
//! say is compared with C's module.

use std::path::Path;
use std::process::Command;

use mockd::errno::*;
use mockd::mount::umount;
use mockd::{user, Caller};
use suites::compare;
use suites::daemon::Daemon;
use suites::tools::{make_tree, sh};
use suites::workers::under_work;

use crate::output;

/// What is done in the mount's root; the tree is beside it.
const STEPS: [&str; 14] = [
    "mv copy moved; mv moved/dir0 moved/dir9; mv 'moved/dir1/sub/file 2' moved/dir9",
    "rm 'moved/dir2/sub/file 1'; rm -r moved/dir3; mkdir -p moved/new/deep; rmdir moved/new/deep",
    "echo one > log; echo two >> log; cat log log > both; sed -i s/one/ONE/ log; cat log both",
    "chmod 640 log; chown 5:6 log; stat -c '%a %u %g %s' log",
    "ln log hard; stat -c %h log; ln -s log soft; readlink soft; cat soft",
    "mkfifo pipe; stat -c %F pipe; mknod null c 1 3; stat -c '%F %t %T' null",
    "cat ../tree/program > data; truncate -s 1000 data; wc -c < data; truncate -s 70000 data; \
     dd if=../tree/program of=data bs=100 count=1 seek=5 conv=notrunc 2> /dev/null; md5sum data",
    "touch -d 2001-02-03T04:05:06 log; stat -c %Y log; touch -d 2002-03-04 moved; ls -d moved",
    "setfattr -n user.a -v value log; getfattr -d log; setfattr -x user.a log; getfattr -d log",
    "setfacl -m u:1000:r log; getfacl -c log",
    "exec 3<> open; echo text >&3; rm open; stat -L -c %s /proc/self/fd/3; ls",
    "cp ../tree/program run; chmod 755 run; ./run && echo ran; flock log echo locked",
    "sync log; df . > /dev/null; tar cf - moved | tar tf - | wc -l",
    "cat absent; rmdir moved; mkdir moved; mv log log/below; ln absent x; ls -d absent",
];

/// Runs a shell command and gives all that it says, and how it ends.
pub fn said(dir: &Path, script: &str) -> String {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", script]).current_dir(dir);
    let (out, text) = output(shell.env("LC_ALL", "C"));
    format!("{script}: {text}({})", out.status.code().unwrap_or(-1))
}

/// All names below a directory with their kinds, modes, sizes and links.
fn names(dir: &Path) -> String {
    sh(
        dir,
        "find . -type d -printf '%P/ %m\\n' -o -printf '%P %y %m %s %n %l\\n' | LC_ALL=C sort",
    )
}

/// What is in all files below a directory.
fn sums(dir: &Path) -> String {
    let find = "find . -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum; \
                find . -type l -printf '%P %l\\n' | LC_ALL=C sort";
    sh(dir, find)
}

/// Both.
pub fn contents(dir: &Path) -> Vec<String> {
    let text = names(dir) + &sums(dir);
    text.lines().map(String::from).collect()
}

/// Copies a tree to a daemon that `start` starts and `end` ends, works on it, and looks at it again
/// after a new mount, which must have the same in it. (Modes are not all kept, by some.)
pub fn tour(start: impl Fn() -> Daemon, end: fn(Daemon)) {
    let tree = ktap::dir().join("tree");
    make_tree(&tree);
    let d = start();
    let mut all = vec![said(&d.mnt, "cp -a ../tree copy")];
    // Not all daemons have links.
    sh(&d.mnt, "diff -r -x hard -x link ../tree copy");
    all.extend(STEPS.iter().map(|step| said(&d.mnt, step)));
    all.push(names(&d.mnt));
    let before = sums(&d.mnt);
    end(d);
    let d = start();
    assert_eq!(sums(&d.mnt), before);
    all.extend(contents(&d.mnt));
    all.push(said(&d.mnt, "rm -r *; ls -A"));
    end(d);
    compare(all);
}

/// Kills a daemon while callers work on it, and gives what its next mount has of files that were
/// there before the one that was killed.
pub fn killed(start: impl Fn() -> Daemon, end: fn(Daemon)) {
    let d = start();
    sh(
        &d.mnt,
        "mkdir kept; for i in 1 2 3; do echo $i > kept/$i; done",
    );
    end(d);
    let mut d = start();
    under_work(&mut d, Daemon::kill);
    umount(&d.mnt, 0).expect("umount");
    let d = start();
    assert_eq!(sh(&d.mnt, "cat kept/1 kept/2 kept/3"), "1\n2\n3\n");
    // What the one that was killed had not stored yet may come back meanwhile.
    let clear = "until rm -rf kept w*; do sleep 0.1; done";
    sh(&d.mnt, &format!("{clear}; echo again > f; cat f"));
    end(d);
}

/// Reads all files below a directory again and again until that fails, and says how.
fn reader(dir: &Path) -> Caller {
    let dir = dir.to_path_buf();
    Caller::spawn(None, move |io| {
        for k in 0u64.. {
            let read = || {
                for name in user::list(&dir)? {
                    let f = user::open(&dir.join(name), libc::O_RDONLY, 0)?;
                    user::pread(&f, 100_000, 0)?;
                    user::close(f)?;
                }
                Ok(())
            };
            let r: Res<()> = read();
            if k == 2 || (k < 2 && r.is_err()) {
                io.put(());
            }
            if let Err(e) = r {
                return e;
            }
        }
        EIO
    })
}

/// Kills a daemon that can only be read while callers read these directories.
pub fn killed_readers(mut d: Daemon, dirs: &[&str]) {
    let mut readers: Vec<Caller> = dirs.iter().map(|dir| reader(&d.at(dir))).collect();
    readers.iter_mut().for_each(|r| r.get::<()>());
    d.kill();
    for r in readers {
        let e: Errno = r.join();
        assert!(matches!(e, ECONNABORTED | ENOTCONN | EIO), "{e}");
    }
    umount(&d.mnt, 0).expect("umount");
}
