//! The story of the Treaty on Open Skies, 1992 to 2021: it fits the profile, its facts stand, and played through
//! engines in a simulated clock it gives the dates that the history has.

mod facts;
mod fixture;
mod history;
mod law;
