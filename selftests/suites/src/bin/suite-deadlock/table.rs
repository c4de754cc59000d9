// SPDX-License-Identifier: GPL-2.0

//! The table: scenario, event, what C does (and ours with `killable=N`), what ours does.

use ktap::Case;
use libc::{SIGBUS, SIGINT, SIGKILL};
use mockd::errno::*;

use crate::cell::{Event, Fate::*, Others::*, Row, Want};
use crate::scene::{Scene, Trap};

const fn w(
    caller: crate::cell::Fate,
    daemon: crate::cell::Fate,
    others: crate::cell::Others,
) -> Want {
    Want {
        caller,
        daemon,
        others,
    }
}

/// The page whose READ failed with the trapped thread is asked for once more. A thread of the
/// daemon that the signal has not reached yet may still answer that.
const SIGBUS_OR_SERVED: crate::cell::Fate = OneOf(&[Dies(SIGBUS), Gets(Ok(()))]);
const EIO_OR_SERVED: crate::cell::Fate = OneOf(&[Gets(Err(EIO)), Gets(Ok(()))]);

/// A module per scenario and a test per event. With one expectation, ours does what C does.
macro_rules! table {
    ($($name:ident: $scene:expr => {
        $($test:ident: $event:ident, $c:expr $(, ours $ours:expr)?;)*
    })*) => {
        $(mod $name {
            use super::*;
            const SCENE: Scene = $scene;
            $(pub fn $test() {
                let c = $c;
                #[allow(unused_mut, unused_assignments)]
                let mut ours = c;
                $(ours = $ours;)?
                Row { scene: SCENE, event: Event::$event, c, ours }.run();
            })*
        })*

        pub fn cases() -> Vec<Case> {
            vec![$($(Case {
                path: concat!(stringify!($name), "::", stringify!($test)),
                run: $name::$test,
            },)*)*]
        }
    };
}

table! {
    simple_one: Scene::new(Trap::Unlink, 1) => {
        sigint_caught: SigintCaught, w(Hangs, Hangs, Wait);
        sigint_caller: SigintCaller, w(Hangs, Hangs, Wait), ours w(Dies(SIGINT), Hangs, Wait);
        sigkill_caller: SigkillCaller, w(Hangs, Hangs, Wait), ours w(Dies(SIGKILL), Hangs, Wait);
        sigint_daemon: SigintDaemon, w(Hangs, Hangs, Wait);
        sigkill_daemon: SigkillDaemon, w(Hangs, Hangs, Wait);
        sigkill_both: SigkillBoth, w(Hangs, Hangs, Wait),
            ours w(Dies(SIGKILL), Dies(SIGKILL), Fail(ENOTCONN));
        abort: Abort, w(Gets(Err(ECONNABORTED)), Gets(Err(ENOTCONN)), Fail(ENOTCONN));
        umount_force: UmountForce, w(Gets(Err(ECONNABORTED)), Gets(Err(ENOTCONN)), Fail(ENOTCONN));
        // The UNLINK is ended before the connection is: the daemon's may come in between.
        close: Close,
            w(
                Gets(Err(ECONNABORTED)),
                OneOf(&[Gets(Err(ENOTCONN)), Gets(Err(ECONNABORTED))]),
                Fail(ENOTCONN)
            );
    }
    simple_three: Scene::new(Trap::Unlink, 3) => {
        sigint_caught: SigintCaught, w(Hangs, Hangs, Served);
        sigint_caller: SigintCaller, w(Hangs, Hangs, Served), ours w(Dies(SIGINT), Hangs, Served);
        sigkill_caller: SigkillCaller, w(Hangs, Hangs, Served),
            ours w(Dies(SIGKILL), Hangs, Served);
        sigint_daemon: SigintDaemon, w(Hangs, Hangs, Wait);
        sigkill_daemon: SigkillDaemon, w(Hangs, Hangs, Wait);
        sigkill_both: SigkillBoth, w(Hangs, Hangs, Wait),
            ours w(Dies(SIGKILL), Dies(SIGKILL), Fail(ENOTCONN));
        abort: Abort, w(Gets(Err(ECONNABORTED)), Gets(Err(ENOTCONN)), Fail(ENOTCONN));
        umount_force: UmountForce, w(Gets(Err(ECONNABORTED)), Gets(Err(ENOTCONN)), Fail(ENOTCONN));
        close: Close, w(Hangs, Hangs, Wait);
    }
    simple_once: Scene::new(Trap::Unlink, 2).once() => {
        sigkill_caller: SigkillCaller, w(Hangs, Hangs, Served),
            ours w(Dies(SIGKILL), Hangs, Served);
        sigkill_daemon: SigkillDaemon, w(Hangs, Hangs, Wait);
        sigkill_both: SigkillBoth, w(Hangs, Hangs, Wait),
            ours w(Dies(SIGKILL), Dies(SIGKILL), Fail(ENOTCONN));
        umount_force: UmountForce, w(Gets(Err(ECONNABORTED)), Gets(Err(ENOTCONN)), Fail(ENOTCONN));
    }
    answer: Scene::new(Trap::Answer, 2) => {
        sigint_caught: SigintCaught, w(Hangs, Hangs, Served);
        sigint_caller: SigintCaller, w(Hangs, Hangs, Served), ours w(Dies(SIGINT), Hangs, Served);
        sigkill_caller: SigkillCaller, w(Hangs, Hangs, Served),
            ours w(Dies(SIGKILL), Hangs, Served);
        sigint_daemon: SigintDaemon, w(SIGBUS_OR_SERVED, Dies(SIGINT), Fail(ENOTCONN));
        sigkill_daemon: SigkillDaemon, w(SIGBUS_OR_SERVED, Dies(SIGKILL), Fail(ENOTCONN));
        sigkill_both: SigkillBoth, w(Dies(SIGKILL), Dies(SIGKILL), Fail(ENOTCONN));
        abort: Abort, w(Dies(SIGBUS), Gets(Err(ENOENT)), Fail(ENOTCONN));
        umount_force: UmountForce, w(Dies(SIGBUS), Gets(Err(ENOENT)), Fail(ENOTCONN));
        close: Close, w(Hangs, Hangs, Wait);
    }
    answer_keep: Scene::new(Trap::Answer, 2).keep() => {
        sigint_caller: SigintCaller, w(Hangs, Hangs, Served), ours w(Dies(SIGINT), Hangs, Served);
        sigkill_caller: SigkillCaller, w(Hangs, Hangs, Served),
            ours w(Dies(SIGKILL), Hangs, Served);
        sigint_daemon: SigintDaemon, w(Hangs, Hangs, Wait),
            ours w(SIGBUS_OR_SERVED, Dies(SIGINT), Fail(ENOTCONN));
        sigkill_daemon: SigkillDaemon, w(Hangs, Hangs, Wait),
            ours w(SIGBUS_OR_SERVED, Dies(SIGKILL), Fail(ENOTCONN));
        sigkill_both: SigkillBoth, w(Dies(SIGKILL), Hangs, Wait),
            ours w(Dies(SIGKILL), Dies(SIGKILL), Fail(ENOTCONN));
        abort: Abort, w(Dies(SIGBUS), Gets(Err(ENOENT)), Fail(ENOTCONN));
        umount_force: UmountForce, w(Dies(SIGBUS), Gets(Err(ENOENT)), Fail(ENOTCONN));
    }
    answer_read: Scene::new(Trap::Answer, 2).read() => {
        sigkill_caller: SigkillCaller, w(Hangs, Hangs, Served),
            ours w(Dies(SIGKILL), Hangs, Served);
        sigkill_daemon: SigkillDaemon, w(EIO_OR_SERVED, Dies(SIGKILL), Fail(ENOTCONN));
        umount_force: UmountForce, w(Gets(Err(EIO)), Gets(Err(ENOENT)), Fail(ENOTCONN));
    }
    answer_async: Scene::new(Trap::Answer, 2).async_read() => {
        sigkill_caller: SigkillCaller, w(Dies(SIGKILL), Hangs, Served);
        sigkill_daemon: SigkillDaemon, w(EIO_OR_SERVED, Dies(SIGKILL), Fail(ENOTCONN));
        umount_force: UmountForce, w(Gets(Err(EIO)), Gets(Err(ENOENT)), Fail(ENOTCONN));
    }
    request: Scene::new(Trap::Request, 2) => {
        sigint_caught: SigintCaught, w(Hangs, Hangs, Served);
        sigint_caller: SigintCaller, w(Hangs, Hangs, Served), ours w(Dies(SIGINT), Hangs, Served);
        sigkill_caller: SigkillCaller, w(Hangs, Hangs, Served),
            ours w(Dies(SIGKILL), Hangs, Served);
        sigint_daemon: SigintDaemon, w(SIGBUS_OR_SERVED, Dies(SIGINT), Fail(ENOTCONN));
        sigkill_daemon: SigkillDaemon, w(SIGBUS_OR_SERVED, Dies(SIGKILL), Fail(ENOTCONN));
        sigkill_both: SigkillBoth, w(Dies(SIGKILL), Dies(SIGKILL), Fail(ENOTCONN));
        abort: Abort, w(Dies(SIGBUS), Gets(Err(ENODEV)), Fail(ENOTCONN));
        umount_force: UmountForce, w(Dies(SIGBUS), Gets(Err(ENODEV)), Fail(ENOTCONN));
        close: Close, w(Hangs, Hangs, Wait);
    }
    request_keep: Scene::new(Trap::Request, 2).keep() => {
        sigkill_caller: SigkillCaller, w(Hangs, Hangs, Served),
            ours w(Dies(SIGKILL), Hangs, Served);
        sigkill_daemon: SigkillDaemon, w(Hangs, Hangs, Wait),
            ours w(SIGBUS_OR_SERVED, Dies(SIGKILL), Fail(ENOTCONN));
        sigkill_both: SigkillBoth, w(Dies(SIGKILL), Hangs, Wait),
            ours w(Dies(SIGKILL), Dies(SIGKILL), Fail(ENOTCONN));
        abort: Abort, w(Dies(SIGBUS), Gets(Err(ENODEV)), Fail(ENOTCONN));
        umount_force: UmountForce, w(Dies(SIGBUS), Gets(Err(ENODEV)), Fail(ENOTCONN));
    }
    request_async: Scene::new(Trap::Request, 2).async_read() => {
        sigkill_caller: SigkillCaller, w(Dies(SIGKILL), Hangs, Served);
        sigkill_daemon: SigkillDaemon, w(EIO_OR_SERVED, Dies(SIGKILL), Fail(ENOTCONN));
        umount_force: UmountForce, w(Gets(Err(EIO)), Gets(Err(ENODEV)), Fail(ENOTCONN));
    }
    own_answer: Scene::new(Trap::OwnAnswer, 1) => {
        sigkill_caller: SigkillCaller, w(Hangs, Hangs, Wait), ours w(Dies(SIGKILL), Hangs, Wait);
        sigkill_daemon: SigkillDaemon, w(Gets(Err(EIO)), Dies(SIGKILL), Fail(ENOTCONN));
        sigkill_both: SigkillBoth, w(Dies(SIGKILL), Dies(SIGKILL), Fail(ENOTCONN));
        umount_force: UmountForce, w(Gets(Err(ECONNABORTED)), Gets(Err(ENOENT)), Fail(ENOTCONN));
    }
    own_request: Scene::new(Trap::OwnRequest, 1) => {
        sigkill_caller: SigkillCaller, w(Hangs, Hangs, Wait), ours w(Dies(SIGKILL), Hangs, Wait);
        sigkill_daemon: SigkillDaemon, w(Gets(Err(EIO)), Dies(SIGKILL), Fail(ENOTCONN));
        sigkill_both: SigkillBoth, w(Dies(SIGKILL), Dies(SIGKILL), Fail(ENOTCONN));
        umount_force: UmountForce, w(Gets(Err(ECONNABORTED)), Gets(Err(ENODEV)), Fail(ENOTCONN));
    }
}
