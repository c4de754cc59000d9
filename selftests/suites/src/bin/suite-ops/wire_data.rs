// SPDX-License-Identifier: GPL-2.0

//! File contents, request by request: sizes, flags, caching, handles.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::write_out;
use mockd::user;
use mockd::wire::*;
use mockd::{Init, Mock, Setup};

use crate::through::pattern;

pub fn cases() -> Vec<Case> {
    cases![
        tour_of_a_file,
        direct_read_sizes,
        direct_write_sizes,
        direct_read_short,
        direct_bypasses_cache,
        buffered_read_covers,
        buffered_read_is_cached,
        short_read_is_eof,
        read_error,
        readahead_bounded_by_init,
        write_through_sizes,
        write_short_reply,
        write_error,
        write_part_of_page,
        write_extends_size,
        append_asks_for_size,
        fsync_flags,
        sync_read_without_async_flag,
    ]
}

const RW: i32 = libc::O_RDWR;

fn tour_of_a_file() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let r: Res<Vec<u8>> = m.run(&mut fs, |mnt| {
        let f = mnt.join("f");
        let fd = user::open(&f, libc::O_CREAT | RW, 0o644)?;
        user::pwrite(&fd, &pattern(10_000, 1), 0)?;
        user::fsync(&fd)?;
        user::pwrite(&fd, b"again", 4_000)?;
        let got = user::pread(&fd, 20, 3_990)?;
        user::ftruncate(&fd, 4_500)?;
        user::fdatasync(&fd)?;
        user::close(fd)?;
        let fd = user::open(&f, libc::O_WRONLY | libc::O_TRUNC, 0)?;
        user::close(fd)?;
        Ok(got)
    });
    let mut want = pattern(10_000, 1)[3_990..4_010].to_vec();
    want[10..15].copy_from_slice(b"again");
    assert_eq!(r, Ok(want));
    m.finish();
}

fn sizes(m: &Mock, op: Op) -> Vec<(u64, u64)> {
    m.rec
        .all()
        .iter()
        .filter(|r| r.op == op)
        .map(|r| (r.get("offset"), r.get("size")))
        .collect()
}

fn direct_read_sizes() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    m.rec.exact_reads();
    fs.open_flags = FOPEN_DIRECT_IO;
    fs.file("f", &pattern(400_000, 1));
    let r: Res<bool> = m.run(&mut fs, |mnt| {
        let fd = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        let a = user::pread(&fd, 1, 5)?;
        let b = user::pread(&fd, 131_072, 0)?;
        let c = user::pread(&fd, 300_000, 1_000)?;
        let d = user::pread(&fd, 100_000, 350_000)?;
        let p = pattern(400_000, 1);
        Ok(a == p[5..6] && b == p[..131_072] && c == p[1_000..301_000] && d == p[350_000..])
    });
    assert_eq!(r, Ok(true));
    println!("{:?}", sizes(&m, Op::READ));
    m.finish();
}

fn direct_write_sizes() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.open_flags = FOPEN_DIRECT_IO;
    let f = fs.file("f", b"");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let fd = user::open(&mnt.join("f"), libc::O_WRONLY, 0)?;
        user::pwrite(&fd, &pattern(1, 1), 7)?;
        user::pwrite(&fd, &pattern(131_072, 1), 0)?;
        user::pwrite(&fd, &pattern(300_000, 1), 100)?;
        Ok(())
    });
    assert_eq!(r, Ok(()));
    assert!(fs.nodes[&f].data[100..] == pattern(300_000, 1));
    m.finish();
}

/// A short answer to a direct read ends the read there.
fn direct_read_short() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    m.rec.exact_reads();
    fs.open_flags = FOPEN_DIRECT_IO;
    fs.file("f", &[5; 100_000]);
    let c = m.call("f", |p| {
        user::pread(&user::open(p, libc::O_RDONLY, 0)?, 50_000, 0).map(|b| b.len())
    });
    let n: Res<usize> = m.serve(c, &mut |r| match r.op {
        Op::READ => Answer::Ok(vec![5; 777]),
        _ => fs.handle(r),
    });
    assert_eq!(n, Ok(777));
    m.finish();
}

fn direct_bypasses_cache() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.open_flags = FOPEN_DIRECT_IO;
    let f = fs.file("f", b"aaaa");
    let c = m.call("f", |p| {
        let fd = user::open(p, RW, 0)?;
        let mut v = Vec::new();
        for _ in 0..3 {
            v.extend(user::pread(&fd, 4, 0)?);
        }
        Ok::<_, Errno>(v)
    });
    let mut n = b'a';
    let got: Res<Vec<u8>> = m.serve(c, &mut |r| {
        if r.op == Op::READ {
            n += 1;
            fs.nodes.get_mut(&f).expect("f").data = vec![n; 4];
        }
        fs.handle(r)
    });
    assert_eq!(got, Ok(b"bbbbccccdddd".to_vec()));
    m.finish();
}

fn buffered_read_covers() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", &pattern(300_000, 2));
    let r: Res<bool> = m.run(&mut fs, |mnt| {
        Ok(std::fs::read(mnt.join("f"))? == pattern(300_000, 2))
    });
    assert_eq!(r, Ok(true));
    for (off, size) in sizes(&m, Op::READ) {
        assert!(
            off % 4096 == 0 && size % 4096 == 0 && size <= 131_072,
            "{off} {size}"
        );
    }
    m.finish();
}

fn buffered_read_is_cached() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", &pattern(10_000, 2));
    let r: Res<usize> = m.run(&mut fs, |mnt| {
        let fd = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
        let mut n = 0;
        for off in 0..50 {
            n += user::pread(&fd, 100, off * 200)?.len();
        }
        Ok(n)
    });
    assert_eq!(r, Ok(5_000));
    let all: u64 = sizes(&m, Op::READ).iter().map(|s| s.1).sum();
    assert_eq!(all, 12_288, "each page once");
    m.finish();
}

/// Less data than the size said: the rest is zeroes or the end of the file.
fn short_read_is_eof() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", &[9; 20_000]);
    let c = m.call("f", |p| {
        let fd = user::open(p, libc::O_RDONLY, 0)?;
        let got = user::pread(&fd, 20_000, 0)?;
        Ok::<_, Errno>((got, user::fstat(&fd)?.size))
    });
    let got: Res<(Vec<u8>, u64)> = m.serve(c, &mut |r| match r.op {
        Op::READ if r.get("offset") == 0 => Answer::Ok(vec![9; 5_000]),
        Op::READ => Answer::Ok(vec![]),
        _ => fs.handle(r),
    });
    let (data, size) = got.expect("read");
    println!("{} bytes, size {size}", data.len());
    m.rec.note(format!("{} bytes, size {size}", data.len()));
    assert!(data[..5_000].iter().all(|b| *b == 9) && data[5_000..].iter().all(|b| *b == 0));
    m.finish();
}

fn read_error() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", &[9; 4096]);
    for flags in [FOPEN_DIRECT_IO, 0] {
        fs.open_flags = flags;
        for e in [EIO, EPERM, ENOSPC] {
            fs.on(Op::READ, Answer::Err(e));
            let r: Res<Vec<u8>> = m.run(&mut fs, |mnt| {
                user::pread(&user::open(&mnt.join("f"), libc::O_RDONLY, 0)?, 10, 0)
            });
            // A page that cannot be read is EIO whatever the reason, unless read directly.
            let want = if flags == 0 { EIO } else { e };
            assert_eq!(r, Err(want), "flags {flags}");
        }
    }
    // The page is asked for again.
    fs.fixed.clear();
    let r: Res<Vec<u8>> = m.run(&mut fs, |mnt| {
        user::pread(&user::open(&mnt.join("f"), libc::O_RDONLY, 0)?, 3, 0)
    });
    assert_eq!(r, Ok(vec![9; 3]));
    m.finish();
}

fn readahead_bounded_by_init() {
    for max in [0, 16_384, 65_536] {
        let mut m = Mock::with(
            &Setup::default(),
            &Init {
                max_readahead: max,
                ..Init::plain()
            },
        );
        let mut fs = Memfs::new();
        fs.file("f", &pattern(1 << 20, 2));
        let r: Res<()> = m.run(&mut fs, |mnt| {
            let fd = user::open(&mnt.join("f"), libc::O_RDONLY, 0)?;
            for i in 0..64 {
                user::pread(&fd, 4096, i * 4096)?;
            }
            Ok(())
        });
        assert_eq!(r, Ok(()));
        let largest = sizes(&m, Op::READ).iter().map(|s| s.1).max().unwrap_or(0);
        println!("max_readahead {max}: largest READ {largest}");
        assert!(largest <= u64::from(max.max(4096)), "{largest}");
        m.without_record();
        m.finish();
    }
}

fn write_through_sizes() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let f = fs.file("f", b"");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let fd = user::open(&mnt.join("f"), libc::O_WRONLY, 0)?;
        for (off, n) in [
            (0, 1),
            (0, 4096),
            (1, 4096),
            (0, 131_072),
            (100, 300_000),
            (1 << 20, 5),
        ] {
            assert_eq!(user::pwrite(&fd, &pattern(n, 3), off), Ok(n));
        }
        Ok(())
    });
    assert_eq!(r, Ok(()));
    assert!(fs.nodes[&f].data[100..300_100] == pattern(300_000, 3));
    m.finish();
}

/// A daemon that takes only a part: so much is written, the rest is tried no more.
fn write_short_reply() {
    for flags in [0, FOPEN_DIRECT_IO] {
        let (mut m, mut fs) = (Mock::new(), Memfs::new());
        fs.open_flags = flags;
        fs.file("f", b"");
        let c = m.call("f", |p| {
            user::pwrite(&user::open(p, libc::O_WRONLY, 0)?, &[1; 10_000], 0)
        });
        let n: Res<usize> = m.serve(c, &mut |r| match r.op {
            Op::WRITE => Answer::Ok(write_out(3_000)),
            _ => fs.handle(r),
        });
        println!("flags {flags}: {n:?}");
        m.rec.note(format!("{n:?}"));
        assert_eq!(n, Ok(3_000), "flags {flags}");
        m.finish();
    }
}

fn write_error() {
    for flags in [0, FOPEN_DIRECT_IO] {
        let (mut m, mut fs) = (Mock::new(), Memfs::new());
        fs.open_flags = flags;
        fs.file("f", b"");
        for e in [ENOSPC, EDQUOT, EIO, EPERM] {
            fs.on(Op::WRITE, Answer::Err(e));
            let r: Res<usize> = m.run(&mut fs, |mnt| {
                user::pwrite(&user::open(&mnt.join("f"), libc::O_WRONLY, 0)?, &[1; 10], 0)
            });
            assert_eq!(r, Err(e), "flags {flags}");
        }
        // The first part went well, the second did not.
        fs.fixed.clear();
        let c = m.call("f", |p| {
            user::pwrite(&user::open(p, libc::O_WRONLY, 0)?, &[1; 200_000], 0)
        });
        let n: Res<usize> = m.serve(c, &mut |r| match r.op {
            Op::WRITE if r.get("offset") > 0 => Answer::Err(ENOSPC),
            _ => fs.handle(r),
        });
        assert_eq!(n, Ok(131_072), "flags {flags}");
        m.finish();
    }
}

/// Writing within a page neither reads the page nor makes it look whole.
fn write_part_of_page() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", &[b'o'; 8192]);
    let r: Res<Vec<u8>> = m.run(&mut fs, |mnt| {
        let fd = user::open(&mnt.join("f"), RW, 0)?;
        user::pwrite(&fd, b"NEW", 100)?;
        user::pread(&fd, 5, 99)
    });
    assert_eq!(r, Ok(b"oNEWo".to_vec()));
    m.finish();
}

fn write_extends_size() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"abc");
    let r: Res<Vec<u64>> = m.run(&mut fs, |mnt| {
        let fd = user::open(&mnt.join("f"), RW, 0)?;
        let mut v = vec![user::fstat(&fd)?.size];
        for (off, n) in [(3, 5), (1000, 1), (0, 10), (5000, 5000)] {
            user::pwrite(&fd, &vec![1; n], off)?;
            v.push(user::fstat(&fd)?.size);
        }
        Ok(v)
    });
    assert_eq!(r, Ok(vec![3, 8, 1001, 1001, 10_000]));
    m.finish();
}

/// O_APPEND: the kernel asks for the size and writes at the end it is told.
fn append_asks_for_size() {
    for flags in [0, FOPEN_DIRECT_IO] {
        let (mut m, mut fs) = (Mock::new(), Memfs::new());
        fs.open_flags = flags;
        let f = fs.file("f", b"0123456789");
        let c = m.caller(|mnt, io| {
            let fd = user::open(&mnt.join("f"), libc::O_WRONLY | libc::O_APPEND, 0)?;
            user::write(&fd, b"A")?;
            io.put(());
            io.wait();
            user::write(&fd, b"B")
        });
        let mut c = [c];
        let mut grown = false;
        let start = std::time::Instant::now();
        while !c[0].ended() && start.elapsed() < ktap::patience() {
            if m.pending() {
                let r = m.request();
                let a = fs.handle(&r);
                m.answer(&r, &a).expect("answer");
            } else if !grown && fs.nodes[&f].data.len() == 11 {
                c[0].get::<()>();
                // Another client of the daemon appends too.
                let n = fs.nodes.get_mut(&f).expect("f");
                n.data.extend(b"other");
                n.attr.size = 16;
                grown = true;
                c[0].go();
            }
        }
        let [c] = c;
        assert_eq!(c.join::<Res<usize>>(), Ok(1));
        m.drain(&mut |r| fs.handle(r));
        let text = String::from_utf8_lossy(&fs.nodes[&f].data).into_owned();
        println!("flags {flags}: {text}");
        m.rec.note(text);
        m.finish();
    }
}

fn fsync_flags() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let fd = user::open(&mnt.join("f"), RW, 0)?;
        user::fsync(&fd)?;
        user::fdatasync(&fd)?;
        let s = user::open(&mnt.join("f"), RW | libc::O_SYNC, 0)?;
        user::write(&s, b"x")?;
        let d = user::open(&mnt.join("f"), RW | libc::O_DSYNC, 0)?;
        user::write(&d, b"x").map(drop)
    });
    assert_eq!(r, Ok(()));
    m.finish();
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"");
    fs.on(Op::FSYNC, Answer::Err(EIO));
    let r: Res<()> = m.run(&mut fs, |mnt| {
        user::fsync(&user::open(&mnt.join("f"), RW, 0)?)
    });
    assert_eq!(r, Err(EIO));
    m.finish();
}

/// Without ASYNC_READ there is never more than one READ at a time.
fn sync_read_without_async_flag() {
    let mut m = Mock::with(&Setup::default(), &Init::plain().without("ASYNC_READ"));
    let mut fs = Memfs::new();
    fs.file("f", &pattern(500_000, 6));
    let c = m.call("f", |p| {
        Ok::<_, Errno>(std::fs::read(p)? == pattern(500_000, 6))
    });
    let mut c = [c];
    while !c[0].ended() {
        if m.pending() {
            let r = m.request();
            if r.op == Op::READ {
                assert!(!m.pending(), "a second request while a READ waits");
            }
            let a = fs.handle(&r);
            m.answer(&r, &a).expect("answer");
        }
    }
    let [c] = c;
    assert_eq!(c.join::<Res<bool>>(), Ok(true));
    m.finish();
}
