// SPDX-License-Identifier: GPL-2.0

//! System calls on a mount, with each of their allocations and copies failing in turn. Nothing that
//! must be sent is lost: the counts of what was opened and released, looked up and forgotten are
//! equal in the end.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::{check as check_call, *};
use mockd::mem::{read_at, write_at, Pages, PAGE};
use mockd::memfs::Memfs;
use mockd::wire::{Op, FOPEN_DIRECT_IO};
use mockd::{user, Init, Mock, Setup};
use suites::catalogue::{self, Act, Names, Part, Place};
use suites::{fusectl, releases};

use crate::nth::{prepare, rounds, until_clean};

pub fn cases() -> Vec<Case> {
    cases![
        on_names,
        on_names_with_flags,
        on_files,
        on_direct_files,
        reading_ahead,
        on_mappings,
        closing,
        growing,
        mounting,
        unmounting,
    ]
}

/// One call: its name, what prepares it, the call, what undoes it; all with the mount's path.
type Row = (&'static str, fn(&Path), fn(&Path) -> Res<()>, fn(&Path));

fn nothing(_: &Path) {}

/// Calls on names that the catalogue does not have.
fn names() -> Vec<Row> {
    vec![
        (
            "lstat, none there",
            nothing,
            |m| user::lstat(&m.join("none")).map(drop),
            nothing,
        ),
        (
            "utimes",
            nothing,
            |m| user::utimes(&m.join("f"), Some((1, 2)), None),
            nothing,
        ),
        (
            "truncate by name",
            nothing,
            |m| user::truncate(&m.join("f"), 10_000),
            nothing,
        ),
        ("list", nothing, list, nothing),
    ]
}

/// What calls of the catalogue remove is there, and what they make is not.
fn fresh(p: &Place) {
    for part in [Part::New, Part::To] {
        let _ = user::unlink(&p.path(part));
        let _ = user::rmdir(&p.path(part));
    }
    let _ = p.open(Part::Victim, libc::O_CREAT | libc::O_WRONLY);
    let _ = user::mkdir(&p.path(Part::Sub), 0o755);
    let _ = user::setxattr(&p.path(Part::File), "user.a", b"a", 0);
}

/// Makes these calls of the catalogue, and says what is wrong.
fn catalogue_calls<'a>(rows: impl Iterator<Item = &'a catalogue::Row>, mnt: &Path) -> Vec<String> {
    let place = Place::new(mnt, Names::ROOT);
    let before = |row: &catalogue::Row| {
        fresh(&place);
        (row.ready)(&place).expect("preparation")
    };
    rows.filter(|row| row.faults.is_some())
        .flat_map(|row| rounds(|| before(row), Act::run, |_, _| ()).wrong(row.name, 1))
        .collect()
}

/// Runs the rows on a mount with a file; `setup` changes the file system behind.
fn check(rows: Vec<Row>, setup: fn(&mut Memfs)) {
    let mut fs = Memfs::new();
    fs.file("f", &[7; 20_000]);
    setup(&mut fs);
    check_on(&Init::plain(), fs, |mnt| wrong(&rows, mnt));
}

/// Runs the rows, and says what is wrong.
fn wrong(rows: &[Row], mnt: &Path) -> Vec<String> {
    rows.iter()
        .flat_map(|(name, before, call, after)| {
            until_clean(|| before(mnt), || call(mnt), |_| after(mnt)).wrong(name, 1)
        })
        .collect()
}

/// Runs `calls`, which says what is wrong, on a mount, and looks at the balance.
fn check_on(init: &Init, mut fs: Memfs, calls: impl FnOnce(&Path) -> Vec<String>) {
    prepare();
    // Names and attributes are asked for each time.
    (fs.entry_valid, fs.attr_valid) = (mockd::reply::ZERO, mockd::reply::ZERO);
    let mut m = Mock::with(&Setup::default(), init);
    m.without_record();
    let wrong: Vec<String> = m.run(&mut fs, |mnt| {
        // Made now.
        buffer();
        OTHER.with(AsRawFd::as_raw_fd);
        calls(mnt)
    });
    // What nobody refers to any more is forgotten; then the balance is exact.
    suites::daemon::until("all nodes forgotten", || {
        user::drop_caches();
        m.drain(&mut |r| fs.handle(r));
        fs.held().is_empty().then_some(())
    });
    let count = |op| m.rec.count(op);
    assert_eq!(
        count(Op::OPEN) + count(Op::CREATE) + count(Op::TMPFILE),
        count(Op::RELEASE),
        "OPEN, CREATE and TMPFILE, RELEASE"
    );
    assert_eq!(
        count(Op::OPENDIR),
        count(Op::RELEASEDIR),
        "OPENDIR, RELEASEDIR"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    m.finish();
}

fn on_names() {
    let mut fs = catalogue::sample();
    (fs.xattrs, fs.ioctls) = (true, true);
    fs.ready = Some(libc::POLLIN as u32);
    check_on(&Init::plain(), fs, |mnt| {
        let plain = catalogue::main().filter(|row| row.with.is_none());
        let mut all = catalogue_calls(plain, mnt);
        all.extend(wrong(&names(), mnt));
        all
    });
}

/// Those that need more of INIT: a mount for each.
fn on_names_with_flags() {
    for row in catalogue::main().filter(|row| row.with.is_some()) {
        let init = row.init(Init::plain());
        check_on(&init, catalogue::sample(), |mnt| {
            catalogue_calls(std::iter::once(row), mnt)
        });
    }
}

fn file(m: &Path) -> Res<OwnedFd> {
    user::open(&m.join("f"), libc::O_RDWR, 0)
}

/// More pages than are read at once.
const MANY: usize = 32;

thread_local! {
    static FILE: std::cell::RefCell<Option<OwnedFd>> = const { std::cell::RefCell::new(None) };
    /// Made before there are faults: where data comes from and goes to, and a file that is none of
    /// ours.
    static BUFFER: Pages = {
        let mut pages = Pages::new(MANY);
        pages.bytes(0, MANY * PAGE).fill(1);
        pages
    };
    static OTHER: OwnedFd = std::fs::File::create("/dev/shm/fault").expect("file").into();
    static MAPPING: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

fn buffer() -> usize {
    BUFFER.with(Pages::addr)
}

/// All entries of the directory.
fn list(m: &Path) -> Res<()> {
    let fd = user::open(m, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    // SAFETY: a buffer of that size.
    while check_call(unsafe {
        libc::syscall(libc::SYS_getdents64, fd.as_raw_fd(), buffer(), 8 * PAGE)
    })? != 0
    {}
    Ok(())
}

/// Opens anew, without what is in the page cache.
fn open_file(m: &Path) {
    FILE.set(None);
    FILE.set(Some(file(m).expect("open")));
}

fn close_file(_: &Path) {
    FILE.set(None);
}

fn with_file<T>(f: impl FnOnce(&OwnedFd) -> Res<T>) -> Res<()> {
    FILE.with_borrow(|file| f(file.as_ref().ok_or(EBADF)?).map(drop))
}

fn mapped() -> Res<()> {
    FILE.with_borrow(|file| {
        let fd = file.as_ref().ok_or(EBADF)?.as_raw_fd();
        // SAFETY: a new mapping, unmapped below.
        let at = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                PAGE,
                libc::PROT_READ,
                libc::MAP_PRIVATE,
                fd,
                0,
            )
        };
        if at == libc::MAP_FAILED {
            return Err(last());
        }
        // The page is touched by the kernel, so that a fault that fails is an error and no signal.
        let r = OTHER.with(|f| write_at(f.as_raw_fd(), at as usize, 16));
        // SAFETY: the mapping of above.
        unsafe { libc::munmap(at, PAGE) };
        r.map(drop)
    })
}

fn on_files() {
    let rows: Vec<Row> = vec![
        (
            "read",
            open_file,
            |_| with_file(|f| read_at(f.as_raw_fd(), buffer(), 20_000)),
            close_file,
        ),
        (
            "write",
            open_file,
            |_| with_file(|f| write_at(f.as_raw_fd(), buffer(), 9000)),
            close_file,
        ),
        (
            "write in part",
            open_file,
            |_| with_file(|f| write_at(f.as_raw_fd(), buffer(), 100)),
            close_file,
        ),
        ("mapped", open_file, |_| mapped(), close_file),
    ];
    check(rows, |_| ());
}

fn on_direct_files() {
    let rows: Vec<Row> = vec![
        (
            "direct read",
            open_file,
            |_| with_file(|f| read_at(f.as_raw_fd(), buffer(), 20_000)),
            close_file,
        ),
        (
            "direct write",
            open_file,
            |_| with_file(|f| write_at(f.as_raw_fd(), buffer(), 9000)),
            close_file,
        ),
        (
            "direct read to nowhere",
            open_file,
            |_| with_file(|f| read_at(f.as_raw_fd(), 4096, 100)),
            close_file,
        ),
    ];
    check(rows, |fs| fs.open_flags = FOPEN_DIRECT_IO);
}

/// What a fault left in the page cache is right, or read again.
fn whole_file(m: &Path) {
    with_file(|f| {
        let bytes = user::pread(f, (MANY + 1) * PAGE, 0)?;
        assert!(bytes.len() == MANY * PAGE && bytes.iter().all(|b| *b == 7));
        Ok(())
    })
    .expect("read");
    close_file(m);
}

/// A file of many pages.
fn large(fs: &mut Memfs) {
    let f = fs.nodes.values_mut().find(|n| n.data.len() == 20_000);
    let f = f.expect("file");
    f.data = vec![7; MANY * PAGE];
    f.attr.size = f.data.len() as u64;
}

fn reading_ahead() {
    let rows: Vec<Row> = vec![
        (
            "read of many pages",
            open_file,
            |_| with_file(|f| read_at(f.as_raw_fd(), buffer(), MANY * PAGE)),
            whole_file,
        ),
        (
            "readahead",
            open_file,
            |_| {
                with_file(|f| {
                    // SAFETY: integers.
                    check_call(unsafe { libc::readahead(f.as_raw_fd(), 0, MANY * PAGE) as i64 })
                })
            },
            whole_file,
        ),
    ];
    check(rows, large);
}

/// Maps the whole file, where there is nothing else: the tables of pages are made anew each time.
fn map() -> Res<()> {
    with_file(|f| {
        let (lonely, fd) = (0x1000_0000_0000 as *mut _, f.as_raw_fd());
        let flags = libc::MAP_PRIVATE | libc::MAP_FIXED_NOREPLACE;
        // SAFETY: a new mapping, unmapped by `unmap`.
        let at = unsafe { libc::mmap(lonely, MANY * PAGE, libc::PROT_READ, flags, fd, 0) };
        if at == libc::MAP_FAILED {
            return Err(last());
        }
        MAPPING.set(at as usize);
        Ok(())
    })
}

fn map_file(m: &Path) {
    open_file(m);
    map().expect("mmap");
}

fn unmap(m: &Path) {
    let at = MAPPING.take();
    if at != 0 {
        // SAFETY: the mapping of `map`, which nobody refers to.
        unsafe { libc::munmap(at as *mut _, MANY * PAGE) };
    }
    whole_file(m);
}

fn on_mappings() {
    let rows: Vec<Row> = vec![
        ("mmap", open_file, |_| map(), unmap),
        (
            "mmap read fault",
            map_file,
            // The kernel takes the faults, so that one that fails is an error and no signal.
            |_| {
                // SAFETY: the mapping of `map`.
                check_call(unsafe {
                    libc::madvise(
                        MAPPING.get() as *mut _,
                        MANY * PAGE,
                        libc::MADV_POPULATE_READ,
                    )
                })
                .map(drop)
            },
            unmap,
        ),
    ];
    check(rows, large);
}

/// Whatever fails, the daemon gets one FLUSH for each close(2).
fn closing() {
    prepare();
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    m.without_record();
    fs.file("f", &[7; 100]);
    let (wrong, closed): (Vec<String>, u32) = m.run(&mut fs, |mnt| {
        let mut closed = 0;
        let o = rounds(
            || Some(file(mnt).expect("open")),
            |fd| user::close(fd.take().ok_or(EBADF)?),
            |_, _| closed += 1,
        );
        (o.wrong("close", 1), closed)
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for op in [Op::OPEN, Op::FLUSH, Op::RELEASE] {
        assert_eq!(m.rec.count(op), closed as usize, "{op:?}");
    }
    m.finish();
}

/// As many requests as there are places for in a queue of our module's with one device.
const PLACES: usize = 63;

/// The first request for which there is no place yet: if none can be made it fails, and with it
/// nobody else's.
fn growing() {
    prepare();
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    m.without_record();
    let held = releases::unanswered(&mut m, &mut fs, PLACES);
    let wrong: Vec<String> = m.run(&mut fs, |mnt| {
        until_clean(|| (), || user::lstat(&mnt.join("none")), drop)
            .wrong("lstat beyond the slots", 1)
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    fusectl::await_waiting(&m.mnt, PLACES as u32);
    for r in &held {
        m.reply(r, &[]);
    }
    m.drain(&mut |r| fs.handle(r));
    fusectl::await_waiting(&m.mnt, 0);
    m.finish();
}

/// mount(2), until it gets through; each that does is used and taken away.
fn mounting() {
    prepare();
    let at = ktap::dir().join("m");
    std::fs::create_dir(&at).expect("directory");
    for api in [mockd::Api::Mount, mockd::Api::Fsopen] {
        let setup = mockd::Setup::default().api(api);
        let o = until_clean(
            || (),
            || {
                let dev = mockd::mount::open_dev(false)?;
                let r = setup.mount(std::os::fd::AsFd::as_fd(&dev), &at);
                drop(dev);
                r
            },
            |r| {
                if mockd::mount::is_mounted(&at) {
                    mockd::mount::umount(&at, 0).expect("umount");
                } else {
                    assert!(r.is_err(), "mounted without an error, and it is not there");
                }
            },
        );
        o.check(
            match api {
                mockd::Api::Mount => "mount",
                mockd::Api::Fsopen => "fsopen",
            },
            6,
        );
    }
}

/// umount(2): either it is still there, or it is gone.
fn unmounting() {
    prepare();
    let o = rounds(
        || {
            let mut m = Mock::new();
            m.without_record();
            // With an inode that goes with it.
            m.run(&mut Memfs::new(), |mnt| user::mkdir(&mnt.join("d"), 0o755))
                .expect("mkdir");
            m
        },
        |m| mockd::mount::umount(&m.mnt, 0),
        |m, r| {
            assert_eq!(mockd::mount::is_mounted(&m.mnt), r.is_err(), "{r:?}");
            if r.is_err() {
                m.umount();
            }
        },
    );
    o.check("umount", 1);
}
