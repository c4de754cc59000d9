// SPDX-License-Identifier: GPL-2.0

//! The control filesystem: directories, modes, owners, links, and how long they are there.

use std::path::{Path, PathBuf};

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mount::{mount, umount};
use mockd::user;
use mockd::wire::Op;
use mockd::{Caller, Init, Mock, Setup};
use suites::fusectl::{self, CONNECTIONS};
use suites::setting::get;

pub fn cases() -> Vec<Case> {
    cases![
        a_directory_for_each_mount,
        modes_and_links,
        belongs_to_the_mounter,
        others_are_kept_out,
        type_and_size,
        cannot_be_changed,
        gone_with_the_mount,
        gone_with_the_last_file,
        not_for_a_failed_mount,
        second_mount_of_a_device,
        mounted_after_connections,
        mounted_twice,
        mount_options,
        not_for_user_namespaces,
        open_files_of_a_dead_connection,
        open_directory_of_a_dead_connection,
        comes_and_goes_with_many,
    ]
}

const FILES: [&str; 4] = ["abort", "congestion_threshold", "max_background", "waiting"];

fn names(p: &Path) -> Vec<String> {
    user::list(p).expect("list")
}

/// Takes the control filesystem away for a while.
struct Unmounted;

impl Unmounted {
    fn new() -> Unmounted {
        umount(Path::new(CONNECTIONS), 0).expect("umount");
        Unmounted
    }
}

impl Drop for Unmounted {
    fn drop(&mut self) {
        mount("fusectl", Path::new(CONNECTIONS), "fusectl", 0, "").expect("mount");
    }
}

fn a_directory_for_each_mount() {
    assert!(names(Path::new(CONNECTIONS)).is_empty());
    let (a, b) = (Mock::new(), Mock::new());
    let mut ids: Vec<String> = [&a, &b].map(|m| fusectl::id(&m.mnt).to_string()).into();
    ids.sort();
    assert_eq!(names(Path::new(CONNECTIONS)), ids);
    assert_eq!(names(&fusectl::dir(&a.mnt)), FILES);
    let of_b = fusectl::dir(&b.mnt);
    a.finish();
    assert_eq!(user::list(Path::new(CONNECTIONS)).expect("list").len(), 1);
    assert_eq!(names(&of_b), FILES);
    b.finish();
    assert!(names(Path::new(CONNECTIONS)).is_empty());
}

fn modes_and_links() {
    let root = Path::new(CONNECTIONS);
    let s = user::stat(root).expect("stat");
    assert_eq!((s.mode, s.nlink, s.ino), (0o40_755, 2, 1));
    let m = Mock::new();
    let dir = fusectl::dir(&m.mnt);
    assert_eq!(user::stat(root).expect("stat").nlink, 3);
    let s = user::stat(&dir).expect("stat");
    assert_eq!((s.mode, s.nlink, s.size), (0o40_500, 2, 0));
    let mut inodes = vec![s.ino];
    for (name, mode) in [
        ("waiting", 0o400),
        ("abort", 0o200),
        ("max_background", 0o600),
        ("congestion_threshold", 0o600),
    ] {
        let s = user::stat(&dir.join(name)).expect("stat");
        assert_eq!(
            (s.mode, s.nlink, s.uid, s.gid, s.size),
            (0o100_000 | mode, 1, 0, 0, 0),
            "{name}"
        );
        assert!(!inodes.contains(&s.ino));
        inodes.push(s.ino);
    }
    m.finish();
    assert_eq!(user::stat(root).expect("stat").nlink, 2);
}

fn mounter(uid: u32, gid: u32) -> Setup {
    Setup::default()
        .opt("user_id", &uid.to_string())
        .opt("group_id", &gid.to_string())
}

fn belongs_to_the_mounter() {
    let m = Mock::with(&mounter(1000, 1001), &Init::plain());
    let dir = fusectl::dir(&m.mnt);
    for p in [PathBuf::new()].into_iter().chain(FILES.map(PathBuf::from)) {
        let s = user::stat(&dir.join(&p)).expect("stat");
        assert_eq!((s.uid, s.gid), (1000, 1001), "{}", p.display());
    }
    m.finish();
}

fn others_are_kept_out() {
    let m = Mock::with(&mounter(1000, 1001), &Init::plain());
    let dir = fusectl::dir(&m.mnt);
    type Seen = (Res<Vec<String>>, Res<String>, Res<()>, Res<()>, Res<()>);
    let look = |uid, gid| {
        let c = mockd::Caller::spawn(None, |_| -> Seen {
            user::become_user(uid, gid);
            let open = |name: &str, flags| user::open(&dir.join(name), flags, 0).map(drop);
            (
                user::list(&dir),
                get(&dir.join("waiting")),
                open("waiting", libc::O_WRONLY),
                open("abort", libc::O_RDONLY),
                open("max_background", libc::O_RDWR),
            )
        });
        c.join::<Seen>()
    };
    let files = FILES.map(String::from).to_vec();
    let denied = || Err(EACCES);
    assert_eq!(
        look(1000, 1),
        (Ok(files), Ok("0\n".into()), denied(), denied(), Ok(()))
    );
    for other in [(1001, 1001), (2, 2)] {
        assert_eq!(
            look(other.0, other.1),
            (Err(EACCES), Err(EACCES), denied(), denied(), denied())
        );
    }
    m.finish();
}

fn type_and_size() {
    let s = user::statfs(Path::new(CONNECTIONS)).expect("statfs");
    assert_eq!(s, [0x6573_5543, 4096, 0, 0, 0, 0, 0, 255, 4096]);
    let line = mockd::mount::mounts_of(Path::new(CONNECTIONS)).remove(0);
    assert_eq!(
        line,
        format!("fusectl {CONNECTIONS} fusectl rw,relatime 0 0")
    );
}

fn cannot_be_changed() {
    let m = Mock::new();
    let dir = fusectl::dir(&m.mnt);
    assert_eq!(user::mkdir(&dir.join("new"), 0o755), Err(EPERM));
    let new = user::open(&dir.join("new"), libc::O_CREAT | libc::O_RDWR, 0o600);
    assert_eq!(new.err(), Some(EACCES));
    assert_eq!(user::unlink(&dir.join("waiting")), Err(EPERM));
    assert_eq!(user::rmdir(&dir), Err(EPERM));
    assert_eq!(
        user::rename(&dir.join("waiting"), &dir.join("x")),
        Err(EPERM)
    );
    assert_eq!(user::link(&dir.join("waiting"), &dir.join("x")), Err(EPERM));
    assert_eq!(user::lstat(&dir.join("none")).err(), Some(ENOENT));
    // Owner and mode may be, as on any such filesystem.
    assert_eq!(user::chmod(&dir.join("waiting"), 0o444), Ok(()));
    assert_eq!(user::lchown(&dir.join("waiting"), 7, 8), Ok(()));
    let s = user::stat(&dir.join("waiting")).expect("stat");
    assert_eq!((s.mode, s.uid, s.gid), (0o100_444, 7, 8));
    assert_eq!(names(&dir), FILES);
    m.finish();
}

fn gone_with_the_mount() {
    for flags in [0, libc::MNT_FORCE, libc::MNT_DETACH] {
        let m = Mock::new();
        let dir = fusectl::dir(&m.mnt);
        assert!(dir.exists());
        umount(&m.mnt, flags).expect("umount");
        assert!(!dir.exists(), "flags {flags}");
    }
    // A daemon that dies leaves the connection mounted.
    let m = Mock::new();
    let dir = fusectl::dir(&m.mnt);
    let mnt = m.die();
    assert_eq!(names(&dir), FILES);
    assert_eq!(get(&dir.join("waiting")).as_deref(), Ok("0\n"));
    umount(&mnt, 0).expect("umount");
    assert!(!dir.exists());
}

/// A caller that has opened a file, and waits.
#[track_caller]
pub fn holder(m: &mut Mock, fs: &mut Memfs, name: &str) -> Caller {
    let mut c = m.caller(|mnt, io| {
        let f = user::open(&mnt.join(name), libc::O_RDONLY, 0);
        io.put(f.as_ref().map(drop).map_err(|e| *e));
        io.wait();
    });
    for op in [Op::LOOKUP, Op::OPEN] {
        let r = m.expect(op);
        let a = fs.handle(&r);
        m.answer(&r, &a).expect("answer");
    }
    assert_eq!(c.get::<Res<()>>(), Ok(()));
    c
}

/// Detached from all names, the mount goes on while a file of it is open.
fn gone_with_the_last_file() {
    let mut m = Mock::new();
    let mut fs = Memfs::new();
    fs.file("f", b"x");
    let dir = fusectl::dir(&m.mnt);
    let c = holder(&mut m, &mut fs, "f");
    umount(&m.mnt, libc::MNT_DETACH).expect("umount");
    assert_eq!(names(&dir), FILES);
    c.go();
    // FLUSH, RELEASE, and the end.
    loop {
        match m.read() {
            Ok(r) => {
                let a = fs.handle(&r);
                // Nobody waits for RELEASE: the end may come first.
                let done = m.answer(&r, &a);
                assert!(matches!(done, Ok(()) | Err(ENOENT)), "{done:?}");
            }
            Err(e) => break assert_eq!(e, ENODEV),
        }
    }
    c.join::<()>();
    let end = std::time::Instant::now() + ktap::patience();
    while dir.exists() {
        assert!(std::time::Instant::now() < end, "{} stays", dir.display());
        std::thread::yield_now();
    }
    m.without_record();
}

fn not_for_a_failed_mount() {
    let bad = Setup::default().without("rootmode");
    assert_eq!(Mock::try_mount(&bad).err(), Some(EINVAL));
    assert!(names(Path::new(CONNECTIONS)).is_empty());
}

fn second_mount_of_a_device() {
    let m = Mock::new();
    let at = ktap::dir().join("second");
    std::fs::create_dir(&at).expect("mkdir");
    Setup::default().mount(m.dev(), &at).expect("mount");
    assert_eq!(fusectl::id(&at), fusectl::id(&m.mnt));
    let dir = fusectl::dir(&m.mnt);
    m.umount();
    assert_eq!(names(&dir), FILES);
    umount(&at, 0).expect("umount");
    assert!(!dir.exists());
    assert_eq!(m.read().err(), Some(ENODEV));
}

fn mounted_after_connections() {
    let gone = Unmounted::new();
    let m = Mock::new();
    let dir = fusectl::dir(&m.mnt);
    assert!(!dir.exists());
    let n = Mock::new();
    let of_n = fusectl::dir(&n.mnt);
    n.finish();
    drop(gone);
    assert_eq!(names(&dir), FILES);
    assert!(!of_n.exists());
    fusectl::abort(&m.mnt).expect("abort");
    assert_eq!(m.read().err(), Some(ENODEV));
    // Unmounted without it, too.
    let gone = Unmounted::new();
    m.umount();
    drop(gone);
    assert!(names(Path::new(CONNECTIONS)).is_empty());
}

fn mounted_twice() {
    let m = Mock::new();
    let at = ktap::dir().join("control");
    std::fs::create_dir(&at).expect("mkdir");
    mount("any", &at, "fusectl", 0, "").expect("mount");
    let dir = at.join(fusectl::id(&m.mnt).to_string());
    assert_eq!(names(&dir), FILES);
    let ino = |p: &Path| user::stat(p).expect("stat").ino;
    assert_eq!(ino(&dir), ino(&fusectl::dir(&m.mnt)));
    umount(&at, 0).expect("umount");
    assert_eq!(names(&fusectl::dir(&m.mnt)), FILES);
    m.finish();
}

fn mount_options() {
    let at = ktap::dir();
    assert_eq!(mount("x", &at, "fusectl", 0, "fd=3"), Err(EINVAL));
    assert_eq!(mount("x", &at, "fusectl", 0, "user_id=0"), Err(EINVAL));
    assert_eq!(mount("x", &at, "fusectl.sub", 0, ""), Err(ENODEV));
    let remount = mount("x", Path::new(CONNECTIONS), "", libc::MS_REMOUNT, "");
    assert_eq!(remount, Ok(()));
}

fn not_for_user_namespaces() {
    ktap::needs("CONFIG_USER_NS");
    let at = ktap::dir();
    let c = mockd::Caller::spawn(None, |_| -> Res<()> {
        // SAFETY: integers.
        check(unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) })?;
        mount("x", &at, "fusectl", 0, "")
    });
    assert_eq!(c.join::<Res<()>>(), Err(EPERM));
}

/// What an open file says when its connection has gone: nothing, and it takes what is well-formed.
fn open_files_of_a_dead_connection() {
    let m = Mock::new();
    let dir = fusectl::dir(&m.mnt);
    let open = |name: &str, flags| user::open(&dir.join(name), flags, 0).expect(name);
    let waiting = open("waiting", libc::O_RDONLY);
    let abort = open("abort", libc::O_WRONLY);
    let background = open("max_background", libc::O_RDWR);
    let congestion = open("congestion_threshold", libc::O_RDWR);
    m.finish();
    assert_eq!(user::read(&waiting, 10).as_deref(), Ok(&b""[..]));
    assert_eq!(user::write(&abort, b"1"), Ok(1));
    for f in [&background, &congestion] {
        assert_eq!(user::read(f, 10).as_deref(), Ok(&b""[..]));
        assert_eq!(user::write(f, b"20"), Ok(2));
        assert_eq!(user::write(f, b"x"), Err(EINVAL));
        assert_eq!(user::write(f, b"65536"), Err(EINVAL));
    }
    assert_eq!(user::fstat(&abort).expect("fstat").nlink, 0);
}

fn open_directory_of_a_dead_connection() {
    let m = Mock::new();
    let dir = fusectl::dir(&m.mnt);
    let d = user::open(&dir, libc::O_RDONLY | libc::O_DIRECTORY, 0).expect("open");
    m.finish();
    let left = user::getdents(&d, 4096);
    assert_eq!(left.err(), Some(ENOENT));
    assert_eq!(user::fstat(&d).expect("fstat").nlink, 0);
    // The number comes back, and is another directory.
    let m = Mock::new();
    assert_eq!(fusectl::dir(&m.mnt), dir);
    let new = user::stat(&dir).expect("stat").ino;
    assert_ne!(user::fstat(&d).expect("fstat").ino, new);
    m.finish();
}

fn comes_and_goes_with_many() {
    let many: Vec<Mock> = (0..40).map(|_| Mock::new()).collect();
    let root = Path::new(CONNECTIONS);
    assert_eq!(user::list(root).expect("list").len(), 40);
    assert_eq!(user::stat(root).expect("stat").nlink, 42);
    // Aborted all, unmounted in another order than mounted.
    for m in many.iter().step_by(3) {
        fusectl::abort(&m.mnt).expect("abort");
    }
    let (a, b): (Vec<_>, Vec<_>) = many.into_iter().enumerate().partition(|m| m.0 % 2 == 0);
    for (_, m) in b.into_iter().rev().chain(a) {
        let dir = fusectl::dir(&m.mnt);
        assert!(dir.exists());
        umount(&m.mnt, 0).expect("umount");
        assert!(!dir.exists());
    }
    assert!(names(root).is_empty());
    assert_eq!(user::stat(root).expect("stat").nlink, 2);
}
