// SPDX-License-Identifier: GPL-2.0

//! Requests that nobody waits for, and their limit.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mount::umount;
use mockd::user;
use mockd::wire::Op;
use mockd::{Init, Mock, Setup};
use suites::releases::unanswered;

pub fn cases() -> Vec<Case> {
    cases![
        releases_wait_for_their_turn,
        foreground_passes_by,
        limit_of_init,
        answers_make_room,
        release_error_is_nobodys,
        aborted_in_the_queue,
        unmounted_with_releases,
        close_does_not_wait_for_release,
        readahead_goes_in_the_background,
    ]
}

/// The device's own limit is 12.
fn releases_wait_for_their_turn() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let kept = unanswered(&mut m, &mut fs, 20);
    assert_eq!(kept.len(), 12);
    for r in &kept {
        m.reply(r, &[]);
    }
    let mut n = 0;
    while m.pending() {
        let r = m.expect(Op::RELEASE);
        m.reply(&r, &[]);
        n += 1;
    }
    assert_eq!(n, 8);
    m.finish();
}

fn foreground_passes_by() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let kept = unanswered(&mut m, &mut fs, 20);
    let c = m.call("new", |p| user::mkdir(p, 0o755));
    assert_eq!(m.serve::<Res<()>>(c, &mut |r| fs.handle(r)), Ok(()));
    for r in &kept {
        m.reply(r, &[]);
    }
    m.finish();
}

fn limit_of_init() {
    for limit in [1u16, 3, 100] {
        let mut m = Mock::with(
            &Setup::default(),
            &Init {
                max_background: limit,
                ..Init::plain()
            },
        );
        let mut fs = Memfs::new();
        let kept = unanswered(&mut m, &mut fs, 20);
        assert_eq!(kept.len(), usize::from(limit).min(20), "limit {limit}");
        for r in &kept {
            m.reply(r, &[]);
        }
        m.finish();
    }
}

fn answers_make_room() {
    let mut m = Mock::with(
        &Setup::default(),
        &Init {
            max_background: 2,
            ..Init::plain()
        },
    );
    let mut fs = Memfs::new();
    let kept = unanswered(&mut m, &mut fs, 5);
    assert_eq!(kept.len(), 2);
    m.expect_none();
    m.reply(&kept[1], &[]);
    let third = m.expect(Op::RELEASE);
    m.expect_none();
    m.reply(&kept[0], &[]);
    let fourth = m.expect(Op::RELEASE);
    m.expect_none();
    m.reply(&third, &[]);
    m.reply(&fourth, &[]);
    let fifth = m.expect(Op::RELEASE);
    m.reply(&fifth, &[]);
    m.expect_none();
    m.finish();
}

fn release_error_is_nobodys() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    for e in [EIO, ENOSYS, EINTR] {
        for r in unanswered(&mut m, &mut fs, 1) {
            m.fail(&r, e);
        }
    }
    for r in unanswered(&mut m, &mut fs, 1) {
        assert_eq!(
            m.write(&mockd::reply::message(r.unique, 0, &[1])),
            Err(EINVAL)
        );
        assert_eq!(
            m.write(&mockd::reply::message(r.unique, 0, &[])),
            Err(ENOENT)
        );
    }
    m.finish();
}

fn aborted_in_the_queue() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let kept = unanswered(&mut m, &mut fs, 20);
    umount(&m.mnt, libc::MNT_FORCE).expect("umount -f");
    assert_eq!(m.read().err(), Some(ENODEV));
    assert_eq!(
        m.write(&mockd::reply::message(kept[0].unique, 0, &[])),
        Err(ENOENT)
    );
}

fn unmounted_with_releases() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let kept = unanswered(&mut m, &mut fs, 20);
    m.umount();
    assert_eq!(m.read().err(), Some(ENODEV));
    assert_eq!(
        m.write(&mockd::reply::message(kept[0].unique, 0, &[])),
        Err(ENOENT)
    );
}

fn close_does_not_wait_for_release() {
    let mut m = Mock::with(
        &Setup::default(),
        &Init {
            max_background: 1,
            ..Init::plain()
        },
    );
    let mut fs = Memfs::new();
    // More than the limit, with no answer to any, and the caller is through.
    let kept = unanswered(&mut m, &mut fs, 8);
    assert_eq!(kept.len(), 1);
    m.reply(&kept[0], &[]);
    m.finish();
}

/// Several READs are on their way at once, within the limit.
fn readahead_goes_in_the_background() {
    let init = Init {
        max_pages: 1,
        max_readahead: 131_072,
        ..Init::plain()
    };
    let mut m = Mock::with(&Setup::default(), &init);
    let mut fs = Memfs::new();
    fs.file("f", &[4; 300_000]);
    let c = m.call("f", |p| Ok::<_, Errno>(std::fs::read(p)?.len()));
    let mut c = [c];
    let mut most = 0;
    let mut kept: Vec<mockd::Request> = Vec::new();
    let start = std::time::Instant::now();
    while !c[0].ended() {
        assert!(start.elapsed() < ktap::patience());
        if m.pending() {
            let r = m.request();
            if r.op == Op::READ {
                kept.push(r);
                most = most.max(kept.len());
            } else {
                let a = fs.handle(&r);
                m.answer(&r, &a).expect("answer");
            }
        } else {
            c[0].wait_asleep();
            if !m.pending() {
                // In any order, so the last first.
                while let Some(r) = kept.pop() {
                    let a = fs.handle(&r);
                    m.answer(&r, &a).expect("answer");
                }
            }
        }
    }
    let [c] = c;
    assert_eq!(c.join::<Res<usize>>(), Ok(300_000));
    println!("{most} READs at once");
    assert!(most > 1 && most <= 12, "{most}");
    m.without_record();
    m.finish();
}
