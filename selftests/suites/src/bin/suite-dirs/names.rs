// SPDX-License-Identifier: GPL-2.0

//! How long a name may be: 1024 bytes, or 4095 for a daemon whose requests may have several pages.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::wire::Op;
use mockd::Init;

use crate::kit::*;

pub fn cases() -> Vec<Case> {
    cases![
        looked_up_with_max_pages,
        looked_up_without_max_pages,
        looked_up_with_one_page,
        made_up_to_the_limit,
        renamed_up_to_the_limit,
        links_up_to_a_page,
        listed_beyond_the_limit,
    ]
}

/// The lengths that are asked for, of these.
fn asked_for(init: &Init, lengths: &[usize]) -> Vec<(usize, Res<()>)> {
    let mut m = mock(init);
    let mut fs = Memfs::new();
    let got: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let look = |n: &usize| user::lstat(&mnt.join("n".repeat(*n))).map(drop);
        lengths.iter().map(look).collect()
    });
    let refused = got.iter().filter(|r| **r == Err(ENAMETOOLONG)).count();
    assert_eq!(m.rec.count(Op::LOOKUP), lengths.len() - refused);
    m.finish();
    lengths.iter().copied().zip(got).collect()
}

const LENGTHS: [usize; 7] = [1, 255, 256, 1023, 1024, 1025, 3900];

fn looked_up_with_max_pages() {
    let got = asked_for(&Init::plain(), &LENGTHS);
    assert!(got.iter().all(|(_, r)| *r == Err(ENOENT)), "{got:?}");
}

/// Those that are longer are not asked for.
fn short_names(init: &Init) {
    for (n, got) in asked_for(init, &LENGTHS) {
        assert_eq!(
            got,
            Err(if n > 1024 { ENAMETOOLONG } else { ENOENT }),
            "{n}"
        );
    }
}

fn looked_up_without_max_pages() {
    short_names(&Init::plain().without("MAX_PAGES"));
}

fn looked_up_with_one_page() {
    short_names(&Init {
        max_pages: 1,
        ..Init::plain()
    });
}

/// Each name is looked up first.
fn made_up_to_the_limit() {
    for (init, limit) in [
        (Init::plain(), 3900),
        (Init::plain().without("MAX_PAGES"), 1024),
    ] {
        let mut m = mock(&init);
        let mut fs = Memfs::new();
        let got: Vec<Res<()>> = m.run(&mut fs, |mnt| {
            let at = |c: &str, n: usize| mnt.join(c.repeat(n));
            vec![
                user::mkdir(&at("d", limit), 0o755),
                user::symlink("x", &at("l", limit)),
                user::open(&at("f", limit), libc::O_CREAT | libc::O_WRONLY, 0o644).map(drop),
                user::mknod(&at("p", limit), libc::S_IFIFO | 0o644, 0),
                user::link(&at("f", limit), &at("g", limit)),
                user::unlink(&at("g", limit)),
                user::rmdir(&at("d", limit)),
            ]
        });
        assert_eq!(got, vec![Ok(()); 7]);
        if limit == 1024 {
            let got: Vec<Res<()>> = m.run(&mut fs, |mnt| {
                let at = |c: &str| mnt.join(c.repeat(limit + 1));
                vec![
                    user::mkdir(&at("d"), 0o755),
                    user::symlink("x", &at("l")),
                    user::open(&at("f"), libc::O_CREAT | libc::O_WRONLY, 0o644).map(drop),
                    user::mknod(&at("p"), libc::S_IFIFO | 0o644, 0),
                ]
            });
            assert_eq!(got, vec![Err(ENAMETOOLONG); 4]);
        }
        m.finish();
    }
}

/// Both names in one request.
fn renamed_up_to_the_limit() {
    let mut m = mock(&Init::plain());
    let mut fs = files(1);
    let got: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let (a, b) = (mnt.join("a".repeat(3900)), mnt.join("b".repeat(3900)));
        vec![
            user::rename(&mnt.join("f00"), &a),
            user::rename(&a, &b),
            user::rename2(&b, &a, libc::RENAME_NOREPLACE),
        ]
    });
    assert_eq!(got, vec![Ok(()); 3]);
    m.finish();
}

/// The text of a link is no name: it has the VFS's limit alone.
fn links_up_to_a_page() {
    for init in [Init::plain(), Init::plain().without("MAX_PAGES")] {
        let mut m = mock(&init);
        let mut fs = Memfs::new();
        let got: Vec<Res<usize>> = m.run(&mut fs, |mnt| {
            [1, 1024, 1025, 4000, 4095, 4096]
                .iter()
                .zip(["a", "b", "c", "d", "e", "f"])
                .map(|(n, name)| {
                    user::symlink(&"x".repeat(*n), &mnt.join(name))?;
                    user::readlink(&mnt.join(name)).map(|text| text.len())
                })
                .collect()
        });
        let want = [
            Ok(1),
            Ok(1024),
            Ok(1025),
            Ok(4000),
            Ok(4095),
            Err(ENAMETOOLONG),
        ];
        assert_eq!(got, want);
        m.finish();
    }
}

/// What is listed is not limited by that, and is linked; but nobody can ask for it again.
fn listed_beyond_the_limit() {
    let long = "n".repeat(1500);
    let init = plus().without("MAX_PAGES");
    let reply = file(5, 1, &long);
    let (mut m, listed, found) = once(&init, &reply, 4096, |mnt| sizes(mnt, &[&long]));
    assert_eq!(names(&listed), [long]);
    assert_eq!(found, [Ok(1)]);
    assert_eq!(m.rec.count(Op::LOOKUP), 0);
    assert_eq!(forgotten(&mut m, 1), [(5, 1)]);
    m.finish();
}
