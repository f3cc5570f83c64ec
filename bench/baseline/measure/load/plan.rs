//! Which requests come in which order: the same for the same numbers.

use crate::figures::LoadPlan;
use bytes::Bytes;
use fastrand::Rng;
use http::Method;
use serde_json::json;

const SEED: u64 = 20_260_105;

/// What is searched for, the most popular first.
const WORDS: [&str; 12] = [
    "lunch", "train", "photo", "tomorrow", "thanks", "cake", "meeting", "boat", "tickets", "rain",
    "dinner", "garden",
];

pub(crate) struct Plan {
    pub(crate) requests: Vec<Request>,
}

pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// Writes alone have one.
    pub(crate) body: Option<Bytes>,
}

/// Of so many things the first twice as often as the second, three times as often as the third.
struct Zipf {
    sums: Vec<f64>,
}

impl Plan {
    pub(crate) fn new(load: &LoadPlan, conversations: usize) -> Self {
        let mut random = Rng::with_seed(SEED);
        let popular = Zipf::new(load.population);
        let words = Zipf::new(WORDS.len());
        let count = load.seconds * u64::from(load.rate);
        let requests = (0..count).map(|number| {
            // The newest are the most popular.
            let conversation = conversations - popular.draw(&mut random);
            let word = WORDS[words.draw(&mut random)];
            Request::draw(&mut random, number, conversation, word)
        });
        Self {
            requests: requests.collect(),
        }
    }
}

impl Request {
    /// In a hundred: 50 conversations, 15 first pages, 10 lists of messages, 10 users, 5 searches, 5 threads, 5 writes.
    fn draw(random: &mut Rng, number: u64, conversation: usize, word: &str) -> Self {
        let user = conversation % 50 + 1;
        let one = format!("/api/conversations/{conversation}");
        match random.u32(..200) {
            0..100 => Self::get(one),
            100..130 => Self::get("/api/conversations".to_owned()),
            130..150 => Self::get(format!("{one}/messages")),
            150..170 => Self::get(format!("/api/users/{user}")),
            170..180 => Self::get(format!("/api/search?q={word}")),
            180..190 => Self::get("/api/threads".to_owned()),
            190..195 => Self::write(
                Method::PUT,
                one,
                &json!({ "title": format!("Title {number}") }),
            ),
            _ => {
                let message = json!({ "author_id": user, "text": format!("Message {number}") });
                Self::write(Method::POST, format!("{one}/messages"), &message)
            }
        }
    }

    fn get(path: String) -> Self {
        Self {
            method: Method::GET,
            path,
            body: None,
        }
    }

    fn write(method: Method, path: String, body: &serde_json::Value) -> Self {
        Self {
            method,
            path,
            body: Some(body.to_string().into()),
        }
    }
}

impl Zipf {
    fn new(things: usize) -> Self {
        let mut sum = 0.0;
        let weights = (1..=things).map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        });
        Self {
            sums: weights.collect(),
        }
    }

    /// A place from 0 on.
    fn draw(&self, random: &mut Rng) -> usize {
        let sum = self.sums.last().copied().unwrap_or_default();
        let drawn = random.f64() * sum;
        let place = self.sums.partition_point(|sum| *sum <= drawn);
        place.min(self.sums.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: LoadPlan = LoadPlan {
        seconds: 10,
        rate: 1000,
        connections: 1,
        population: 100,
    };

    #[test]
    fn the_same_numbers_make_the_same_plan_within_what_there_is() {
        let plan = || Plan::new(&LOAD, 120);
        let paths = |plan: Plan| plan.requests.into_iter().map(|request| request.path);
        assert!(paths(plan()).eq(paths(plan())));
        let plan = plan();
        assert_eq!(plan.requests.len(), 10_000);
        let writes = plan
            .requests
            .iter()
            .filter(|request| request.body.is_some())
            .count();
        assert!((400..600).contains(&writes), "{writes}");
        let ids = plan.requests.iter().filter_map(|request| {
            let rest = request.path.strip_prefix("/api/conversations/")?;
            rest.split('/').next()?.parse::<usize>().ok()
        });
        let ids: Vec<_> = ids.collect();
        assert_eq!(
            (ids.iter().min(), ids.iter().max()),
            (Some(&21), Some(&120))
        );
    }

    #[test]
    fn the_first_is_drawn_twice_as_often_as_the_second() {
        let (zipf, mut random) = (Zipf::new(100), Rng::with_seed(1));
        let mut drawn = [0_u32; 100];
        (0..100_000).for_each(|_| drawn[zipf.draw(&mut random)] += 1);
        let ratio = f64::from(drawn[0]) / f64::from(drawn[1]);
        assert!((1.9..2.1).contains(&ratio), "{ratio}");
        assert!(drawn.iter().all(|times| *times > 0));
    }
}
