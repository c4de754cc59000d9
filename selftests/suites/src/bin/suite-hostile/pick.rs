// SPDX-License-Identifier: GPL-2.0

//! One of a list, by chance.

use fastrand::Rng;

pub trait Pick<T> {
    fn pick(&self, rng: &mut Rng) -> T;
}

impl<T: Clone> Pick<T> for [T] {
    fn pick(&self, rng: &mut Rng) -> T {
        self[rng.usize(..self.len())].clone()
    }
}
