// SPDX-License-Identifier: GPL-2.0

//! WRITE through the page cache: sizes, holes, appending, limits, errors.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::write_out;
use mockd::user;
use mockd::wire::*;
use mockd::Mock;

use crate::through::{each, pattern, read, rw, same, write};

pub fn cases() -> Vec<Case> {
    cases![
        write_beyond_eof_makes_hole,
        append,
        append_by_two,
        sparse_far,
        random_writes_and_reads,
        overwrite_part_of_page,
        two_descriptors_see_each_other,
        file_size_limit,
        concurrent_writers,
        write_through_sizes,
        write_short_reply,
        write_error,
        write_part_of_page,
        write_extends_size,
        append_asks_for_size,
    ]
}

fn write_beyond_eof_makes_hole() {
    each(|d| {
        let fd = rw(d, "f");
        assert_eq!(user::pwrite(&fd, b"a", 0), Ok(1));
        assert_eq!(user::pwrite(&fd, b"b", 10_000), Ok(1));
        let mut want = vec![0; 10_001];
        (want[0], want[10_000]) = (b'a', b'b');
        assert_eq!(user::pread(&fd, 20_000, 0), Ok(want));
        same(d, "f");
    });
}

/// At the end, wherever the caller says.
fn append() {
    each(|d| {
        write(&d.at("f"), b"start");
        let fd = user::open(&d.at("f"), libc::O_RDWR | libc::O_APPEND, 0).expect("open");
        assert_eq!(user::write(&fd, b"+one"), Ok(4));
        // pwrite on O_APPEND appends, on Linux.
        assert_eq!(user::pwrite(&fd, b"+two", 0), Ok(4));
        assert_eq!(user::pread(&fd, 30, 0), Ok(b"start+one+two".to_vec()));
        drop(fd);
        assert_eq!(read(&d.behind("f")), b"start+one+two");
    });
}

/// Each write starts where the other descriptor's ended.
fn append_by_two() {
    each(|d| {
        let open = || {
            user::open(
                &d.at("f"),
                libc::O_CREAT | libc::O_WRONLY | libc::O_APPEND,
                0o644,
            )
            .expect("open")
        };
        let (a, b) = (open(), open());
        let mut want = Vec::new();
        for i in 0..20u8 {
            let fd = if i % 2 == 0 { &a } else { &b };
            let text = vec![b'a' + i; 700];
            assert_eq!(user::write(fd, &text), Ok(700));
            want.extend(text);
        }
        drop((a, b));
        assert_eq!(read(&d.at("f")), want);
        assert_eq!(read(&d.behind("f")), want);
    });
}

/// Offsets that do not fit in 31, 32 and 40 bits.
fn sparse_far() {
    each(|d| {
        let fd = rw(d, "f");
        for off in [0u64, (1 << 31) - 2, (1 << 32) - 2, (1 << 40) + 5] {
            assert_eq!(user::pwrite(&fd, b"mark", off), Ok(4), "{off}");
        }
        for off in [0u64, (1 << 31) - 2, (1 << 32) - 2, (1 << 40) + 5] {
            assert_eq!(user::pread(&fd, 4, off), Ok(b"mark".to_vec()), "{off}");
        }
        assert_eq!(user::pread(&fd, 8192, 1 << 33), Ok(vec![0; 8192]));
        assert_eq!(user::fstat(&fd).map(|s| s.size), Ok((1 << 40) + 9));
        // Not left for the comparison of contents.
        drop(fd);
        user::unlink(&d.at("f")).expect("unlink");
    });
}

/// A model in memory, the file, and what is behind, stay the same.
fn random_writes_and_reads() {
    each(|d| {
        let fd = rw(d, "f");
        let mut model: Vec<u8> = Vec::new();
        let mut x: u64 = 88;
        let mut rand = |n: usize| {
            x = x
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (x >> 33) as usize % n
        };
        for i in 0..150 {
            let (off, n) = (rand(60_000), rand(9_000));
            match rand(8) {
                0 => {
                    user::ftruncate(&fd, off as i64).expect("ftruncate");
                    model.resize(off, 0);
                }
                1..=4 => {
                    let data = pattern(n, i);
                    assert_eq!(user::pwrite(&fd, &data, off as u64), Ok(n));
                    if n > 0 && model.len() < off + n {
                        model.resize(off + n, 0);
                    }
                    if n > 0 {
                        model[off..off + n].copy_from_slice(&data);
                    }
                }
                _ => {
                    let (a, b) = (off.min(model.len()), (off + n).min(model.len()));
                    let got = user::pread(&fd, n, off as u64).expect("pread");
                    assert!(got == model[a..b], "step {i}: read {off} {n}");
                }
            }
        }
        drop(fd);
        assert!(read(&d.behind("f")) == model);
        assert!(read(&d.at("f")) == model);
    });
}

/// What is around the new bytes is the daemon's.
fn overwrite_part_of_page() {
    each(|d| {
        let mut data = pattern(12_288, 3);
        write(&d.behind("f"), &data);
        let fd = user::open(&d.at("f"), libc::O_RDWR, 0).expect("open");
        // Nothing of it is in the cache yet.
        assert_eq!(user::pwrite(&fd, b"inside", 5_000), Ok(6));
        data[5_000..5_006].copy_from_slice(b"inside");
        assert_eq!(user::pread(&fd, 20_000, 0), Ok(data.clone()));
        assert_eq!(user::pwrite(&fd, &[9; 4096], 2_048), Ok(4096));
        data[2_048..6_144].fill(9);
        assert_eq!(user::pread(&fd, 20_000, 0), Ok(data.clone()));
        drop(fd);
        assert_eq!(read(&d.behind("f")), data);
    });
}

/// One cache for all descriptors of a file.
fn two_descriptors_see_each_other() {
    each(|d| {
        let (a, b) = (rw(d, "f"), rw(d, "f"));
        for i in 0..10u8 {
            assert_eq!(user::pwrite(&a, &[i; 5000], u64::from(i) * 1000), Ok(5000));
            assert_eq!(
                user::pread(&b, 5000, u64::from(i) * 1000),
                Ok(vec![i; 5000])
            );
        }
        user::ftruncate(&a, 10).expect("ftruncate");
        assert_eq!(user::fstat(&b).map(|s| s.size), Ok(10));
        assert_eq!(user::pread(&b, 100, 0), Ok(vec![0; 10]));
    });
}

/// RLIMIT_FSIZE cuts a write short and refuses the next.
fn file_size_limit() {
    each(|d| {
        let f = d.at("f");
        let c = mockd::Caller::spawn(None, |_| {
            let fd = user::open(&f, libc::O_CREAT | libc::O_WRONLY, 0o644)?;
            // SAFETY: a limit of this process, and an ignored signal.
            unsafe {
                let l = libc::rlimit {
                    rlim_cur: 6000,
                    rlim_max: 6000,
                };
                libc::setrlimit(libc::RLIMIT_FSIZE, &l);
                libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            }
            let first = user::pwrite(&fd, &[1; 10_000], 0);
            let second = user::pwrite(&fd, &[1; 10], 6000);
            let third = user::ftruncate(&fd, 7000);
            Ok::<_, Errno>((first, second, third))
        });
        let r: Res<(Res<usize>, Res<usize>, Res<()>)> = c.join();
        assert_eq!(r, Ok((Ok(6000), Err(EFBIG), Err(EFBIG))));
        same(d, "f");
    });
}

/// Eight processes write their own parts of one file at the same time.
fn concurrent_writers() {
    each(|d| {
        drop(rw(d, "f"));
        let cs: Vec<_> = (0..8u64)
            .map(|i| {
                let f = d.at("f");
                mockd::Caller::spawn(None, move |_| {
                    let fd = user::open(&f, libc::O_RDWR, 0)?;
                    for k in 0..20u64 {
                        let off = (k * 8 + i) * 3000;
                        user::pwrite(&fd, &pattern(3000, off), off)?;
                        if user::pread(&fd, 3000, off)? != pattern(3000, off) {
                            return Err(EUCLEAN);
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        for c in cs {
            assert_eq!(c.join::<Res<()>>(), Ok(()));
        }
        let all: Vec<u8> = (0..160u64).flat_map(|k| pattern(3000, k * 3000)).collect();
        assert!(read(&d.behind("f")) == all);
        assert!(read(&d.at("f")) == all);
    });
}

/// A WRITE from the page cache covers so many whole pages at most: at an odd offset it is shorter.
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
    m.finish_compared();
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

/// The error is the caller's, unless a part went well before it: then it is that part's size.
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
        let fd = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
        user::pwrite(&fd, b"NEW", 100)?;
        user::pread(&fd, 5, 99)
    });
    assert_eq!(r, Ok(b"oNEWo".to_vec()));
    m.finish();
}

/// The kernel knows the new size by itself, without a GETATTR's answer.
fn write_extends_size() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"abc");
    let r: Res<Vec<u64>> = m.run(&mut fs, |mnt| {
        let fd = user::open(&mnt.join("f"), libc::O_RDWR, 0)?;
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

/// O_APPEND writes where the kernel believes the end to be: as in C it does not ask, and so
/// overwrites what another client of the daemon has appended meanwhile.
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
