//! The law applied: each kind of clock by hand-made records, the known dates, and what must hold in any order.

mod answers;
mod calendar;
mod clocks;
#[path = "../common/mod.rs"]
mod common;
mod effects;
mod faults;
mod fixture;
mod nodes;
mod order;
mod roles;
mod word;
