//! One walk: random steps, and what each answer must not be.

use super::{
    asks::{Ask, CREDENTIALS, FORWARDING, Habits, is_cookie},
    deployment::Deployment,
    kinds,
    operators::{OPERATORS, SetCookie},
    oracle::{how_reached, objection},
    origin::{MADE, Made, Versions, WALK, answer, resolve},
};
use crate::support::{
    Answer, Origin,
    client::{request, request_from},
};
use futures_util::future::join_all;
use std::{collections::BTreeMap, sync::Arc};

/// What was done, by kind.
pub(super) type Tally = BTreeMap<String, usize>;

/// See the module docs.
pub(super) struct Walk {
    seed: u64,
    random: fastrand::Rng,
    habits: Habits,
    deployment: Deployment,
    versions: Arc<Versions>,
    /// Every request, by its step.
    asks: Vec<Ask>,
    tally: Tally,
}

/// Walks `steps` steps through what `seed` picks.
pub(super) async fn walk(seed: u64, steps: usize) -> Tally {
    let versions = Arc::new(Versions::default());
    let origin = Origin::start().await;
    let of_origin = Arc::clone(&versions);
    origin.answer_by(move |received| answer(&of_origin, received));
    let at = usize::try_from(seed).unwrap();
    let (shared, memory) = (at % 3 == 2, at % 2 == 0);
    let operator = at % OPERATORS.len();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut walk = Walk {
        seed,
        habits: Habits::any(&mut random),
        random,
        deployment: Deployment::start(origin, operator, shared, memory).await,
        versions,
        asks: Vec::new(),
        tally: Tally::new(),
    };
    while walk.asks.len() < steps {
        walk.step().await;
    }
    walk.tally
}

impl Walk {
    fn count(&mut self, what: impl Into<String>) {
        *self.tally.entry(what.into()).or_default() += 1;
    }

    async fn step(&mut self) {
        match self.random.u16(..1000) {
            0..60 => {
                self.count("time passes");
                self.deployment.advance(self.random.u64(1..40));
            }
            60..68 => self.purge().await,
            68..74 => self.restart().await,
            74..83 => self.trouble(),
            83..135 => {
                self.count("at once");
                let one = self.ask();
                let mut many = vec![one.clone()];
                // Mostly for the same: they share a fetch, or must not.
                for _ in 0..self.random.usize(1..5) {
                    let other = self.ask();
                    many.push(Ask {
                        method: one.method,
                        content: one.content,
                        path: one.path.clone(),
                        query: one.query,
                        host: one.host,
                        ..other
                    });
                }
                self.send(many).await;
            }
            _ => {
                let one = self.ask();
                self.send(vec![one]).await;
            }
        }
    }

    /// Half of the requests are like one of those before.
    fn ask(&mut self) -> Ask {
        let recent = self.asks.len().saturating_sub(12)..self.asks.len();
        let other = self.random.choice(&self.asks[recent]);
        match other.filter(|other| !other.is_write()) {
            Some(other) if self.random.bool() => Ask::like(&mut self.random, &self.habits, other),
            _ => Ask::any(&mut self.random, &self.habits),
        }
    }

    async fn send(&mut self, mut asks: Vec<Ask>) {
        if asks.len() > 1 {
            asks.retain(|ask| !ask.is_write());
        }
        let at = self.random.usize(..self.deployment.replicas.len());
        for ask in &mut asks {
            ask.step = self.asks.len();
            self.asks.push(ask.clone());
        }
        let address = self.deployment.replicas[at].proxy.address();
        let answers = join_all(asks.iter().map(async |ask| {
            let walk = [
                ask.step,
                ask.kind,
                usize::from(ask.status),
                usize::from(ask.coded),
            ];
            let walk = walk.map(|number| number.to_string()).join(" ");
            let fields = ask.fields.iter().map(|(name, value)| (*name, &**value));
            let fields: Vec<_> = [("Host", ask.host), (WALK, &walk)]
                .into_iter()
                .chain(fields)
                .collect();
            let line = (ask.method, &*ask.target());
            request_from(ask.source, address, line, &fields, ask.content.as_bytes()).await
        }))
        .await;
        for (ask, answer) in asks.iter().zip(&answers) {
            self.check(ask, at, answer);
            self.note(ask, answer);
        }
        if let [ask] = &asks[..]
            && ask.is_write()
            && answers[0].status < 400
        {
            self.written(ask, at);
        }
    }

    /// What replica `at` has passed on it may not serve the old version of.
    fn written(&mut self, ask: &Ask, at: usize) {
        if ask.path.ends_with("%2f") {
            return; // a slash at the end makes another path, though this origin does not care
        }
        let resource = resolve(&ask.path);
        let version = self.versions.of(ask.host, &resource);
        let oldest = &mut self.deployment.replicas[at].oldest;
        oldest.insert((ask.host.to_lowercase(), resource), (version, ask.step));
    }

    async fn purge(&mut self) {
        self.count("purges");
        let resource = resolve(&self.ask().path);
        let at = self.random.usize(..self.deployment.replicas.len());
        let replica = &mut self.deployment.replicas[at];
        for host in ["a.example", "b.example"] {
            let version = self.versions.write(host, &resource);
            let name = (host.to_owned(), resource.clone());
            replica.oldest.insert(name, (version, self.asks.len()));
        }
        let json = format!("{{\"paths\": [\"{resource}*\"], \"hard\": true}}");
        let headers = [("Content-Type", "application/json")];
        let admin = replica.proxy.admin();
        let answer = request(admin, "POST", "/api/purge", &headers, json.as_bytes()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    async fn restart(&mut self) {
        if self.deployment.redis.is_none() && self.random.u8(..4) > 0 {
            return; // nothing outlives it there
        }
        self.count("restarts");
        // Every other one takes back what let everybody share everything.
        let loose = OPERATORS.len() - 1;
        let operator =
            if self.deployment.operator.name == OPERATORS[loose].name || self.random.bool() {
                self.random.usize(..OPERATORS.len())
            } else {
                loose
            };
        self.deployment.restart(operator).await;
    }

    fn trouble(&mut self) {
        let kills = self.random.bool();
        let Some(redis) = &mut self.deployment.redis else {
            return;
        };
        if kills {
            redis.kill();
            redis.start_again();
        } else {
            redis.command::<String>(&["FLUSHALL"]);
        }
        self.count(if kills {
            "redis starts again"
        } else {
            "redis is emptied"
        });
    }

    fn note(&mut self, ask: &Ask, answer: &Answer) {
        let status = answer.header("cache-status").unwrap_or_default();
        let hit = answer.header("cache-status").is_some() && answer.is_hit();
        let name = self.deployment.operator.name;
        self.count(format!("steps {name}"));
        if hit {
            self.count(format!("hits {name}"));
            self.count(format!("hit {}", ask.method));
            for (field, _) in &ask.fields {
                self.count(format!("hit with {field}"));
            }
        }
        for detail in ["detail=path", "fwd=stale", "collapsed", "fwd=bypass"] {
            if status.contains(detail) {
                self.count(detail);
            }
        }
        self.count(format!("method {}", ask.method));
        self.count(format!("status {}", answer.status));
        self.count(format!("kind {}", kinds::kind(ask.kind).name));
        if ask.is_disguised() {
            self.count("disguised paths");
        }
        for (field, _) in &ask.fields {
            self.count(format!("with {field}"));
        }
        if !ask.is_trusted() {
            self.count("of an untrusted peer");
        }
    }

    fn check(&self, ask: &Ask, at: usize, answer: &Answer) {
        if let Err(why) = self.judge(ask, at, answer) {
            let owner = |made: Option<Made>| made.map(|made| &self.asks[made.step]);
            let seed = self.seed;
            panic!(
                "seed {seed} (WALK_SEED={seed} repeats it), step {}, operator {}, replica {at}: {why}\n asked: {ask:?} ({})\n got: {} {:?}\n body {:?}\n \
                 made for: {:?}\n head for: {:?}",
                ask.step,
                self.deployment.operator.name,
                kinds::kind(ask.kind).name,
                answer.status,
                answer.headers,
                String::from_utf8_lossy(&answer.body),
                owner(body_of(answer)),
                owner(head_of(answer)),
            );
        }
    }

    /// Whether `ask` may have got `answer` from replica `at`.
    fn judge(&self, ask: &Ask, at: usize, answer: &Answer) -> Result<(), String> {
        let Some(head) = head_of(answer) else {
            // The proxy's own: it has nothing of the origin in it.
            let own = answer.status >= 400 && body_of(answer).is_none();
            return own.then_some(()).ok_or("it does not say for whom".into());
        };
        if !answer.complete {
            return Err("it is cut off".into());
        }
        let made = [(body_of(answer), false), (Some(head), true)];
        for (made, is_head) in made {
            let Some(made) = made else { continue };
            let owner = &self.asks[made.step];
            if let Some(why) = objection(self.deployment.operator, ask, owner, is_head) {
                return Err(format!("{why} (made for step {})", made.step));
            }
            self.judge_seen(owner, &made, answer)?;
            let name = (owner.host.to_lowercase(), resolve(&ask.path));
            let oldest = self.deployment.replicas[at].oldest.get(&name);
            let rule = self.deployment.operator.rule(&name.1);
            // A write to one host is none to another.
            let direct = how_reached(rule, ask).is_empty() && how_reached(rule, owner).is_empty();
            if let Some((version, step)) = oldest.filter(|_| direct)
                && made.version < *version
            {
                let by = self.asks.get(*step).filter(|ask| ask.is_write());
                let by = by.map_or("an operator".into(), |by| format!("{by:?}"));
                return Err(format!("it was purged before step {step} by {by}"));
            }
        }
        self.judge_fields(ask, answer)
    }

    /// What is for one caller alone, and for one site.
    fn judge_fields(&self, ask: &Ask, answer: &Answer) -> Result<(), String> {
        let rule = self.deployment.operator.rule(&resolve(&ask.path));
        let own = format!("sid={}", ask.step);
        let cookie = answer.header("set-cookie").filter(|cookie| *cookie != own);
        if let (Some(cookie), true) = (cookie, rule.set_cookie != SetCookie::Store) {
            return Err(format!("somebody else's cookie {cookie}"));
        }
        let own = ask.step.to_string();
        if answer.header("x-own").is_some_and(|field| field != own) {
            return Err("somebody else's field".into());
        }
        let site = answer.header("access-control-allow-origin");
        if site.is_some_and(|site| site != "*" && Some(site) != ask.field("origin")) {
            return Err("it is for another site".into());
        }
        let coding = answer.header("content-encoding");
        let accepted = ask.field("accept-encoding").unwrap_or_default();
        if coding.is_some_and(|coding| !accepted.contains(coding)) {
            return Err(format!("it is coded: {coding:?}"));
        }
        Ok(())
    }

    /// What the origin saw is what its caller sent, without what it was not to see.
    fn judge_seen(&self, owner: &Ask, made: &Made, answer: &Answer) -> Result<(), String> {
        for name in CREDENTIALS.iter().filter(|name| **name != "cookie") {
            if made.seen(name) != owner.field(name) {
                return Err(format!(
                    "{name} was not passed on as it was, or should not have been"
                ));
            }
        }
        for (name, _) in FORWARDING {
            let own = match *name {
                "x-forwarded-host" => Some(owner.host.to_lowercase()),
                "x-forwarded-proto" => Some("http".to_owned()),
                _ => None,
            };
            if !owner.is_trusted() && made.seen(name) != own.as_deref() {
                return Err(format!("a stranger's {name} was passed on"));
            }
        }
        let rule = self.deployment.operator.rule(&resolve(&owner.path));
        let asked = matches!(owner.method, "GET" | "QUERY");
        let passed = answer
            .header("cache-status")
            .is_some_and(|s| s.contains("bypass"));
        let cookies = made.seen("cookie").unwrap_or_default();
        let ignored = |pair: &str| {
            rule.ignored_cookies
                .iter()
                .any(|name| is_cookie(pair, name))
        };
        if asked && !passed && owner.status == 200 && cookies.split("; ").any(ignored) {
            return Err("it saw an ignored cookie".into());
        }
        Ok(())
    }
}

fn head_of(answer: &Answer) -> Option<Made> {
    Made::parse(answer.header(MADE)?)
}

fn body_of(answer: &Answer) -> Option<Made> {
    if answer.body.is_empty() {
        return None;
    }
    Made::parse(&answer.decoded())
}
