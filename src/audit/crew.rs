//! Checks that cost time, done by several threads; whoever gave them out takes the results in the order that it likes.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Pieces of work that wait for a thread, for each thread.
const WAITING: usize = 2;

type Work = Box<dyn FnOnce() + Send>;

/// Some threads. They end with what they were given when it is dropped.
pub(super) struct Crew {
    work: Option<SyncSender<Work>>,
    threads: usize,
}

/// What a piece of work will have found.
pub(super) struct Found<R>(Receiver<thread::Result<R>>);

impl Crew {
    /// So many threads besides the one that calls, if the system gives them; with one, the caller does the work itself.
    pub fn new(threads: NonZero<usize>) -> Self {
        let none = Self { work: None, threads: 1 };
        if threads.get() == 1 {
            return none;
        }
        let (give, take) = sync_channel::<Work>(WAITING * threads.get());
        let take = Arc::new(Mutex::new(take));
        let mut started = 0;
        for _ in 0..threads.get() {
            let take = take.clone();
            let run = move || {
                loop {
                    let next = take.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(work) = next else { break };
                    work();
                }
            };
            started += usize::from(thread::Builder::new().name("verify".into()).spawn(run).is_ok());
        }
        if started == 0 { none } else { Self { work: Some(give), threads: started } }
    }

    /// Pieces of work that may be under way before the oldest one's result should be taken: so many keep all busy.
    pub fn most(&self) -> usize {
        if self.work.is_some() { (WAITING + 2) * self.threads } else { 0 }
    }

    /// Gives out a piece of work; waits while too much waits already.
    pub fn give<R: Send + 'static>(&self, work: impl FnOnce() -> R + Send + 'static) -> Found<R> {
        let (done, found) = channel();
        let work: Work = Box::new(move || {
            // Whoever gave the work out may have stopped for another reason.
            let _ = done.send(catch_unwind(AssertUnwindSafe(work)));
        });
        match &self.work {
            None => work(),
            Some(give) => {
                if let Err(refused) = give.send(work) {
                    // No thread is left to take it.
                    (refused.0)();
                }
            }
        }
        Found(found)
    }
}

impl<R> Found<R> {
    /// Waits for it. What would have ended the program in one thread does so in several.
    pub fn take(self) -> R {
        match self.0.recv() {
            Ok(Ok(found)) => found,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => unreachable!("each piece of work sends what it found, also if it panics"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_belong_to_their_work_whatever_the_threads() {
        for threads in [1, 2, 7] {
            let crew = Crew::new(NonZero::new(threads).unwrap());
            let mut under_way = std::collections::VecDeque::new();
            let mut next = 0u64;
            for number in 0..1000u64 {
                under_way.push_back(crew.give(move || (0..2 * (number % 97)).fold(number, |sum, _| !sum)));
                while under_way.len() > crew.most() {
                    assert_eq!(under_way.pop_front().unwrap().take(), next);
                    next += 1;
                }
            }
            for found in under_way {
                assert_eq!(found.take(), next);
                next += 1;
            }
            assert_eq!(next, 1000);
        }
    }

    #[test]
    fn a_panic_comes_out_where_the_result_is_taken_and_the_threads_go_on() {
        let crew = Crew::new(NonZero::new(2).unwrap());
        let fails = crew.give(|| panic!("planted"));
        let works = crew.give(|| 5);
        assert!(catch_unwind(AssertUnwindSafe(|| -> () { fails.take() })).is_err());
        assert_eq!(works.take(), 5);
    }
}
