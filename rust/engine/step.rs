// SPDX-License-Identifier: GPL-2.0

//! What follows from a step of the engine, for whoever has made it.
//!
//! C does it by hand after each change: `wake_up()`, `kill_fasync()`, and no hint, as readers look
//! with the lock held. Here each result of a step says what follows, so that it is done in one
//! place (the channel's `step()`, and that of the rig on the host) and nobody can forget it. Takes
//! no lock.

use super::{
    Aborted,
    Batch,
    Claimed,
    DeviceId,
    Effects,
    ForgetQueue,
    Grown,
    InterruptReply,
    MoreForgets,
    Payload,
    Refusal,
    Refused,
    Released,
    Resent,
    Submitted,
    Taken,
    TakenRequest,
    Ticket,
    Trimmed, //
};

/// What becomes of the hint for sleeping readers: [`super::Engine::is_readable`], or not connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    /// What the engine says after the step.
    Ask,
    /// There is something to read.
    Readable,
    /// The step has not changed it.
    Same,
}

/// The result of a step.
pub(crate) trait StepResult {
    /// Whether readers that are woken up find something new: only then do owners of devices get
    /// SIGIO.
    const NEWS: bool = true;

    /// What becomes of the hint. To be stored with the engine's lock held.
    #[inline]
    fn hint(&self) -> Hint {
        Hint::Ask
    }

    /// Whether the number of background requests may have changed, if [`hint`](Self::hint) says
    /// [`Hint::Ask`].
    #[inline]
    fn background(&self) -> bool {
        true
    }

    /// Whom to wake up, once the lock has been dropped; `None`: nobody.
    #[inline]
    fn effects(&self) -> Option<Effects> {
        None
    }
}

impl StepResult for Effects {
    #[inline]
    fn effects(&self) -> Option<Effects> {
        Some(*self)
    }
}

/// To submit.
impl<P> StepResult for Result<Submitted, Refused<P>> {
    #[inline(always)]
    fn hint(&self) -> Hint {
        match self {
            // A reader is woken up because there is something to read.
            Ok(submitted) if submitted.effects.readers != 0 => Hint::Readable,
            _ => Hint::Same,
        }
    }

    #[inline(always)]
    fn effects(&self) -> Option<Effects> {
        match self {
            Ok(submitted) => Some(submitted.effects),
            Err(_) => None,
        }
    }
}

/// To queue a FORGET.
impl<L> StepResult for Result<Effects, L> {
    fn hint(&self) -> Hint {
        match self {
            Ok(_) => Hint::Readable,
            Err(_) => Hint::Same,
        }
    }

    fn effects(&self) -> Option<Effects> {
        match self {
            Ok(effects) => Some(*effects),
            Err(_) => None,
        }
    }
}

/// To take the usual request.
impl<P> StepResult for Option<TakenRequest<P>> {
    #[inline]
    fn background(&self) -> bool {
        false
    }
}

/// To take whatever is next.
impl<P> StepResult for Taken<P> {
    fn background(&self) -> bool {
        false
    }

    fn effects(&self) -> Option<Effects> {
        match self {
            Taken::Forgets { effects, .. } => Some(*effects),
            Taken::Empty | Taken::Closed { .. } | Taken::Interrupt(_) | Taken::Request(_) => None,
        }
    }
}

impl StepResult for MoreForgets {
    fn background(&self) -> bool {
        false
    }

    fn effects(&self) -> Option<Effects> {
        Some(self.effects)
    }
}

/// To claim.
impl<P> StepResult for Option<Claimed<P>> {
    #[inline]
    fn hint(&self) -> Hint {
        match self {
            Some(claimed) if claimed.effects.is_some() => Hint::Ask,
            _ => Hint::Same,
        }
    }

    #[inline]
    fn effects(&self) -> Option<Effects> {
        match self {
            Some(claimed) => claimed.effects,
            None => None,
        }
    }
}

/// To relist.
impl<P: Payload> StepResult for Result<Ticket, P> {
    fn hint(&self) -> Hint {
        Hint::Same
    }
}

impl StepResult for InterruptReply {
    fn effects(&self) -> Option<Effects> {
        match self {
            InterruptReply::Again(effects) => Some(*effects),
            InterruptReply::NotFound | InterruptReply::Found | InterruptReply::NotInterrupted => {
                None
            }
        }
    }
}

/// To cancel or remove. A background request that goes lets the next one through.
impl<P> StepResult for Option<(P, Effects)> {
    fn effects(&self) -> Option<Effects> {
        self.as_ref().map(|(_, effects)| *effects)
    }
}

impl<P> StepResult for Resent<P> {
    fn effects(&self) -> Option<Effects> {
        Some(self.effects)
    }
}

/// To abort.
impl<F: ForgetQueue> StepResult for Option<Aborted<F>> {
    fn effects(&self) -> Option<Effects> {
        self.as_ref().map(|aborted| aborted.effects)
    }
}

/// To drain. A background request that goes lets the next one through.
impl<P> StepResult for Batch<P> {
    fn effects(&self) -> Option<Effects> {
        Some(self.effects)
    }
}

/// To release a device.
impl StepResult for Released {
    const NEWS: bool = false;

    fn hint(&self) -> Hint {
        Hint::Same
    }

    fn effects(&self) -> Option<Effects> {
        Some(self.effects)
    }
}

/// To add a device.
impl StepResult for Result<DeviceId, Refusal> {
    fn hint(&self) -> Hint {
        Hint::Same
    }
}

/// To add slots.
impl<B> StepResult for Result<Grown, B> {
    fn hint(&self) -> Hint {
        Hint::Same
    }
}

/// To give slots back.
impl<B> StepResult for Trimmed<B> {
    fn hint(&self) -> Hint {
        Hint::Same
    }
}
