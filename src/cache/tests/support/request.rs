//! A request, and the answer that it gets.

use super::scene::{HOST, Scene};
use crate::{
    cache::{Answered, Ask, Lookup, Miss, Outer, Refresh, Rule, Target, Unanswered},
    message::{Body, BodyError},
    origin::Origin,
    semantics::{Decision, Key, cache_status::CacheStatus},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt;
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinHandle, time::timeout};

/// Longer than anything takes by the clock that the runtime moves when nobody can go on.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A client that waits for its answer.
#[derive(Debug)]
pub(crate) struct Client(JoinHandle<Result<Got, Unanswered>>);

impl Client {
    /// The answer.
    pub(crate) async fn got(self) -> Got {
        self.outcome().await.unwrap()
    }

    /// Why there is no answer.
    pub(crate) async fn failed(self) -> Unanswered {
        self.outcome().await.expect_err("there is no answer")
    }

    pub(crate) async fn outcome(self) -> Result<Got, Unanswered> {
        self.0.await.unwrap()
    }

    /// The client hangs up.
    pub(crate) async fn leaves(self) {
        self.0.abort();
        let left = self.0.await;
        assert!(left.is_err(), "it had its answer already");
    }
}

/// A request that can be made.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    scene: Scene,
    rule: Arc<Rule>,
    method: Method,
    path: String,
    query: Option<String>,
    fields: HeaderMap,
    content: Option<Bytes>,
    tags: Vec<Box<str>>,
}

impl Request {
    pub(super) fn new(scene: &Scene, path: &str) -> Self {
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (path, None),
        };
        Self {
            rule: Arc::clone(&scene.rule),
            scene: scene.clone(),
            method: Method::GET,
            path: path.to_owned(),
            query,
            fields: HeaderMap::new(),
            content: None,
            tags: Vec::new(),
        }
    }

    /// With field `name`.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        let name = HeaderName::from_static(name);
        self.fields
            .append(name, HeaderValue::from_str(value).unwrap());
        self
    }

    /// By another rule than the scene's.
    pub(crate) fn by(self, rule: &Arc<Rule>) -> Self {
        let rule = Arc::clone(rule);
        Self { rule, ..self }
    }

    pub(crate) fn method(self, method: Method) -> Self {
        Self { method, ..self }
    }

    /// With the content of a QUERY.
    pub(crate) fn content(self, content: &'static str) -> Self {
        let content = Some(Bytes::from_static(content.as_bytes()));
        Self { content, ..self }
    }

    /// Named `tag` by its route, where the response is stored.
    pub(crate) fn tagged(mut self, tag: &str) -> Self {
        self.tags.push(tag.into());
        self
    }

    fn target(&self) -> Target<'_> {
        Target {
            scheme: "http",
            host: HOST,
            own_host: HOST,
            path: &self.path,
            query: self.query.as_deref(),
            counted: &[],
        }
    }

    fn key(&self) -> Key {
        let cache = &self.scene.cache;
        let key = cache.key(&self.rule, &self.target(), &self.fields);
        key.expect("nothing of it is too long").build()
    }

    /// What the cache is asked.
    pub(crate) fn ask(&self) -> Ask {
        let origin = Arc::clone(&self.scene.origin) as Arc<dyn Origin>;
        let (target, method) = (self.target(), self.method.clone());
        Ask::new(
            &self.rule,
            self.key(),
            &target,
            method,
            &self.fields,
            origin,
        )
        .with_content(self.content.clone())
        .tagged(self.tags.clone())
    }

    /// What memory has.
    pub(crate) fn look_up(&self) -> Lookup {
        let cache = &self.scene.cache;
        cache.lookup(&self.rule, &self.key(), &self.method, &self.fields)
    }

    /// Why memory cannot answer.
    pub(crate) fn miss(&self) -> Miss {
        match self.look_up() {
            Lookup::Miss(miss) => miss,
            other @ (Lookup::Hit(..) | Lookup::Encode(_)) => panic!("a miss, not {other:?}"),
        }
    }

    /// What comes of a fetch for this miss.
    pub(crate) async fn fetch(&self, miss: Miss) -> Result<Got, Unanswered> {
        let answered = self.scene.cache.fetch(&Arc::new(self.ask()), miss).await;
        answered.map(Got::of)
    }

    /// The answer, or why there is none.
    pub(crate) async fn outcome(self) -> Result<Got, Unanswered> {
        let outcome = timeout(PATIENCE, self.in_the_order_of_the_proxy()).await;
        outcome.expect("nobody waits for so long")
    }

    async fn in_the_order_of_the_proxy(self) -> Result<Got, Unanswered> {
        let cache = &self.scene.cache;
        let refresh = |refresh: Option<Refresh>| {
            if let Some(refresh) = refresh {
                let ask = self.ask();
                let (rule, key) = (Arc::clone(&ask.rule), ask.key.clone());
                cache.refresh(&rule, &key, &ask.request.clone(), refresh, || ask);
            }
        };
        let answered = match self.look_up() {
            Lookup::Hit(answered, wanted) => {
                refresh(wanted);
                answered
            }
            Lookup::Encode(mut hit) => {
                refresh(hit.refresh.take());
                cache
                    .encode(&self.rule, hit, &self.method, &self.fields)
                    .await
            }
            Lookup::Miss(miss) => {
                let ask = Arc::new(self.ask());
                match cache.lookup_outer(&ask, miss).await? {
                    Outer::Hit(answered) => answered,
                    Outer::Miss(miss) => cache.fetch(&ask, miss).await?,
                }
            }
        };
        Ok(Got::of(answered))
    }

    /// The answer.
    pub(crate) async fn get(self) -> Got {
        self.outcome().await.unwrap()
    }

    /// Why there is no answer.
    pub(crate) async fn failed(self) -> Unanswered {
        self.outcome().await.expect_err("there is no answer")
    }

    /// Makes the request, for a client that waits.
    pub(crate) fn begin(self) -> Client {
        let clients = self.scene.clients.clone();
        Client(clients.spawn(self.outcome()))
    }
}

/// An answer. Its body has not been read.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
    pub(crate) decision: Decision,
    /// What the client is told, without the name of the cache.
    pub(crate) says: String,
    body: Body,
}

impl Got {
    pub(crate) fn of(answered: Answered) -> Self {
        let (parts, body) = answered.response.into_parts();
        let says = CacheStatus(answered.decision).to_string();
        Self {
            status: parts.status,
            fields: parts.headers,
            decision: answered.decision,
            says: says.strip_prefix("sidecache; ").unwrap().to_owned(),
            body,
        }
    }

    /// What field `name` says, if anything.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.to_str().ok()
    }

    /// Whether the body is still arriving.
    pub(crate) fn is_stream(&self) -> bool {
        self.body.known_size().is_none()
    }

    /// The next piece of the body.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        let frame = timeout(PATIENCE, self.body.frame()).await;
        let frame = frame.expect("a piece or the end comes")?;
        Some(frame.map(|frame| frame.into_data().unwrap()))
    }

    /// The rest of the body.
    pub(crate) async fn rest(self) -> Result<Bytes, BodyError> {
        let rest = timeout(PATIENCE, self.body.collect()).await;
        Ok(rest.expect("the body ends")?.to_bytes())
    }

    /// The whole body as text.
    pub(crate) async fn text(self) -> String {
        String::from_utf8(self.rest().await.unwrap().to_vec()).unwrap()
    }
}
